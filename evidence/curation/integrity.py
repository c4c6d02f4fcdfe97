"""Rules that span several rows, which no table constraint can hold. Read by `load_evidence` and
`check_evidence`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Count, Exists, F, Model, OuterRef, Q, QuerySet, Subquery, Sum

from ..downloads.archives import damaged_archives
from ..models import (
    SIMULATED_PREFIX,
    AdverseEvent,
    GroupFinding,
    Manifestation,
    Measure,
    Outcome,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Provenance,
    ReleasedCollection,
    ReleasedRecords,
    Review,
    Study,
    Treatment,
    set_key,
)
from ..models.base import COMPLETENESS
from ..models.choices import Ascertainment, CollectionKind, ListCompleteness, Presence, State
from ..models.measure import LEVELS, VALUE_KINDS, known_measure
from ..models.past_state import Damaged, check_records
from ..models.provenance import STUDY_OF
from ..models.spellings import Spelled, fold_spelling
from ..models.term_tree import read_tree
from ..summaries import reconcile_figures


@dataclass(frozen=True)
class IntegrityIssue:
    """One record that breaks a rule: its model's label, its natural key, and what is wrong, for a
    curator to read.
    """

    model: str
    key: tuple
    problem: str

    def __str__(self) -> str:
        return f"{self.model} {' / '.join(map(str, self.key))}: {self.problem}"


def integrity_issue(record, problem: str) -> IntegrityIssue:
    return IntegrityIssue(record._meta.label_lower, record.natural_key(), problem)


# From a record to the study it belongs to.
STUDY_PATHS = {
    Study: "pk",
    Patient: "study",
    PatientManifestation: "patient__study",
    Treatment: "patient__study",
    Outcome: "treatment__patient__study",
    AdverseEvent: "treatment__patient__study",
    GroupFinding: "group__study",
}
Rule = Callable[[Study | None], Iterator[IntegrityIssue]]


def broken_rules(
    rules: Iterable[Rule] | None = None, study: Study | None = None
) -> list[IntegrityIssue]:
    """Every broken rule in the database, or of some `rules`, in a steady order. With a `study` only
    what its records break is looked for: the rules ask for rows of that study alone.
    """
    return [issue for rule in (RULES if rules is None else rules) for issue in rule(study)]


def records_of(model: type[Model], study: Study | None) -> QuerySet:
    """The records of one study, or of all of them."""
    records = model.objects.all()
    return records if study is None else records.filter(**{STUDY_PATHS[model]: study.pk})


def integrity_issues() -> list[str]:
    """Every broken rule, and every figure of a review that does not come out as when a curator last
    looked.
    """
    return [*map(str, broken_rules()), *figures_that_differ()]


def damaged_releases() -> Iterator[str]:
    """Every archive and every release's records that are not, byte for byte, what was kept."""
    kept = ReleasedCollection.objects.filter(release__pruned_at__isnull=True)
    yield from damaged_archives(kept.select_related("release"))
    for records in ReleasedRecords.objects.select_related("release"):
        try:
            check_records(records)
        except Damaged as error:
            yield f"{records.release} cannot be asked: {error}. Restore them from a backup."


def figures_that_differ() -> Iterator[str]:
    for review in Review.objects.all():
        for row in reconcile_figures(review, list(review.figures.select_related("review"))):
            if row.unexpected:
                recomputed = (
                    f"{row.recomputed} ({row.basis})" if row.value is not None else "not computable"
                )
                name = f"evidence.printedfigure {review.slug} / {row.figure.code}"
                yield (
                    f"{name}: printed {row.printed}, records give {recomputed}. When last seen: "
                    f"{row.expected.label}; now: {row.verdict.label}. Find out why, then write a "
                    "note and the new verdict"
                )


def patients_without_treatment(study: Study | None = None) -> Iterator[IntegrityIssue]:
    """Of published patients: one that is being entered has no course yet."""
    published = records_of(Patient, study).filter(state=State.PUBLISHED)
    for patient in published.filter(treatments__isnull=True):
        yield integrity_issue(
            patient, "has no course of a JAK inhibitor, so no question can reach this patient"
        )


