"""One set of simulated records from which a review's printed figures come out again. Pure: figures
in, records out.

The abstract prints percentages and a total, and no patient. Each figure was evidently counted over
the patients in whom the item was known, so each needs its own denominator: the largest one that can
give the printed value. Everything not printed stays empty, and every attribute is drawn
independently of the others.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from ..models import set_key
from ..statistics import Printed, attainable_counts

COLLECTION = "{review}-reconstruction"
# Figures counted over the same patients, so that one denominator has to serve both.
TOGETHER = [
    ("inhibitor_tofacitinib", "inhibitor_baricitinib"),
    ("indication_ild_skin", "indication_gi_skin"),
    ("improved",),
    ("relapsed",),
    ("any_adverse_event", "ae_infection"),
]
# the pair's two counts fit into the denominator together
EXCLUSIVE = {"inhibitor_tofacitinib", "indication_ild_skin"}
NEEDED = {code for codes in TOGETHER for code in codes} | {
    "age_median",
    "age_min",
    "age_max",
    "sex_ratio",
}
ARBITRARY_SETS = (["skin"], ["ild"], ["joints"], ["digital_ulcers"])


class CannotReconstruct(Exception):
    """The printed figures are too few, or contradict each other."""


@dataclass(frozen=True)
class Plan:
    """For each figure the count and the denominator that give it; ages as youngest, median,
    oldest.
    """

    patients: int
    articles: int
    counts: dict[str, tuple[int, int]]
    females: int
    males: int
    ages: tuple[int, Decimal, int]
    aged: int


def plan_reconstruction(
    figures: dict[str, Printed], patients: int | None, articles: int | None
) -> Plan:
    """The largest attainable denominators. Raises CannotReconstruct if a figure is missing or
    unattainable.
    """
    missing_figures = sorted(NEEDED - set(figures))
    if missing_figures or not patients or not articles:
        raise CannotReconstruct(
            "The review does not print what is needed: "
            f"{', '.join(missing_figures) or 'its totals'}."
        )
    counts = {}
    for codes in TOGETHER:
        denominator, counts_found = largest_denominator(
            [figures[code] for code in codes], patients, codes[0] in EXCLUSIVE
        )
        counts |= {
            code: (count, denominator) for code, count in zip(codes, counts_found, strict=True)
        }
    females, males = largest_ratio(figures["sex_ratio"], patients)
    median = figures["age_median"].value
    # a half year needs an even number
    aged = patients if (2 * median) % 2 == 0 or patients % 2 == 0 else patients - 1
    ages = (int(figures["age_min"].value), median, int(figures["age_max"].value))
    return Plan(patients, articles, counts, females, males, ages, aged)


def largest_denominator(
    group: list[Printed], patients: int, exclusive: bool
) -> tuple[int, list[int]]:
    """The largest denominator that serves every figure of the group, with their counts."""
    for denominator in range(patients, 0, -1):
        counts = [attainable_counts(printed, denominator) for printed in group]
        if all(counts) and (
            not exclusive or sum(possible[0] for possible in counts) <= denominator
        ):
            return denominator, [possible[0] for possible in counts]
    raise CannotReconstruct(
        f"No denominator up to {patients} gives {', '.join(str(p.value) for p in group)} %."
    )


def largest_ratio(printed: Printed, patients: int) -> tuple[int, int]:
    """Females and males, as many as possible, whose ratio is printed so."""
    for total in range(patients, 1, -1):
        for males in range(1, total):
            if printed.is_printed_for(Decimal(total - males) / males):
                return total - males, males
    raise CannotReconstruct(
        f"No number of patients up to {patients} gives a ratio of {printed.value}."
    )


def number_from(seed: str, *parts) -> int:
    """A number that depends on these words alone, on every machine and in every version of
    Python.
    """
    return int.from_bytes(hashlib.sha256("/".join(map(str, (seed, *parts))).encode()).digest()[:8])


def deal_values(seed: str, attribute: str, patients: int, values: list) -> list:
    """These values dealt out to the patients in an order of the attribute's own; the rest get
    None.
    """
    order = sorted(range(patients), key=lambda patient: number_from(seed, attribute, patient))
    dealt = [None] * patients
    for patient, value in zip(order, values, strict=False):
        dealt[patient] = value
    return dealt


def draw_ages(figures: Plan, seed: str) -> list[int]:
    """Whole-year ages with the printed youngest, median and oldest."""
    youngest, median, oldest = figures.ages
    low, high = int(median), int(median) + (0 if median == int(median) else 1)
    half_size = figures.aged // 2
    younger = [
        youngest + number_from(seed, "below", i) % (low - youngest + 1)
        for i in range(half_size - 2)
    ]
    older = [
        high + number_from(seed, "above", i) % (oldest - high + 1) for i in range(half_size - 2)
    ]
    middle = [low, high] + ([low] if figures.aged % 2 else [])
    return [youngest, *younger, *middle, *older, oldest]


def article_sizes(figures: Plan, seed: str) -> list[int]:
    """How many patients each simulated article has: at least one, otherwise arbitrary."""
    sizes = [1] * figures.articles
    for patient in range(figures.patients - figures.articles):
        sizes[number_from(seed, "article", patient) % figures.articles] += 1
    return sizes


def fixture_records(review: str, figures: Plan, seed: str) -> Iterator[tuple[str, dict]]:
    """The fixture: articles, patients, treatments and adverse events, as (model, fields) pairs."""
    collection = COLLECTION.format(review=review)
    columns = draw_attributes(figures, seed)
    patient = 0
    for article, size in enumerate(article_sizes(figures, seed), start=1):
        study = f"simulated-article-{article:02}"
        yield (
            "evidence.study",
            {
                "collection": [collection],
                "slug": study,
                "short_name": f"Simulated article {article:02}",
                "title": f"Simulated article {article:02}",
                "design": "unknown",
                "extraction": "secondary",
                "n_jaki": size,
                "notes": "Simulated. Which patients it holds is arbitrary.",
                "state": "published",
            },
        )
        for number in range(1, size + 1):
            values = {name: column[patient] for name, column in columns.items()}
            yield from patient_records(
                collection, study, f"SIM-{article:02}-{number:02}", number, values
            )
            patient += 1


def draw_attributes(figures: Plan, seed: str) -> dict[str, list]:
    """One column per attribute, each drawn on its own; None is not known."""

    def deal_column(name: str, *runs: tuple[object, int]) -> list:
        return deal_values(
            seed, name, figures.patients, [value for value, count in runs for _ in range(count)]
        )

    tofacitinib, inhibitors = figures.counts["inhibitor_tofacitinib"]
    baricitinib, _ = figures.counts["inhibitor_baricitinib"]
    ild_skin, with_set = figures.counts["indication_ild_skin"]
    gi_skin, _ = figures.counts["indication_gi_skin"]
    improved, responses = figures.counts["improved"]
    relapsed, relapses = figures.counts["relapsed"]
    with_event, stated = figures.counts["any_adverse_event"]
    infections, _ = figures.counts["ae_infection"]
    arbitrary_count = with_set - ild_skin - gi_skin
    arbitrary = [ARBITRARY_SETS[i % len(ARBITRARY_SETS)] for i in range(arbitrary_count)]
    return {
        "sex": deal_column("sex", ("female", figures.females), ("male", figures.males)),
        "age_years": deal_values(seed, "age", figures.patients, draw_ages(figures, seed)),
        "inhibitor": deal_column(
            "inhibitor",
            ("tofacitinib", tofacitinib),
            ("baricitinib", baricitinib),
            ("other-or-not-named", inhibitors - tofacitinib - baricitinib),
        ),
        "indications": deal_column(
            "indications",
            (["ild", "skin"], ild_skin),
            (["gi", "skin"], gi_skin),
            *((combination, 1) for combination in arbitrary),
        ),
        "response": deal_column(
            "response", ("improved", improved), ("not_improved", responses - improved)
        ),
        "relapsed": deal_column("relapsed", ("yes", relapsed), ("no", relapses - relapsed)),
        "event": deal_column(
            "event",
            ("infection", infections),
            ("other-or-not-named", with_event - infections),
            ("explicitly_none", stated - with_event),
        ),
    }


def patient_records(
    collection: str, study: str, slug: str, number: int, values: dict
) -> Iterator[tuple[str, dict]]:
    """One simulated patient with one treatment, and an adverse event if one was drawn.

    What was drawn is all there is: the review counts combinations, and categories of all that
    occurred.
    """
    indications, event = values["indications"], values["event"]
    notes = "Simulated."
    if indications and set_key(indications) not in ("ild+skin", "gi+skin"):
        notes = (
            "Simulated. The indication is arbitrary: the abstract gives only the two "
            "combinations with skin."
        )
    yield (
        "evidence.patient",
        known_fields(
            study=[collection, study],
            slug=slug,
            label=f"Simulated patient {number:02}",
            sex=values["sex"],
            age_years=values["age_years"],
            notes=notes,
            state="published",
        ),
    )
    has_event = event not in (None, "explicitly_none")
    yield (
        "evidence.treatment",
        known_fields(
            patient=[slug],
            inhibitor=[values["inhibitor"] or "other-or-not-named"],
            indications=[[code] for code in indications] if indications else None,
            indications_completeness="complete" if indications else None,
            response=values["response"],
            relapsed=values["relapsed"],
            adverse_events="events" if has_event else event,
            adverse_event_categories_completeness="complete" if has_event else None,
        ),
    )
    if has_event:
        yield "evidence.adverseevent", {"treatment": [slug, 1], "category": [event]}


def known_fields(**fields) -> dict:
    """The fields that have a value; the rest are left to the model's explicit unknown."""
    return {name: value for name, value in fields.items() if value is not None}
