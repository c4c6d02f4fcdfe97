"""The rooms of a collection, for its navigation."""

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
    ("rules", "Verdict and rule", "rules"),
    ("similar", "Patients like mine", "similar"),
    ("completeness", "Completeness", "completeness"),
    ("flow", "Study flow", "flow"),
]
WITHOUT_QUESTION = {"similar", "flow"}  # pages that ask something else


def navigation_tabs(collection: Collection, query: str, here: str) -> dict[str, list[dict]]:
    """Lists and views; each keeps the question where it can be asked of it."""

    def address(name: str, target: str) -> str:
        found = reverse(name, args=[collection.slug, *([target] if name == "list" else [])])
        if not query or name in WITHOUT_QUESTION:
            return found
        return f"{found}?{urlencode({'a': query})}" if name == "compare" else f"{found}?{query}"

    return {
        heading: [
            {"label": label, "href": address(name, target), "here": target == here} for name, label, target in rooms
        ]
        for heading, rooms in (("Records", ROWS), ("Views", VIEWS))
    }
