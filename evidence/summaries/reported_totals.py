"""What a paper prints of all its patients beside what its single patients give.

It is asked of records as a document has them, of a study in work or of what the tables hold, so
that whoever enters a study sees the same comparison as its readers.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from ..models import (
    AdverseEvent,
    Autoantibody,
    Manifestation,
    Outcome,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    ReportedTotal,
    Study,
    Treatment,
    term_tree,
)
from ..models.choices import (
    Ascertainment,
    Item,
    ListCompleteness,
    Presence,
    Reported,
    Response,
    Sex,
    State,
    Statistic,
    Subset,
    Verdict,
    YesNo,
)
from ..models.outcome import counting_order
from ..models.records import record_of, with_references
from ..models.reported_total import TERM_OF
from ..models.spellings import fold_spelling
from ..models.study_parts import PARTS
from ..statistics import Printed, attainable_counts, mean, median, possible_fractions
from .shares import format_number, pluralize

SHOWN_FRACTIONS = 6  # that print the same percentage
# What a total is compared with, an owner before what is below it.
COMPARED = (
    Patient,
    PatientManifestation,
    PatientAutoantibody,
    Treatment,
    Outcome,
    AdverseEvent,
    ReportedTotal,
)


@dataclass
class Case:
    """One patient of a document, with the courses and what is recorded under each."""

    fields: dict
    courses: dict[int, dict] = field(default_factory=dict)
    outcomes: dict[int, list[dict]] = field(default_factory=lambda: defaultdict(list))
    events: dict[int, list[dict]] = field(default_factory=lambda: defaultdict(list))
    manifestations: dict[str, str] = field(default_factory=dict)  # status by code
    autoantibodies: dict[str, str] = field(default_factory=dict)


def cases_of(document: Sequence[dict], *, only_published: bool = False) -> list[Case]:
    """The patients of a document but for withdrawn ones; with `only_published` those readers
    see.
    """
    cases: dict[str, Case] = {}
    for record in document:
        fields = record["fields"]
        match record["model"]:
            case "evidence.patient":
                state = fields.get("state", State.DRAFT)
                if state == State.PUBLISHED or not (only_published or state == State.WITHDRAWN):
                    cases[fields["slug"]] = Case(fields)
            case "evidence.patientmanifestation" | "evidence.patientautoantibody":
                name = record["model"].removeprefix("evidence.patient")
                if one := cases.get(fields["patient"][0]):
                    listed = one.manifestations if name == "manifestation" else one.autoantibodies
                    listed[fields[name][0]] = fields.get("status", Presence.PRESENT)
            case "evidence.treatment":
                if one := cases.get(fields["patient"][0]):
                    one.courses[fields["number"]] = fields
            case "evidence.outcome" | "evidence.adverseevent":
                patient, number = fields["treatment"]
                if one := cases.get(patient):
                    below = one.outcomes if record["model"] == "evidence.outcome" else one.events
                    below[number].append(fields)
    return list(cases.values())


# ---- what is known of one patient: yes, no or neither (None)

Answer = bool | None


def any_course(answers: Iterable[Answer]) -> Answer:
    """Yes where it holds of a course, no where it holds of none."""
    answers = list(answers)
    if any(answers):
        return True
    return None if None in answers or not answers else False


def is_code(value: str | None, wanted: str, unknown: str) -> Answer:
    return None if value in (None, "", unknown) else value == wanted


def responded(course: dict, wanted: str) -> Answer:
    """Not improved, and no more, leaves open whether a patient was stable or got worse."""
    response = course.get("response", Response.UNKNOWN)
    if response == Response.NOT_IMPROVED and wanted != Response.IMPROVED:
        return None
    return is_code(response, wanted, Response.UNKNOWN)


def had_event(course: dict) -> Answer:
    said = course.get("adverse_events", Ascertainment.NOT_STATED)
    return is_code(said, Ascertainment.EVENTS, Ascertainment.NOT_STATED)


def had_serious_event(course: dict, events: list[dict]) -> Answer:
    """No where none occurred, or every event that is listed is said not to be serious."""
    graded = [event.get("serious", YesNo.UNKNOWN) for event in events]
    if YesNo.YES in graded:
        return True
    is_none = had_event(course) is False or (graded and set(graded) == {YesNo.NO})
    return False if is_none else None


def is_listed(codes: Iterable[str], completeness: str | None, wanted: str) -> Answer:
    """A term that is not on a list is absent only where the list is whole."""
    if wanted in codes:
        return True
    return False if completeness in ListCompleteness.complete_values() else None


def has_sign(listed: dict[str, str], completeness: str | None, wanted: str, model) -> Answer:
    """Who has a narrower term has the wider one; who is without the wider one is without it."""
    tree = term_tree(model)
    if any(listed.get(code) == Presence.PRESENT for code in tree.with_narrower(wanted)):
        return True
    if any(listed.get(code) == Presence.ABSENT for code in tree.with_wider(wanted)):
        return False
    return False if completeness in ListCompleteness.complete_values() else None


def improved_in(case: Case, domain: str) -> Answer:
    """By the outcome that counts of a patient in a domain, as everywhere."""
    stated = [
        (number, outcome)
        for number, outcomes in case.outcomes.items()
        for outcome in outcomes
        if outcome.get("domain") == domain
        and outcome.get("result", Response.UNKNOWN) != Response.UNKNOWN
    ]
    if not stated:
        return None
    _, counts = min(
        stated,
        key=lambda pair: counting_order(
            pair[0], number_of(pair[1].get("at_months")), pair[1]["result"], pair[1]["number"]
        ),
    )
    return counts["result"] == Response.IMPROVED


def answer_of(case: Case, quantity: str, term: str) -> Answer:
    """Whether a patient is among those that are counted."""
    fields, courses = case.fields, case.courses
    match quantity:
        case Reported.PATIENTS:
            return True
        case Reported.FEMALE | Reported.MALE:
            return is_code(fields.get("sex"), quantity, Sex.UNKNOWN)
        case Reported.DIFFUSE | Reported.LIMITED | Reported.OVERLAP:
            return is_code(fields.get("subset"), quantity, Subset.UNKNOWN)
        case Reported.MANIFESTATION:
            whole = fields.get("manifestations_completeness")
            return has_sign(case.manifestations, whole, term, Manifestation)
        case Reported.AUTOANTIBODY:
            whole = fields.get("autoantibodies_completeness")
            return has_sign(case.autoantibodies, whole, term, Autoantibody)
        case Reported.INHIBITOR:
            return any_course(
                course.get("inhibitor", [""])[0] == term for course in courses.values()
            )
        case Reported.INDICATION:
            return any_course(
                is_listed(
                    [one[0] for one in course.get("indications", ())],
                    course.get("indications_completeness"),
                    term,
                )
                for course in courses.values()
            )
        case Reported.IMPROVED | Reported.STABLE | Reported.WORSENED:
            return any_course(responded(course, quantity) for course in courses.values())
        case Reported.RELAPSED | Reported.STOPPED:
            return any_course(
                is_code(course.get(quantity), YesNo.YES, YesNo.UNKNOWN)
                for course in courses.values()
            )
        case Reported.ANY_ADVERSE_EVENT:
            return any_course(map(had_event, courses.values()))
        case Reported.SERIOUS:
            return any_course(
                had_serious_event(course, case.events[number]) for number, course in courses.items()
            )
        case _:
            return improved_in(case, quantity.removeprefix(f"{Item.IMPROVED.value}_"))


def number_of(text) -> Decimal | None:
    """A number of a document; None where there is none, or it cannot be read."""
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def measured_in(case: Case, quantity: str, measure: str, month: Decimal | None) -> Decimal | None:
    """The one number of a patient; None where there is none, or more than one."""
    if quantity == Reported.AGE:
        return number_of(case.fields.get("age_years"))
    if quantity == Reported.DISEASE_DURATION:
        return number_of(case.fields.get("disease_duration_months"))
    found = {
        number_of(outcome.get(quantity))
        for outcomes in case.outcomes.values()
        for outcome in outcomes
        if fold_spelling(outcome.get("measure", [""])[0]) == fold_spelling(measure)
        and (month is None or number_of(outcome.get("at_months")) == month)
    } - {None}
    return found.pop() if len(found) == 1 else None


# ---- the comparison


@dataclass(frozen=True)
class Given:
    """What the rows give: how many of `known` patients, or a number of each of them. `total` are
    all patients there are.
    """

    known: int
    total: int
    count: int = 0
    values: tuple[Decimal, ...] = ()


@dataclass(frozen=True)
class ComparedTotal:
    """One printed total and what the rows give."""

    number: int
    label: str
    printed: str
    place: str
    note: str
    given: str  # in words
    known: int
    total: int
    verdict: Verdict
    why: str = ""  # what else can be said of it

    @property
    def verdict_words(self) -> str:
        cannot = self.verdict == Verdict.NOT_COMPUTABLE
        return "cannot be compared" if cannot else str(self.verdict.label)

    @property
    def differs(self) -> bool:
        return self.verdict == Verdict.DIFFERS


def compare_totals(
    document: Sequence[dict], *, only_published: bool = False
) -> list[ComparedTotal]:
    """Every total of a document beside its patients; with `only_published` beside those readers
    see.
    """
    totals = [one["fields"] for one in document if one["model"] == "evidence.reportedtotal"]
    cases = cases_of(document, only_published=only_published) if totals else []
    labels: dict[tuple[str, str], str] = {}
    return [compare_total(fields, cases, labels) for fields in totals]


def published_totals(study: Study) -> list[ComparedTotal]:
    """The same of a published study, as the tables say that readers see. A query where there are
    none, a fixed number of them where there are.
    """
    if not study.reported_totals.exists():
        return []
    document = [
        record_of(instance)
        for model in COMPARED
        for instance in with_references(model).filter(**{PARTS[model]: study.pk})
    ]
    return compare_totals(document, only_published=True)


def compare_total(fields: dict, cases: list[Case], labels: dict) -> ComparedTotal:
    quantity, statistic = fields.get("quantity", ""), fields.get("statistic", "")
    term_name = next((name for name, of in TERM_OF.items() if quantity in of), "")
    term = fields.get(term_name, [""])[0] if term_name else ""
    value = number_of(fields.get("value"))
    month = number_of(fields.get("at_months"))
    given = verdict = None
    why = ""
    if not cases:
        why = "Here are no single patients of this study."
    elif quantity in Reported.values and statistic in Statistic.values and value is not None:
        printed = Printed(value, decimals_of(value, fields))
        of_n = None if quantity == Reported.PATIENTS else fields.get("of_n")
        if quantity in Reported.measured():
            values = [measured_in(case, quantity, term, month) for case in cases]
            known = tuple(one for one in values if one is not None)
            given = Given(len(known), len(cases), values=known)
            verdict, why = judge_values(printed, statistic, of_n, given)
        else:
            answers = [answer_of(case, quantity, term) for case in cases]
            known = [one for one in answers if one is not None]
            given = Given(len(known), len(cases), sum(known))
            judge = judge_percent if statistic == Statistic.PERCENT else judge_count
            verdict, why = judge(printed, of_n, given)
    return ComparedTotal(
        number=fields.get("number", 1),
        label=label_of(quantity, term_name, term, month, labels),
        printed=printed_words(fields, statistic, value),
        place=fields.get("locator", ""),
        note=fields.get("note", ""),
        given=given_words(given, quantity, statistic, value) if given else "",
        known=given.known if given else 0,
        total=len(cases),
        verdict=verdict or Verdict.NOT_COMPUTABLE,
        why=why if given or not cases else "It is not said what the number is of.",
    )


def decimals_of(value: Decimal, fields: dict | None = None) -> int:
    """How many digits are printed after the point."""
    written = max(-value.normalize().as_tuple().exponent, 0)
    return max(written, (fields or {}).get("decimals") or 0)


def judge_count(printed: Printed, of_n: int | None, given: Given) -> tuple[Verdict, str]:
    """Whether so many patients can be meant.

    It agrees where the rows give the same number, of as many patients, if it is known of any. It
    differs where no reading of what is not known makes the two agree: the patients of the paper are
    those of the rows, or some of them, or those and others.
    """
    size = given.total if of_n is None else of_n
    is_known = given.known > 0 or given.total == 0
    if is_known and printed.value == given.count and size in (given.total, given.known):
        return Verdict.AGREES, ""
    no, unknown = given.known - given.count, given.total - given.known
    is_possible = printed.value == printed.value.to_integral_value()
    if size >= given.total:  # these patients, and perhaps others
        is_possible &= given.count <= printed.value <= size - no
    if size <= given.total:  # some of these patients, or all
        is_possible &= size - no - unknown <= printed.value <= given.count + unknown
    if not is_possible:
        return Verdict.DIFFERS, ""
    return Verdict.NOT_COMPUTABLE, other_patients(given, size)


def other_patients(given: Given, size: int) -> str:
    """Why a number of so many patients is not that of the rows."""
    if size != given.total:
        return f"The paper counts {pluralize(size, 'patients')}, here are {given.total}."
    return f"Not known of {given.total - given.known} of {pluralize(given.total, 'patients')}."


def judge_percent(printed: Printed, of_n: int | None, given: Given) -> tuple[Verdict, str]:
    """The same of every number of patients whose percentage is printed so. Where no N is printed it
    is that of all patients or of those in whom it is known, and where it is not known of all here
    perhaps of some others; those that are printed so are named.
    """
    size = given.total if of_n is None else of_n
    verdicts = [
        judge_count(Printed(Decimal(count), 0), size, given)
        for count in attainable_counts(printed, size)
    ]
    of_known = attainable_counts(printed, given.known) if given.known else []
    if of_n is None and given.count in of_known:
        return Verdict.AGREES, ""
    why = fractions_words(printed, given.total) if of_n is None else ""
    for wanted in (Verdict.AGREES, Verdict.NOT_COMPUTABLE):
        for verdict, more in verdicts:
            if verdict == wanted:
                return verdict, "" if verdict == Verdict.AGREES else more
    if of_n is None and given.known < given.total:  # perhaps of others than are known here
        for count, of in possible_fractions(printed, given.total):
            if judge_count(Printed(Decimal(count), 0), of, given)[0] != Verdict.DIFFERS:
                return Verdict.NOT_COMPUTABLE, why
    return Verdict.DIFFERS, why


def fractions_words(printed: Printed, most: int) -> str:
    """Which numbers of up to so many patients print this percentage."""
    fractions = [f"{count}/{of}" for count, of in possible_fractions(printed, most)]
    if not fractions:
        return f"No number of up to {most} patients is printed so."
    more = " …" if len(fractions) > SHOWN_FRACTIONS else ""
    return f"So are printed: {', '.join(fractions[:SHOWN_FRACTIONS])}{more}."


STATISTICS: dict[str, Callable[[Sequence[Decimal]], Decimal]] = {
    Statistic.MEAN.value: lambda values: mean(Counter(values)),
    Statistic.MEDIAN.value: lambda values: median(Counter(values)),
    Statistic.MINIMUM.value: min,
    Statistic.MAXIMUM.value: max,
}


def judge_values(
    printed: Printed, statistic: str, of_n: int | None, given: Given
) -> tuple[Verdict, str]:
    """Whether the numbers of the rows are printed so. Where some are missing a mean can be any; but
    no patient has less than the lowest, or more than the highest.
    """
    if not given.values:
        return Verdict.NOT_COMPUTABLE, "Not known of any patient."
    if statistic not in STATISTICS:
        return Verdict.NOT_COMPUTABLE, "Patients are counted; these are numbers of each patient."
    result = STATISTICS[statistic](given.values)
    is_printed = printed.is_printed_for(result)
    if is_printed and of_n in (None, given.known):
        return Verdict.AGREES, ""
    is_beyond = (statistic == Statistic.MINIMUM and result < printed.value) or (
        statistic == Statistic.MAXIMUM and result > printed.value
    )
    size = given.total if of_n is None else of_n
    if is_beyond and not is_printed and size >= given.total:
        return Verdict.DIFFERS, ""
    if size != given.known:
        return Verdict.NOT_COMPUTABLE, other_patients(given, size)
    return Verdict.DIFFERS, ""


# ---- in words


def label_of(quantity: str, term_name: str, term: str, month: Decimal | None, labels: dict) -> str:
    """What a total is of, in words."""
    what = Reported(quantity).label if quantity in Reported.values else "Not said"
    if not term:
        return what
    if (term_name, term) not in labels:
        model = ReportedTotal._meta.get_field(term_name).related_model
        found = model.objects.filter(**{model.KEY[0]: term}).first()
        labels[term_name, term] = str(found) if found else term
    at = f", month {format_number(month, decimals_of(month))}" if month is not None else ""
    if term_name == "measure":
        when = "baseline" if quantity == Reported.BASELINE else "follow-up"
        return f"{labels[term_name, term]} at {when}{at}"
    return f"{what}: {labels[term_name, term]}"


def printed_words(fields: dict, statistic: str, value: Decimal | None) -> str:
    """The number as the paper prints it."""
    if value is None:
        return str(fields.get("value", ""))
    number = format_number(value, decimals_of(value, fields))
    of = f" of {fields['of_n']}" if fields.get("of_n") else ""
    spread = f" ({fields['spread']})" if fields.get("spread") else ""
    match statistic:
        case Statistic.COUNT:
            return f"{number}{of}{spread}"
        case Statistic.PERCENT:
            return f"{number} %{of}{spread}"
    name = Statistic(statistic).label.lower() if statistic in Statistic.values else ""
    return f"{name} {number}{spread}{of}".strip()


def given_words(given: Given, quantity: str, statistic: str, value: Decimal) -> str:
    """What the rows give, with the patients in whom it is known."""
    if quantity == Reported.PATIENTS:
        return f"{given.total}"
    known = f"{given.known} of {given.total} known"
    if given.values:
        result = STATISTICS.get(statistic, STATISTICS["mean"])(given.values)
        return f"{format_number(result, max(decimals_of(value), 1))} ({known})"
    if quantity in Reported.measured():
        return f"– ({known})"
    if statistic == Statistic.PERCENT and given.known:
        share = format_number(100 * Decimal(given.count) / given.known, max(decimals_of(value), 1))
        return f"{share} %, {given.count} ({known})"
    return f"{given.count} ({known})"
