"""A page of rows, in the order asked for."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.core.paginator import EmptyPage, PageNotAnInteger, Paginator
from django.http import HttpRequest
from django.urls import reverse

from ..columns import Table, ordered, rows
from ..columns.column import Cell, Column
from ..questions import Question
from ..vocabulary import Vocabulary

PAGE = 50  # rows of a page


@dataclass(frozen=True)
class Shown:
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
    rows: list[list[Shown]]
    page: object
    notices: list[str]
    sort: str

    @property
    def total(self) -> int:
        return self.page.paginator.count


def listing(request: HttpRequest, table: Table, question: Question, words: Vocabulary) -> Listing:
    """Reads `sort` and `page`, which change the display only: a wrong one falls back, and a notice says so."""
    notices = []
    sort = request.GET.get("sort", "")
    if sort.removeprefix("-") not in table.sort_words() and sort:
        notices.append("This list has no such column to sort by; it is in its usual order.")
        sort = ""
    paginator = Paginator(ordered(table, table.records(question), sort), PAGE)
    asked = request.GET.get("page", "1") or "1"
    try:
        page = paginator.page(asked)
    except (EmptyPage, PageNotAnInteger):
        page = paginator.get_page(asked)
        notices.append(f"There is no such page; this is page {page.number} of {paginator.num_pages}.")
    columns = table.page_columns
    slug = question.collection.slug
    shown = [
        [show(column, cell, words, slug, cells) for column, cell in zip(columns, cells, strict=False)]
        for cells in (row.cells for row in rows([*columns, *link_columns(table)], table, page.object_list, question))
    ]
    return Listing([heading(column, question, sort) for column in columns], shown, page, notices, sort)


def link_columns(table: Table) -> list[Column]:
    """The study's slug, which the link on its name needs."""
    return [column for column in table.columns if column.name == "study"]


def heading(column: Column, question: Question, sort: str) -> Heading:
    if not column.sortable:
        return Heading(column.label, column.numeric, "", "")
    direction = {column.name: "ascending", f"-{column.name}": "descending"}.get(sort, "")
    turned = f"-{column.name}" if direction == "ascending" else column.name
    return Heading(column.label, column.numeric, f"?{question.query(sort=turned)}", direction)


VOCABULARY = {"category": "adverse_event", "inhibitor": "inhibitor", "inhibitors": "inhibitor"}
SETS_OF_CODES = {"indications", "indication_sets"}
TONED = {"response", "responses", "result"}
SEPARATOR = "; "


def show(column: Column, cell: Cell, words: Vocabulary, collection: str, cells: list[Cell]) -> Shown:
    if cell.value is None:
        return Shown("", cell.missing, "", column.numeric, "")
    parts = str(cell.value).split(SEPARATOR) if column.listed else [str(cell.value)]
    text = SEPARATOR.join(label(column, part, words) for part in parts)
    tone = parts[0] if column.name in TONED and len(set(parts)) == 1 else ""
    return Shown(text, "", link(column, cell, collection, cells), column.numeric, tone)


def label(column: Column, code: str, words: Vocabulary) -> str:
    if column.labels:
        return column.labels.get(code, code)
    if column.name in SETS_OF_CODES:
        return words.set_label(code)
    if column.name in VOCABULARY:
        return words.label(VOCABULARY[column.name], code)
    return code


def link(column: Column, cell: Cell, collection: str, cells: list[Cell]) -> str:
    if column.name == "patient":
        return reverse("patient", args=[collection, cell.value])
    if column.name == "study_name":
        return reverse("study", args=[collection, cells[-1].value])
    return ""


def page_links(listed: Listing, question: Question) -> list[tuple[str, str]]:
    """(label, address) of the pages around this one; an empty address is this page or a gap."""
    paginator = listed.page.paginator
    links = []
    for number in paginator.get_elided_page_range(listed.page.number, on_each_side=2, on_ends=1):
        here = number == listed.page.number or not isinstance(number, int)
        query = urlencode([*question.words(), *([("sort", listed.sort)] if listed.sort else []), ("page", number)])
        links.append((str(number), "" if here else f"?{query}"))
    return links
