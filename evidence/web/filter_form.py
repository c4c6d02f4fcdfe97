"""The filter form of a collection's pages: its inputs, made from the filters."""

from dataclasses import dataclass

from ..questions.filters import FILTERS, LAYOUT, Search
from ..questions.parsing import ParsedRequest
from ..summaries import Facet

# Words that change the display and have an input of their own on a page, by the page's noun.
OWN_INPUTS = {
    "": ("chart",),
    "charts": ("chart",),
    "forest": ("item", "shared"),
    "rules": ("rule",),
}


@dataclass(frozen=True)
class SearchInput:
    """A field for search words."""

    name: str
    label: str
    value: str
    longest: int

    template = "evidence/_search.html"


@dataclass(frozen=True)
class RangeInput:
    """Two fields for the ends of a range, `low` and `high` by name."""

    label: str
    low: str
    high: str
    low_value: str
    high_value: str
    least: int
    most: int

    template = "evidence/_range.html"


@dataclass(frozen=True)
class OptionsInput:
    """Boxes to tick, each with the number of patients it leads to."""

    facet: Facet

    template = "evidence/_facet.html"


Input = SearchInput | RangeInput | OptionsInput


def form_inputs(parsed: ParsedRequest, facets: list[Facet]) -> list[Input]:
    """The inputs of the form, in its order: one for every filter, or for the two ends of a
    range.
    """
    by_name = {facet.name: facet for facet in facets}
    return [input_for(names, parsed, by_name) for names in LAYOUT]


def input_for(names: tuple[str, ...], parsed: ParsedRequest, facets: dict[str, Facet]) -> Input:
    name, url_filter = names[0], FILTERS[names[0]]
    if name in facets:
        return OptionsInput(facets[name])
    if isinstance(url_filter, Search):
        return SearchInput(
            name, url_filter.label, parsed.entered_values(name), url_filter.extra["max_length"]
        )
    typed = map(parsed.entered_values, names)
    return RangeInput(
        url_filter.range.title, *names, *typed, url_filter.range.low, url_filter.range.high
    )


def hidden_inputs(parsed: ParsedRequest, noun: str) -> list[tuple[str, str]]:
    """Display parameters that this page has no input for; the form sends them as hidden inputs, so
    that they stay in the address.
    """
    own_inputs = OWN_INPUTS.get(noun, ())
    return [
        (name, value)
        for name, values in parsed.view.items()
        if name not in own_inputs
        for value in values
    ]
