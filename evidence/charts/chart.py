"""What every chart is made of: a figure, a sentence, a table with the same numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from textwrap import wrap

from ..models import Collection
from ..models.choices import Response, Sex
from ..questions.filters import AskedQuestion
from ..questions.question import FilterLink

# Okabe and Ito's colour-blind-safe palette, used for meaning only; each meaning has a pattern too,
# never colour alone.
COUNT = "#0072B2"
SECOND = "#E69F00"
NOT_KNOWN = "#8A8F98"
COLOURS = {
    Response.IMPROVED: "#009E73",
    Response.STABLE: "#56B4E9",
    Response.WORSENED: "#D55E00",
    Response.NOT_IMPROVED: "#CC79A7",
    Response.UNKNOWN: NOT_KNOWN,
    Sex.FEMALE: "#34618D",
    Sex.MALE: "#8FB3D1",
}
PATTERNS = {
    Response.IMPROVED: "",
    Response.STABLE: "-",
    Response.WORSENED: "x",
    Response.NOT_IMPROVED: "\\",
    Response.UNKNOWN: ".",
    Sex.FEMALE: "",
    Sex.MALE: "/",
}
WHOLE = "%{customdata}<extra></extra>"  # what a mark says: a whole share, its label included
ROW = 40  # pixels a row of a horizontal chart takes
FRAME = 120  # pixels for axis, title of the axis and legend
TABLED = 100  # rows of a table of combinations or studies on a page; its file has all
LABEL = 22  # characters of a label before it is broken


@dataclass(frozen=True)
class ChartTable:
    """The chart's numbers as a table; the first cell of a row is its heading.

    `steps` gives, by row and column, what choosing a cell asks, or the address it opens. `file`
    holds the same numbers for a program: its headings and rows, every number in a column of its
    own; by default it is the table itself.
    """

    headings: list[str]
    rows: list[list[str]]
    steps: dict[tuple[int, int], FilterLink | str] = field(default_factory=dict)
    file: tuple[list[str], list[list]] | None = None

    @property
    def for_programs(self) -> tuple[list[str], list[list]]:
        return self.file or (self.headings, self.rows)


@dataclass(frozen=True)
class Chart:
    """A figure as plain Plotly JSON, with its text twin. What would be a single bar or row has no
    figure: `sentence` says it all.

    `nothing` says in a few words why there is nothing to show at all. `in_words` is the question as
    it was asked of what the chart shows, where that is not all of it.
    """

    name: str
    title: str
    sentence: str
    table: ChartTable
    figure: dict = field(default_factory=dict)
    note: str = ""
    # By trace and point: what choosing it asks, or the address it opens.
    marks: list[list[FilterLink | str | None]] = field(default_factory=list)
    in_words: AskedQuestion | None = None
    # What the layout has instead on a narrow screen.
    narrow: dict = field(default_factory=dict)
    nothing: str = ""
    is_wide: bool = False  # its labels need the width of the page

    @property
    def figure_id(self) -> str:
        return f"figure-{self.name}"

    @property
    def height(self) -> str:
        """The room the page keeps for the figure before any script has run, as a CSS class."""
        pixels = self.figure["layout"]["height"] if self.figure else 0
        return f"h-{pixels // ROW}"


def label_text(label: str, width: int = LABEL) -> str:
    """A label from the data: Plotly would draw its tags, so they are escaped; long ones are broken
    into lines.
    """
    return "<br>".join(escape(line, quote=False) for line in wrap(label, width)) or " "


WATERMARK = {
    "text": "SIMULATED<br>not evidence",
    "xref": "paper",
    "yref": "paper",
    "x": 0.5,
    "y": 0.5,
    "showarrow": False,
    # The script that draws it outlines the letters, so that they are seen on any bar.
    "font": {"size": 22},
    "opacity": 0.5,
    "textangle": -14,
}


# A legend says what the colours mean and hides nothing: without one verdict, bars would lose their
# denominator.
LEGEND = {
    "orientation": "h",
    "xref": "container",
    "yref": "container",
    "x": 0,
    "y": 1,
    "xanchor": "left",
    "yanchor": "top",
    "traceorder": "normal",
    "itemclick": False,
    "itemdoubleclick": False,
}


def build_figure(
    collection: Collection, traces: list[dict], *, rows: int, marked_at: float = 0.5, **layout
) -> dict:
    """A figure in the house style. A simulated collection is marked inside the picture, so that a
    copy says so too; `marked_at` is how high, from 0 to 1.
    """
    height = FRAME + ROW * max(rows, 2)
    marks = [WATERMARK | {"y": marked_at}] if collection.is_simulated else []
    annotations = [*marks, *layout.pop("annotations", [])]
    house = {
        "height": height,
        "margin": {"l": 8, "r": 16, "t": 34, "b": 48, "pad": 4},
        "bargap": 0.35,
        "hovermode": "closest",
        "dragmode": False,
        "legend": LEGEND,
        "annotations": annotations,
    }
    return {"data": traces, "layout": house | layout}


def text_at(text: str, y: float, **options) -> dict:
    """A text at the left edge of a row, without an arrow."""
    return {
        "text": text,
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "yref": "y",
        "y": y,
        "showarrow": False,
        "align": "left",
    } | options


def error_bars(middles: Sequence[float], ends: Sequence[tuple[float, float]], **options) -> dict:
    """Error bars from a low to a high end around each value."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [round(high - middle, 4) for middle, (_, high) in zip(middles, ends, strict=True)],
        "arrayminus": [
            round(middle - low, 4) for middle, (low, _) in zip(middles, ends, strict=True)
        ],
        "thickness": 1.5,
        "width": 4,
    } | options


def value_axis(title: str = "", **options) -> dict:
    return {
        "title": {"text": title},
        "automargin": True,
        "fixedrange": True,
        "zeroline": False,
    } | options


def count_axis(title: str, maximum: int) -> dict:
    """An axis of whole numbers, without halves between them."""
    return value_axis(title, rangemode="tozero", tickformat="d") | (
        {"dtick": 1} if maximum < 6 else {}
    )


def rows_axis(labels: list[str]) -> dict:
    """The axis of a horizontal chart's labels, first row on top."""
    return value_axis(
        range=[len(set(labels)) - 0.5, -0.5],
        type="category",
        categoryorder="array",
        categoryarray=labels,
        ticklabelstandoff=4,
    )
