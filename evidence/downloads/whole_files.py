"""Files that are made whole: a chart's numbers, the data dictionary, citations."""

from collections.abc import Iterable

from django.http import HttpResponse

from ..charts import Chart
from ..models import Collection, Study
from ..questions.question import Question
from ..tables.column import SEPARATOR
from ..tables.dictionary import HEADER, dictionary_entries
from .citations import FORMATS, citation_text
from .file_names import FileAddress, attachment_header, file_name
from .release_status import release_status
from .rows import BYTE_ORDER_MARK, CsvLines, constant_columns, escape_formula

DICTIONARY = "casebook-data-dictionary.csv"


def chart_rows(
    chart: Chart, question: Question, query_string: str | None = None
) -> tuple[list[str], list[list]]:
    """The numbers of a chart, each in a column of its own, with the question they answer on every
    row: the header, then the rows.

    `query_string` is the query string that asked for them, where it says more than the question. Of
    groups, the parts of it that were not asked of them stand beside it.
    """
    headings, rows = chart.table.for_programs
    collection = question.collection
    constants = {
        "question": escape_formula(question.query() if query_string is None else query_string)
    }
    if chart.in_words:
        constants["not_asked"] = escape_formula(SEPARATOR.join(chart.in_words.not_asked))
    constants |= constant_columns(question, release_status(collection))
    lines = [
        [escape_formula(cell) if isinstance(cell, str) else cell for cell in row]
        + [*constants.values()]
        for row in rows
    ]
    return [*map(escape_formula, headings), *constants], lines


def chart_csv(
    chart: Chart, question: Question, address: FileAddress, query_string: str | None = None
) -> HttpResponse:
    """The numbers of a chart as a CSV file; see `chart_rows`."""
    header, lines = chart_rows(chart, question, query_string)
    text = BYTE_ORDER_MARK + CsvLines().as_text([header, *lines])
    collection = question.collection
    filename = file_name(collection, "csv", chart.name, address.query)
    return text_response(text, filename, "text/csv", collection, address)


def text_response(
    text: str,
    filename: str,
    content_type: str,
    collection: Collection | None = None,
    address: FileAddress | None = None,
) -> HttpResponse:
    """A small file, whole."""
    headers = attachment_header(filename, collection, address)
    return HttpResponse(text, content_type=f"{content_type}; charset=utf-8", headers=headers)


def dictionary_csv() -> HttpResponse:
    """The data dictionary as a file."""
    rows = [
        map(escape_formula, entry.cells) for _, entries in dictionary_entries() for entry in entries
    ]
    text = BYTE_ORDER_MARK + CsvLines().as_text([HEADER, *rows])
    return text_response(text, DICTIONARY, "text/csv", address=FileAddress("/data-dictionary.csv"))


def citation_file(
    studies: Iterable[Study],
    filename: str,
    citation_format: str,
    address: FileAddress,
    question: Question | None = None,
) -> HttpResponse:
    """Studies, of a question or single ones, as RIS or BibTeX."""
    collection = question and question.collection
    return text_response(
        citation_text(studies, citation_format, question),
        filename,
        FORMATS[citation_format][1],
        collection,
        address,
    )
