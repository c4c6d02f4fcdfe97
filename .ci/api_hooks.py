"""What a schema cannot say of a request, for Schemathesis: `SCHEMATHESIS_HOOKS=.ci/api_hooks.py`.

Requests that break only these rules are rightly refused, so they are not among those that must be
answered.
"""

import schemathesis

# Sides of a comparison: each is a question of its own, which no schema of a text can say.
SIDES = ("", "sex=female", "inhibitor=tofacitinib&age_min=40", "indication=ild&indication=skin")


@schemathesis.hook
def map_case(context, case):
    """Sides of a comparison that are questions, wherever the schema's own are texts."""
    query = case.query or {}
    if case.operation.path.endswith("/compare/") and is_positive(case):
        for side in ("a", "b"):
            if isinstance(query.get(side), str):
                query[side] = SIDES[len(query[side]) % len(SIDES)]
    return case


def is_positive(case):
    """Whether a case is one that the schema allows."""
    return case.meta is None or case.meta.generation.mode.is_positive


@schemathesis.hook
def filter_case(context, case):
    """Ranges that do not end before they begin, no study's name or forest item by chance, at most
    ten words, cursors as given.
    """
    query = case.query or {}
    for low, least in query.items():
        most = query.get(f"{low.removesuffix('_min')}_max") if low.endswith("_min") else None
        if isinstance(least, int) and isinstance(most, int) and least > most:
            return False
    if isinstance(query.get("q"), str) and not 1 <= len(query["q"].split()) <= 10:
        return False
    if query.get("item", "improved") != "improved":  # which others there are depends on the data
        return False
    return "study" not in query and "cursor" not in query
