"""Summaries of the patients who answer a question."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from ..counting import Tally, Unit
from ..models.choices import Ascertainment, Domain, Missing, Response, Sex, YesNo
from ..questions.filters import FILTERS
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..statistics import median
from .shares import Share, Summary, format_number, make_share, pluralize, yes_part

RESPONSES = [Response.IMPROVED, Response.STABLE, Response.WORSENED, Response.NOT_IMPROVED]
DECADE = 10
PLACEHOLDERS = {"other-or-not-named"}  # stands last, whatever its number: it names nothing


def known_by_reason(question: Question, attribute: str, unit: Unit = Unit.PATIENTS) -> Tally:
    return Tally(question, (f"known:{attribute}", "reading"), unit)


@dataclass(frozen=True)
class Totals:
    """How much answers the question, unit by unit, and how many patients the collection has."""

    patients: int
    treatments: int
    studies: int
    outcomes: int
    events: int
    collection_patients: int

    def of(self, unit: str) -> int | None:
        """How many there are of a unit whose list has a row for each; None for others."""
        counted = {
            Unit.PATIENTS: self.patients,
            Unit.TREATMENTS: self.treatments,
            Unit.OUTCOMES: self.outcomes,
            Unit.EVENTS: self.events,
        }
        return counted.get(unit)


def cohort_totals(question: Question) -> Summary:
    units = [Unit.PATIENTS, Unit.TREATMENTS, Unit.STUDIES, Unit.OUTCOMES, Unit.EVENTS]
    counters = yield [*(Tally(question, (), unit) for unit in units), Tally(Question(question.collection))]
    return Totals(*(counter[()] for counter in counters))


@dataclass(frozen=True)
class Answer:
    """The question's own share: patients who match, of those in whom everything asked is known."""

    share: Share
    asked: list[str]
    studies: int
    treatments: int

    @property
    def lead(self) -> str:
        if not self.asked:
            return pluralize(self.share.in_view, Unit.PATIENTS)
        return f"{self.share.count} of {pluralize(self.share.known, Unit.PATIENTS)}"

    @property
    def rest(self) -> str:
        """The sentence after the lead."""
        where = f"in {pluralize(self.studies, Unit.STUDIES)}, with {pluralize(self.treatments, Unit.TREATMENTS)}"
        if not self.asked:
            return f"reported one by one, {where}."
        if not self.share.known:
            why = self.share.missing_split or "nobody in view"
            return f"match: in none of them is everything known that the question asks ({why})."
        matched = f"match ({self.share.percent_text}, 95 % CI {self.share.interval_text}), {where}"
        if not self.share.missing:
            return f"{matched}. What the question asks is known in all of them."
        return f"{matched}. {self.share.missing} more cannot be counted either way ({self.share.missing_split})."

    def __str__(self) -> str:
        return f"{self.lead} {self.rest}"


def match_summary(question: Question) -> Summary:
    everybody = Question(question.collection)
    matching, known, in_view, studies, treatments = yield [
        Tally(question),
        Tally(question, ("reading",), denominator=True),
        Tally(everybody, ("reading",)),
        Tally(question, (), Unit.STUDIES),
        Tally(question, (), Unit.TREATMENTS),
    ]
    asked = [FILTERS[name].label for name, _ in question]
    return Answer(make_share("Match", matching[()], known, in_view), asked, studies[()], treatments[()])


HEADLINES = [
    ("improved", "Improved (authors’ overall verdict)", "response", ("response", Response.IMPROVED)),
    ("relapsed", "Relapsed", "relapsed", ("relapsed", YesNo.YES)),
    ("any_adverse_event", "Any adverse event", "adverse_events", ("adverse_events", Ascertainment.EVENTS)),
    ("serious", "Serious adverse event", "serious", ("serious", YesNo.YES)),
]


