"""What templates need beyond Django: navigation, missing values, the data's version. Loaded in
every template.

Options of filters and cells of tables are written here instead of in a template: a page has
hundreds, and each costs a template twenty times what it costs here.
"""

from html import escape as escaped
from itertools import groupby
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString, mark_safe

from ..downloads import file_stem
from ..downloads.release_status import (
    ReleaseStatus,
    RequestedRelease,
    release_status,
    requested_release,
    rows_in_words,
)
from ..downloads.release_status import latest_release as find_latest_release
from ..models import Collection, DataVersion, Provenance, Release, Review, Study, consistency
from ..models.choices import Response
from ..models.consistency import current_version, past_state, stale_version
from ..summaries.shares import group_digits, pluralize, unit_of

register = template.Library()


@register.simple_tag
def all_collections() -> list[Collection]:
    """The collections, for the navigation of every page."""
    return consistency.all_collections()


@register.simple_tag
def data_version() -> DataVersion:
    """The version of the data this page was made from."""
    return current_version()


@register.simple_tag
def of_release() -> bool:
    """Whether a release itself answers, instead of today's data."""
    return consistency.past_state() is not None


@register.simple_tag
def release_of(collection: Collection | None) -> ReleaseStatus | None:
    """How a collection stands to the latest release; of pages without one, the latest release
    alone.
    """
    return release_status(collection) if collection else None


@register.simple_tag
def latest_release() -> Release | None:
    return find_latest_release()


@register.simple_tag(takes_context=True)
def release_asked(context) -> RequestedRelease | None:
    """The release this page's address names, and whether the data have moved on since."""
    collection = context["collection"]
    return requested_release(context["request"].GET, collection) if collection else None


@register.simple_tag(takes_context=True)
def lasting_address(context, number: int) -> str:
    """The address of this page with the release whose data it shows; later changes to the evidence
    do not affect it.
    """
    request, parsed = context["request"], context.get("parsed")
    if parsed is not None:
        query = parsed.query(sort=context.get("sort", ""), release=str(number))
    else:
        params = [
            (name, value) for name in request.GET for value in request.GET.getlist(name) if value
        ]
        query = urlencode(
            [*((name, value) for name, value in params if name != "release"), ("release", number)]
        )
    return f"{request.path}?{query}"


@register.simple_tag(takes_context=True)
def today_address(context) -> str:
    """The address of this page without the release it names."""
    request = context["request"]
    params = [
        (name, value)
        for name, values in request.GET.lists()
        for value in values
        if value and name != "release"
    ]
    return f"{request.path}?{urlencode(params)}" if params else request.path


@register.simple_tag(takes_context=True)
def current_address(context) -> str:
    """The address of this page: the question in its own spelling."""
    request, query = context["request"], context["parsed"].query(sort=context.get("sort", ""))
    return f"{request.path}?{query}" if query else request.path


@register.simple_tag(takes_context=True)
def canonical_address(context) -> str:
    """The one whole address of what this page shows: its question in its own spelling, without
    words that only arrange it.
    """
    request, parsed, state = context["request"], context.get("parsed"), past_state()
    pinned = {"release": str(state.number)} if state else {}
    asked = parsed.question if parsed is not None else None
    query = asked.query(**pinned) if asked else urlencode(pinned)
    return request.build_absolute_uri(f"{request.path}?{query}" if query else request.path)


@register.simple_tag
def counted_version() -> int | None:
    """The earlier version the numbers of this page are of, while a large collection is being
    counted anew.
    """
    return stale_version()


@register.filter
def trim_zeros(value):
    """A decimal without needless zeros; other values unchanged."""
    return format(value.normalize(), "f") if hasattr(value, "normalize") else value


register.simple_tag(file_stem, name="file_stem")
register.filter("rows_in_words", rows_in_words)
register.filter("group_digits", group_digits)
register.filter("counted", pluralize)  # {{ n|counted:"patients" }}: “1 patient”, “2 patients”
register.filter("unit_of", unit_of)  # {{ n|unit_of:"patients" }}: “patient”, “patients”


