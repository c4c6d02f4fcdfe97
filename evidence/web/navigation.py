"""The pages of a collection, for its navigation."""

from urllib.parse import urlencode

from django.urls import reverse

from ..models import Collection

ROWS = [
    ("cohort", "Overview", ""),
    ("list", "Patients", "patients"),
    ("list", "Treatments", "treatments"),
    ("list", "Outcomes", "outcomes"),
    ("list", "Adverse events", "adverse-events"),
    ("list", "Studies", "studies"),
    ("list", "Groups", "groups"),
    ("list", "Findings", "findings"),
]
VIEWS = [
    ("compare", "Compare", "compare"),
    ("forest", "Forest plot", "forest"),
    ("rules", "Response by rule", "rules"),
    ("similar", "Patients like mine", "similar"),
    ("completeness", "Completeness", "completeness"),
    ("flow", "Study flow", "flow"),
]
WITHOUT_QUESTION = {"similar", "flow"}  # pages that ask something else


def navigation_tabs(collection: Collection, query: str, current: str) -> dict[str, list[dict]]:
    """Lists and views; each keeps the question where it can be asked of it."""

    def tab_url(name: str, target: str) -> str:
        url = reverse(name, args=[collection.slug, *([target] if name == "list" else [])])
        if not query or name in WITHOUT_QUESTION:
            return url
        return f"{url}?{urlencode({'a': query})}" if name == "compare" else f"{url}?{query}"

    return {
        heading: [
            {"label": label, "href": tab_url(name, target), "here": target == current}
            for name, label, target in targets
        ]
        for heading, targets in (("Records", ROWS), ("Views", VIEWS))
    }
