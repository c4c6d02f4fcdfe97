"""What a phenopacket cannot say."""

from django.db.models import CharField, F, Q, QuerySet, Value

from ...models import (
    AdverseEventCategory,
    Autoantibody,
    Indication,
    JAKInhibitor,
    Manifestation,
    OntologyCode,
)
from ...models.choices import DiseaseTerm

LOSSES = [
    (
        "Two targets of one course",
        "The standard has one treatment target. Indications given together stay together as one "
        "term, such as casebook:indication.ild+skin; they are never split into two treatments.",
    ),
    (
        "Why something is missing",
        "What is not known is left out, sex is UNKNOWN_SEX. Why it is missing cannot be said.",
    ),
    (
        "That none was found",
        "“No adverse event, as stated” and “no prior therapy, as stated” look the same as "
        "nothing known. Only features can be excluded.",
    ),
    (
        "When the age was",
        "The age a source gives stands as the time of the last encounter, which has no other "
        "place; the source may mean another day.",
    ),
    (
        "Prior and concomitant therapies",
        "Left out: without dates the standard would show them as treatments among the others, "
        "not as earlier or parallel ones.",
    ),
    (
        "Dose and duration",
        "Left out: doses are kept as the source writes them, and the standard wants quantities "
        "between dates.",
    ),
    (
        "Outcomes by domain, baseline and follow-up",
        "Left out: values are counted from the start of a course, and the standard knows ages "
        "and dates only. The authors' overall verdict is the response to treatment.",
    ),
    (
        "Adverse events in detail",
        "An event is its category, once for each event; description, grade, seriousness and "
        "onset are left out.",
    ),
    (
        "Relapse, stopping without a reason, disease duration, comorbidities",
        "Left out: the standard has no place.",
    ),
    (
        "That nobody answers",
        "A cohort of the standard has at least one member. Where nobody answers a question, the "
        "list of members is empty, and a validator says so.",
    ),
    (
        "Groups",
        "Patients reported only in aggregate are in no phenopacket.",
    ),
]


def terms_without_code() -> list[tuple[str, list[str]]]:
    """Terms whose ids are Casebook's own, by kind: no copy of an ontology that was read establishes
    a code for them. Two queries.
    """

    def labels(kind: str, records: QuerySet, name: str = "label") -> QuerySet:
        place = F("position") if name == "label" else Value(0)
        return records.order_by().values_list(Value(kind, output_field=CharField()), place, F(name))

    uncoded = Q(ontology_codes__isnull=True)
    rows = labels("Manifestations", Manifestation.objects.filter(uncoded)).union(
        labels("Autoantibodies", Autoantibody.objects.filter(uncoded)),
        labels("Indications", Indication.objects.filter(uncoded)),
        labels("Adverse event categories", AdverseEventCategory.objects.filter(uncoded)),
        labels("JAK inhibitors", JAKInhibitor.objects.filter(atc=""), "name"),
    )
    labels_by_kind: dict[str, list[str]] = {}
    for kind, _, label in sorted(rows):
        labels_by_kind.setdefault(kind, []).append(label)
    coded = set(OntologyCode.objects.exclude(disease="").values_list("disease", flat=True))
    diseases = [term.label for term in DiseaseTerm if term.value not in coded]
    if diseases:
        labels_by_kind["Disease and subsets"] = diseases
    labels_by_kind["Besides"] = [
        "Combinations of indications",
        "Responses",
        "How a source was read",
    ]
    return list(labels_by_kind.items())
