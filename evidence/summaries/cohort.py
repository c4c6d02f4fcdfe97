"""Summaries of the patients who answer a question."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from ..counting import Tally, Unit
from ..models import ATTRIBUTES
from ..models.choices import Ascertainment, Missing, Response, Sex, YesNo
from ..questions.filters import FILTERS
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..statistics import median
from .asked_for import asked_for_words, is_asked_for, is_value_asked_for
from .shares import (
    ASKED_FOR,
    Share,
    Summary,
    counts_where_known,
    format_number,
    group_digits,
    known_of,
    known_tallies,
    make_share,
    pluralize,
)

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

    @property
    def lead(self) -> str:
        """“21 patients”."""
        return pluralize(self.patients, Unit.PATIENTS)

    def of(self, unit: str) -> int | None:
        """How many there are of a unit whose list has a row for each; None for others."""
        by_unit = {
            Unit.PATIENTS: self.patients,
            Unit.TREATMENTS: self.treatments,
            Unit.OUTCOMES: self.outcomes,
            Unit.EVENTS: self.events,
        }
        return by_unit.get(unit)


def cohort_totals(question: Question) -> Summary:
    units = [Unit.PATIENTS, Unit.TREATMENTS, Unit.STUDIES, Unit.OUTCOMES, Unit.EVENTS]
    counters = yield [
        *(Tally(question, (), unit) for unit in units),
        Tally(Question(question.collection)),
    ]
    return Totals(*(counter[()] for counter in counters))


@dataclass(frozen=True)
class OpenPart:
    """A part of a question that is open in some patients. `listed` of them have part of the list
    that it asks about.
    """

    opening: str
    not_reported: int
    not_extracted: int
    listed: int = 0

    @property
    def patients(self) -> int:
        return self.not_reported + self.not_extracted

    @property
    def words(self) -> str:
        """“their indications are not extracted”."""
        reasons = [
            (self.not_reported, Missing.NOT_REPORTED.label),
            (self.not_extracted, Missing.NOT_EXTRACTED.label),
        ]
        counted_reasons = [(count, label) for count, label in reasons if count]
        reason_text = (
            counted_reasons[0][1]
            if len(counted_reasons) == 1
            else " or ".join(f"{label} ({count})" for count, label in counted_reasons)
        )
        if self.listed == self.patients:
            reason_text += " in full"
        elif self.listed:
            reason_text += ", or only in part"
        return f"{self.opening} {reason_text}"


@dataclass(frozen=True)
class Answer:
    """How many patients a question answers with yes, and of how many it is open, and why. Of all
    others it is no.
    """

    matching: int
    open_not_reported: int
    open_not_extracted: int
    open_parts: list[OpenPart]
    labels: list[str]
    patients: int  # all of the collection
    studies: int
    treatments: int

    @property
    def open(self) -> int:
        return self.open_not_reported + self.open_not_extracted

    @property
    def lead(self) -> str:
        return pluralize(self.matching, Unit.PATIENTS)

    @property
    def rest(self) -> str:
        """The sentence after the lead."""
        if not self.labels:
            extent = (
                f"in {pluralize(self.studies, Unit.STUDIES)}, with "
                f"{pluralize(self.treatments, Unit.TREATMENTS)}"
            )
            return f"reported individually, {extent}."
        verb = "matches." if self.matching == 1 else "match."
        return f"{verb} {self.open_text}".rstrip()

    @property
    def open_text(self) -> str:
        """“For 30 more it is open: their indications are not extracted.” Where nobody matches there
        is no “more”. Empty where nothing is open.
        """
        if not self.open:
            return ""
        if len(self.open_parts) == 1:
            reasons = self.open_parts[0].words
        else:
            reasons = "; ".join(
                f"in {group_digits(part.patients)} {part.words}" for part in self.open_parts
            )
        whom = f"{group_digits(self.open)}{' more' if self.matching else ''}"
        return f"For {whom} it is open: {reasons}."

    def __str__(self) -> str:
        return f"{self.lead} {self.rest}"


def match_summary(question: Question) -> Summary:
    """Counts those who match and those of whom it is open; what they would be shares of is the
    reader's to say.
    """
    open_attributes = {
        FILTERS[name].attribute: name
        for name, _ in reversed(question.parts)
        if FILTERS[name].attribute
    }
    asked_attributes = sorted(
        open_attributes.items(),
        key=lambda attribute_and_name: [name for name, _ in question].index(attribute_and_name[1]),
    )
    matching, open_by_reason, all_patients, studies, treatments, *part_counters = yield [
        Tally(question),
        Tally(question, ("reading",), open=True),
        Tally(Question(question.collection)),
        Tally(question, (), Unit.STUDIES),
        Tally(question, (), Unit.TREATMENTS),
        *(
            Tally(question, dimensions, open=True, open_part=name)
            for attribute, name in asked_attributes
            for dimensions in (("reading",), (f"known:{attribute}",))
        ),
    ]
    open_parts = []
    for i, (attribute, _) in enumerate(asked_attributes):
        by_reading, by_known = part_counters[2 * i], part_counters[2 * i + 1]
        if by_reading:
            reasons = [by_reading[(reason.value,)] for reason in Missing]
            open_parts.append(
                OpenPart(
                    ATTRIBUTES[attribute].opening,
                    *reasons,
                    sum(by_reading.values()) - by_known[("no",)],
                )
            )
    labels = [FILTERS[name].label for name, _ in question]
    reasons = [open_by_reason[(reason.value,)] for reason in Missing]
    return Answer(
        matching[()], *reasons, open_parts, labels, all_patients[()], studies[()], treatments[()]
    )


HEADLINES = [
    (
        "improved",
        "Improved (authors’ overall verdict)",
        "response",
        ("response", Response.IMPROVED),
    ),
    ("relapsed", "Relapsed", "relapsed", ("relapsed", YesNo.YES)),
    (
        "any_adverse_event",
        "Any adverse event",
        "adverse_events",
        ("adverse_events", Ascertainment.EVENTS),
    ),
    ("serious", "Serious adverse event", "serious", ("serious", YesNo.YES)),
]


def known_flag(question: Question, key: str) -> str:
    """The dimension that says whether a treatment is in the N of a headline.

    Where the question itself asks whether an event was serious, all of whom that is known are in
    it: those who match may not stand beside their own share as not known.
    """
    if key == "serious" and not is_asked_for(question, key):
        return "counted:serious"
    return next(f"known:{attribute}" for name, _, attribute, _ in HEADLINES if name == key)


def headline_shares(question: Question) -> Summary:
    """Improved, relapsed, any and serious adverse events: patients, of those in whom it is known.

    Of serious events nobody counts where events occurred and none in view is graded: see
    `NONE_GRADED`.
    """
    in_view, graded, *counters = yield [
        Tally(question, ("reading",)),
        Tally(question, ("adverse_events", "known:serious")),
        *(
            tally
            for key, _, _, (dimension, _) in HEADLINES
            for tally in (
                Tally(question, (dimension,)),
                *known_tallies(question, known_flag(question, key), dimension),
            )
        ),
    ]
    shares = []
    for i, (key, label, _, (_, value)) in enumerate(HEADLINES):
        by_value, *settling = counters[3 * i : 3 * i + 3]
        code = str(value.value)
        known_counters, why = known_of(code, in_view, *settling), ""
        asked_for = asked_for_words(question, key)
        if key == "serious" and not asked_for and events_ungraded(graded):
            known_counters, why = Counter(), NONE_GRADED
        shares.append(
            make_share(
                label,
                by_value[(code,)],
                known_counters,
                in_view,
                key=key,
                asked_for=asked_for,
                why=why,
            )
        )
    return shares


# Then seriousness would be known only of those without any event: “0 of those” by how they were
# chosen. What is the same for one study is part of who is counted
# (`knowledge.SERIOUSNESS_COUNTED`).
NONE_GRADED = "no adverse event in view is said to be serious or not"


SERIOUSNESS_RULE = (
    "N is those with an event said to be serious, whatever is said of their other events; those of "
    "whose events every one is said not to be serious; and those without any event, in a study "
    "that had no event or says of at least one whether it was serious."
)
SERIOUSNESS_RULE_ASKED = (
    "the question asks for it, so N is all in whom it is known, also those without any event whose "
    "study says of none of its events whether it was serious."
)


def seriousness_rule(question: Question) -> Summary:
    """Who is in the N of serious events, in sentences, and which way the share may lean where some
    patients in view have ungraded events: event-free patients of their studies are counted, they
    are not.
    """
    (by_ascertainment,) = yield [Tally(question, ("adverse_events", "known:serious"))]
    rule = SERIOUSNESS_RULE
    if is_asked_for(question, "serious"):
        rule = SERIOUSNESS_RULE_ASKED
    ungraded = by_ascertainment[(str(Ascertainment.EVENTS.value), YesNo.NO.value)]
    if not ungraded:
        return rule
    rule += (
        f" In view {pluralize(ungraded, Unit.PATIENTS)} had adverse events that are not all said "
        "to be serious or not, and none said to be serious: in them it is not known, unless "
        "another of their treatments had a serious event."
    )
    if is_asked_for(question, "serious") or events_ungraded(by_ascertainment):
        return rule
    return rule + (
        " Patients without events count also where their study grades its events only in part, so "
        "the share may lean low."
    )


def events_ungraded(by_ascertainment: Counter) -> bool:
    """From a tally by (adverse_events, known:serious): events occurred, and none is said to be
    serious or not.
    """
    with_events = str(Ascertainment.EVENTS.value)
    return (
        bool(by_ascertainment[(with_events, "no")]) and not by_ascertainment[(with_events, "yes")]
    )


@dataclass(frozen=True)
class Breakdown:
    """The authors' verdicts on the treatments of one kind; every treatment has one verdict or none
    known.
    """

    label: str
    key: str
    counts: dict[str, int]
    improved: Share
    # the list that the rows are by may not be complete, so that its label says “at least”
    partial: bool = False

    @property
    def known(self) -> int:
        return self.improved.known


def response_by_inhibitor(question: Question, vocabulary: Vocabulary) -> Summary:
    """Verdicts by drug, in treatments."""
    (tally,) = yield [Tally(question, ("inhibitor", "response", "reading"), Unit.TREATMENTS)]
    return response_breakdowns(question, tally, lambda key, _: vocabulary.label("inhibitor", key))


def response_by_indication_set(question: Question, vocabulary: Vocabulary) -> Summary:
    """Verdicts by indication set, in treatments; a list that may not be complete is a row apart,
    “at least”, and treatments with unknown indications stand last.
    """
    (counter,) = yield [
        Tally(
            question, ("indication_set", "whole:indication", "response", "reading"), Unit.TREATMENTS
        )
    ]
    tally = Counter()
    for (key, is_complete, *others_of_key), count in counter.items():
        tally[((key, bool(key) and is_complete == YesNo.NO), *others_of_key)] += count

    def set_label(key: str, partial: bool) -> str:
        if not key:
            return "indications not known"
        return f"at least {vocabulary.set_label(key)}" if partial else vocabulary.set_label(key)

    return response_breakdowns(question, tally, set_label)


def response_breakdowns(question: Question, tally: Counter, label) -> list[Breakdown]:
    """Rows from a tally by (key or (key, partial), response, reading)."""
    rows = defaultdict(Counter)
    missing = defaultdict(Counter)
    for (key, response, reading), count in tally.items():
        kind = key if isinstance(key, tuple) else (key, False)
        if response == Response.UNKNOWN:
            missing[kind][reading] += count
        else:
            rows[kind][response] += count
    breakdowns = []
    for key, partial in set(rows) | set(missing):
        counts = {response.value: rows[key, partial][response.value] for response in RESPONSES}
        missing_counts = missing[key, partial]
        improved = Share(
            label(key, partial),
            counts[Response.IMPROVED],
            sum(counts.values()),
            missing_counts[Missing.NOT_REPORTED],
            missing_counts[Missing.NOT_EXTRACTED],
            Unit.TREATMENTS,
            key,
            asked_for=asked_for_words(question, "improved"),
        )
        breakdowns.append(Breakdown(label(key, partial), key, counts, improved, partial))
    return sorted(breakdowns, key=lambda row: (not row.key, -row.improved.in_view, row.label))


@dataclass(frozen=True)
class CategoryShare:
    """One category of adverse events: in how many patients, and how many events; of these, how many
    are known to be serious or not, and how many have a CTCAE grade and one of 3 or more.
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