@register.filter
def author_list(text: str) -> str:
    """An author list as running text that ends with one full stop: semicolons become commas."""
    return f"{text.replace(';', ',').rstrip('.')}."


@register.filter
def year_volume_pages(publication: Study | Review) -> str:
    """What follows a journal's name: “ 2019;12:3-4” with its space, or the part of it that was
    extracted.
    """
    year = f" {publication.year}" if publication.year else ""
    volume = f";{publication.volume}" if publication.volume else ""
    return year + volume + (f":{publication.pages}" if publication.pages else "")


@register.filter
def extracted_and_checked(source: Provenance) -> str:
    """Who extracted a value and who checked it, in sentences with a space before each; nothing if
    neither is said.
    """
    extracted = f" Extracted by {source.extracted_by}." if source.extracted_by else ""
    return extracted + (f" Checked by {source.checked_by}." if source.checked_by else "")


@register.filter
def sort_arrow(direction: str) -> str:
    """Which way a column is sorted, behind its heading: “ascending”, “descending” or nothing."""
    return {"ascending": " ↑", "descending": " ↓"}.get(direction, "")


@register.simple_tag
def coded_result(code: str, label: str, missing: str) -> SafeString:
    """A coded result with its colour, or why it is not known."""
    if code == Response.UNKNOWN:
        return format_html('<span class="missing">{}</span>', missing)
    return format_html('<span class="tone {}">{}</span>', code, label)


@register.inclusion_tag("evidence/_value.html")
def value_or_reason(text, missing):
    """A value, or why there is none; never a blank."""
    return {"text": text, "missing": missing}


@register.simple_tag
def paper_link(study: str, doi: str, nct: str = "") -> SafeString:
    """A small link to the publication of a study, or to its registration; nothing where it has no
    identifier of either.
    """
    return mark_safe(paper_anchor(study, doi, nct))  # noqa: S308


def paper_anchor(study: str, doi: str, nct: str) -> str:
    if doi:
        text, title, address = "doi", f"doi:{doi}", f"https://doi.org/{doi}"
    elif nct:
        text, title, address = "NCT", nct, f"https://clinicaltrials.gov/study/{nct}"
    else:
        return ""
    return (
        f' <a class="doi" href="{escaped(address)}" rel="external" title="{escaped(title)}" '
        f'aria-label="{escaped(study)}: {text}">{text}</a>'
    )


def escape_text(text: str) -> str:
    return text if text.isalnum() else escaped(text)


@register.simple_tag(takes_context=True)
def file_address(context, file_format: str) -> str:
    """The address of a list as a file: the same rows, in the order the page shows them."""
    address = reverse("file", args=[context["collection"].slug, context["table"].noun, file_format])
    sort = context["listing"].sort
    query = "&".join(filter(None, [context["query"], urlencode({"sort": sort}) if sort else ""]))
    return f"{address}?{query}" if query else address


@register.simple_tag
def download_wait(format, rows: int) -> str:
    """How long a download of so many rows takes to begin; an empty text if that is short."""
    return format.waiting_time(rows)


@register.simple_tag
def facet_options(facet) -> SafeString:
    """The options of a filter: a box to tick, a label, the number of patients. Those that nobody
    carries fold away behind one line, unless they are chosen. A page has hundreds, so they are
    written without what HTML does not need.
    """
    name = escape_text(facet.name)
    shown = [option for option in facet.options if option.count or option.chosen]
    empty = [option for option in facet.options if not (option.count or option.chosen)]
    if len(empty) == 1:
        shown, empty = facet.options, []
    html = "".join(facet_option(name, option) for option in shown)
    if empty:
        folded = "".join(facet_option(name, option) for option in empty)
        more = f"{len(empty)} more, 0 patients" if shown else f"{len(empty)} options, 0 patients"
        html += (
            f'<li><details class="nobody" id="n-{name}"><summary>{more}</summary>'
            f"<ul>{folded}</ul></details></li>"
        )
    return mark_safe(html)  # noqa: S308