def lists_disagree(study: Study | None = None) -> Iterator[IntegrityIssue]:
    """A list that is said to be empty has no item; one that is said to be there has at least
    one.
    """
    rows = {
        "prior_therapies": (
            Patient,
            Exists(Patient.prior_therapies.through.objects.filter(patient=OuterRef("pk"))),
        ),
        "manifestations": (Patient, has_present_row(PatientManifestation)),
        "autoantibodies": (Patient, has_present_row(PatientAutoantibody)),
        "indications": (
            Treatment,
            Exists(Treatment.indications.through.objects.filter(treatment=OuterRef("pk"))),
        ),
        "concomitant_therapies": (
            Treatment,
            Exists(
                Treatment.concomitant_therapies.through.objects.filter(treatment=OuterRef("pk"))
            ),
        ),
        "adverse_event_categories": (
            Treatment,
            Exists(AdverseEvent.objects.filter(treatment=OuterRef("pk"))),
        ),
    }
    for name, (model, items) in rows.items():
        label, records = name.replace("_", " "), records_of(model, study).annotate(listed=items)
        if model is Treatment:
            records = records.select_related("patient")
        for record in records.filter(
            listed=True, **{f"{name}{COMPLETENESS}": ListCompleteness.NONE}
        ):
            yield integrity_issue(record, f"{label} are listed, but said to be none")
        stated = [ListCompleteness.COMPLETE, ListCompleteness.PARTIAL]
        for record in records.filter(listed=False, **{f"{name}{COMPLETENESS}__in": stated}):
            yield integrity_issue(
                record, f"the list of {label} is said to be there, but nothing is listed"
            )


def has_present_row(model) -> Exists:
    return Exists(model.objects.filter(patient=OuterRef("pk"), status=Presence.PRESENT))


def terms_part_of_themselves(study: Study | None = None) -> Iterator[IntegrityIssue]:
    """Terms in a circle; of each circle, the one whose code comes first. No study has terms."""
    if study is not None:
        return
    wider = read_tree(Manifestation).wider
    for term in Manifestation.objects.all():
        circle = [code for code in wider.get(term.code, ()) if term.code in wider.get(code, ())]
        if circle and term.code < min(circle):
            yield integrity_issue(term, "is part of itself, by way of the terms it is part of")


def present_under_absent(study: Study | None = None) -> Iterator[IntegrityIssue]:
    """Whoever was found without the wider term cannot have the narrower one."""
    tree = read_tree(Manifestation)
    for code, wider in tree.wider.items():
        absent = PatientManifestation.objects.filter(
            patient=OuterRef("patient"), manifestation__code__in=wider, status=Presence.ABSENT
        )
        rows = records_of(PatientManifestation, study).filter(
            Exists(absent), manifestation__code=code, status=Presence.PRESENT
        )
        for record in rows.select_related("patient", "manifestation"):
            yield integrity_issue(
                record, "is present, but a wider term that it is part of is recorded as absent"
            )


def ids_show_their_kind(study: Study | None = None) -> Iterator[IntegrityIssue]:
    simulated = Q(study__collection__kind=CollectionKind.SIMULATED)
    patients = records_of(Patient, study)
    for patient in patients.filter(simulated).exclude(slug__startswith=SIMULATED_PREFIX):
        yield integrity_issue(
            patient, f"a simulated patient's public id begins with {SIMULATED_PREFIX}"
        )
    for patient in patients.filter(~simulated, slug__startswith=SIMULATED_PREFIX):
        yield integrity_issue(
            patient, f"only a simulated patient's public id begins with {SIMULATED_PREFIX}"
        )


def linked_patients(study: Study | None) -> QuerySet:
    """Patients linked to another report; with a study, those whose link begins or ends in it."""
    linked = Patient.objects.filter(same_as__isnull=False)
    return linked if study is None else linked.filter(Q(study=study) | Q(same_as__study=study))


