"""Files that are made whole: a chart's numbers, the data dictionary, citations."""

from collections.abc import Iterable

from django.http import HttpResponse

from ..charts import Chart
from ..models import Study
from ..questions.question import Question
from ..tables.dictionary import HEADER, dictionary
from .citations import FORMATS, cited
from .file_names import attachment, file_name
from .release_status import standing
from .rows import BYTE_ORDER_MARK, Lines, inert, same_on_every_row


def chart_csv(chart: Chart, question: Question, asked: str | None = None) -> HttpResponse:
    """The numbers of a chart, each in a column of its own, with the question they answer on every row.

    `asked` is the query string that asked for them, where it says more than the question.
    """
    headings, rows = chart.table.for_programs
    collection = question.collection
    same = {"question": inert(question.query() if asked is None else asked)}
    same |= same_on_every_row(question, standing(collection))
    lines = [[inert(cell) if isinstance(cell, str) else cell for cell in row] + [*same.values()] for row in rows]
    text = BYTE_ORDER_MARK + Lines().of([[*map(inert, headings), *same], *lines])
    return text_response(text, file_name(collection, "csv", chart.name), "text/csv")


def text_response(text: str, filename: str, content_type: str) -> HttpResponse:
    """A small file, whole."""
    return HttpResponse(text, content_type=f"{content_type}; charset=utf-8", headers=attachment(filename))


def dictionary_csv() -> HttpResponse:
    """The data dictionary as a file."""
    rows = [map(inert, each.cells) for _, entries in dictionary() for each in entries]
    text = BYTE_ORDER_MARK + Lines().of([HEADER, *rows])
    return text_response(text, "casebook-data-dictionary.csv", "text/csv")


def citation_file(studies: Iterable[Study], filename: str, how: str) -> HttpResponse:
    """Studies as RIS or BibTeX."""
    return text_response(cited(studies, how), filename, FORMATS[how][1])