EVENT_COUNTS = [
    "adverse_event",
    "event_serious",
    "event_not_serious",
    "event_graded",
    "event_severe",
]


def events_by_category(question: Question, vocabulary: Vocabulary) -> Summary:
    """Per category: patients with an event, of those in whom it is known whether there was one; and
    events.
    """
    in_view, patients, not_known, known_counter, *events = yield [
        Tally(question, ("reading",)),
        Tally(question, ("adverse_event",)),
        *known_tallies(question, "whole:adverse_event", "adverse_event"),
        *(Tally(question, (name,), Unit.EVENTS) for name in EVENT_COUNTS),
    ]
    categories = [
        CategoryShare(
            make_share(
                vocabulary.label("adverse_event", key),
                count,
                known_of(key, in_view, not_known, known_counter),
                in_view,
                key=key,
                asked_for=ASKED_FOR if is_value_asked_for(question, "adverse_event", key) else "",
            ),
            *(counter[(key,)] for counter in events),
        )
        for (key,), count in patients.items()
        if key
    ]
    return sorted(
        categories,
        key=lambda row: (row.patients.key in PLACEHOLDERS, -row.patients.count, row.patients.label),
    )


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
        sexes = ", ".join(
            f"{group_digits(self.sexes.get(sex.value, 0))} {sex.label.lower()}"
            for sex in (Sex.FEMALE, Sex.MALE)
        )
        unknown_sex = self.sexes.get(Sex.UNKNOWN, 0)
        sexes += f", sex not known in {group_digits(unknown_sex)}" if unknown_sex else ""
        if not self.known.in_view:
            return "No patient is in view."
        if not self.ages:
            return (
                f"Age is known in none of {pluralize(self.known.in_view, Unit.PATIENTS)}; {sexes}."
            )
        age_text = f"median {format_number(self.median)} years, {self.youngest} to {self.oldest}"
        if self.youngest == self.oldest:
            age_text = f"{self.youngest} years"
        known_text, in_view_text = (
            group_digits(self.known.known),
            pluralize(self.known.in_view, Unit.PATIENTS),
        )
        return f"Age is known in {known_text} of {in_view_text}: {age_text}; {sexes}."


def age_and_sex(question: Question) -> Summary:
    in_view, by_age, by_sex, by_known = yield [
        Tally(question, ("reading",)),
        Tally(question, ("age", "sex")),
        Tally(question, ("sex",)),
        known_by_reason(question, "age"),
    ]
    ages, bands = Counter(), defaultdict(Counter)
    for (age, sex), count in by_age.items():
        if age is not None:
            ages[int(age)] += count
            bands[int(age) // DECADE * DECADE][sex] += count
    known_counter = counts_where_known(by_known)
    decades = range(min(bands), max(bands) + 1, DECADE) if bands else []
    return AgeAndSex(
        [(f"{start}–{start + DECADE - 1}", dict(bands[start])) for start in decades],
        {sex: count for (sex,), count in by_sex.items()},
        dict(ages),
        make_share("Age known", sum(known_counter.values()), known_counter, in_view, key="age"),
    )
