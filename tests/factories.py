"""Plain functions that make records; every clinical value is unknown unless given."""

from contextlib import contextmanager
from itertools import count

from django.db import connection, transaction

from evidence.models import (
    AdverseEvent,
    AdverseEventCategory,
    Autoantibody,
    Collection,
    GroupFinding,
    Indication,
    JAKInhibitor,
    Manifestation,
    Measure,
    Outcome,
    Patient,
    Study,
    StudyGroup,
    Therapy,
    Treatment,
)
from evidence.models.guards import GUARDS, trigger_statements

numbers = count(1)
WITHDRAWN = "Withdrawn for a test."


def make_collection(slug=None, **fields):
    slug = slug or f"collection-{next(numbers)}"
    return Collection.objects.create(
        slug=slug, name=slug, **({"kind": "published", "description": "Made for a test."} | fields)
    )


def make_study(collection, slug=None, **fields):
    slug = slug or f"study-{next(numbers)}"
    defaults = {
        "short_name": slug,
        "design": "case_series",
        "extraction": "full_text",
        "state": "published",
    }
    if fields.get("state") == "withdrawn":
        defaults["withdrawal_reason"] = WITHDRAWN
    return Study.objects.create(collection=collection, slug=slug, **(defaults | fields))


def make_patient(
    study,
    slug=None,
    present=(),
    absent=(),
    antibodies=(),
    antibodies_absent=(),
    prior=None,
    **fields,
):
    slug = slug or f"patient-{next(numbers)}"
    told = "not_stated" if prior is None else "complete" if prior else "none"
    defaults = {"label": slug, "state": "published", "prior_therapies_completeness": told}
    defaults["looked_for"] = study.extraction == "full_text"  # what is left out is not reported
    if fields.get("state") == "withdrawn":
        defaults["withdrawal_reason"] = WITHDRAWN
    patient = Patient.objects.create(study=study, slug=slug, **(defaults | fields))
    for status, codes in (("present", present), ("absent", absent)):
        for code in codes:
            patient.manifestation_records.create(
                manifestation=Manifestation.objects.get(code=code), status=status
            )
    for status, codes in (("present", antibodies), ("absent", antibodies_absent)):
        for code in codes:
            patient.autoantibody_records.create(
                autoantibody=Autoantibody.objects.get(code=code), status=status
            )
    if prior:
        patient.prior_therapies.set(Therapy.objects.filter(code__in=prior))
    return patient


def make_treatment(
    patient, inhibitor="tofacitinib", indications=(), events=(), outcomes=(), **fields
):
    """`events` are (category, fields) pairs, `outcomes` are (domain, result) pairs; what is listed
    is all there is.
    """
    fields.setdefault("number", patient.treatments.count() + 1)
    if events:
        fields.setdefault("adverse_events", "events")
        fields.setdefault("adverse_event_categories_completeness", "complete")
    if indications:
        fields.setdefault("indications_completeness", "complete")
    drug = JAKInhibitor.objects.get(slug=inhibitor)
    treatment = Treatment.objects.create(patient=patient, inhibitor=drug, **fields)
    treatment.indications.set(Indication.objects.filter(code__in=indications))
    for number, (category, more) in enumerate(events, start=1):
        kind = AdverseEventCategory.objects.get(code=category)
        AdverseEvent.objects.create(treatment=treatment, number=number, category=kind, **more)
    for number, (domain, result) in enumerate(outcomes, start=1):
        Outcome.objects.create(
            treatment=treatment,
            number=number,
            domain=domain,
            measure=make_measure(domain),
            result=result,
        )
    return treatment


def make_measure(label, **fields):
    """The measure of this label; without a range, if it is new."""
    code = f"measure-{next(numbers)}"
    return Measure.objects.get_or_create(label=label, defaults={"code": code} | fields)[0]


def make_group(study, slug=None, inhibitor="tofacitinib", indications=(), findings=(), **fields):
    slug = slug or f"group-{next(numbers)}"
    drug = JAKInhibitor.objects.get(slug=inhibitor) if inhibitor else None
    group = StudyGroup.objects.create(study=study, slug=slug, label=slug, inhibitor=drug, **fields)
    group.indications.set(Indication.objects.filter(code__in=indications))
    for number, finding in enumerate(findings, start=1):
        GroupFinding.objects.create(group=group, number=number, **finding)
    return group


def delete_as_if_never_published(*records):
    """Deletes records that readers have seen, as versions could that kept no addresses."""
    collections = Collection.objects.filter(slug="published")
    now = collections.values("kind", "caveat").get()
    with kinds_may_change():
        collections.update(kind="simulated", caveat="not for long")
    for record in records:
        type(record).objects.get(pk=record.pk).delete()
    with kinds_may_change():
        collections.update(**now)


@contextmanager
def kinds_may_change():
    """Without the trigger that keeps a collection's kind; PostgreSQL's owner may switch it off."""
    is_sqlite = connection.vendor == "sqlite"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DROP TRIGGER collection_kind_stays"
            if is_sqlite
            else "SET LOCAL session_replication_role = replica"
        )
        yield
        if is_sqlite:
            guards = [guard for guard in GUARDS if guard.name == "collection_kind_stays"]
            for statement in trigger_statements(connection, guards):
                cursor.execute(statement)
        else:
            cursor.execute("SET LOCAL session_replication_role = origin")
