"""A page of rows, in the order asked for."""

from dataclasses import dataclass
from itertools import repeat
from urllib.parse import urlencode

from django.core.paginator import EmptyPage, PageNotAnInteger, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from ..models.study import retraction_mark
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..tables import Column, Table, page_records, read_batches
from ..tables.column import NOT_ASKED, SEPARATOR
from ..tables.tables import RETRACTION

PAGE = 50  # rows of a page
DOES_NOT_APPLY = "does not apply"


@dataclass(frozen=True)
class Cell:
    """One cell as a page shows it. Of several values in a cell, `lines` has each with its tone."""

    text: str
    missing: str = ""
    numeric: bool = False
    href: str = ""
    tone: str = ""
    lines: tuple[tuple[str, str], ...] = ()
    is_set: bool = False  # of codes, joined by +
    doi: str = ""  # of the study whose name it is
    nct: str = ""
    mark: str = ""  # what has become of that study's publication, in a word


@dataclass(frozen=True)
class Heading:
    label: str
    numeric: bool
    href: str
    direction: str  # ascending, descending or nothing


@dataclass(frozen=True)
class Listing:
    headings: list[Heading]
    rows: list[list[Cell]]
    page: object
    notices: list[str]
    sort: str

    @property
    def total(self) -> int:
        return self.page.paginator.count


def make_listing(
    request: HttpRequest,
    table: Table,
    question: Question,
    vocabulary: Vocabulary,
    total: int | None = None,
    address: str = "",
) -> Listing:
    """Reads `sort` and `page`, which change the display only: a wrong one falls back, and a notice
    says so.

    `total` is how many rows there are, where that has been counted already; `address` is where the
    headings' links lead, if not to the page itself.
    """
    notices = []
    sort = request.GET.get("sort", "")
    if not table.sorts_by(sort):
        notices.append("This list has no such column to sort by; it is in its usual order.")
        sort = ""
    total = table.records(question).count() if total is None else total
    paginator = Paginator(range(total), PAGE)
    page_number = request.GET.get("page", "1") or "1"
    try:
        page = paginator.page(page_number)
    except (EmptyPage, PageNotAnInteger):
        page = paginator.get_page(page_number)
        notices.append(
            f"There is no such page; this is page {page.number} of {paginator.num_pages}."
        )
    columns = listed_columns(table, question, vocabulary)
    first = (page.number - 1) * PAGE
    records = page_records(table, question, sort, first, min(first + PAGE, total))
    rows = shown_rows(table, records, question, vocabulary) if total else []
    return Listing(
        [make_heading(column, question, sort, address) for column in columns],
        rows,
        page,
        notices,
        sort,
    )


def listed_columns(table: Table, question: Question, words: Vocabulary) -> list[Column]:
    """The columns of a page. What was not asked of a row is one of them where there is such a
    part.
    """
    not_asked = [column for column in table.columns if column.name == NOT_ASKED]
    is_said = table.in_words(question, words).not_asked
    return [*table.page_columns, *(not_asked if is_said else [])]


# What the link on a study's name, and what stands beside it, are made of.
OF_STUDY = ("study", "doi", "nct", RETRACTION.name)


def shown_rows(
    table: Table, records: QuerySet, question: Question, vocabulary: Vocabulary
) -> list[list[Cell]]:
    """The records as a page shows them."""
    columns, slug = listed_columns(table, question, vocabulary), question.collection.slug
    read_with = {*OF_STUDY, *(column.not_for[0] for column in columns)}
    beside = [column for column in table.columns if column.name in read_with]
    rows = []
    for batch in read_batches([*columns, *beside], table, records, question):
        named = zip((column.name for column in [*columns, *beside]), batch.values, strict=True)
        values_by_name = dict(named)
        cells = [
            shown_column(column, values_by_name, batch.reasons, vocabulary, slug)
            for column in columns
        ]
        rows += map(list, zip(*cells, strict=True))
    return rows


def shown_column(
    column: Column,
    values_by_name: dict[str, list],
    reasons: list[str],
    vocabulary: Vocabulary,
    collection: str,
) -> list[Cell]:
    """Cells of one column; equal ones, which most columns are full of, are one and the same
    object.
    """
    names = OF_STUDY if column.name == "study_name" else (column.not_for[0],)
    nothing = repeat(None, len(reasons))
    beside = zip(*(values_by_name.get(name, nothing) for name in names), strict=True)
    cells_by_key: dict[tuple, Cell] = {}
    cells_shown = []
    for key in zip(values_by_name[column.name], reasons, beside, strict=True):
        if key not in cells_by_key:
            cells_by_key[key] = show_cell(column, *key, vocabulary, collection)
        cells_shown.append(cells_by_key[key])
    return cells_shown


def make_heading(column: Column, question: Question, sort: str, address: str) -> Heading:
    if not column.sortable:
        return Heading(column.label, column.numeric, "", "")
    direction = {column.name: "ascending", f"-{column.name}": "descending"}.get(sort, "")
    turned = f"-{column.name}" if direction == "ascending" else column.name
    return Heading(
        column.label, column.numeric, f"{address}?{question.query(sort=turned)}", direction
    )


def show_cell(
    column: Column, value, reason: str, beside: tuple, vocabulary: Vocabulary, collection: str
) -> Cell:
    """One value as a page shows it; `beside` are the values that its links, or what its being empty
    means, follow from.
    """
    if value is None:
        if beside[0] in column.not_for[1]:
            reason = DOES_NOT_APPLY
        return Cell("", reason if column.tells_missing else "", column.numeric)
    parts = value.split(SEPARATOR) if column.lookup else [str(value)]
    if column.words:
        lines = tuple(column.words(part) for part in parts)
        return Cell(SEPARATOR.join(text for text, _ in lines), lines=lines)
    if column.name == "study_name":
        study, doi, nct, status = beside
        href = f"/{collection}/studies/{study}/"
        mark = retraction_mark(status)
        return Cell(str(value), href=href, doi=doi or "", nct=nct or "", mark=mark)
    return Cell(
        SEPARATOR.join([cell_label(column, code, vocabulary) for code in parts]),
        numeric=column.numeric,
        # Public ids are slugs; to ask the route table costs more than the row.
        href=f"/{collection}/patients/{value}/" if column.name == "patient" else "",
        tone=parts[0] if column.toned and len(set(parts)) == 1 else "",
        is_set=bool(column.codes and column.codes.joined),
    )


def cell_label(column: Column, code: str, vocabulary: Vocabulary) -> str:
    """A code in words, or the code where its vocabulary is not one pages print."""
    if column.labels:
        return column.labels.get(code, code)
    if column.codes is None or not column.codes.kind:
        return code
    return (
        vocabulary.set_label(code)
        if column.codes.joined
        else vocabulary.label(column.codes.kind, code)
    )


def page_links(listing: Listing, question: Question) -> list[tuple[str, str]]:
    """(label, address) of the pages around this one; an empty address is this page or a gap."""
    paginator = listing.page.paginator
    links = []
    for number in paginator.get_elided_page_range(listing.page.number, on_each_side=2, on_ends=1):
        is_current = number == listing.page.number or not isinstance(number, int)
        query = urlencode(
            [
                *question.to_params(),
                *([("sort", listing.sort)] if listing.sort else []),
                ("page", number),
            ]
        )
        links.append((str(number), "" if is_current else f"?{query}"))
    return links
