"""The form beside every list is made from the filters: what it shows can be asked, and what is
asked stays asked.
"""

from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from django.http import QueryDict

from evidence.questions.filters import FILTERS, SETS, Bound, NotKnown, Range, Search
from evidence.questions.filters import treatment as declared
from evidence.questions.filters.treatment import VIEW_PARAMS
from evidence.questions.vocabulary import vocabulary
from evidence.web import filter_form

PAGES = ["", "patients/", "studies/", "groups/", "findings/", "forest/", "rules/", "completeness/"]


class Form(HTMLParser):
    """The controls of the form `question`, as a browser sees them: also those elsewhere that name
    the form.
    """

    def __init__(self, body: str):
        super().__init__()
        self.inside, self.select = False, None
        self.names, self.sent, self.ticks = set(), [], set()
        self.feed(body)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.inside = attrs.get("id") == "question"
        if tag == "option" and self.select:
            if "selected" in attrs:
                self.sent.append((self.select, attrs["value"]))
        elif (
            tag in ("input", "select")
            and attrs.get("name")
            and (self.inside or attrs.get("form") == "question")
        ):
            self.names.add(attrs["name"])
            if tag == "select":
                self.select = attrs["name"]
            elif attrs.get("type") != "checkbox" or "checked" in attrs:
                self.sent.append((attrs["name"], attrs.get("value", "")))
            if attrs.get("type") == "checkbox":
                self.ticks.add((attrs["name"], attrs["value"]))

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False
        if tag == "select":
            self.select = None

    def submitted(self, *ticked: tuple[str, str]) -> str:
        """The address the form leads to, once these boxes are ticked or cleared too."""
        assert set(ticked) <= self.ticks, "these boxes are on the page"
        pairs = [pair for pair in self.sent if pair not in ticked] + [
            pair for pair in ticked if pair not in self.sent
        ]
        return urlencode([(name, value) for name, value in pairs if value])


def form_at(client, address: str) -> Form:
    return Form(client.get(address).content.decode())


def a_word_of_each(collection) -> str:
    """A question that asks something of every filter there is."""
    words, known = [], vocabulary(collection)
    for name, each in FILTERS.items():
        if isinstance(each, Search):
            words.append((name, "alpha"))
        elif isinstance(each, Bound):
            words.append(
                (name, str(each.range.low + 1 if name.endswith("_min") else each.range.high - 1))
            )
        elif isinstance(each, NotKnown):
            words += [(name, "age"), (name, "dose.not-reported")]
        else:
            words += [(name, code) for code in list(each.options(known))[:2]]
        if name in SETS:
            words.append((f"{name}_match", "all"))
    return urlencode(words)


@pytest.mark.parametrize("page", PAGES)
def test_every_filter_has_an_input_and_every_input_a_filter(client, world, page):
    names = form_at(client, world.address(page)).names
    askable = set(FILTERS) | {f"{name}_match" for name in SETS}
    assert askable <= names
    assert names - askable <= VIEW_PARAMS


@pytest.mark.parametrize("page", PAGES)
def test_a_click_on_a_facet_drops_nothing_that_is_asked(client, world, asking, page):
    address = a_word_of_each(world.collection)
    question = asking(world.collection, address)
    assert {name for name, _ in question} == set(FILTERS), "every filter is asked something"
    form = form_at(client, f"{world.address(page)}?{address}")
    assert asking(world.collection, form.submitted()) == question
    narrowed = asking(world.collection, form.submitted(("sex", "unknown")))
    assert dict(narrowed) == dict(question) | {"sex": ("female", "male", "unknown")}


@pytest.mark.parametrize(
    ("page", "own"),
    [
        ("", set()),
        ("charts/", {"chart"}),
        ("patients/", set()),
        ("forest/", {"item", "shared"}),
        ("rules/", {"rule"}),
    ],
)
def test_a_click_on_a_facet_keeps_what_changes_the_display(client, world, page, own):
    view = [
        ("chart", "swimmers"),
        ("rule", "fvc-5"),
        ("item", "relapsed"),
        ("shared", "yes"),
        ("with", "sex=male"),
        ("release", "7"),
    ]
    form = form_at(client, f"{world.address(page)}?{urlencode(view)}")
    kept = QueryDict(form.submitted(("sex", "female")))
    assert {name: kept.getlist(name) for name, _ in view if name not in own} == {
        name: [value] for name, value in view if name not in own
    }
    assert own <= form.names and all(len(kept.getlist(name)) <= 1 for name in own)


def test_a_range_that_is_new_is_in_the_form_by_its_declaration_alone(
    client, world, asking, monkeypatch
):
    """Before, such a range had a chip and no input: the next click dropped it, and the question
    grew.
    """
    low, high = Range(
        "Duration", path="duration_months", low=0, high=99, unit="months", attribute="duration"
    )
    monkeypatch.setitem(FILTERS, "duration_min", low)
    monkeypatch.setitem(FILTERS, "duration_max", high)
    layout = declared.form_layout()
    monkeypatch.setattr(filter_form, "LAYOUT", layout)
    monkeypatch.setattr(declared, "RANGES", [names for names in layout if len(names) > 1])
    response = client.get(world.address("?duration_min=3&sex=female"))
    assert "Duration from 3 months" in [chip.text for chip in response.context["parsed"].chips]
    form = Form(response.content.decode())
    assert {"duration_min", "duration_max"} <= form.names
    question = asking(world.collection, form.submitted(("inhibitor", "tofacitinib")))
    assert dict(question) == {"duration_min": 3, "sex": ("female",), "inhibitor": ("tofacitinib",)}
    body = client.get(world.address("?duration_min=9&duration_max=3")).content.decode()
    assert "Duration from 9 to 3: the range ends before it begins." in body


def test_the_form_stands_in_the_order_of_its_filters(client, world):
    """But for ages, which a reader looks for before the sex."""
    inputs = client.get(world.address()).context["inputs"]
    names = [
        each.facet.name if hasattr(each, "facet") else getattr(each, "low", "q") for each in inputs
    ]
    order = [name for name in FILTERS if name != "age_min" and not name.endswith("_max")]
    order.insert(order.index("sex"), "age_min")
    assert names == order
