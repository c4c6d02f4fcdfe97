"""Which patients answer a question in a release, from the tables of its archive.

What a filter means is defined by the filters alone (`questions.filters`), what is known by
`models.knowledge`, and how yes and no combine by `questions.three_answers`; this module reads their
conditions over rows of CSV, as the engines of `counting` read them over the database.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cached_property
from typing import Any
from zipfile import ZipFile

import numpy as np
from django.db.models import Q

from ..models import (
    ATTRIBUTES,
    LISTS,
    AdverseEvent,
    Manifestation,
    Outcome,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Treatment,
    term_tree,
)
from ..models.choices import Assessed, Presence, YesNo
from ..models.knowledge import NOT_SERIOUS, SERIOUS, Condition, FieldCondition, RelationExists
from ..models.outcome import window_of
from ..questions.filters.facts import allowed_beside
from ..questions.filters.treatment import part_answer
from ..questions.question import Question
from ..questions.three_answers import all_of
from ..tables import TIDY
from .archives import header_of, rows_of
from .differences import COMMON
from .rows import MISSING

# The tables that say something of a patient; a row of each names its patient.
OF_PATIENTS = tuple(noun for noun, tidy in TIDY.items() if tidy.key[0] == "patient")
STUDIES, PATIENTS, TREATMENTS = "studies", "patients", "treatments"
# What each table of rows under a patient or a course is of.
NOUN_OF_MODEL = {
    Treatment.indications.through: "indications",
    PatientAutoantibody: "autoantibodies",
    PatientManifestation: "manifestations",
    Patient.prior_therapies.through: "prior-therapies",
    AdverseEvent: "adverse-events",
    Outcome: "outcomes",
}
COLUMNS = {
    noun: {column.source: column for column in TIDY[noun].table.file_columns}
    for noun in (STUDIES, *OF_PATIENTS)
}
# A study's cells that follow from other tables have no path; they are read by their names.
APPRAISED = "appraised"
# What journals say of a study later, which every reader of its patients has to know.
NOTICES = ("retraction", "retraction_date", "retraction_notice", "retraction_reason")
SET_OF_INDICATIONS = "indication_set"
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "exact": lambda own, asked: own == asked,
    "in": lambda own, asked: own in asked,
    "isnull": lambda own, asked: (own is None) == asked,
    "gte": lambda own, asked: own is not None and own >= asked,
    "lte": lambda own, asked: own is not None and own <= asked,
}


class NotInArchive(ValueError):
    """What a question asks is not in an archive, for a reader: it was made before there was such a
    column.
    """


class ArchivedTables:
    """The tables of an archive that say something of patients, as rows of cells."""

    def __init__(self, archive: ZipFile, size: int):
        self.size = size  # bytes of its files
        nouns = (STUDIES, *OF_PATIENTS)
        self.headers = {noun: header_of(archive, f"{noun}.csv") for noun in nouns}
        self.rows = {noun: list(rows_of(archive, f"{noun}.csv")) for noun in nouns}

    @cached_property
    def patients(self) -> dict[str, dict[str, str]]:
        return {row["patient"]: row for row in self.rows[PATIENTS]}

    @cached_property
    def studies(self) -> dict[str, dict[str, str]]:
        return {row["study"]: row for row in self.rows[STUDIES]}

    @cached_property
    def courses_of(self) -> dict[tuple[str, ...], list[int]]:
        """The places of courses among all, by (patient,) and by (patient, course)."""
        places = defaultdict(list)
        for place, row in enumerate(self.rows[TREATMENTS]):
            places[row["patient"],].append(place)
            places[row["patient"], row["treatment"]].append(place)
        return places

    def value(self, noun: str, row: dict[str, str], source: str) -> Any:
        """The value that a path had in the database: a number, a code (that of a missing value
        included), or None. Raises NotInArchive.
        """
        column = COLUMNS[noun][source]
        cell = row.get(column.name)
        if cell is None:
            raise NotInArchive(f"there was no “{column.label}” in it")
        if column.numeric:
            return Decimal(cell) if cell else None
        return (column.unknown or "") if column.tells_missing and cell in MISSING else cell

    def of_course(self, course: dict[str, str], path: str) -> Any:
        """The value at a path of a treatment."""
        if path == SET_OF_INDICATIONS:
            owner = (course["patient"], course["treatment"])
            return "+".join(sorted(self.indications.get(owner, ())))
        patient = self.patients[course["patient"]]
        if path.startswith("patient__study__"):
            study = self.studies[patient["study"]]
            return self.value(STUDIES, study, path.removeprefix("patient__study__"))
        if path.startswith("patient__"):
            return self.value(PATIENTS, patient, path.removeprefix("patient__"))
        return self.value(TREATMENTS, course, path)

    @cached_property
    def indications(self) -> dict[tuple[str, str], list[str]]:
        codes = defaultdict(list)
        for row in self.rows["indications"]:
            codes[row["patient"], row["treatment"]].append(row["indication"])
        return codes

    # Sets of courses, as bits

    def courses(self, holds: Callable[[dict[str, str]], bool]) -> np.ndarray:
        """The courses of which something holds."""
        return np.array([holds(row) for row in self.rows[TREATMENTS]], dtype=bool)

    def condition(self, condition: Q) -> np.ndarray:
        """The courses on which a condition on Treatment holds that looks at columns alone."""
        return self.courses(lambda row: holds(condition, lambda path: self.of_course(row, path)))

    def with_row(self, model: type, where: Callable[[Callable[[str], Any]], bool]) -> np.ndarray:
        """The courses that have, or whose patients have, a row of a model on which `where`
        holds; it is given what reads a path of the row.
        """
        noun = NOUN_OF_MODEL[model]
        owner = RelationExists(model).owner
        bits = np.zeros(len(self.rows[TREATMENTS]), dtype=bool)
        for row in self.rows[noun]:
            if where(lambda path, row=row: self.value(noun, row, path)):
                key = (row["patient"],) if owner == "patient" else (row["patient"], row[owner])
                bits[self.courses_of[key]] = True
        return bits

    def holding(self, condition: Condition) -> np.ndarray:
        """The courses on which a condition of `models.knowledge` holds."""

        def leaf(atom: FieldCondition | RelationExists) -> np.ndarray:
            if isinstance(atom, RelationExists):
                return self.with_row(atom.model, lambda read: holds(atom.where, read))
            return self.condition(atom.q())

        return condition.evaluate(leaf)

    def answering(self, question: Question) -> frozenset[str]:
        """The patients with a course that answers every part of a question with yes. Raises
        NotInArchive.
        """
        bits = np.ones(len(self.rows[TREATMENTS]), dtype=bool)
        if question.parts:
            bits = all_of(
                part_answer(name, value, ArchiveFacts(self, name)) for name, value in question
            ).yes
        return frozenset(
            row["patient"] for row, yes in zip(self.rows[TREATMENTS], bits, strict=True) if yes
        )

    def contents(self, headers: dict[str, list[str]]) -> dict[str, set[tuple]]:
        """What the tables say of each patient, and of a retraction of their study, in the columns
        that other `headers` have too.
        """
        found = defaultdict(set)
        notices = [name for name in NOTICES if name in headers[STUDIES]]
        for slug, patient in self.patients.items():
            study = self.studies.get(patient["study"], {})
            found[slug].add((STUDIES, *(study.get(name, "") for name in notices)))
        for noun in OF_PATIENTS:
            if not headers[noun]:
                continue
            shared = [name for name in self.headers[noun] if name in headers[noun]]
            names = [name for name in shared if name not in COMMON]
            for row in self.rows[noun]:
                found[row["patient"]].add((noun, *(row[name] for name in names)))
        return found


def holds(condition: Q, read: Callable[[str], Any]) -> bool:
    """Whether a condition holds of a record; `read` gives the value at a path."""

    def part_holds(part: Q | tuple[str, Any]) -> bool:
        if isinstance(part, Q):
            return holds(part, read)
        path, _, lookup = part[0].rpartition("__")
        if lookup not in COMPARISONS:
            path, lookup = part[0], "exact"
        return COMPARISONS[lookup](read(path), part[1])

    parts: Iterator[bool] = map(part_holds, condition.children)
    result = any(parts) if condition.connector == Q.OR and condition.children else all(parts)
    return result != condition.negated


class ArchiveFacts:
    """What the filter of this name makes its answers of: see `questions.filters.facts`."""

    def __init__(self, tables: ArchivedTables, name: str):
        self.tables, self.name = tables, name

    def matching(self, url_filter, value) -> np.ndarray:
        tables = self.tables
        if self.name == "inhibitor":
            return tables.condition(Q(inhibitor__slug__in=value))
        if self.name == "serious":
            yes, no = tables.holding(SERIOUS), tables.holding(NOT_SERIOUS)
            by_code = {YesNo.YES: yes, YesNo.NO: ~yes & no, YesNo.UNKNOWN: ~(yes | no)}
            return np.logical_or.reduce([by_code[YesNo(code)] for code in value])
        if self.name == "assessed":
            return np.logical_or.reduce([self.assessed(code) for code in value])
        if self.name == "appraised":
            return tables.courses(lambda row: self.appraised(row) in value)
        if self.name == "missing":
            return np.logical_and.reduce([self.missing(code) for code in value])
        return tables.condition(url_filter.condition(value))

    def settled(self, attribute: str | None) -> np.ndarray:
        if attribute is None:
            return np.ones(len(self.tables.rows[TREATMENTS]), dtype=bool)
        return self.tables.holding(ATTRIBUTES[attribute].settling)

    def listed(self, name: str) -> "ListedInArchive":
        return ListedInArchive(self.tables, name)

    def assessed(self, code: str) -> np.ndarray:
        """The courses with an outcome at about a month; with none that has a month."""
        if code == Assessed.UNKNOWN:
            return ~self.tables.holding(ATTRIBUTES["assessed"].condition)

        def in_window(read: Callable[[str], Any]) -> bool:
            month = read("at_months")
            return month is not None and window_of(month) == code

        return self.tables.with_row(Outcome, in_window)

    def appraised(self, course: dict[str, str]) -> str:
        study = self.tables.studies[self.tables.patients[course["patient"]]["study"]]
        if APPRAISED not in study:
            raise NotInArchive("there were no appraisals in it")
        return study[APPRAISED]

    def missing(self, code: str) -> np.ndarray:
        name, _, reason = code.partition(".")
        unknown = ~self.tables.holding(ATTRIBUTES[name].condition)
        if not reason:
            return unknown
        words = reason.replace("-", " ")
        return unknown & self.tables.courses(lambda row: row["empty_means"] == words)


class ListedInArchive:
    """What an archive knows of one list, as bits of courses; which term is part of which is read
    from today's vocabulary, since archives do not say it.
    """

    def __init__(self, tables: ArchivedTables, name: str):
        self.tables, self.about = tables, LISTS[name]
        self.tree = term_tree(self.about.terms)
        self.whole = tables.holding(self.about.whole)

    def rows(self, has: Callable[[str], bool], status: str = Presence.PRESENT) -> np.ndarray:
        def row_counts(read: Callable[[str], Any]) -> bool:
            if self.about.looked_for and read("status") != status:
                return False
            return has(read(f"{self.about.term}__code"))

        return self.tables.with_row(self.about.model, row_counts)

    def present(self, code: str) -> np.ndarray:
        return self.rows(self.tree.with_narrower(code).__contains__)

    def absent(self, code: str) -> np.ndarray:
        if not self.about.looked_for:
            return np.zeros(len(self.tables.rows[TREATMENTS]), dtype=bool)
        return self.rows(self.tree.with_wider(code).__contains__, Presence.ABSENT)

    def others(self, codes: Iterable[str]) -> np.ndarray:
        allowed = allowed_beside(codes, self.tree)
        return self.rows(lambda code: code not in allowed)


def tree_of_today() -> tuple:
    """What an answer depends on besides archive and question."""
    return tuple(sorted(term_tree(Manifestation).wider.items()))
