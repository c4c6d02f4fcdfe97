"""The pages of a collection, for its navigation."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from ..models import Collection
from ..summaries import has_flow

FLOW = "Study flow"  # offered only where more is known than what is included
# The row that every page shows: the route, its label, and the noun of a list.
MAIN = [
    ("cohort", "Overview", ""),
    ("list", "Patients", "patients"),
    ("list", "Groups", "groups"),
    ("list", "Studies", "studies"),
]
# What stands under More, by heading.
MORE = {
    "Records": [
        ("list", "Treatments", "treatments"),
        ("list", "Outcomes", "outcomes"),
        ("list", "Adverse events", "adverse-events"),
        ("list", "Findings in groups", "findings"),
    ],
    "Views": [
        ("matrix", "Case matrix", "matrix"),
        ("charts", "Charts", "charts"),
        ("compare", "Compare", "compare"),
        ("forest", "Forest plot", "forest"),
        ("rules", "Response by rule", "rules"),
        ("similar", "Patients like mine", "similar"),
        ("completeness", "Completeness", "completeness"),
        ("flow", FLOW, "flow"),
    ],
}
WITHOUT_QUESTION = {"similar", "flow"}  # pages that ask something else


@dataclass(frozen=True)
class Tab:
    """One page of a collection; `count` is how many rows its list has for the question, None where
    it is no list.
    """

    label: str
    href: str
    here: bool
    count: int | None = None


@dataclass(frozen=True)
class Navigation:
    """One row of tabs, and the pages behind More, by heading."""

    main: list[Tab]
    more: dict[str, list[Tab]]

    @property
    def here(self) -> Tab | None:
        """The page shown."""
        return next((tab for tab in self.main if tab.here), self.here_in_more)

    @property
    def here_in_more(self) -> Tab | None:
        """The page shown, if it is one of those behind More."""
        return next((tab for tabs in self.more.values() for tab in tabs if tab.here), None)


def collection_navigation(
    collection: Collection, query: str, current: str, counts: dict[str, int]
) -> Navigation:
    """Lists and views; each keeps the question where it can be asked of it. `counts` has the rows
    of lists by their noun. A flow of which only the end is known is not offered.
    """

    def tab_url(name: str, target: str) -> str:
        url = reverse(name, args=[collection.slug, *([target] if name == "list" else [])])
        if not query or name in WITHOUT_QUESTION:
            return url
        return f"{url}?{urlencode({'a': query})}" if name == "compare" else f"{url}?{query}"

    def tabs(pages: list[tuple[str, str, str]]) -> list[Tab]:
        return [
            Tab(label, tab_url(name, target), target == current, counts.get(target))
            for name, label, target in pages
        ]

    more = {heading: tabs(pages) for heading, pages in MORE.items()}
    if not has_flow(collection):
        more["Views"] = [tab for tab in more["Views"] if tab.label != FLOW]
    return Navigation(tabs(MAIN), more)
