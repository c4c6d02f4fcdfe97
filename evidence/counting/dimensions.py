"""What courses can be counted by: a name, and where its value stands. One declaration, read by both engines.

The database reaches a value from the course, by a path; the snapshot reads each table once, from its own side.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db.models import Case, CharField, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce

from ..models import (
    ATTRIBUTES,
    AdverseEvent,
    Outcome,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Treatment,
    set_key,
)
from ..models.choices import Presence, Response, YesNo
from ..models.knowledge import NOT_SERIOUS, SERIOUS, Condition, Has, Said
from ..models.lookups import Gathered
from ..models.missing import missing_reason_sql
from ..models.treatment import SET_SEPARATOR

KNOWN_RESULTS = [response.value for response in Response if response != Response.UNKNOWN]
COURSE, PATIENT, STUDY = "", "patient__", "patient__study__"  # levels, as paths from a course


@dataclass(frozen=True)
class One:
    """A dimension with one value per course, patient or study; `value` makes its expression from the path to there."""

    level: str
    value: Callable[[str], object]


@dataclass(frozen=True)
class Many:
    """A dimension with any number of values; a course counts once under each, and under None where it has no row.

    `path` leads from a course to the value. The rows are those of `model`, which name their `owner` (a course or a
    patient) and have the value at `value`. With `rows`, only rows with these values count, and a course without such
    a row counts nowhere.
    """

    path: str
    model: type
    owner: str
    value: str
    rows: dict = field(default_factory=dict)

    @property
    def of_patient(self) -> bool:
        return self.owner == "patient"

    def condition(self) -> Q:
        """`rows` as a condition on the course."""
        table = self.path.removesuffix(self.value)
        return Q(**{f"{table}{name}": value for name, value in self.rows.items()})


@dataclass(frozen=True)
class Sets:
    """A dimension of the whole set of values of a `Many` of patients, as one text: codes sorted, joined by +.

    An empty text stands for none recorded, be it that none is known or that there is none.
    """

    of: str

    def column(self) -> Subquery:
        """The codes, joined in whatever order the database finds them."""
        many = DIMENSIONS[self.of]
        rows = many.model.objects.filter(**{many.owner: OuterRef("patient")}, **many.rows).order_by()
        found = rows.values(many.owner).annotate(codes=Gathered(many.value, SET_SEPARATOR)).values("codes")
        return Coalesce(Subquery(found), Value(""), output_field=CharField())

    def spelled(self, codes: str) -> str:
        """The one spelling of such a set."""
        return set_key(codes.split(SET_SEPARATOR)) if codes else ""


@dataclass(frozen=True)
class Flag:
    """A dimension of conditions on a course: the value of the first that holds, or `otherwise`."""

    conditions: tuple[tuple[str, Condition], ...]
    otherwise: str

    def leaves(self) -> Iterator[Said | Has]:
        """What its conditions are made of."""
        for _, condition in self.conditions:
            yield from condition.leaves()

    def case(self) -> Case:
        cases = [When(condition.q(), then=Value(value)) for value, condition in self.conditions]
        return Case(*cases, default=Value(self.otherwise), output_field=CharField())


def at(level: str, name: str) -> One:
    return One(level, lambda path: F(f"{path}{name}"))


def present(model, term: str) -> Many:
    status = {"status": Presence.PRESENT.value}
    return Many(f"patient__{term}_records__{term}__code", model, "patient", f"{term}__code", status)


def outcomes(**rows) -> Many:
    return Many("outcomes__domain", Outcome, "treatment", "domain", rows)


def known(attribute: str) -> Flag:
    return Flag(((YesNo.YES.value, ATTRIBUTES[attribute].condition),), YesNo.NO.value)


def events(**rows) -> Many:
    return Many("events__category__code", AdverseEvent, "treatment", "category__code", rows)


SEVERE = 3  # the CTCAE grade from which an event is severe; which is not the same as serious
DIMENSIONS: dict[str, One | Many | Sets | Flag] = {
    "inhibitor": at(COURSE, "inhibitor__slug"),
    "indication": Many("indications__code", Treatment.indications.through, "treatment", "indication__code"),
    "indication_set": at(COURSE, "indication_set"),
    "sex": at(PATIENT, "sex"),
    "age": at(PATIENT, "age_years"),
    "subset": at(PATIENT, "subset"),
    "autoantibody": present(PatientAutoantibody, "autoantibody"),
    "manifestation": present(PatientManifestation, "manifestation"),
    "prior": Many("patient__prior_therapies__code", Patient.prior_therapies.through, "patient", "therapy__code"),
    "manifestation_set": Sets("manifestation"),
    "prior_set": Sets("prior"),
    "response": at(COURSE, "response"),
    "relapsed": at(COURSE, "relapsed"),
    "stopped": at(COURSE, "stopped"),
    "adverse_events": at(COURSE, "adverse_events"),
    "adverse_event": events(),
    "event_serious": events(serious=YesNo.YES.value),
    "event_not_serious": events(serious=YesNo.NO.value),
    "event_graded": events(grade__isnull=False),
    "event_severe": events(grade__gte=SEVERE),
    "serious": Flag(((YesNo.YES.value, SERIOUS), (YesNo.NO.value, NOT_SERIOUS)), otherwise=YesNo.UNKNOWN.value),
    "study": at(STUDY, "slug"),
    "design": at(STUDY, "design"),
    "reading": One(STUDY, lambda path: missing_reason_sql(f"{path}extraction")),
    "domain": outcomes(),
    "domain_known": outcomes(result__in=KNOWN_RESULTS),
    "domain_improved": outcomes(result=Response.IMPROVED.value),
} | {f"known:{name}": known(name) for name in ATTRIBUTES}
