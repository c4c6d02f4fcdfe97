"""The addresses of single records: one patient, one study, one drug, one review. A record that was
withdrawn is gone whatever release is asked, so records are looked for before the release is.
"""

from django.http import Http404, HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from ..models import JAKInhibitor, Patient, Review, Study
from ..questions.parsing import get_collection
from . import analysis_shapes, record_shapes, records, reference
from .params import parse_record_request, refuse_parameters
from .schema import release_parameter, response_schemas
from .views import Read


def named_record(model: type[JAKInhibitor | Review], slug: str, **conditions):
    """Raises Http404 where there is none."""
    record = model.objects.filter(slug=slug, **conditions).first()
    if record is None:
        raise Http404("There is nothing of this name.")
    return record


class PatientRecord(Read):
    @extend_schema(
        operation_id="patient",
        tags=["Records"],
        parameters=[release_parameter()],
        responses=response_schemas(record_shapes.PatientShape, "The patient.", 400, 404, 409, 410),
    )
    def get(self, request: HttpRequest, collection: str, patient: str) -> Response:
        """One patient: rows of the same columns as in the lists, where each value stands in the
        source, and how the study came in. One that is not counted, because another report of the
        same person is, says so in `counted_as`.
        """
        absolute = request.build_absolute_uri
        person = records.get_record(get_collection(collection), Patient, patient, absolute)
        within = parse_record_request(request.query_params, collection)
        return self.make_answer(lambda: records.patient_json(person, within, absolute))


class StudyRecord(Read):
    @extend_schema(
        operation_id="study",
        tags=["Records"],
        parameters=[release_parameter()],
        responses=response_schemas(record_shapes.StudyShape, "The study.", 400, 404, 409, 410),
    )
    def get(self, request: HttpRequest, collection: str, study: str) -> Response:
        """One study: what it is, its patients by their public ids, its groups with every finding,
        what it prints of all its patients, risk of bias, and how it came in.
        """
        absolute = request.build_absolute_uri
        paper = records.get_record(get_collection(collection), Study, study, absolute)
        within = parse_record_request(request.query_params, collection)
        return self.make_answer(lambda: records.study_json(paper, within, absolute))


class Inhibitors(Read):
    @extend_schema(
        operation_id="inhibitors",
        tags=["Drugs and reviews"],
        responses=response_schemas(analysis_shapes.Inhibitors, "Every drug.", 400),
    )
    def get(self, request: HttpRequest) -> Response:
        """Every JAK inhibitor, with what each collection holds on it."""
        refuse_parameters(request.query_params)
        return self.make_answer(lambda: reference.inhibitors_json(request.build_absolute_uri))


class Inhibitor(Read):
    @extend_schema(
        operation_id="inhibitor",
        tags=["Drugs and reviews"],
        responses=response_schemas(analysis_shapes.InhibitorResultsShape, "The drug.", 400, 404),
    )
    def get(self, request: HttpRequest, inhibitor: str) -> Response:
        """One drug: facts about it, and what happened under it, collection by collection."""
        refuse_parameters(request.query_params)
        drug = named_record(JAKInhibitor, inhibitor, named=True)
        return self.make_answer(lambda: reference.inhibitor_json(drug, request.build_absolute_uri))


class Reviews(Read):
    @extend_schema(
        operation_id="reviews",
        tags=["Drugs and reviews"],
        responses=response_schemas(analysis_shapes.Reviews, "Every review.", 400),
    )
    def get(self, request: HttpRequest) -> Response:
        """Published reviews, and how many figures each prints."""
        refuse_parameters(request.query_params)
        return self.make_answer(lambda: reference.reviews_json(request.build_absolute_uri))


class ReviewRecord(Read):
    @extend_schema(
        operation_id="review",
        tags=["Drugs and reviews"],
        responses=response_schemas(analysis_shapes.ReviewShape, "The review.", 400, 404),
    )
    def get(self, request: HttpRequest, review: str) -> Response:
        """What a review prints beside what the loaded records give, figure by figure."""
        refuse_parameters(request.query_params)
        printed = named_record(Review, review)
        return self.make_answer(lambda: reference.review_json(printed, request.build_absolute_uri))
