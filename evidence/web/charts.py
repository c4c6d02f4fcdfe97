"""The charts of a question: a page of their own, the part of it that an overview loads, and what
lists show above their rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ..charts import Chart
from ..charts.registry import CHARTS, ChartSpec, drop_default_charts, selected_charts
from ..downloads.release_status import page_status
from ..questions.form_fields import truncate_text
from ..questions.parsing import ParsedRequest, parse_request
from ..summaries import pluralize, run_summaries
from ..summaries.cohort import Totals, cohort_totals
from ..summaries.shares import Summary
from .collection_page import (
    CHARTS_TARGET,
    CollectionPage,
    Context,
    asks_in_place,
    head_of_page,
    render_page,
)
from .linking import links_of_collection, signposted

TALL = 600  # pixels of a figure that needs the width of the page


@dataclass(frozen=True)
class ChartSection(Context):
    """The charts of a question, wherever they stand."""

    charts: list[Chart] = field(default_factory=list)
    # charts with nothing to show, together where the reason is the same
    empty_charts: list[tuple[str, list[Chart]]] = field(default_factory=list)
    selected_charts: set[str] = field(default_factory=set)  # by name
    # names in the address that are no chart
    unknown_charts: list[str] = field(default_factory=list)
    chart_choices: list[ChartSpec] = field(default_factory=lambda: list(CHARTS.values()))
    absent_charts: set[str] = field(default_factory=set)  # names of those chosen that show nothing
    asked_at: str = ""  # the path of the page whose question a mark changes
    page_link: str = ""  # the page of the charts, where they stand elsewhere

    @property
    def empty_text(self) -> str:
        """“No overall verdict is known: 2 charts; no adverse event is recorded: 1 chart”."""
        reasons = [
            f"{reason if not i else reason[0].lower() + reason[1:]}: "
            f"{pluralize(len(charts), 'charts')}"
            for i, (reason, charts) in enumerate(self.empty_charts)
        ]
        return "; ".join(reasons)

    def context(self) -> dict:
        return super().context() | {"empty_text": self.empty_text}


@require_safe
@signposted(links_of_collection)
def charts_page(request: HttpRequest, collection: str) -> HttpResponse:
    """The charts of a question inside the frame of their collection; for an overview, which asks
    with htmx for nothing else, the charts alone.
    """
    parsed = parse_request(request, collection)
    drop_default_charts(parsed)
    if head := head_of_page(request, parsed):
        return head
    if parsed.question is None:
        page = CollectionPage.build(request, parsed, "charts")
        return render_page(request, page, "evidence/charts.html", ChartSection())
    specs = selected_charts(parsed)
    wanted = chart_summaries(parsed, specs)
    if asks_in_place(request, CHARTS_TARGET):
        return charts_alone(request, parsed, specs, wanted)
    page = CollectionPage.build(request, parsed, "charts", **wanted)
    section = chart_section(parsed, specs, page.counted, page.totals, request.path)
    return render_page(request, page, "evidence/charts.html", section)


def charts_alone(
    request: HttpRequest,
    parsed: ParsedRequest,
    specs: Sequence[ChartSpec],
    wanted: dict[str, Summary],
) -> HttpResponse:
    """What an overview loads in place; its marks ask something else of the overview."""
    totals, *results = run_summaries(cohort_totals(parsed.question), *wanted.values())
    counted = dict(zip(wanted, results, strict=True))
    overview = reverse("cohort", args=[parsed.collection.slug])
    section = chart_section(parsed, specs, counted, totals, overview, charts_address(parsed))
    context = {"parsed": parsed, "collection": parsed.collection, "totals": totals}
    return render(
        request,
        "evidence/_charts.html",
        context | section.context(),
        status=page_status(request, parsed.collection, parsed.problems),
    )


def charts_address(parsed: ParsedRequest) -> str:
    """Where the charts of a question are, with the words of the view."""
    address, query = reverse("charts", args=[parsed.collection.slug]), parsed.query()
    return f"{address}?{query}" if query else address


def unknown_charts(parsed: ParsedRequest) -> list[str]:
    """Names in the address that are no chart."""
    return [truncate_text(name) for name in parsed.view.get("chart", ()) if name not in CHARTS]


def chart_section(
    parsed: ParsedRequest,
    specs: Sequence[ChartSpec],
    counted: dict,
    totals: Totals,
    asked_at: str,
    page_link: str = "",
) -> ChartSection:
    """The charts, those with nothing to show apart."""
    selected = {spec.name for spec in specs}
    # Where nobody answers, charts of groups alone may show something: they count no patients.
    if not totals.patients:
        specs = [spec for spec in specs if spec.name.startswith("group-")]
    charts = draw_charts(parsed, specs, counted, totals)
    empty = sorted((chart for chart in charts if chart.nothing), key=lambda chart: chart.nothing)
    shown = {chart.name for chart in charts if not chart.nothing}
    return ChartSection(
        charts=without_holes([chart for chart in charts if not chart.nothing]),
        empty_charts=[
            (reason, list(group)) for reason, group in groupby(empty, lambda chart: chart.nothing)
        ],
        selected_charts=selected,
        absent_charts=selected - shown,
        unknown_charts=unknown_charts(parsed),
        asked_at=asked_at,
        page_link=page_link,
    )


def chart_summaries(parsed: ParsedRequest, specs: Sequence[ChartSpec]) -> dict[str, Summary]:
    """The summaries that charts are made of, by the chart's name."""
    return {spec.name: spec.counts(parsed) for spec in specs if spec.counts}


def draw_charts(
    parsed: ParsedRequest, specs: Sequence[ChartSpec], counted: dict, totals: Totals
) -> list[Chart]:
    """The charts, in order; those a reader would not look for are left out."""
    charts = [spec.draw(parsed, counted.get(spec.name), totals) for spec in specs]
    return [chart for chart in charts if chart is not None]


def without_holes(charts: Sequence[Chart]) -> list[Chart]:
    """Charts in an order that leaves no place empty where two stand side by side: one that needs
    the whole width waits until a row of two is full, and the last one without a neighbour is wide.
    A chart without a picture is a few lines, so it is wide; so is one that no neighbour could match
    in height.
    """
    placed, waiting, alone = [], [], None  # `alone` is the place of one that has no neighbour yet
    for chart in charts:
        if chart.is_wide or not chart.figure or chart.figure["layout"]["height"] > TALL:
            (placed if alone is None else waiting).append(replace(chart, is_wide=True))
            continue
        placed.append(chart)
        alone = len(placed) - 1 if alone is None else None
        if alone is None:
            placed += waiting
            waiting = []
    if alone is not None:
        placed[alone] = replace(placed[alone], is_wide=True)
    return [*placed, *waiting]
