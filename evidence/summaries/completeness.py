"""How much is known: studies by attributes."""

from collections import Counter
from dataclasses import dataclass

from ..counting import Tally
from ..models import ATTRIBUTES
from ..models.choices import Missing, YesNo
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from .shares import Summary

STUDIES = 60  # rows of the matrix; those with most patients


@dataclass(frozen=True)
class Cell:
    """One attribute in one study: in how many of its patients it is known, and who they are of whom
    it is not.
    """

    known: int
    patients: int
    missing: Question | None

    @property
    def tone(self) -> str:
        return "full" if self.known == self.patients else "part" if self.known else "none"


@dataclass(frozen=True)
class StudyLine:
    """One study: its cells in the order of the attributes, and why what is missing is missing."""

    slug: str
    label: str
    patients: int
    reason: Missing
    cells: list[Cell]

    @property
    def missing_labels(self) -> list[str]:
        """Labels of what is not known of every patient, most frequent first."""
        attribute_cells = zip(ATTRIBUTES.values(), self.cells, strict=True)
        gaps = [
            (cell.patients - cell.known, attribute.label)
            for attribute, cell in attribute_cells
            if cell.missing
        ]
        return [
            f"{label} ({gap})"
            for gap, label in sorted(
                gaps, key=lambda gap_and_label: (-gap_and_label[0], gap_and_label[1])
            )
        ]

    @property
    def gaps(self) -> int:
        return sum(cell.patients - cell.known for cell in self.cells)


@dataclass(frozen=True)
class Completeness:
    """The matrix, a line for all studies together, and how many studies are left out of it."""

    attributes: list[str]
    lines: list[StudyLine]
    overall: list[Cell]
    left_out: int

    @property
    def to_read(self) -> list[StudyLine]:
        """What a curator can still fill, by reading more than an abstract; the largest gaps
        first.
        """
        lines = [line for line in self.lines if line.reason == Missing.NOT_EXTRACTED and line.gaps]
        return sorted(lines, key=lambda line: (-line.gaps, line.label))


def completeness_matrix(question: Question, vocabulary: Vocabulary) -> Summary:
    """Patients of whom each attribute is known in every treatment that answers the question, study
    by study.
    """
    in_view, *counters = yield [
        Tally(question, ("study", "reading")),
        *(Tally(question, ("study", f"known:{name}")) for name in ATTRIBUTES),
    ]
    gaps = [
        Counter({s: n for (s, is_known), n in counter.items() if is_known == YesNo.NO})
        for counter in counters
    ]
    ranked = sorted(
        in_view.items(),
        key=lambda study_and_count: (
            -study_and_count[1],
            vocabulary.label("study", study_and_count[0][0]),
        ),
    )

    def make_cell(name: str, gap: int, patients: int, question: Question) -> Cell:
        missing_names = tuple(sorted({*question.value("missing", ()), name}))
        return Cell(
            patients - gap, patients, question.with_part("missing", missing_names) if gap else None
        )

    lines = []
    for (study, reading), patients in ranked[:STUDIES]:
        of_study = question.with_part("study", (study,))
        cells = [
            make_cell(name, gap[study], patients, of_study)
            for name, gap in zip(ATTRIBUTES, gaps, strict=True)
        ]
        lines.append(
            StudyLine(study, vocabulary.label("study", study), patients, Missing(reading), cells)
        )
    all_patients = sum(in_view.values())
    overall = [
        make_cell(name, sum(gap.values()), all_patients, question)
        for name, gap in zip(ATTRIBUTES, gaps, strict=True)
    ]
    return Completeness(
        [attribute.label for attribute in ATTRIBUTES.values()],
        lines,
        overall,
        len(ranked) - len(lines),
    )
