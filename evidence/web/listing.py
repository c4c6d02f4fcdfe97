"""A page of rows, in the order asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.core.paginator import EmptyPage, PageNotAnInteger, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..tables import Column, Table, page_records, read_batches
from ..tables.column import NOT_ASKED, SEPARATOR

PAGE = 50  # rows of a page


@dataclass(frozen=True)
class Cell:
    """One cell as a page shows it. Of several values in a cell, `lines` has each with its tone."""

    text: str
    missing: str
    href: str
    numeric: bool
    tone: str
    lines: tuple[tuple[str, str], ...] = ()


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
    if not table.in_words(question, words).not_asked:
        return table.page_columns
    return [column for column in table.columns if column.on_page or column.name == NOT_ASKED]


def shown_rows(
    table: Table, records: QuerySet, question: Question, vocabulary: Vocabulary
) -> list[list[Cell]]:
    """The records as a page shows them."""
    columns, slug = listed_columns(table, question, vocabulary), question.collection.slug
    rows = []
    for batch in read_batches([*columns, *link_columns(table)], table, records, question):
        studies = batch.values[-1]
        cells = [
            shown_column(column, zip(values, batch.reasons, studies, strict=True), vocabulary, slug)
            for column, values in zip(columns, batch.values, strict=False)
        ]
        rows += map(list, zip(*cells, strict=True))
    return rows


def shown_column(
    column: Column, cells: Iterable[tuple], vocabulary: Vocabulary, collection: str
) -> list[Cell]:
    """Cells of one column; equal ones, which most columns are full of, are one and the same
    object.
    """
    cells_by_key: dict[tuple, Cell] = {}
    cells_shown = []
    for value, reason, study in cells:
        key = (value, reason, study if column.name == "study_name" else "")
        if key not in cells_by_key:
            cells_by_key[key] = show_cell(column, value, reason, vocabulary, collection, study)
        cells_shown.append(cells_by_key[key])
    return cells_shown


def link_columns(table: Table) -> list[Column]:
    """The study's slug, which the link on its name needs."""
    return [column for column in table.columns if column.name == "study"]


def make_heading(column: Column, question: Question, sort: str, address: str) -> Heading:
    if not column.sortable:
        return Heading(column.label, column.numeric, "", "")
    direction = {column.name: "ascending", f"-{column.name}": "descending"}.get(sort, "")
    turned = f"-{column.name}" if direction == "ascending" else column.name
    return Heading(
        column.label, column.numeric, f"{address}?{question.query(sort=turned)}", direction
    )


def show_cell(
    column: Column, value, reason: str, vocabulary: Vocabulary, collection: str, study: str
) -> Cell:
    if value is None:
        return Cell("", reason if column.tells_missing else "", "", column.numeric, "")
    parts = value.split(SEPARATOR) if column.lookup else [str(value)]
    if column.words:
        lines = tuple(column.words(part) for part in parts)
        return Cell(SEPARATOR.join(text for text, _ in lines), "", "", column.numeric, "", lines)
    text = SEPARATOR.join([cell_label(column, code, vocabulary) for code in parts])
    tone = parts[0] if column.toned and len(set(parts)) == 1 else ""
    return Cell(text, "", cell_link(column, value, collection, study), column.numeric, tone)


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


def cell_link(column: Column, value, collection: str, study: str) -> str:
    """Public ids are slugs, so they stand in an address as they are; to ask the route table costs
    more than the row.
    """
    if column.name == "patient":
        return f"/{collection}/patients/{value}/"
    if column.name == "study_name":
        return f"/{collection}/studies/{study}/"
    return ""


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
