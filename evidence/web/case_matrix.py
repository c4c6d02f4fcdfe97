"""Cases side by side: a column for each patient, a row for each thing that is known or not.

Every cell has a state, which gives it a mark with a shape and a colour, and words.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.db.models import QuerySet
from django.utils.text import capfirst

from ..models.choices import (
    Ascertainment,
    Domain,
    Missing,
    Response,
    Sex,
    Subset,
    YesNo,
)
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..summaries.cases import (
    LISTED,
    NOT_LISTED,
    SEVERAL,
    Case,
    ranked_by_domain,
    ranked_by_indication,
    ranked_by_treatment,
    read_cases,
)
from ..tables import PATIENTS, page_records

MOST_CASES = 200  # patients of a matrix
BLOCK = 36  # patients side by side: as many as a desktop shows and a sheet of A4 takes
FEW_CASES = 6  # up to which cases are told in words
# A mark says which kind of unknown it is.
UNKNOWN_STATES = {
    Missing.NOT_REPORTED.label: "not-reported",
    Missing.NOT_EXTRACTED.label: "not-extracted",
}
SUBSET_MARKS = {Subset.DIFFUSE: "d", Subset.LIMITED: "l", Subset.SINE: "s", Subset.OVERLAP: "o"}
SEX_MARKS = {Sex.FEMALE: "F", Sex.MALE: "M"}
YES_NO_STATES = {YesNo.YES: "yes", YesNo.NO: "no"}
EVENT_STATES = {Ascertainment.EVENTS: "yes", Ascertainment.EXPLICITLY_NONE: "no"}
EVENT_WORDS = {
    Ascertainment.EVENTS: "adverse events reported",
    Ascertainment.EXPLICITLY_NONE: "none, as stated",
}


@dataclass(frozen=True)
class MatrixCell:
    """`state` chooses the mark, unless the `mark` is a text of its own; `words` say it."""

    state: str
    words: str
    mark: str = ""


@lru_cache(5_000)
def make_cell(state: str, words: str, mark: str = "") -> MatrixCell:
    """Equal cells, which a matrix is full of, are one and the same object."""
    return MatrixCell(state, words, mark)


@dataclass(frozen=True)
class MatrixRow:
    """One thing in all patients. `sort` is the word that sorts the matrix by it."""

    label: str
    sort: str
    cells: list[MatrixCell]
    href: str = ""
    direction: str = ""


@dataclass(frozen=True)
class MatrixBlock:
    """Patients who stand side by side, `first` to `last` of the matrix."""

    first: int
    last: int
    cases: list[Case]
    rows: list[MatrixRow]


@dataclass(frozen=True)
class CaseMatrix:
    """The first patients of a question in the order asked for, of `total`."""

    blocks: list[MatrixBlock]
    cases: list[Case]
    total: int
    marks: list[tuple[str, str]]  # of the legend: state and words
    in_words: list[tuple[Case, list[str]]]  # each case in sentences, where they are few
    notices: list[str]
    sort: str

    @property
    def is_whole(self) -> bool:
        return len(self.cases) == self.total


CellMaker = Callable[[Case], MatrixCell]


def case_matrix(
    question: Question, vocabulary: Vocabulary, sort: str, total: int, most: int
) -> CaseMatrix:
    """The first `most` patients. A sort word that names no row falls back, and a notice says so."""
    notices = []
    name = sort.removeprefix("-")
    if name and name not in sort_words(vocabulary):
        notices.append("The cases have no such row to sort by; they are in their usual order.")
        sort = name = ""
    cases = read_cases(question, sorted_patients(question, vocabulary, sort, most)) if total else []
    makers = list(row_makers(cases, vocabulary))
    blocks = []
    for start in range(0, len(cases), BLOCK):
        part = cases[start : start + BLOCK]
        rows = [
            MatrixRow(
                label,
                word,
                [make(case) for case in part],
                f"?{question.query(sort=f'-{word}' if sort == word else word)}" if word else "",
                {word: "ascending", f"-{word}": "descending"}.get(sort, ""),
            )
            for label, word, make in makers
        ]
        blocks.append(MatrixBlock(start + 1, start + len(part), part, rows))
    in_words = [(case, case_in_words(case, vocabulary)) for case in cases[:FEW_CASES]]
    return CaseMatrix(blocks, cases, total, legend_of(blocks), in_words, notices, sort)


def sort_words(vocabulary: Vocabulary) -> dict[str, Sequence[str]]:
    """What a matrix can be sorted by, with the codes in order; none: the column sorts by itself."""
    return {
        "age_years": (),
        "sex": (),
        "subset": (),
        "patient": (),
        "inhibitors": tuple(vocabulary.terms["inhibitor"]),
        "response": tuple(code.value for code in Response if code != Response.UNKNOWN),
        "relapsed": (YesNo.YES.value, YesNo.NO.value),
        "adverse_events": (Ascertainment.EVENTS.value, Ascertainment.EXPLICITLY_NONE.value),
        **{f"indication.{code}": (LISTED, NOT_LISTED) for code in vocabulary.terms["indication"]},
        **{
            f"domain.{domain.value}": tuple(
                code.value for code in Response if code != Response.UNKNOWN
            )
            for domain in Domain
        },
    }


def sorted_patients(
    question: Question, vocabulary: Vocabulary, sort: str, most: int
) -> QuerySet | list[int]:
    """The first patients in the order asked for; those of whom it is not known stand last."""
    name = sort.removeprefix("-")
    codes = sort_words(vocabulary)[name] if name else ()
    if not codes:
        return page_records(PATIENTS, question, sort, 0, most)
    if sort.startswith("-"):
        codes = codes[::-1]
    field, _, code = name.partition(".")
    if field == "domain":
        first = ranked_by_domain(question, code, codes, most)
        others = page_records(PATIENTS, question, "", 0, most + len(first))
        known = set(first)
        rest = [key for key in others.values_list("pk", flat=True) if key not in known]
        return [*first, *rest][:most]
    if field == "indication":
        return ranked_by_indication(question, code, codes)[:most]
    return ranked_by_treatment(question, field, codes)[:most]


def row_makers(cases: list[Case], vocabulary: Vocabulary) -> Iterator[tuple[str, str, CellMaker]]:
    """Label, sort word and cell of each row: drug, indications, verdict, domains, relapse, events,
    person. Indications and domains of nobody have no row.
    """
    yield "JAK inhibitor", "inhibitors", lambda case: drug_cell(case, vocabulary)
    given = {code for case in cases for course in case.courses for code in course.indications}
    for code in vocabulary.terms["indication"]:
        if code in given:
            label = f"For {vocabulary.set_label(code)}"
            yield label, f"indication.{code}", indication_cell(code)
    if not given and cases:
        yield "Given for", "", unknown_cell
    responses = dict(Response.choices)
    yield (
        "Overall response",
        "response",
        lambda case: course_cell(case, "response", {}, responses),
    )
    for domain in Domain:
        if any(domain.value in case.domains for case in cases):
            yield f"{domain.label}", f"domain.{domain.value}", domain_cell(domain.value)
    yes_no = dict(YesNo.choices)
    yield "Relapsed", "relapsed", lambda case: course_cell(case, "relapsed", YES_NO_STATES, yes_no)
    yield (
        "Adverse events",
        "adverse_events",
        lambda case: course_cell(case, "adverse_events", EVENT_STATES, EVENT_WORDS),
    )
    yield "Sex", "sex", lambda case: value_cell(case, case.sex, SEX_MARKS, dict(Sex.choices))
    yield "Age", "age_years", age_cell
    yield (
        "Subset",
        "subset",
        lambda case: value_cell(case, case.subset, SUBSET_MARKS, dict(Subset.choices)),
    )


def unknown_cell(case: Case) -> MatrixCell:
    return make_cell(UNKNOWN_STATES[case.missing], case.missing)


def drug_cell(case: Case, vocabulary: Vocabulary) -> MatrixCell:
    labels = list(
        dict.fromkeys(vocabulary.label("inhibitor", course.inhibitor) for course in case.courses)
    )
    more = "+" if len(labels) > 1 else ""
    return make_cell("text", ", ".join(labels), labels[0][:3] + more)


def indication_cell(code: str) -> CellMaker:
    def make(case: Case) -> MatrixCell:
        state = case.indicated(code)
        if state == LISTED:
            return make_cell("listed", "given for it")
        if state == NOT_LISTED:
            return make_cell("not-listed", "not given for it")
        return unknown_cell(case)

    return make


def course_cell(case: Case, name: str, states: dict, words: dict) -> MatrixCell:
    value = case.of_courses(name)
    if value == SEVERAL:
        values = [getattr(course, name) for course in case.courses]
        return make_cell(
            "several", "; ".join(words[each] if each else case.missing for each in values)
        )
    return make_cell(states.get(value, value), words[value]) if value else unknown_cell(case)


def domain_cell(domain: str) -> CellMaker:
    def make(case: Case) -> MatrixCell:
        result = case.domains.get(domain)
        return make_cell(result.result, result.words) if result else unknown_cell(case)

    return make


def value_cell(case: Case, value: str, marks: dict, words: dict) -> MatrixCell:
    return make_cell("text", words[value], marks[value]) if value else unknown_cell(case)


def age_cell(case: Case) -> MatrixCell:
    if case.age_years is None:
        return unknown_cell(case)
    return make_cell("text", f"{case.age_years} years", str(case.age_years))


LEGEND = {
    "listed": "given for it",
    "not-listed": "not given for it",
    "improved": "improved",
    "stable": "stable",
    "worsened": "worsened",
    "not_improved": "not improved",
    "yes": "yes",
    "no": "no, as stated",
    "several": "courses differ",
    "not-reported": "not reported",
    "not-extracted": "not extracted",
}


def legend_of(blocks: list[MatrixBlock]) -> list[tuple[str, str]]:
    """The marks that occur, with what they mean."""
    states = {cell.state for block in blocks for row in block.rows for cell in row.cells}
    return [(state, words) for state, words in LEGEND.items() if state in states]


def case_in_words(case: Case, vocabulary: Vocabulary) -> list[str]:
    """A case in sentences: the person; each drug, what for and the authors' verdict; the domains;
    relapse and adverse events. What is not known is said, with the reason.
    """
    facts = [
        ("sex", dict(Sex.choices)[case.sex].lower() if case.sex else ""),
        ("age", f"{case.age_years} years" if case.age_years is not None else ""),
        ("subset", dict(Subset.choices)[case.subset] if case.subset else ""),
    ]
    known_facts = [text for _, text in facts if text]
    unknown_facts = [name for name, text in facts if not text]
    if unknown_facts:
        known_facts.append(f"{' and '.join(unknown_facts)} {case.missing}")
    lines = [capfirst(", ".join(known_facts))]
    for course in case.courses:
        drug = vocabulary.label("inhibitor", course.inhibitor)
        given = " and ".join(vocabulary.set_label(code) for code in course.indications)
        purpose = f"for {given}" if given else f"what for {case.missing}"
        verdict = (
            dict(Response.choices)[course.response].lower() if course.response else case.missing
        )
        lines.append(f"{drug} {purpose}: overall response {verdict}")
    domains = "; ".join(result.words for result in case.domains.values())
    if domains and len(case.courses) == 1:
        lines[-1] += f"; {domains}"
    elif domains:  # one result of a patient counts in each domain, whichever course it came of
        lines.append(f"of all courses together: {domains}")
    lines[1:] = [f"{capfirst(line)}." for line in lines[1:]]
    relapse, events = case.of_courses("relapsed"), case.of_courses("adverse_events")
    relapse_text = {
        YesNo.YES: "relapsed",
        YesNo.NO: "no relapse, as stated",
        SEVERAL: "relapse differs between courses",
    }.get(relapse, f"relapse {case.missing}")
    events_text = {
        Ascertainment.EVENTS: "adverse events reported",
        Ascertainment.EXPLICITLY_NONE: "no adverse event, as stated",
        SEVERAL: "adverse events differ between courses",
    }.get(events, f"adverse events {case.missing}")
    return [*lines, capfirst(f"{relapse_text}; {events_text}.")]
