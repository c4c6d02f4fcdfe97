"""What courses can be counted by: a name, and where its value stands as seen from a course."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Case, CharField, F, Q, Value, When

from ..choices import Presence, Response, YesNo
from ..missing import missing_reason_sql
from ..models import ATTRIBUTES
from ..models.knowledge import seriousness_no, seriousness_yes

KNOWN_RESULTS = [response.value for response in Response if response != Response.UNKNOWN]


@dataclass(frozen=True)
class Dimension:
    """`value` gives the column. A to-many dimension counts a course once under each of its values.

    `rows` narrows the related rows that count (only manifestations that are present, say).
    """

    value: Callable[[], object]
    rows: Callable[[], Q] | None = None


def at(path: str) -> Dimension:
    return Dimension(lambda: F(path))


def present(records: str, term: str) -> Dimension:
    return Dimension(
        lambda: F(f"patient__{records}__{term}__code"), lambda: Q(**{f"patient__{records}__status": Presence.PRESENT})
    )


def serious() -> Case:
    return Case(
        When(seriousness_yes(), then=Value(YesNo.YES.value)),
        When(seriousness_no(), then=Value(YesNo.NO.value)),
        default=Value(YesNo.UNKNOWN.value),
        output_field=CharField(),
    )


def known(attribute: str) -> Dimension:
    condition = ATTRIBUTES[attribute].known
    return Dimension(
        lambda: Case(
            When(condition(), then=Value(YesNo.YES.value)), default=Value(YesNo.NO.value), output_field=CharField()
        )
    )


DIMENSIONS = {
    "inhibitor": at("inhibitor__slug"),
    "indication": at("indications__code"),
    "indication_set": at("indication_set"),
    "sex": at("patient__sex"),
    "age": at("patient__age_years"),
    "subset": at("patient__subset"),
    "autoantibody": present("autoantibody_records", "autoantibody"),
    "manifestation": present("manifestation_records", "manifestation"),
    "prior": at("patient__prior_therapies__code"),
    "response": at("response"),
    "relapsed": at("relapsed"),
    "adverse_events": at("adverse_events"),
    "adverse_event": at("events__category__code"),
    "serious": Dimension(serious),
    "study": at("patient__study__slug"),
    "design": at("patient__study__design"),
    "reading": Dimension(lambda: missing_reason_sql("patient__study__extraction")),
    "domain": at("outcomes__domain"),
    "domain_known": Dimension(lambda: F("outcomes__domain"), lambda: Q(outcomes__result__in=KNOWN_RESULTS)),
    "domain_improved": Dimension(lambda: F("outcomes__domain"), lambda: Q(outcomes__result=Response.IMPROVED)),
} | {f"known:{name}": known(name) for name in ATTRIBUTES}
