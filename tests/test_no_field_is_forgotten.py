"""Whatever a clinical model can say stands in a file and on a page: changing it there changes
both.
"""

from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.db import models

from evidence.models import (
    ATTRIBUTES,
    AdverseEvent,
    GroupFinding,
    JAKInhibitor,
    Outcome,
    Patient,
    Study,
    StudyGroup,
    Treatment,
)
from evidence.questions.question import Question
from evidence.tables import TABLES, TIDY, read_batches

from . import plain
from .factories import make_collection, make_group, make_patient, make_study, make_treatment

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

CLINICAL = [Patient, Treatment, Outcome, AdverseEvent, Study, StudyGroup, GroupFinding]
# Which record it is and whose, whether readers may see it, and what somebody has looked for: no
# statement of a source. That a patient's empty fields were looked for shows in `Study.extraction`.
IDENTITY = {"collection", "study", "patient", "treatment", "group", "number", "slug", "state"}
IDENTITY |= {"withdrawal_reason", "replaced_by", "looked_for"}
NOT_IN_FILES = {
    "study.pii": "A publisher's own number: it leads a curator to a source that has no DOI.",
    "studygroup.position": "The order of a study's groups; lists and files stand in it.",
}
NOT_ON_PAGES = {
    "study.pii": NOT_IN_FILES["study.pii"],
    "studygroup.position": NOT_IN_FILES["studygroup.position"],
    "groupfinding.item": "What a forest plot counts the finding as; the plot says so.",
}
# Values that say something, or that the database allows, where the first other value would not.
ANOTHER = {
    "patient.prior_therapies_completeness": "none",
    "patient.manifestations_completeness": "none",
    "patient.autoantibodies_completeness": "none",
    "treatment.indications_completeness": "none",
    "treatment.concomitant_therapies_completeness": "none",
    "patient.same_as": lambda: Patient.objects.get(slug="beta-1"),
    "study.year": 2001,
    "study.doi": "10.1000/another",
    "study.pmid": "7654321",
    "study.pmcid": "PMC7654321",
    "study.nct": "NCT87654321",
    "study.url": "https://example.org/another",
    "groupfinding.p_value": "0.04",
}
WITH_IT = {"studygroup.mixed_inhibitors": {"inhibitor": None}}  # what has to change too


def fields(model) -> list[models.Field]:
    """What a record of a model says: the fields and lists a curator fills."""
    own = [*model._meta.concrete_fields, *model._meta.many_to_many]
    return [
        field
        for field in own
        if field.editable and not field.primary_key and field.name not in IDENTITY
    ]


EVERY_FIELD = [(model, field.name) for model in CLINICAL for field in fields(model)]


@pytest.fixture
def records() -> dict:
    """One record of each clinical model, of which everything is known that a page shows only beside
    something else.
    """
    collection = make_collection("world")
    study = make_study(
        collection,
        "alpha",
        journal="A journal",
        registered_inhibitor=JAKInhibitor.objects.get(slug="baricitinib"),
    )
    patient = make_patient(study, "alpha-1")
    treatment = make_treatment(patient, stopped="yes", adverse_events="events")
    event = make_treatment(patient, events=[("infection", {"grade": 3})]).events.get()
    outcome = treatment.outcomes.create(
        number=1, domain="skin", measure_id="new nodules", baseline=20, followup=10
    )
    numbers = dict.fromkeys(
        [
            "baseline",
            "baseline_sd",
            "followup",
            "followup_sd",
            "change",
            "change_sd",
            "iqr",
            "iqr_low",
        ],
        1,
    )
    numbers["iqr_high"] = 9
    printed = {
        "kind": "events",
        "measure": "death",
        "events": 1,
        "n": 10,
        "percent": 10,
        "value": 3,
    } | numbers
    group = make_group(study, "treated", findings=[printed])
    make_treatment(make_patient(make_study(collection, "beta"), "beta-1"))
    return {
        Patient: patient,
        Treatment: treatment,
        Outcome: outcome,
        AdverseEvent: event,
        Study: study,
        StudyGroup: group,
        GroupFinding: group.findings.get(),
    }