def facet_option(name: str, choice) -> str:
    code = escape_text(choice.code)
    empty, ticked = "" if choice.count else ' class="empty"', " checked" if choice.chosen else ""
    return (
        f'<li{empty}><label><input type=checkbox id="f-{name}-{code}" name={name} '
        f'value="{code}"{ticked}> <span>{escape_text(choice.label)}</span> '
        f"<span class=count>{choice.count}</span></label>\n"
    )


@register.simple_tag
def linked_share_rows(linked_shares, sensitivities=None) -> SafeString:
    """Shares as rows of a table: fraction, interval as a picture and in numbers, missing by reason.
    Where few are known, the interval comes first and the percentage stands behind it, quietly. With
    `sensitivities`, by the share's key, each with a row below it that says what it could be
    otherwise.
    """
    by_key = sensitivities or {}
    rows = [
        share_row(linked) + sensitivity_row(by_key.get(linked.share.key))
        for linked in linked_shares
    ]
    return mark_safe("\n".join(rows))  # noqa: S308


def sensitivity_row(sensitivity) -> str:
    if not sensitivity or not sensitivity.facts:
        return ""
    items = "".join(
        f"<div><dt>{name}</dt><dd>{escape_text(text)}</dd></div>"
        for name, text in sensitivity.facts
    )
    return (
        f'<tr class="sensitivity" role="row"><td role="cell" colspan="5"><dl>{items}</dl></td></tr>'
    )


def share_row(linked) -> str:
    share = linked.share
    why = (
        f'<br><span class="missing">{escape_text(share.why)}</span>'
        if share.why and not share.known
        else ""
    )
    fraction = linked_text(f"<b>{share.fraction}</b>", linked.rows, linked.title)
    not_known = linked_text(
        share.missing_split, linked.not_known, "Patients with a course of which it is not known"
    )
    quiet = " quiet" if share.has_few_known else ""
    return (
        f'<tr role="row" data-share="{escape_text(share.key)}">'
        f'<th role="rowheader" scope="row">{escape_text(share.label)}{why}</th>'
        f'<td role="cell" class="number">{fraction}</td>'
        f'<td role="cell" class="axis">{interval_picture(share)}</td>'
        f'<td role="cell" class="rate{quiet}">{share.rate_with_interval or "–"}</td>'
        f'<td role="cell" class="unknown">{not_known or "none missing"}</td></tr>'
    )


def linked_text(html: str, href: str, title: str) -> str:
    return f'<a href="{escaped(href)}" title="{title}">{html}</a>' if href and html else html


def interval_picture(share) -> str:
    """A share and its interval on a scale from 0 to 100 %, as a picture beside the numbers that
    say the same; nothing where there is no percentage.
    """
    if share.percent is None or share.interval is None:
        return ""
    low, high = share.interval
    return (
        '<svg class="interval" width="100%" height="14" aria-hidden="true" focusable="false">'
        '<line class="scale" x1="0" x2="100%" y1="7" y2="7"/>'
        f'<line x1="{low:.1f}%" x2="{high:.1f}%" y1="7" y2="7"/>'
        f'<circle cx="{share.percent:.1f}%" cy="7" r="4"/></svg>'
    )


@register.simple_tag
def share_rate(share) -> SafeString:
    """A share's percentage with its interval in one cell, as `share_rows` sets them; a dash where
    nobody is known.
    """
    if not share.known:
        return mark_safe("–")
    return format_html(
        '<span class="quiet">{}</span>' if share.has_few_known else "{}", share.rate_text
    )


@register.simple_tag(takes_context=True)
def question_url(context, question) -> str:
    """This page with another question; what the reader chose to see stays. `asked_at` is the page
    that what is shown becomes part of, if it is not this one.
    """
    path = context.get("asked_at") or context["request"].path
    query = context["parsed"].query(question)
    return f"{path}?{query}" if query else path


@register.simple_tag(takes_context=True)
def chart_rows(context, chart) -> SafeString:
    """Rows of a chart's table: a heading, then numbers; what is empty is a dash. Cells that ask
    something are links.
    """
    rows = [
        "".join(chart_cell(context, chart, row, column, cell) for column, cell in enumerate(cells))
        for row, cells in enumerate(chart.table.rows)
    ]
    return mark_safe("\n".join(f"<tr>{cells}</tr>" for cells in rows))  # noqa: S308


