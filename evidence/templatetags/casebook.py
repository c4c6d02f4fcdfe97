"""What templates need beyond Django: navigation, missing values, the data's version. Loaded in every template.

Options of filters and cells of tables are written here instead of in a template: a page has hundreds, and each costs
a template twenty times what it costs here.
"""

from html import escape as escaped

from django import template
from django.utils.safestring import SafeString, mark_safe

from ..models import Collection, DataVersion
from ..steady import behind, collections
from ..steady import version as steady_version

register = template.Library()


@register.simple_tag
def all_collections() -> list[Collection]:
    """The collections, for the navigation of every page."""
    return collections()


@register.simple_tag
def data_version() -> DataVersion:
    """The version of the data this page was made from."""
    return steady_version()


@register.simple_tag
def counted_version() -> int | None:
    """The earlier version the numbers of this page are of, while a large collection is being counted anew."""
    return behind()


@register.filter
def trimmed(value):
    """A decimal without needless zeros; other values unchanged."""
    return format(value.normalize(), "f") if hasattr(value, "normalize") else value


@register.filter
def grouped(count: int) -> str:
    """12 345 for 12345, with narrow spaces."""
    return f"{count:,}".replace(",", "\u202f")


@register.filter
def authors(text: str) -> str:
    """An author list as running text that ends with one full stop: semicolons become commas."""
    return f"{text.replace(';', ',').rstrip('.')}."


@register.inclusion_tag("evidence/_value.html")
def value(text, missing):
    """A value, or why there is none; never a blank."""
    return {"text": text, "missing": missing}


def escape(text: str) -> str:
    return text if text.isalnum() else escaped(text)


@register.simple_tag
def options(facet) -> SafeString:
    """The options of a filter: a box to tick, a label, the number of patients."""
    name = escape(facet.name)
    return mark_safe("".join(option(name, each) for each in facet.options))  # noqa: S308


def option(name: str, each) -> str:
    code = escape(each.code)
    field = f"f-{name}-{code}"
    empty, ticked = "" if each.count else ' class="empty"', " checked" if each.chosen else ""
    return (
        f'<li{empty}><label for="{field}"><input type="checkbox" id="{field}" name="{name}" value="{code}"{ticked}> '
        f"<span>{escape(each.label)}</span> "
        f'<span class="count">{each.count}<span class="unseen"> patients</span></span></label></li>\n'
    )


@register.simple_tag
def share_rows(shares) -> SafeString:
    """Shares as rows of a table: fraction, percent, interval, missing by reason."""
    return mark_safe("\n".join(map(share_row, shares)))  # noqa: S308


def share_row(share) -> str:
    numbers = (share.percent_text or "–", share.interval_text or "–", share.not_reported, share.not_extracted)
    return (
        f'<tr><th scope="row">{escape(share.label)}</th><td class="number"><b>{share.fraction}</b></td>'
        + "".join([f'<td class="number">{number}</td>' for number in numbers])
        + "</tr>"
    )


@register.simple_tag
def number_rows(rows) -> SafeString:
    """Rows of a chart's table: a heading, then numbers; what is empty is a dash."""
    return mark_safe(  # noqa: S308
        "\n".join(
            f'<tr><th scope="row">{escape(str(heading))}</th>'
            + "".join(f'<td class="number">{escape(str(cell)) or "–"}</td>' for cell in cells)
            + "</tr>"
            for heading, *cells in rows
        )
    )


@register.simple_tag
def record_rows(rows) -> SafeString:
    """Rows of a list: each cell a value, or why there is none. Equal cells are one object and are written once."""
    written: dict[int, str] = {}
    for row in rows:
        for cell in row:
            if id(cell) not in written:
                written[id(cell)] = record_cell(cell)
    return mark_safe("\n".join(f"<tr>{''.join([written[id(cell)] for cell in row])}</tr>" for row in rows))  # noqa: S308


def record_cell(cell) -> str:
    if cell.text:
        shown = escape(cell.text)
        if cell.href:
            shown = f'<a href="{escape(cell.href)}">{shown}</a>'
        elif cell.tone:
            shown = f'<span class="tone {escape(cell.tone)}">{shown}</span>'
    else:
        shown = f'<span class="missing">{escape(cell.missing) or "–"}</span>'
    return f'<td class="number">{shown}</td>' if cell.numeric else f"<td>{shown}</td>"
