"""What a phenopacket cannot say."""

from ...models import AdverseEventCategory, Autoantibody, Indication, JAKInhibitor, Manifestation

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
    """Terms whose ids are Casebook's own, by kind: no source that was read establishes a code for
    them.
    """
    kinds = [
        ("Manifestations", Manifestation.objects.filter(hpo="")),
        ("Autoantibodies", Autoantibody.objects.all()),
        ("Indications", Indication.objects.filter(hpo="")),
        ("Adverse event categories", AdverseEventCategory.objects.all()),
        ("JAK inhibitors", JAKInhibitor.objects.filter(atc="")),
    ]
    labels_by_kind = [(kind, [str(term) for term in records]) for kind, records in kinds]
    other_terms = [
        "Systemic sclerosis and its subsets",
        "Combinations of indications",
        "Responses",
        "How a source was read",
    ]
    return [
        *((kind, labels) for kind, labels in labels_by_kind if labels),
        ("Besides", other_terms),
    ]