def chart_cell(context, chart, row: int, column: int, cell: str) -> str:
    content, link = escape_text(str(cell)) or "–", chart.table.steps.get((row, column))
    if link is not None:
        content = chart_link(context, chart, link, content)
    return f'<th scope="row">{content}</th>' if not column else f'<td class="number">{content}</td>'


def chart_link(context, chart, link, content: str) -> str:
    """What a row or cell of a chart asks, or the page it opens, as a link around its content."""
    if isinstance(link, str):
        return f'<a href="{escaped(link)}">{content}</a>'
    title = "Asked for: choose again to take it back" if link.chosen else "Ask only for these"
    current = ' aria-current="true"' if link.chosen else ""
    href = escaped(question_url(context, link.question))
    return (
        f'<a class="step" data-ask="chart-{chart.name}" href="{href}" '
        f'title="{title}"{current}>{content}</a>'
    )


@register.simple_tag(takes_context=True)
def single_choice(context, chart) -> SafeString:
    """What the first row of a chart without a picture asks, as its bar would have done."""
    link = chart.table.steps.get((0, 0))
    if link is None or isinstance(link, str) or chart.nothing:
        return mark_safe("")
    cell = chart_link(context, chart, link, escape_text(chart.table.rows[0][0]))
    words = "Asked for" if link.chosen else "Ask only for"
    return mark_safe(f'<p class="hint">{words}: {cell}</p>')  # noqa: S308


@register.simple_tag(takes_context=True)
def chart_data(context, chart) -> SafeString:
    """The figure for the script that draws it; `links` has an address for each mark that can be
    chosen.
    """

    def mark_target(mark):
        return (
            mark if mark is None or isinstance(mark, str) else question_url(context, mark.question)
        )

    links = [[mark_target(mark) for mark in marks] for marks in chart.marks]
    figure = chart.figure | {"links": links, "title": chart.title, "narrow": chart.narrow}
    return json_script(figure, chart.figure_id)


@register.simple_tag(takes_context=True)
def chart_question(context) -> str:
    """Of whom the chart of a page is, for its pictures: the question or questions and how many
    answer, or the case.
    """
    if "compared" in context:
        sides, compared = context["sides"], context["compared"]
        return (
            f"A: {sides['a'].in_words}, {compared.first.lead}; B: {sides['b'].in_words}, "
            f"{compared.second.lead}"
        )
    if "patient" in context:
        return f"{context['patient'].slug}, one case"
    return f"{context['parsed'].in_words}: {context['totals'].lead}"


@register.simple_tag(takes_context=True)
def chart_file(context, chart) -> str:
    """The address of a chart's numbers as a file; an empty text if there is none."""
    if "file" in context:
        return context["file"]
    if "parsed" not in context:
        return ""
    parsed = context["parsed"]
    url, query = (
        reverse("chart_file", args=[parsed.collection.slug, chart.name]),
        parsed.question_or_all.query(),
    )
    return f"{url}?{query}" if query else url


@register.simple_tag
def record_rows(rows) -> SafeString:
    """Rows of a list: each cell a value, or why there is none; the first says which row it is.
    Equal cells are one object and are written once.
    """
    html_by_cell: dict[tuple[int, bool], str] = {}

    def written(cell, *, is_first: bool) -> str:
        key = id(cell), is_first
        if key not in html_by_cell:
            html_by_cell[key] = record_cell(cell, is_first=is_first)
        return html_by_cell[key]

    return mark_safe(  # noqa: S308
        "\n".join(
            f"<tr>{''.join([written(cell, is_first=not i) for i, cell in enumerate(row)])}</tr>"
            for row in rows
        )
    )