def same_person_links(study: Study | None = None) -> Iterator[IntegrityIssue]:
    linked = linked_patients(study)
    for patient in linked.exclude(study__collection=F("same_as__study__collection")):
        yield integrity_issue(patient, "is linked to a report in another collection")
    for patient in linked.filter(same_as__same_as__isnull=False):
        yield integrity_issue(patient, "is linked to a report that is itself linked to another")


def same_person_links_are_seen(study: Study | None = None) -> Iterator[IntegrityIssue]:
    published = Patient.objects.published().values("pk")
    linked = linked_patients(study).filter(pk__in=published).select_related("same_as")
    for patient in linked.exclude(same_as__in=published):
        yield integrity_issue(
            patient,
            f"is linked to {patient.same_as}, which readers do not see, so another report counts "
            "instead of it",
        )


def indication_sets_in_step(study: Study | None = None) -> Iterator[IntegrityIssue]:
    treatments = records_of(Treatment, study).select_related("patient")
    for treatment in treatments.prefetch_related("indications"):
        if treatment.indication_set != set_key(
            indication.code for indication in treatment.indications.all()
        ):
            yield integrity_issue(
                treatment,
                f"its indication set reads “{treatment.indication_set}”, which its indications "
                "do not",
            )


def events_need_ascertainment(study: Study | None = None) -> Iterator[IntegrityIssue]:
    events = records_of(AdverseEvent, study).select_related("treatment__patient")
    for event in events.exclude(treatment__adverse_events=Ascertainment.EVENTS):
        yield integrity_issue(event, "stands under a course that does not report adverse events")


def numbers_within_study(study: Study | None = None) -> Iterator[IntegrityIssue]:
    studies = records_of(Study, study).select_related("collection").filter(n_jaki__isnull=False)
    for record in studies.annotate(known=Count("patients")).filter(known__gt=F("n_jaki")):
        yield integrity_issue(
            record,
            f"has {record.known} individual patients, more than the {record.n_jaki} given a JAK "
            "inhibitor",
        )
    treated = Q(groups__inhibitor__isnull=False) | Q(groups__mixed_inhibitors=True)
    for record in studies.annotate(known=Sum("groups__n", filter=treated)).filter(
        known__gt=F("n_jaki")
    ):
        yield integrity_issue(
            record,
            f"its treated groups add up to {record.known}, more than the {record.n_jaki} given a "
            "JAK inhibitor",
        )


def findings_within_group(study: Study | None = None) -> Iterator[IntegrityIssue]:
    findings = records_of(GroupFinding, study).select_related("group__study__collection")
    for finding in findings.filter(n__gt=F("group__n")):
        yield integrity_issue(
            finding, f"analyses {finding.n} patients of a group of {finding.group.n}"
        )


def sharing_links(study: Study | None) -> QuerySet:
    """Links between studies that may share patients; with a study, those that name it."""
    links = Study.may_share_patients_with.through.objects.all()
    return links if study is None else links.filter(Q(from_study=study) | Q(to_study=study))


def shared_patients_within_collection(study: Study | None = None) -> Iterator[IntegrityIssue]:
    elsewhere = sharing_links(study).exclude(from_study__collection=F("to_study__collection"))
    for record in Study.objects.select_related("collection").filter(
        pk__in=elsewhere.values("from_study")
    ):
        yield integrity_issue(
            record, "is said to share patients with a study of another collection"
        )


def sharing_links_are_seen(study: Study | None = None) -> Iterator[IntegrityIssue]:
    published = Study.objects.published().order_by().values("pk")
    links = sharing_links(study).select_related("from_study__collection", "to_study")
    unseen = links.filter(from_study__in=published).exclude(to_study__in=published)
    for link in unseen.order_by("from_study__slug", "to_study__slug"):
        yield integrity_issue(
            link.from_study,
            f"is said to share patients with {link.to_study.slug}, which readers do not see",
        )


