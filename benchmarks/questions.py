"""The questions everybody is asked, in each one's own words."""

import json
import random
from urllib.parse import urlencode

MAIN = [
    ("inhibitor", "tofacitinib"),
    ("indication", "ild"),
    ("indication", "skin"),
    ("indication_match", "all"),
]
QUESTIONS = {"main": MAIN, "all": []}
DATASETTE_FACETS = [
    "inhibitor",
    "sex",
    "subset",
    "response",
    "relapsed",
    "adverse_events",
    "design",
    "indication_set",
]


def casebook(collection: str, words: list[tuple[str, str]], page: str = "") -> str:
    return f"/{collection}/{page}?{urlencode(words)}" if words else f"/{collection}/{page}"


def plain(collection: str, words: list[tuple[str, str]]) -> str:
    return casebook(collection, [word for word in words if not word[0].endswith("_match")])


def datasette(database: str, words: list[tuple[str, str]], form: str = "") -> str:
    held = [("inhibitor", value) for name, value in words if name == "inhibitor"]
    held += [(f"indication__{value}__exact", "1") for name, value in words if name == "indication"]
    facets = [("_facet", name) for name in DATASETTE_FACETS]
    return (
        f"/{database}/treatments{form}?"
        f"{urlencode([*held, *facets, ('_size', 50), ('_facet_size', 'max')])}"
    )


def dash(words: list[tuple[str, str]]) -> bytes:
    values = {
        "inhibitors": [value for name, value in words if name == "inhibitor"],
        "indications": [value for name, value in words if name == "indication"],
        "match": dict(words).get("indication_match", "any"),
    }
    outputs = ("count", "facets", "charts", "rows")
    return json.dumps(
        {
            "output": f"..{'...'.join(f'{each}.children' for each in outputs)}..",
            "outputs": [{"id": each, "property": "children"} for each in outputs],
            "inputs": [
                {"id": name, "property": "value", "value": value} for name, value in values.items()
            ],
            "changedPropIds": ["match.value"],
            "state": [],
        }
    ).encode()


def thousand(collection: str, seed: int = 1) -> list[str]:
    """A thousand different questions of one to four parts."""
    draw = random.Random(seed)
    codes = {
        "inhibitor": ["tofacitinib", "baricitinib", "upadacitinib", "ruxolitinib"],
        "indication": ["skin", "ild", "gi", "joints", "digital_ulcers"],
        "sex": ["female", "male", "unknown"],
        "subset": ["diffuse", "limited", "sine", "unknown"],
        "response": ["improved", "stable", "worsened", "unknown"],
        "manifestation": ["skin", "raynaud", "lung", "gi"],
        "adverse_event": ["infection", "hepatitis"],
        "missing": ["age", "response", "dose"],
    }
    addresses: dict[str, None] = {}
    while len(addresses) < 1000:
        params = []
        for name in draw.sample(list(codes), draw.randint(1, 4)):
            chosen_codes = draw.sample(codes[name], draw.randint(1, min(2, len(codes[name]))))
            params += [(name, code) for code in chosen_codes]
            if name in ("indication", "manifestation") and len(chosen_codes) > 1:
                params.append((f"{name}_match", draw.choice(["any", "all"])))
        if draw.random() < 0.4:
            params.append(("age_min", str(draw.randint(20, 70))))
        addresses.setdefault(casebook(collection, params))
    return list(addresses)
