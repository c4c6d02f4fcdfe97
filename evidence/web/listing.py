"""A page of rows, in the order asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.core.paginator import EmptyPage, PageNotAnInteger, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..tables import Column, Table, batches, page_records
from ..tables.column import NOT_ASKED, SEPARATOR

PAGE = 50  # rows of a page


@dataclass(frozen=True)
class Cell:
    """One cell as a page shows it."""

    text: str
    missing: str
    href: str
    numeric: bool
    tone: str


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
    words: Vocabulary,
    total: int | None = None,
    address: str = "",
) -> Listing:
    """Reads `sort` and `page`, which change the display only: a wrong one falls back, and a notice says so.

    `total` is how many rows there are, where that has been counted already; `address` is where the headings' links
    lead, if not to the page itself.
    """
    notices = []
    sort = request.GET.get("sort", "")
    if not table.sorts_by(sort):
        notices.append("This list has no such column to sort by; it is in its usual order.")
        sort = ""
    total = table.records(question).count() if total is None else total
    paginator = Paginator(range(total), PAGE)
    asked = request.GET.get("page", "1") or "1"
    try:
        page = paginator.page(asked)
    except (EmptyPage, PageNotAnInteger):
        page = paginator.get_page(asked)
        notices.append(f"There is no such page; this is page {page.number} of {paginator.num_pages}.")
    columns = listed_columns(table, question, words)
    first = (page.number - 1) * PAGE
    records = page_records(table, question, sort, first, min(first + PAGE, total))
    shown = shown_rows(table, records, question, words) if total else []
    return Listing([make_heading(column, question, sort, address) for column in columns], shown, page, notices, sort)


def listed_columns(table: Table, question: Question, words: Vocabulary) -> list[Column]:
    """The columns of a page. What was not asked of a row is one of them where there is such a part."""
    if not table.in_words(question, words).not_asked:
        return table.page_columns
    return [column for column in table.columns if column.on_page or column.name == NOT_ASKED]


def shown_rows(table: Table, records: QuerySet, question: Question, words: Vocabulary) -> list[list[Cell]]:
    """The records as a page shows them."""
    columns, slug = listed_columns(table, question, words), question.collection.slug
    shown = []
    for batch in batches([*columns, *link_columns(table)], table, records, question):
        studies = batch.values[-1]
        cells = [
            shown_column(column, zip(values, batch.reasons, studies, strict=True), words, slug)
            for column, values in zip(columns, batch.values, strict=False)
        ]
        shown += map(list, zip(*cells, strict=True))
    return shown


def shown_column(column: Column, cells: Iterable[tuple], words: Vocabulary, collection: str) -> list[Cell]:
    """Cells of one column; equal ones, which most columns are full of, are one and the same object."""
    made: dict[tuple, Cell] = {}
    shown = []
    for value, reason, study in cells:
        key = (value, reason, study if column.name == "study_name" else "")
        if key not in made:
            made[key] = show_cell(column, value, reason, words, collection, study)
        shown.append(made[key])
    return shown


def link_columns(table: Table) -> list[Column]:
    """The study's slug, which the link on its name needs."""
    return [column for column in table.columns if column.name == "study"]


def make_heading(column: Column, question: Question, sort: str, address: str) -> Heading:
    if not column.sortable:
        return Heading(column.label, column.numeric, "", "")
    direction = {column.name: "ascending", f"-{column.name}": "descending"}.get(sort, "")
    turned = f"-{column.name}" if direction == "ascending" else column.name
    return Heading(column.label, column.numeric, f"{address}?{question.query(sort=turned)}", direction)


def show_cell(column: Column, value, reason: str, words: Vocabulary, collection: str, study: str) -> Cell:
    if value is None:
        return Cell("", reason if column.tells_missing else "", "", column.numeric, "")
    parts = value.split(SEPARATOR) if column.lookup else [str(value)]
    text = SEPARATOR.join([cell_label(column, part, words) for part in parts])
    tone = parts[0] if column.toned and len(set(parts)) == 1 else ""
    return Cell(text, "", cell_link(column, value, collection, study), column.numeric, tone)


def cell_label(column: Column, code: str, words: Vocabulary) -> str:
    """A code in words, or the code where its vocabulary is not one pages print."""
    if column.labels:
        return column.labels.get(code, code)
    if column.codes is None or not column.codes.kind:
        return code
    return words.set_label(code) if column.codes.joined else words.label(column.codes.kind, code)


def cell_link(column: Column, value, collection: str, study: str) -> str:
    """Public ids are slugs, so they stand in an address as they are; to ask the route table costs more than the row."""
    if column.name == "patient":
        return f"/{collection}/patients/{value}/"
    if column.name == "study_name":
        return f"/{collection}/studies/{study}/"
    return ""


def page_links(listed: Listing, question: Question) -> list[tuple[str, str]]:
    """(label, address) of the pages around this one; an empty address is this page or a gap."""
    paginator = listed.page.paginator
    links = []
    for number in paginator.get_elided_page_range(listed.page.number, on_each_side=2, on_ends=1):
        here = number == listed.page.number or not isinstance(number, int)
        query = urlencode([*question.to_params(), *([("sort", listed.sort)] if listed.sort else []), ("page", number)])
        links.append((str(number), "" if here else f"?{query}"))
    return links