def headline_shares(question: Question) -> Summary:
    """Improved, relapsed, any and serious adverse events: patients, of those in whom it is known.

    Seriousness is left out where events occurred and none of them is said to be serious or not: then it is known only
    of those without any event, and “0 of those” would read as if the events had not been serious.
    """
    in_view, graded, *counters = yield [
        Tally(question, ("reading",)),
        Tally(question, ("adverse_events", "known:serious")),
        *(Tally(question, (dimension,)) for _, _, _, (dimension, _) in HEADLINES),
        *(known_by_reason(question, attribute) for _, _, attribute, _ in HEADLINES),
    ]
    found, known = counters[: len(HEADLINES)], counters[len(HEADLINES) :]
    shares = [
        make_share(label, by_value[(str(value.value),)], yes_part(by_known), in_view, key=key)
        for (key, label, _, (_, value)), by_value, by_known in zip(HEADLINES, found, known, strict=True)
    ]
    return [make_share for make_share in shares if make_share.key != "serious" or not events_ungraded(graded)]


def events_ungraded(by_ascertainment: Counter) -> bool:
    """From a tally by (adverse_events, known:serious): events occurred, and none is said to be serious or not."""
    with_events = str(Ascertainment.EVENTS.value)
    return bool(by_ascertainment[(with_events, "no")]) and not by_ascertainment[(with_events, "yes")]


def outcomes_by_domain(question: Question, *, every: bool = False) -> Summary:
    """Per domain: patients with an improved result, of those with any coded result there.

    Domains nobody has an outcome in are left out, unless `every` one is wanted.
    """
    in_view, seen, improved, by_reading = yield [
        Tally(question, ("reading",)),
        Tally(question, ("domain",)),
        Tally(question, ("domain_improved",)),
        Tally(question, ("domain_known", "reading")),
    ]
    known = defaultdict(Counter)
    for (domain, reading), times in by_reading.items():
        known[domain][(reading,)] = times
    return [
        make_share(domain.label, improved[(domain.value,)], known[domain.value], in_view, key=domain.value)
        for domain in Domain
        if every or seen[(domain.value,)]
    ]


def indication_sets(question: Question, vocabulary: Vocabulary) -> Summary:
    """Each combination of indications given together: patients, of those whose indications are known."""
    in_view, by_set, by_known = yield [
        Tally(question, ("reading",)),
        Tally(question, ("indication_set",)),
        known_by_reason(question, "indication"),
    ]
    known = yes_part(by_known)
    found = [(key, times) for (key,), times in by_set.items() if key]
    return [
        make_share(vocabulary.set_label(key), times, known, in_view, key=key)
        for key, times in sorted(found, key=lambda each: (-each[1], each[0]))
    ]


@dataclass(frozen=True)
class Breakdown:
    """The authors' verdicts on the treatments of one kind; every treatment has one verdict or none known."""

    label: str
    key: str
    counts: dict[str, int]
    improved: Share

    @property
    def known(self) -> int:
        return self.improved.known


def response_by_inhibitor(question: Question, vocabulary: Vocabulary) -> Summary:
    """Verdicts by drug, in treatments."""
    (tally,) = yield [Tally(question, ("inhibitor", "response", "reading"), Unit.TREATMENTS)]
    return response_breakdowns(tally, lambda key: vocabulary.label("inhibitor", key))


def response_by_indication_set(question: Question, vocabulary: Vocabulary) -> Summary:
    """Verdicts by indication set, in treatments; those with unknown indications stand last, as their own row."""
    (tally,) = yield [Tally(question, ("indication_set", "response", "reading"), Unit.TREATMENTS)]
    return response_breakdowns(tally, lambda key: vocabulary.set_label(key) if key else "indications not known")


def response_breakdowns(tally: Counter, label) -> list[Breakdown]:
    rows = defaultdict(Counter)
    missing = defaultdict(Counter)
    for (key, response, reading), times in tally.items():
        if response == Response.UNKNOWN:
            missing[key][reading] += times
        else:
            rows[key][response] += times
    made = []
    for key in set(rows) | set(missing):
        counts = {response.value: rows[key][response.value] for response in RESPONSES}
        improved = Share(
            label(key),
            counts[Response.IMPROVED],
            sum(counts.values()),
            missing[key][Missing.NOT_REPORTED],
            missing[key][Missing.NOT_EXTRACTED],
            Unit.TREATMENTS,
            key,
        )
        made.append(Breakdown(label(key), key, counts, improved))
    return sorted(made, key=lambda row: (not row.key, -row.improved.in_view, row.label))