def change(record, name: str) -> None:
    """Lets one field say something else."""
    field, key = record._meta.get_field(name), f"{record._meta.model_name}.{name}"
    now = getattr(record, name)
    if field.many_to_many:
        term = field.related_model.objects.exclude(pk=record.pk).order_by("pk").last()
        through = field.remote_field.through
        through.objects.create(
            **{field.m2m_field_name(): record, field.m2m_reverse_field_name(): term}
        )
        return
    if key in ANOTHER:
        value = ANOTHER[key]() if callable(ANOTHER[key]) else ANOTHER[key]
    elif field.choices:
        value = next(code for code, _ in field.choices if code not in (now, ""))
    elif field.is_relation:
        value = field.related_model.objects.exclude(pk=getattr(now, "pk", record.pk)).last()
    elif isinstance(field, models.BooleanField):
        value = not now
    elif isinstance(field, models.CharField | models.TextField):
        value = "Something else"
    else:
        value = (now or 0) + Decimal(1)
    for other, required in ({name: value} | WITH_IT.get(key, {})).items():
        setattr(record, other, required)
    record.full_clean()
    record.save()


def rows_of_files(collection) -> list:
    """Everything the lists and the tables of a bundle hold."""
    question, found = Question(collection), []
    for table in [*TABLES.values(), *(tidy.table for tidy in TIDY.values())]:
        columns = table.file_columns
        records = table.records(question)
        found.append(
            [
                table.noun,
                *(batch.values for batch in read_batches(columns, table, records, question)),
            ]
        )
    return found


def page_of(client, record) -> str:
    """The page a reader finds the record on: that of its patient, or of its study."""
    owner = record
    for step in ("treatment", "patient", "group"):
        owner = getattr(owner, step, owner)
    study = isinstance(record, Study | StudyGroup | GroupFinding)
    owner = getattr(owner, "study", owner) if study else owner
    cache.clear()
    body = client.get(owner.get_absolute_url()).content.decode()
    return body[body.index("<article") : body.index("</article>")]


def shows(client, record, name: str) -> tuple[bool, bool]:
    """Whether files show a field of a record, and whether its page does: whether they change when
    it is changed.
    """
    collection = Study.objects.get(slug="alpha").collection
    files, page = rows_of_files(collection), page_of(client, record)
    change(record, name)
    record = type(record).objects.get(pk=record.pk)
    return rows_of_files(collection) != files, page_of(client, record) != page


@pytest.mark.parametrize(
    ("model", "name"), EVERY_FIELD, ids=lambda each: getattr(each, "__name__", each)
)
def test_every_clinical_field_is_in_a_file_and_on_a_page(client, records, model, name):
    key = f"{model._meta.model_name}.{name}"
    assert shows(client, records[model], name) == (key not in NOT_IN_FILES, key not in NOT_ON_PAGES)


def test_exemptions_are_of_fields_there_are_and_say_why():
    known = {f"{model._meta.model_name}.{name}" for model, name in EVERY_FIELD}
    for exempt in (NOT_IN_FILES, NOT_ON_PAGES):
        assert set(exempt) <= known
        assert all(reason.endswith(".") for reason in exempt.values())


@contextmanager
def without_column(name: str):
    """As if a field of patients had been added to the model alone."""
    tables = [TABLES["patients"], TIDY["patients"].table]
    before = [list(table.columns) for table in tables]
    for table in tables:
        table.columns[:] = [column for column in table.columns if column.name != name]
    yield
    for table, columns in zip(tables, before, strict=True):
        table.columns[:] = columns


def test_a_field_without_a_column_would_be_found_out(client, records):
    with without_column("disease_duration_months"):
        assert shows(client, records[Patient], "disease_duration_months") == (False, True), (
            "the timeline has it too"
        )
    with without_column("classification"):
        assert shows(client, records[Patient], "classification") == (False, False)


def test_every_attribute_that_can_be_unknown_is_known_to_the_plain_loops(records):
    for course in plain.all_courses(records[Study].collection):
        assert set(plain.known(course)) == set(ATTRIBUTES)
