"""The dimensions that treatments can be counted by: a name, and where its value is stored. Both
engines read these declarations.

The database reaches a value from the treatment, by a path; the snapshot reads each table once by
itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce, Concat

from ..models import (
    ATTRIBUTES,
    LISTS,
    AdverseEvent,
    Outcome,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Treatment,
    set_key,
    term_tree,
)
from ..models.appraisal import appraised_studies
from ..models.choices import Appraised, Presence, Response, YesNo
from ..models.knowledge import (
    NOT_SERIOUS,
    SERIOUS,
    SERIOUSNESS_COUNTED,
    Condition,
    FieldCondition,
    RelationExists,
)
from ..models.lookups import JoinedText
from ..models.missing import missing_reason_sql
from ..models.outcome import in_month_windows
from ..models.term_tree import FLAT
from ..models.treatment import SET_SEPARATOR
from ..questions.question import Question

RESULT_SEPARATOR = ":"  # between a domain and whether there was an improvement
TREATMENT, PATIENT, STUDY = "", "patient__", "patient__study__"  # levels, as paths from a treatment


@dataclass(frozen=True)
class ScalarDimension:
    """A dimension with one value per treatment, patient or study; `value` makes its expression from
    the path to there.
    """

    level: str
    value: Callable[[str], object]


@dataclass(frozen=True)
class MultiValueDimension:
    """A dimension with any number of values; a treatment counts once under each, and under None
    where it has no row.

    `path` leads from a treatment to the value. The rows are those of `model`, which name their
    `owner` (a treatment or a patient) and have the value at `value`. With `rows`, only rows with
    these values count, and a treatment without such a row counts nowhere. With `terms`, a row
    counts for other terms too: for all that its own is part of, or, where it says that a term is
    `absent`, for all that are part of it.
    """

    path: str
    model: type
    owner: str
    value: str
    rows: dict = field(default_factory=dict)
    terms: type | None = None
    absent: bool = False

    def counted_for(self) -> dict[str, frozenset[str]]:
        """The terms whose rows count for a term, itself included; terms for which no others do are
        left out.
        """
        tree = term_tree(self.terms) if self.terms else FLAT
        related = tree.wider if self.absent else tree.narrower
        return {code: frozenset((code, *other_codes)) for code, other_codes in related.items()}

    def value_parts(self) -> list[tuple[Q | None, object]]:
        """(which rows count, their value): terms by themselves, then each that others count for."""
        rows, counted_for = self.condition() if self.rows else None, self.counted_for()
        if not counted_for:
            return [(rows, F(self.path))]
        single_codes = [code for code in term_tree(self.terms).codes if code not in counted_for]
        parts = [(rows & Q(**{f"{self.path}__in": single_codes}), F(self.path))]
        parts += [
            (rows & Q(**{f"{self.path}__in": sorted(codes)}), Value(code))
            for code, codes in counted_for.items()
        ]
        return parts

    @property
    def of_patient(self) -> bool:
        return self.owner == "patient"

    def condition(self) -> Q:
        """`rows` as a condition on the treatment."""
        table = self.path.removesuffix(self.value)
        return Q(**{f"{table}{name}": value for name, value in self.rows.items()})


@dataclass(frozen=True)
class OutcomeDimension:
    """Whether a patient improved, domain by domain: `skin:yes`, `skin:no`, by one outcome of each
    domain.

    The outcome is the last of the treatments in view
    (`Outcome.objects.one_per_patient_and_domain`), of the months that the question asks for; with
    `best`, an improved one if there is any.
    """

    best: bool = False

    model = Outcome

    def value_part(self, treatments, question: Question) -> tuple[Q, object]:
        """(which rows count, their value). `treatments` selects the primary keys of the treatments
        in view.
        """
        outcomes = Outcome.objects.filter(
            in_month_windows(question.outcome_months), treatment__in=treatments
        )
        yes_or_no = Case(
            When(outcomes__result=Response.IMPROVED.value, then=Value(YesNo.YES.value)),
            default=Value(YesNo.NO.value),
            output_field=CharField(),
        )
        value = Concat(
            F("outcomes__domain"), Value(RESULT_SEPARATOR), yes_or_no, output_field=CharField()
        )
        return Q(
            outcomes__in=outcomes.one_per_patient_and_domain(best=self.best).values("pk")
        ), value


def improved_value(domain: str, answer: str = YesNo.YES.value) -> str:
    """A value of an `OutcomeDimension`."""
    return f"{domain}{RESULT_SEPARATOR}{answer}"


@dataclass(frozen=True)
class SetDimension:
    """A dimension of the whole set of values of a `MultiValueDimension` of patients, as one text:
    codes sorted, joined by +. Wider terms stand in it together with the narrower ones.

    An empty text stands for none recorded, be it that none is known or that there is none.
    """

    of: str

    def joined_codes(self) -> Subquery:
        """The codes, joined in whatever order the database finds them."""
        dimension = DIMENSIONS[self.of]
        rows = dimension.model.objects.filter(
            **{dimension.owner: OuterRef("patient")}, **dimension.rows
        ).order_by()
        counted_for = dimension.counted_for()
        single_rows = (
            rows.exclude(**{f"{dimension.value}__in": sorted(counted_for)}) if counted_for else rows
        )
        joined = (
            single_rows.values(dimension.owner)
            .annotate(codes=JoinedText(dimension.value, SET_SEPARATOR))
            .values("codes")
        )
        codes = Coalesce(Subquery(joined), Value(""), output_field=CharField())
        for code, terms in counted_for.items():
            has_any = Exists(rows.filter(**{f"{dimension.value}__in": sorted(terms)}))
            suffix = Case(
                When(has_any, then=Value(SET_SEPARATOR + code)),
                default=Value(""),
                output_field=CharField(),
            )
            codes = Concat(codes, suffix, output_field=CharField())
        return codes

    def canonical_key(self, codes: str) -> str:
        """The one spelling of such a set."""
        return set_key(filter(None, codes.split(SET_SEPARATOR))) if codes else ""


@dataclass(frozen=True)
class ConditionDimension:
    """A dimension of conditions on a treatment: the value of the first that holds, or
    `otherwise`.
    """

    conditions: tuple[tuple[str, Condition], ...]
    otherwise: str

    def atoms(self) -> Iterator[FieldCondition | RelationExists]:
        """What its conditions are made of."""
        for _, condition in self.conditions:
            yield from condition.atoms()

    def without_value(self, value: str) -> Q:
        """The treatments whose value is not this one, which has to be the first."""
        (first_value, condition), *_ = self.conditions
        if first_value != value:
            raise ValueError(f"{value} is not the first value")
        return ~condition.q()

    def case_expression(self) -> Case:
        cases = [When(condition.q(), then=Value(value)) for value, condition in self.conditions]
        return Case(*cases, default=Value(self.otherwise), output_field=CharField())


def whether_appraised(path: str = "") -> Case:
    """One of `Appraised`, of the study at a path."""
    return Case(
        When(appraised_studies(path), then=Value(Appraised.YES.value)),
        default=Value(Appraised.NO.value),
        output_field=CharField(),
    )


def scalar_dimension(level: str, name: str) -> ScalarDimension:
    return ScalarDimension(level, lambda path: F(f"{path}{name}"))


def presence_records(model, term: str, status: Presence) -> MultiValueDimension:
    return MultiValueDimension(
        f"patient__{term}_records__{term}__code",
        model,
        "patient",
        f"{term}__code",
        {"status": status.value},
        terms=LISTS[term].terms,
        absent=status == Presence.ABSENT,
    )


def known_dimension(attribute: str) -> ConditionDimension:
    return ConditionDimension(((YesNo.YES.value, ATTRIBUTES[attribute].condition),), YesNo.NO.value)


def counted_seriousness_dimension() -> ConditionDimension:
    """Whether a treatment is in the N of serious events, which asks more than that it is known."""
    return ConditionDimension(((YesNo.YES.value, SERIOUSNESS_COUNTED),), YesNo.NO.value)


def settled_dimension(attribute: str) -> ConditionDimension:
    """Whether a treatment that does not match a question about an attribute is a no."""
    return ConditionDimension(((YesNo.YES.value, ATTRIBUTES[attribute].settling),), YesNo.NO.value)


def whole_dimension(name: str) -> ConditionDimension:
    """Whether a list is complete, or there is nothing to list, as stated."""
    return ConditionDimension(((YesNo.YES.value, LISTS[name].whole),), YesNo.NO.value)


def event_dimension(**rows) -> MultiValueDimension:
    return MultiValueDimension(
        "events__category__code", AdverseEvent, "treatment", "category__code", rows
    )


SEVERE = 3  # the CTCAE grade from which an event is severe; which is not the same as serious
Dimension = (
    ScalarDimension | MultiValueDimension | OutcomeDimension | SetDimension | ConditionDimension
)
DIMENSIONS: dict[str, Dimension] = {
    "inhibitor": scalar_dimension(TREATMENT, "inhibitor__slug"),
    "indication": MultiValueDimension(
        "indications__code", Treatment.indications.through, "treatment", "indication__code"
    ),
    "indication_set": scalar_dimension(TREATMENT, "indication_set"),
    "sex": scalar_dimension(PATIENT, "sex"),
    "age": scalar_dimension(PATIENT, "age_years"),
    "subset": scalar_dimension(PATIENT, "subset"),
    "autoantibody": presence_records(PatientAutoantibody, "autoantibody", Presence.PRESENT),
    "autoantibody_absent": presence_records(PatientAutoantibody, "autoantibody", Presence.ABSENT),
    "manifestation": presence_records(PatientManifestation, "manifestation", Presence.PRESENT),
    "manifestation_absent": presence_records(
        PatientManifestation, "manifestation", Presence.ABSENT
    ),
    "prior": MultiValueDimension(
        "patient__prior_therapies__code",
        Patient.prior_therapies.through,
        "patient",
        "therapy__code",
    ),
    "manifestation_set": SetDimension("manifestation"),
    "prior_set": SetDimension("prior"),
    "response": scalar_dimension(TREATMENT, "response"),
    "relapsed": scalar_dimension(TREATMENT, "relapsed"),
    "stopped": scalar_dimension(TREATMENT, "stopped"),
    "adverse_events": scalar_dimension(TREATMENT, "adverse_events"),
    "adverse_event": event_dimension(),
    "event_serious": event_dimension(serious=YesNo.YES.value),
    "event_not_serious": event_dimension(serious=YesNo.NO.value),
    "event_graded": event_dimension(grade__isnull=False),
    "event_severe": event_dimension(grade__gte=SEVERE),
    "serious": ConditionDimension(
        ((YesNo.YES.value, SERIOUS), (YesNo.NO.value, NOT_SERIOUS)), otherwise=YesNo.UNKNOWN.value
    ),
    "study": scalar_dimension(STUDY, "slug"),
    "design": scalar_dimension(STUDY, "design"),
    "retraction": scalar_dimension(STUDY, "retraction_status"),
    "appraised": ScalarDimension(STUDY, whether_appraised),
    "reading": ScalarDimension(STUDY, lambda path: missing_reason_sql(f"{path}extraction")),
    "domain": MultiValueDimension("outcomes__domain", Outcome, "treatment", "domain"),
    "last_result": OutcomeDimension(),
    "best_result": OutcomeDimension(best=True),
}
DIMENSIONS |= {f"known:{name}": known_dimension(name) for name in ATTRIBUTES}
DIMENSIONS |= {
    f"settled:{name}": settled_dimension(name)
    for name, attribute in ATTRIBUTES.items()
    if attribute.settled
}
DIMENSIONS["counted:serious"] = counted_seriousness_dimension()
DIMENSIONS |= {f"whole:{name}": whole_dimension(name) for name in LISTS}