@dataclass(frozen=True)
class CategoryShare:
    """One category of adverse events: in how many patients, and how many events; of these, how many are known to be
    serious or not, and how many have a CTCAE grade and one of 3 or more.
    """

    patients: Share
    events: int
    serious: int = 0
    not_serious: int = 0
    graded: int = 0
    severe: int = 0

    @property
    def serious_text(self) -> str:
        """“1 of 2 stated”: serious events, of those said to be serious or not."""
        stated = self.serious + self.not_serious
        return f"{self.serious} of {stated}" if stated else "none stated"

    @property
    def severe_text(self) -> str:
        return f"{self.severe} of {self.graded}" if self.graded else "none graded"


EVENT_COUNTS = ["adverse_event", "event_serious", "event_not_serious", "event_graded", "event_severe"]


def events_by_category(question: Question, vocabulary: Vocabulary) -> Summary:
    """Per category: patients with an event, of those in whom it is known which events there were; and events."""
    in_view, patients, by_known, *events = yield [
        Tally(question, ("reading",)),
        Tally(question, ("adverse_event",)),
        known_by_reason(question, "adverse_event"),
        *(Tally(question, (name,), Unit.EVENTS) for name in EVENT_COUNTS),
    ]
    known = yes_part(by_known)
    made = [
        CategoryShare(
            make_share(vocabulary.label("adverse_event", key), times, known, in_view, key=key),
            *(counter[(key,)] for counter in events),
        )
        for (key,), times in patients.items()
        if key
    ]
    return sorted(made, key=lambda row: (row.patients.key in PLACEHOLDERS, -row.patients.count, row.patients.label))


@dataclass(frozen=True)
class AgeAndSex:
    """Patients by decade of age and by sex; `not_known` counts those of unknown age, by sex."""

    bands: list[tuple[str, dict[str, int]]]
    sexes: dict[str, int]
    ages: dict[int, int]
    known: Share

    def aged(self, sex: str) -> int:
        """Patients of this sex whose age is known."""
        return sum(counts.get(sex, 0) for _, counts in self.bands)

    @property
    def median(self) -> float | None:
        return median(self.ages)

    @property
    def youngest(self) -> int | None:
        return min(self.ages, default=None)

    @property
    def oldest(self) -> int | None:
        return max(self.ages, default=None)

    @property
    def sex_ratio(self) -> float | None:
        """Females per male; None without males."""
        males = self.sexes.get(Sex.MALE, 0)
        return self.sexes.get(Sex.FEMALE, 0) / males if males else None

    @property
    def sentence(self) -> str:
        sexes = ", ".join(f"{self.sexes.get(sex.value, 0)} {sex.label.lower()}" for sex in (Sex.FEMALE, Sex.MALE))
        unknown = self.sexes.get(Sex.UNKNOWN, 0)
        sexes += f", sex not known in {unknown}" if unknown else ""
        if not self.ages:
            return f"Age is known in none of {pluralize(self.known.in_view, Unit.PATIENTS)}; {sexes}."
        span = f"median {format_number(self.median)} years, {self.youngest} to {self.oldest}"
        if self.youngest == self.oldest:
            span = f"{self.youngest} years"
        return f"Age is known in {self.known.known} of {pluralize(self.known.in_view, Unit.PATIENTS)}: {span}; {sexes}."


def age_and_sex(question: Question) -> Summary:
    in_view, by_age, by_sex, by_known = yield [
        Tally(question, ("reading",)),
        Tally(question, ("age", "sex")),
        Tally(question, ("sex",)),
        known_by_reason(question, "age"),
    ]
    ages, bands = Counter(), defaultdict(Counter)
    for (age, sex), times in by_age.items():
        if age is not None:
            ages[int(age)] += times
            bands[int(age) // DECADE * DECADE][sex] += times
    known = yes_part(by_known)
    steps = range(min(bands), max(bands) + 1, DECADE) if bands else []
    return AgeAndSex(
        [(f"{start}–{start + DECADE - 1}", dict(bands[start])) for start in steps],
        {sex: times for (sex,), times in by_sex.items()},
        dict(ages),
        make_share("Age known", sum(known.values()), known, in_view, key="age"),
    )