def record_cell(cell, *, is_first: bool = False) -> str:
    if cell.lines:
        content = "<br>".join(
            f'<span class="tone line {escape_text(tone)}">{escape_text(text)}</span>'
            for text, tone in cell.lines
        )
    elif cell.text:
        content = escape_text(cell.text)
        if cell.href:
            content = f'<a href="{escape_text(cell.href)}">{content}</a>'
            content += paper_anchor(cell.text, cell.doi, cell.nct)
            if cell.mark:
                content += f' <span class="mark">{escape_text(cell.mark)}</span>'
        elif cell.tone:
            content = f'<span class="tone {escape_text(cell.tone)}">{content}</span>'
    else:
        content = f'<span class="missing">{escape_text(cell.missing) or "–"}</span>'
    if is_first:
        return f'<th scope="row">{content}</th>'
    kind = "number" if cell.numeric else "set" if cell.is_set else ""
    return f'<td class="{kind}">{content}</td>' if kind else f"<td>{content}</td>"


# Marks of the case matrix by the state of a cell, as the style sheet knows them: a matrix has
# thousands of cells, so their classes are short.
MARKS = {
    "listed": "ml",
    "not-listed": "mo",
    "improved": "mi",
    "stable": "ms",
    "worsened": "mw",
    "not_improved": "mn",
    "yes": "my",
    "no": "mz",
    "several": "mv",
    "not-reported": "mr",
    "not-extracted": "me",
}


@register.filter
def mark_class(state: str) -> str:
    """The class that draws the mark of a state."""
    return MARKS[state]


@register.simple_tag
def matrix_table(block, collection, path: str) -> SafeString:
    """Patients side by side. Simulated ones say so in each table, since paper may part them. What a
    cell says in words is its text; its mark is drawn by the style sheet, or stands before the words
    where it is a text of its own.
    """
    heads = "".join(
        f'<th scope=col><a href="/{collection.slug}/patients/{case.patient}/">{case.patient}</a>'
        for case in block.cases
    )
    caption = "<caption>Simulated, not evidence</caption>" if collection.is_simulated else ""
    html_by_cell: dict[int, str] = {}
    for row in block.rows:
        for cell in row.cells:
            if id(cell) not in html_by_cell:
                html_by_cell[id(cell)] = matrix_cell(cell)
    rows = "".join(matrix_row(row, path, html_by_cell) for row in block.rows)
    return mark_safe(  # noqa: S308
        '<table class="matrix cells" role="grid" aria-describedby="matrix-help">'
        f"{caption}<thead><tr><td></td>{heads}</thead><tbody>{rows}</tbody></table>"
    )


def matrix_row(row, path: str, html_by_cell: dict[int, str]) -> str:
    label = escape_text(row.label)
    sorted_so = ""
    if row.href:
        sorted_so = f' aria-sort="{row.direction}"' if row.direction else ""
        arrow = sort_arrow(row.direction)
        label = f'<a data-ask="cases" href="{path}{escaped(row.href)}">{label}{arrow}</a>'
    cells = "".join([html_by_cell[id(cell)] for cell in row.cells])
    return f'<tr><th scope="row"{sorted_so}>{label}</th>{cells}'


def matrix_cell(cell) -> str:
    """A cell without its closing tag, which HTML does not need."""
    words = escape_text(cell.words)
    if cell.mark:
        return f"<td>{escape_text(cell.mark)}<i>{words}</i>"
    return f"<td class={MARKS[cell.state]}><i>{words}</i>"


@register.simple_tag
def printed_results(results) -> SafeString:
    """Printed results of a group, one behind the other: what was measured, the numbers, a note.
    What several say in a row, such as “standardised mean change”, is said once before them.
    """
    parts = []
    for summary, same in groupby(results, key=lambda result: result.summary):
        group = list(same)
        said_once = summary if len(group) > 1 else ""
        parts.append(
            format_html("{}: ", said_once) if said_once else "",
        )
        parts.append(
            format_html_join(
                "; ",
                "{} <b>{}</b>{}",
                (
                    (
                        result.measure,
                        result.numbers if said_once else result.text,
                        format_html(' <span class="quiet">({})</span>', result.note)
                        if result.note
                        else "",
                    )
                    for result in group
                ),
            )
        )
        parts.append("; ")
    return format_html_join("", "{}", ((part,) for part in parts[:-1]))
