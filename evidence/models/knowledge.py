"""What it means that something is known of a treatment, attribute by attribute: the N of every
share.

A condition is written once and read in two ways: as SQL by the database, and by whoever has read
the tables already and needs no further query (`Condition.atoms` says what to look at,
`Condition.evaluate` puts the answers together).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from django.db.models import Exists, OuterRef, Q

from .adverse_event import AdverseEvent
from .base import COMPLETENESS
from .choices import (
    Ascertainment,
    Design,
    ListCompleteness,
    Presence,
    Response,
    Sex,
    Subset,
    YesNo,
)
from .outcome import Outcome
from .patient import Patient, PatientAutoantibody, PatientManifestation
from .reference import AdverseEventCategory, Autoantibody, Indication, Manifestation, Therapy
from .study import Study
from .treatment import Treatment


class Condition:
    """Something that holds of a treatment or does not. Conditions are joined by &, | and ~."""

    def __and__(self, other: "Condition") -> "Condition":
        return CombinedCondition(self, other, all)

    def __or__(self, other: "Condition") -> "Condition":
        return CombinedCondition(self, other, any)

    def __invert__(self) -> "Condition":
        return NegatedCondition(self)

    def q(self) -> Q:
        """As a condition on Treatment."""
        raise NotImplementedError

    def atoms(self) -> Iterator["FieldCondition | RelationExists"]:
        """What the condition is made of."""
        yield self

    def evaluate(self, answers: Callable[["FieldCondition | RelationExists"], object]):
        """The condition, from the answers to its leaves (truth values or arrays of them)."""
        return answers(self)


@dataclass(frozen=True)
class FieldCondition(Condition):
    """A condition on the treatment's or its patient's own columns."""

    condition: Q

    def q(self) -> Q:
        return self.condition


@dataclass(frozen=True)
class RelationExists(Condition):
    """There is a row of `model` for the treatment, or for its patient, on which `where` holds."""

    model: type
    where: Q = field(default_factory=Q)

    @property
    def of_patient(self) -> bool:
        return self.owner == "patient"

    @property
    def owner(self) -> str:
        return "patient" if hasattr(self.model, "patient") else "treatment"

    def q(self) -> Q:
        owner = OuterRef("patient" if self.of_patient else "pk")
        return Q(Exists(self.model.objects.filter(self.where, **{self.owner: owner})))


@dataclass(frozen=True)
class CombinedCondition(Condition):
    """Both conditions, or either."""

    first: Condition
    second: Condition
    combine: Callable

    def q(self) -> Q:
        return (
            self.first.q() & self.second.q()
            if self.combine is all
            else self.first.q() | self.second.q()
        )

    def atoms(self):
        yield from self.first.atoms()
        yield from self.second.atoms()

    def evaluate(self, answers):
        first_answers, second_answers = self.first.evaluate(answers), self.second.evaluate(answers)
        return (
            first_answers & second_answers
            if self.combine is all
            else first_answers | second_answers
        )


@dataclass(frozen=True)
class NegatedCondition(Condition):
    """The condition does not hold."""

    first: Condition

    def q(self) -> Q:
        return ~self.first.q()

    def atoms(self):
        yield from self.first.atoms()

    def evaluate(self, answers):
        return ~self.first.evaluate(answers)


def field_condition(**values) -> Condition:
    return FieldCondition(Q(**values))


@dataclass(frozen=True)
class TermList:
    """A list of terms that a treatment or its patient has.

    Its rows are those of `model`, which name their owner (a treatment or a patient) and a term of
    the table `terms` at `term`. `whole` says when the list is, so that what is not on it is absent.
    With `looked_for`, a row says by its status whether the term is present or absent.
    """

    model: type
    term: str
    terms: type
    whole: Condition
    looked_for: bool = False

    @property
    def of_patient(self) -> bool:
        return RelationExists(self.model).of_patient

    def rows(self, where: Q, status: str = Presence.PRESENT) -> Q:
        """There is a row with this status on which `where` holds."""
        return RelationExists(
            self.model, where & Q(status=status) if self.looked_for else where
        ).q()

    def with_any(self, codes, status: str = Presence.PRESENT) -> Q:
        """One of these terms is recorded with this status."""
        return self.rows(Q(**{f"{self.term}__code__in": sorted(codes)}), status)

    def with_others(self, codes) -> Q:
        """Another term than these is recorded as present."""
        return self.rows(~Q(**{f"{self.term}__code__in": sorted(codes)}))


def complete_list(name: str) -> Condition:
    """The list is complete, or there is nothing to list, as stated."""
    return field_condition(**{f"{name}{COMPLETENESS}__in": ListCompleteness.complete_values()})


NO_EVENT = field_condition(adverse_events=Ascertainment.EXPLICITLY_NONE)
# None occurred, or the events are listed one by one.
EVENT_CATEGORIES_KNOWN = NO_EVENT | field_condition(
    adverse_events=Ascertainment.EVENTS
) & RelationExists(AdverseEvent)
SERIOUS = RelationExists(AdverseEvent, Q(serious=YesNo.YES))
EVENTS_NOT_SERIOUS = RelationExists(AdverseEvent) & ~RelationExists(
    AdverseEvent, ~Q(serious=YesNo.NO)
)
# No serious event: none occurred, or every listed event is recorded as not serious.
NOT_SERIOUS = NO_EVENT | EVENTS_NOT_SERIOUS


@dataclass(frozen=True)
class EventsOfStudyGraded(FieldCondition):
    """The treatment's study had no adverse event, or says of at least one whether it was serious.

    Where a study says it of none of its events, seriousness is unknown in all its patients with
    events. Counting only its patients without events would find no serious event among them,
    because of how they were selected.
    """

    condition: Q = field(default_factory=Q)

    def q(self) -> Q:
        # Each study's rows are looked at only until the first that settles it.
        events = Treatment.objects.published().filter(
            patient__study=OuterRef("pk"), adverse_events=Ascertainment.EVENTS
        )
        graded = AdverseEvent.objects.published().filter(
            treatment__patient__study=OuterRef("pk"), serious__in=[YesNo.YES, YesNo.NO]
        )
        return Q(
            patient__study__in=Study.objects.filter(~Exists(events) | Exists(graded))
            .order_by()
            .values("pk")
        )


# Whether an event was serious is known of the single treatment.
SERIOUSNESS_KNOWN = SERIOUS | NOT_SERIOUS
# Of whom seriousness is counted, which is the N of its shares: a serious event occurred, or every
# event is said not to be serious, or none occurred, in a study that had none or graded one.
SERIOUSNESS_COUNTED = SERIOUS | EVENTS_NOT_SERIOUS | NO_EVENT & EventsOfStudyGraded()


LISTS = {
    "indication": TermList(
        Treatment.indications.through, "indication", Indication, complete_list("indications")
    ),
    "autoantibody": TermList(
        PatientAutoantibody,
        "autoantibody",
        Autoantibody,
        complete_list("patient__autoantibodies"),
        looked_for=True,
    ),
    "manifestation": TermList(
        PatientManifestation,
        "manifestation",
        Manifestation,
        complete_list("patient__manifestations"),
        looked_for=True,
    ),
    "prior": TermList(
        Patient.prior_therapies.through,
        "therapy",
        Therapy,
        complete_list("patient__prior_therapies"),
    ),
    "adverse_event": TermList(
        AdverseEvent,
        "category",
        AdverseEventCategory,
        NO_EVENT | complete_list("adverse_event_categories"),
    ),
}


@dataclass(frozen=True)
class Attribute:
    """An attribute of a treatment or of its patient, and the condition on which it is known.

    `opening` begins the sentence that says of patients that it is not: “their age is” (not
    reported).
    """

    label: str
    condition: Condition
    opening: str = ""
    # the condition on which whoever does not match is a no, where it takes more to say so
    settled: Condition | None = None

    @cached_property
    def known(self) -> Q:
        """The condition on Treatment."""
        return self.condition.q()

    @property
    def settling(self) -> Condition:
        """The condition on which a treatment that does not match a question is a no."""
        return self.settled or self.condition


ATTRIBUTES = {
    "sex": Attribute("Sex", ~field_condition(patient__sex=Sex.UNKNOWN), "their sex is"),
    "age": Attribute("Age", field_condition(patient__age_years__isnull=False), "their age is"),
    "subset": Attribute(
        "Disease subset",
        ~field_condition(patient__subset=Subset.UNKNOWN),
        "their disease subset is",
    ),
    "disease_duration": Attribute(
        "Disease duration", field_condition(patient__disease_duration_months__isnull=False)
    ),
    "dlco": Attribute(
        "DLCO", field_condition(patient__dlco_percent__isnull=False), "their DLCO is"
    ),
    "autoantibody": Attribute(
        "Autoantibodies",
        RelationExists(PatientAutoantibody) | LISTS["autoantibody"].whole,
        "their autoantibodies are",
    ),
    "manifestation": Attribute(
        "Manifestations",
        RelationExists(PatientManifestation) | LISTS["manifestation"].whole,
        "their manifestations are",
    ),
    "prior": Attribute(
        "Prior therapies",
        RelationExists(LISTS["prior"].model) | LISTS["prior"].whole,
        "their prior therapies are",
    ),
    "indication": Attribute(
        "Indications",
        ~field_condition(indication_set="") | LISTS["indication"].whole,
        "their indications are",
    ),
    "dose": Attribute("Dose", ~field_condition(dose="")),
    "duration": Attribute("Duration of the course", field_condition(duration_months__isnull=False)),
    "response": Attribute(
        "Response (overall verdict)",
        ~field_condition(response=Response.UNKNOWN),
        "their overall response is",
    ),
    "outcome": Attribute(
        "Result in any domain", RelationExists(Outcome, ~Q(result=Response.UNKNOWN))
    ),
    "assessed": Attribute(
        "Month of an outcome",
        RelationExists(Outcome, Q(at_months__isnull=False)),
        "the month of an outcome is",
        # an undated outcome may be of the month that is asked for
        settled=RelationExists(Outcome) & ~RelationExists(Outcome, Q(at_months__isnull=True)),
    ),
    "stopped": Attribute("Whether stopped", ~field_condition(stopped=YesNo.UNKNOWN)),
    "relapsed": Attribute(
        "Relapse", ~field_condition(relapsed=YesNo.UNKNOWN), "whether they relapsed is"
    ),
    "adverse_events": Attribute(
        "Adverse events (any)",
        ~field_condition(adverse_events=Ascertainment.NOT_STATED),
        "whether they had adverse events is",
    ),
    "adverse_event": Attribute(
        "Adverse event categories",
        EVENT_CATEGORIES_KNOWN,
        "the categories of their adverse events are",
    ),
    "serious": Attribute(
        "Seriousness", SERIOUSNESS_KNOWN, "whether an adverse event was serious is"
    ),
    "year": Attribute(
        "Year of publication",
        field_condition(patient__study__year__isnull=False),
        "the year of publication is",
    ),
    "design": Attribute(
        "Study design",
        ~field_condition(patient__study__design=Design.UNKNOWN),
        "the design of their study is",
    ),
}
