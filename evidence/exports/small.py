"""Files that are made whole: a chart's numbers, the data dictionary, citations."""

from collections.abc import Iterable

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from ..charts import Chart
from ..citations import FORMATS, cited
from ..dictionary import HEADER, dictionary
from ..models import Study
from ..questions import Question
from ..releases import standing
from .rows import BYTE_ORDER_MARK, Lines, inert, same_on_every_row


def chart_csv(chart: Chart, question: Question, asked: str | None = None) -> HttpResponse:
    """The numbers of a chart, each in a column of its own, with the question they answer on every row.

    `asked` is the query string that asked for them, where it says more than the question.
    """
    headings, rows = chart.table.for_programs
    collection = question.collection
    now = standing(collection)
    same = {"question": inert(question.query() if asked is None else asked)} | same_on_every_row(question, now)
    lines = [[inert(cell) if isinstance(cell, str) else cell for cell in row] + [*same.values()] for row in rows]
    text = BYTE_ORDER_MARK + Lines().of([[*headings, *same], *lines])
    return text_response(text, f"casebook-{collection.slug}-{chart.name}{now.part_of_filename}.csv", "text/csv")


def text_response(text: str, filename: str, content_type: str) -> HttpResponse:
    """A small file, whole."""
    headers = {"Content-Disposition": content_disposition_header(as_attachment=True, filename=filename)}
    return HttpResponse(text, content_type=f"{content_type}; charset=utf-8", headers=headers)


def dictionary_csv() -> HttpResponse:
    """The data dictionary as a file."""
    rows = [map(inert, each.cells) for _, entries in dictionary() for each in entries]
    text = BYTE_ORDER_MARK + Lines().of([HEADER, *rows])
    return text_response(text, "casebook-data-dictionary.csv", "text/csv")


def citation_file(studies: Iterable[Study], name: str, how: str) -> HttpResponse:
    """Studies as RIS or BibTeX."""
    return text_response(cited(studies, how), f"{name}.{how}", FORMATS[how][1])
