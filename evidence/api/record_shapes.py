"""The shapes of one patient and one study; see `shapes.py`."""

from rest_framework import serializers as s

from ..tables import TABLES
from .records import PATIENT
from .shapes import (
    COLLECTION_HEAD,
    ROWS,
    integer_field,
    make_component,
    number_field,
    row_fields,
    text_field,
)

DomainResultShape = make_component(
    "DomainResult",
    domain=text_field(),
    result=text_field(),
    at_months=number_field("Null: not known.", allow_null=True),
)
CourseShape = make_component(
    "Course",
    **row_fields(TABLES["treatments"]),
    results_by_domain=DomainResultShape(
        many=True, help_text="Of this course, the outcome that counts in each domain."
    ),
)
CorrectionShape = make_component(
    "Correction",
    at=s.DateTimeField(),
    values=integer_field("How many values changed."),
    reason=text_field(allow_blank=True),
    by=text_field("Empty without consent.", allow_blank=True),
)
HistoryShape = make_component(
    "History",
    entered_at=s.DateTimeField(
        allow_null=True, help_text="Null: it came with the collection's files."
    ),
    published_at=s.DateTimeField(
        allow_null=True, help_text="Null: it came with the collection's files."
    ),
    by=text_field("Empty without consent.", allow_blank=True),
    checked_at=s.DateTimeField(
        allow_null=True, help_text="By somebody who wrote none of it; null: nobody has."
    ),
    checked_by=text_field("Empty without consent.", allow_blank=True),
    values_checked=integer_field("Values whose place names a second person."),
    corrections=CorrectionShape(
        many=True,
        help_text="Where a release itself answers, without those that came with later files of "
        "the collection: when one database loaded them is none of the release.",
    ),
)
PatientShape = make_component(
    "Patient",
    **COLLECTION_HEAD,
    page=s.URLField(),
    phenopacket=s.URLField(),
    patient=make_component("PatientRecord", **row_fields(PATIENT))(),
    called=text_field("How the source calls the patient.", allow_blank=True),
    other_reports=s.ListField(
        child=s.CharField(), help_text="Other reports of the same person; counted once."
    ),
    counted_as=text_field("The report that counts for the person."),
    treatments=CourseShape(many=True),
    outcomes=ROWS["outcomes"](many=True),
    adverse_events=ROWS["adverse-events"](many=True),
    provenance=ROWS["provenance"](many=True, help_text="Where each value stands in the source."),
    study=ROWS["studies"](),
    history=HistoryShape(allow_null=True, help_text="How its study came in."),
)
TotalShape = make_component(
    "ReportedTotal",
    number=integer_field(),
    label=text_field(),
    printed=text_field(),
    place=text_field(allow_blank=True),
    given=text_field("What its patients give.", allow_blank=True),
    known=integer_field(),
    patients=integer_field(),
    verdict=text_field(),
    why=text_field(allow_blank=True),
    note=text_field(allow_blank=True),
)
AppraisalShape = make_component(
    "Appraisal",
    tool=text_field(),
    item=integer_field(),
    question=text_field(),
    answer=text_field("What two appraisers agreed on; never summed."),
    reason=text_field(allow_blank=True),
)
ReviewedShape = make_component(
    "InReview", review=text_field(), included=text_field("yes, no, or unknown.")
)
AgreedField = make_component(
    "AgreedField", field=text_field(), agreed=integer_field(), entered=integer_field()
)
AgreementShape = make_component(
    "SecondEntry",
    agreed=integer_field("Values that two people entered the same, each without the other."),
    entered=integer_field("Values that both entered."),
    fields=AgreedField(many=True),
)
StudyShape = make_component(
    "Study",
    **COLLECTION_HEAD,
    page=s.URLField(),
    study=ROWS["studies"](),
    reading=text_field("How much of the source was read."),
    patients=s.ListField(child=s.CharField(), help_text="Their public ids."),
    groups=ROWS["groups"](many=True),
    findings=ROWS["findings"](many=True),
    reported_totals=TotalShape(
        many=True, help_text="What the paper prints of all its patients, beside its rows."
    ),
    appraisals=AppraisalShape(many=True),
    reviews=ReviewedShape(many=True),
    provenance=ROWS["provenance"](many=True),
    history=HistoryShape(allow_null=True),
    second_entry=AgreementShape(allow_null=True),
)
