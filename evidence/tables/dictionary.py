"""The data dictionary: what every column of every file means, arranged from the columns' own
declarations.
"""

from dataclasses import dataclass

from . import BUNDLED, FILE_TABLES, Column, Table
from .column import NOT_APPLICABLE, OUR_DEFINITION

ABBREVIATED = "only a part of the paper, its abstract, the registration or a citation was read"
MISSING_TEXT = (
    "“not reported” (the paper was read in full and does not say) or “not extracted” "
    f"({ABBREVIATED})"
)
MISSING_NUMBER = "empty; the column empty_means says whether it is not reported or not extracted"
MISSING_NONE = "empty where it does not apply or was not printed"
MISSING_LIST = (
    "a list that is not known says why; within a list, one value that is not known says so in "
    "its place"
)

HEADER = ("file", "column", "label", "meaning", "type", "unit", "values", "missing", "source")


@dataclass(frozen=True)
class Entry:
    """One column of one file, for people and for programs.

    `values` holds (code, label) where the codes are few; otherwise `codes` names their vocabulary.
    """

    file: str
    name: str
    label: str
    meaning: str
    type: str
    unit: str
    values: list[tuple[str, str]]
    codes: str
    missing: str
    source: str
    whole: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values in one line."""
        return self.codes or "; ".join(f"{code} = {label}" for code, label in self.values)

    @property
    def cells(self) -> tuple[str, ...]:
        """The entry as a row of a file, under HEADER."""
        described = (
            self.label,
            self.meaning,
            self.type,
            self.unit,
            self.allowed,
            self.missing,
            self.source,
        )
        return (self.file, self.name, *described)


def column_entry(table: Table, column: Column) -> Entry:
    """A column of a table as the data dictionary explains it."""
    return Entry(
        file=f"{table.noun}.csv",
        name=column.name,
        label=column.label,
        meaning=column.meaning,
        type=type_of(column),
        unit=column.unit,
        values=[(code, label) for code, label in column.labels.items() if code != column.unknown],
        codes=column.codes.described if column.codes else "",
        missing=missing_meaning(column),
        source=column.definition,
        whole=column.whole,
    )


def type_of(column: Column) -> str:
    """number, code or text, or a list of these."""
    if column.numeric:
        return "number"
    kind = "code" if column.labels or column.codes else "text"
    return f"list of {kind}s, separated by semicolons" if column.is_list else kind


def missing_meaning(column: Column) -> str:
    if not column.tells_missing:
        return MISSING_NONE
    if column.numeric:
        other, values = column.not_for
        exception = f"; it does not apply where {other} is {' or '.join(values)}" if other else ""
        return MISSING_NUMBER + exception
    return f"{MISSING_TEXT}; {MISSING_LIST}" if column.is_list else MISSING_TEXT


# What every file has besides its own columns.
COMMON = [
    (
        "empty_means",
        "Empty means",
        "What an empty value of this row means.",
        "not reported; not extracted",
    ),
    (
        "collection",
        "Collection",
        "The collection the row belongs to; rows of two are never in one file.",
        "",
    ),
    (
        "evidence_kind",
        "Kind of evidence",
        "“published”, or the caveat of a simulated collection, on every row.",
        "",
    ),
]
RELEASE = (
    "release",
    "Release",
    "The release the data are of, and whether they have been edited since.",
    "",
)


def common_entries(table: Table, *, stands_alone: bool = True) -> list[Entry]:
    """What every file has besides its columns; one that stands alone names the release too."""
    return [
        Entry(
            f"{table.noun}.csv",
            name,
            label,
            meaning,
            "text",
            "",
            [],
            NOT_APPLICABLE if name == "empty_means" and not table.extraction else allowed,
            "never empty",
            OUR_DEFINITION,
        )
        for name, label, meaning, allowed in [*COMMON, *([RELEASE] if stands_alone else [])]
    ]


def bundle_entries() -> list[tuple[Table, list[Entry]]]:
    """The same for the files of a bundle."""
    return [
        (
            table,
            [
                *(column_entry(table, column) for column in table.file_columns),
                *common_entries(table, stands_alone=False),
            ],
        )
        for table in (tidy.table for tidy in BUNDLED.values())
    ]


def dictionary_entries() -> list[tuple[Table, list[Entry]]]:
    """Every file with its columns, in their order."""
    return [
        (
            table,
            [
                *(column_entry(table, column) for column in table.file_columns),
                *common_entries(table),
            ],
        )
        for table in FILE_TABLES.values()
    ]