def provenance_of_own_study(study: Study | None = None) -> Iterator[IntegrityIssue]:
    for subject, path in STUDY_OF.items():
        path = f"{subject}__{path}"
        records = Provenance.objects.filter(**{f"{subject}__isnull": False})
        if study is not None:
            records = records.filter(Q(study=study) | Q(**{path: study}))
        owner = Subquery(Study.objects.filter(pk=OuterRef(path)).values("pk"))
        records = records.select_related("study__collection").annotate(owner=owner)
        for record in records.exclude(study=F("owner")):
            yield integrity_issue(record, f"names a {subject.replace('_', ' ')} of another study")


def values_within_range(study: Study | None = None) -> Iterator[IntegrityIssue]:
    """Of outcomes and findings; one that was entered before its measure had a range may break
    it.
    """
    owners = {
        Outcome: ("measure", "treatment__patient"),
        GroupFinding: ("group__study__collection",),
    }
    for model, names in owners.items():
        records = records_of(model, study).filter(outside_of_range(model))
        for record in records.select_related(*names):
            measure = record.measure if model is Outcome else known_measure(record.measure)
            errors = measure.range_errors(record, record.levels())
            yield integrity_issue(record, " ".join(errors.values()))


def outcomes_fit_their_measure(study: Study | None = None) -> Iterator[IntegrityIssue]:
    """In domain and unit."""
    outcomes = records_of(Outcome, study).select_related("measure", "treatment__patient")
    other_domain = ~Q(measure__domain="") & ~Q(domain=F("measure__domain"))
    has_unit = ~Q(measure__unit="") & ~Q(unit="")
    for outcome in outcomes.filter(other_domain | has_unit):
        if misfits := outcome.measure.misfits(outcome.domain, outcome.unit):
            yield integrity_issue(outcome, " ".join(misfits.values()))


def outside_of_range(model: type[Model]) -> Q:
    """Whether a value of an outcome or a finding lies outside the range of its measure."""

    def outside(fields: Iterable[str]) -> Q:
        beyond = Q()
        for name in fields:
            beyond |= Q(low__gt=OuterRef(name)) | Q(high__lt=OuterRef(name))
        return Q(Exists(Measure.objects.filter(beyond, label=OuterRef("measure"))))

    condition = outside(LEVELS)
    for kind, fields in VALUE_KINDS.items() if model is GroupFinding else ():
        condition |= Q(kind=kind) & outside(fields)
    return condition


def spellings_mean_one_term(study: Study | None = None) -> Iterator[IntegrityIssue]:
    """Terms belong to no study."""
    models = apps.get_app_config("evidence").get_models() if study is None else ()
    for model in models:
        if not issubclass(model, Spelled):
            continue
        found: dict[str, Spelled] = {}
        for term in model.objects.order_by("pk"):
            others = {}
            for spelling in term.spellings():
                other = found.setdefault(fold_spelling(spelling), term)
                if other != term:
                    others.setdefault(other, spelling)
            for other, spelling in others.items():
                yield integrity_issue(term, f"“{spelling}” is a spelling of “{other}” too")


# What every record has to keep; `load_evidence` refuses a fixture that breaks one.
RECORD_RULES = [
    patients_without_treatment,
    lists_disagree,
    terms_part_of_themselves,
    present_under_absent,
    ids_show_their_kind,
    same_person_links,
    indication_sets_in_step,
    events_need_ascertainment,
    numbers_within_study,
    findings_within_group,
    shared_patients_within_collection,
    provenance_of_own_study,
]
# What a curator breaks by publishing or withdrawing: for a curator to mend, no fault of a fixture.
PUBLICATION_RULES = [same_person_links_are_seen, sharing_links_are_seen]
# What a database may hold from before there was the rule.
LATER_RULES = [values_within_range, outcomes_fit_their_measure, spellings_mean_one_term]
RULES = [*RECORD_RULES, *PUBLICATION_RULES, *LATER_RULES]
