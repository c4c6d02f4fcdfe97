"""Rules that span several rows, which no table constraint can hold. Read by `load_evidence` and
`check_evidence`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Sum

from ..models import (
    AdverseEvent,
    GroupFinding,
    Manifestation,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Provenance,
    Review,
    Study,
    Treatment,
    set_key,
)
from ..models.choices import Ascertainment, CollectionKind, ListCompleteness, Presence
from ..models.provenance import SUBJECTS
from ..models.term_tree import read_tree
from ..summaries import reconcile_figures

SIMULATED_PREFIX = "SIM-"


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


def broken_rules(
    rules: Iterable[Callable[[], Iterator[IntegrityIssue]]] | None = None,
) -> list[IntegrityIssue]:
    """Every broken rule in the database, or of some `rules`, in a steady order."""
    return [issue for rule in (RULES if rules is None else rules) for issue in rule()]


def integrity_issues() -> list[str]:
    """Every broken rule, and every figure of a review that does not come out as when a curator last
    looked.
    """
    return [*map(str, broken_rules()), *figures_that_differ()]


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


def patients_without_treatment() -> Iterator[IntegrityIssue]:
    for patient in Patient.objects.filter(treatments__isnull=True):
        yield integrity_issue(
            patient, "has no course of a JAK inhibitor, so no question can reach this patient"
        )


def lists_disagree() -> Iterator[IntegrityIssue]:
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
        label, records = name.replace("_", " "), model.objects.annotate(listed=items)
        if model is Treatment:
            records = records.select_related("patient")
        for record in records.filter(
            listed=True, **{f"{name}_completeness": ListCompleteness.NONE}
        ):
            yield integrity_issue(record, f"{label} are listed, but said to be none")
        stated = [ListCompleteness.COMPLETE, ListCompleteness.PARTIAL]
        for record in records.filter(listed=False, **{f"{name}_completeness__in": stated}):
            yield integrity_issue(
                record, f"the list of {label} is said to be there, but nothing is listed"
            )


def has_present_row(model) -> Exists:
    return Exists(model.objects.filter(patient=OuterRef("pk"), status=Presence.PRESENT))


def terms_part_of_themselves() -> Iterator[IntegrityIssue]:
    """Terms in a circle; of each circle, the one whose code comes first."""
    wider = read_tree(Manifestation).wider
    for term in Manifestation.objects.all():
        circle = [code for code in wider.get(term.code, ()) if term.code in wider.get(code, ())]
        if circle and term.code < min(circle):
            yield integrity_issue(term, "is part of itself, by way of the terms it is part of")


def present_under_absent() -> Iterator[IntegrityIssue]:
    """Whoever was found without the wider term cannot have the narrower one."""
    tree = read_tree(Manifestation)
    for code, wider in tree.wider.items():
        absent = PatientManifestation.objects.filter(
            patient=OuterRef("patient"), manifestation__code__in=wider, status=Presence.ABSENT
        )
        rows = PatientManifestation.objects.filter(
            Exists(absent), manifestation__code=code, status=Presence.PRESENT
        )
        for record in rows.select_related("patient", "manifestation"):
            yield integrity_issue(
                record, "is present, but a wider term that it is part of is recorded as absent"
            )


def ids_show_their_kind() -> Iterator[IntegrityIssue]:
    simulated = Q(study__collection__kind=CollectionKind.SIMULATED)
    for patient in Patient.objects.filter(simulated).exclude(slug__startswith=SIMULATED_PREFIX):
        yield integrity_issue(
            patient, f"a simulated patient's public id begins with {SIMULATED_PREFIX}"
        )
    for patient in Patient.objects.filter(~simulated, slug__startswith=SIMULATED_PREFIX):
        yield integrity_issue(
            patient, f"only a simulated patient's public id begins with {SIMULATED_PREFIX}"
        )


def same_person_links() -> Iterator[IntegrityIssue]:
    linked = Patient.objects.filter(same_as__isnull=False)
    for patient in linked.exclude(study__collection=F("same_as__study__collection")):
        yield integrity_issue(patient, "is linked to a report in another collection")
    for patient in linked.filter(same_as__same_as__isnull=False):
        yield integrity_issue(patient, "is linked to a report that is itself linked to another")


def same_person_links_are_seen() -> Iterator[IntegrityIssue]:
    published = Patient.objects.published().values("pk")
    linked = Patient.objects.published().filter(same_as__isnull=False).select_related("same_as")
    for patient in linked.exclude(same_as__in=published):
        yield integrity_issue(
            patient,
            f"is linked to {patient.same_as}, which readers do not see, so another report counts "
            "instead of it",
        )


def indication_sets_in_step() -> Iterator[IntegrityIssue]:
    for treatment in Treatment.objects.select_related("patient").prefetch_related("indications"):
        if treatment.indication_set != set_key(
            indication.code for indication in treatment.indications.all()
        ):
            yield integrity_issue(
                treatment,
                f"its indication set reads “{treatment.indication_set}”, which its indications "
                "do not",
            )


def events_need_ascertainment() -> Iterator[IntegrityIssue]:
    events = AdverseEvent.objects.select_related("treatment__patient")
    for event in events.exclude(treatment__adverse_events=Ascertainment.EVENTS):
        yield integrity_issue(event, "stands under a course that does not report adverse events")


def numbers_within_study() -> Iterator[IntegrityIssue]:
    studies = Study.objects.select_related("collection").filter(n_jaki__isnull=False)
    for study in studies.annotate(known=Count("patients")).filter(known__gt=F("n_jaki")):
        yield integrity_issue(
            study,
            f"has {study.known} individual patients, more than the {study.n_jaki} given a JAK "
            "inhibitor",
        )
    treated = Q(groups__inhibitor__isnull=False) | Q(groups__mixed_inhibitors=True)
    for study in studies.annotate(known=Sum("groups__n", filter=treated)).filter(
        known__gt=F("n_jaki")
    ):
        yield integrity_issue(
            study,
            f"its treated groups add up to {study.known}, more than the {study.n_jaki} given a "
            "JAK inhibitor",
        )


def findings_within_group() -> Iterator[IntegrityIssue]:
    findings = GroupFinding.objects.select_related("group__study__collection")
    for finding in findings.filter(n__gt=F("group__n")):
        yield integrity_issue(
            finding, f"analyses {finding.n} patients of a group of {finding.group.n}"
        )


def shared_patients_within_collection() -> Iterator[IntegrityIssue]:
    elsewhere = Study.may_share_patients_with.through.objects.exclude(
        from_study__collection=F("to_study__collection")
    )
    for study in Study.objects.select_related("collection").filter(
        pk__in=elsewhere.values("from_study")
    ):
        yield integrity_issue(study, "is said to share patients with a study of another collection")


def sharing_links_are_seen() -> Iterator[IntegrityIssue]:
    published = Study.objects.published().order_by().values("pk")
    links = Study.may_share_patients_with.through.objects.select_related(
        "from_study__collection", "to_study"
    )
    unseen = links.filter(from_study__in=published).exclude(to_study__in=published)
    for link in unseen.order_by("from_study__slug", "to_study__slug"):
        yield integrity_issue(
            link.from_study,
            f"is said to share patients with {link.to_study.slug}, which readers do not see",
        )


def provenance_of_own_study() -> Iterator[IntegrityIssue]:
    study_of = {
        "patient": "patient__study",
        "treatment": "treatment__patient__study",
        "outcome": "outcome__treatment__patient__study",
        "adverse_event": "adverse_event__treatment__patient__study",
        "group": "group__study",
        "finding": "finding__group__study",
    }
    for subject in SUBJECTS:
        records = Provenance.objects.select_related("study__collection").filter(
            **{f"{subject}__isnull": False}
        )
        owner = Subquery(Study.objects.filter(pk=OuterRef(study_of[subject])).values("pk"))
        for record in records.annotate(owner=owner).exclude(study=F("owner")):
            yield integrity_issue(record, f"names a {subject.replace('_', ' ')} of another study")


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
RULES = [*RECORD_RULES, *PUBLICATION_RULES]
