"""The same numbers first: nothing is timed that does not answer alike."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Collection

from . import questions

# Sets count per patient or per course by way of the same flags, so these can be compared
# everywhere.
COUNTED_IN_COURSES = (
    "inhibitor",
    "sex",
    "subset",
    "response",
    "relapsed",
    "adverse_events",
    "design",
)


def text_of(content: bytes) -> str:
    return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()


def casebook_numbers(server, collection: str, words: list) -> dict:
    """What the pages themselves say: patients, treatments and the number beside every option."""
    page = text_of(server.get(questions.casebook(collection, words))[1])
    lead = re.search(r'id="answer"[^>]*><strong>([\d\u202f]+)', page).group(1)
    options = re.findall(
        r'name=(\w+) value="([\w.-]+)"[^>]*> <span>[^<]*</span> <span class=count>(\d+)<', page
    )
    facets: dict[str, dict[str, int]] = {}
    for name, code, number in options:
        facets.setdefault(name, {})[code] = int(number)
    treatments = text_of(server.get(questions.casebook(collection, words, "treatments/"))[1])
    total = re.search(r'class="total">([\d\u202f]+)<', treatments).group(1)
    return {
        "patients": int(lead.replace("\u202f", "")),
        "treatments": int(total.replace("\u202f", "")),
        "facets": facets,
    }


def engine_numbers(collection: str, words: list) -> dict[str, Counter]:
    """Courses by value, from the engine in this process."""
    from django.http import QueryDict

    from evidence.counting import Tally, Unit, count
    from evidence.models import Collection
    from evidence.questions.filters import TreatmentFilter
    from evidence.questions.vocabulary import vocabulary

    record = Collection.objects.get(slug=collection)
    form = TreatmentFilter(QueryDict(questions.urlencode(words)), vocabulary=vocabulary(record))
    if not form.is_valid():
        raise SystemExit(form.problems())
    question = form.question(record)
    counters = count(
        [Tally(question.without(name), (name,), Unit.TREATMENTS) for name in COUNTED_IN_COURSES]
    )
    return {
        name: {value: number for (value,), number in counter.items()}
        for name, counter in zip(COUNTED_IN_COURSES, counters, strict=True)
    }


def wider_terms() -> set[str]:
    """Manifestations that others are part of: Casebook counts ILD as lung too, its peers what the
    table says.
    """
    from evidence.models import Manifestation
    from evidence.models.term_tree import term_tree

    return {code for wider in term_tree(Manifestation).wider.values() for code in wider}


def check(ours: dict, theirs: dict, who: str, *, but_for: Collection[str] = ()) -> None:
    """Raises SystemExit where two answers differ, apart from the numbers of the manifestations
    `but_for`.
    """
    for unit in ("patients", "treatments"):
        if unit in theirs and ours[unit] != theirs[unit]:
            raise SystemExit(f"{who} counts {theirs[unit]} {unit}, Casebook {ours[unit]}")
    for name, options in theirs["facets"].items():
        for code, number in options.items():
            our_number = ours["facets"].get(name, {}).get(code, 0)
            if our_number != number and not (name == "manifestation" and code in but_for):
                raise SystemExit(f"{who} counts {number} for {name}={code}, Casebook {our_number}")


def datasette_numbers(server, database: str, words: list) -> dict:
    answer = json.loads(text_of(server.get(questions.datasette(database, words, ".json"))[1]))
    facets = answer["facet_results"]
    return {
        "treatments": answer["filtered_table_rows_count"],
        "facets": {
            name: {str(option["value"]): option["count"] for option in facet["results"]}
            for name, facet in facets.get("results", facets).items()
            # Its own choice is part of what a facet of Datasette counts; Casebook leaves it out, to
            # offer the others.
            if name in COUNTED_IN_COURSES and name not in dict(words)
        },
    }


def dash_numbers(server, words: list) -> dict:
    answer = json.loads(
        text_of(
            server.get(
                "/_dash-update-component",
                {"Content-Type": "application/json"},
                questions.dash(words),
            )[1]
        )
    )
    text = answer["response"]["count"]["children"]
    patients, treatments = (int(number) for number in re.findall(r"\d+", text))
    facets = {}
    for fieldset in answer["response"]["facets"]["children"]:
        legend, *labels = fieldset["props"]["children"]
        name = legend["props"]["children"]
        if name in COUNTED_IN_COURSES:
            options = (label["props"]["children"].rpartition(" ") for label in labels)
            facets[name] = {code: int(number) for code, _, number in options}
    return {"patients": patients, "treatments": treatments, "facets": facets}
