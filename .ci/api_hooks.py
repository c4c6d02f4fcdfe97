"""What a schema cannot say of a request, for Schemathesis: `SCHEMATHESIS_HOOKS=.ci/api_hooks.py`.

Requests that break only these rules are rightly refused, so they are not among those that must be
answered.
"""

import schemathesis

# Sides of a comparison: each is a question of its own, which no schema of a text can say.
SIDES = ("", "sex=female", "inhibitor=tofacitinib&age_min=40", "indication=ild&indication=skin")
# Parameters that take no row away. Where answers are followed, lists are asked with these alone: a
# question made by chance finds nobody, and an empty list leads nowhere.
TAKE_NOTHING = {"a", "b", "sort", "page_size", "rule", "release"}


@schemathesis.hook
def map_case(context, case):
    """Sides of a comparison that are questions; and lists with rows, where they are followed."""
    query = case.query or {}
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    if case.operation.path.endswith("/compare/"):
        for side in ("a", "b"):
            if isinstance(query.get(side), str):
                query[side] = SIDES[len(query[side]) % len(SIDES)]
    if case.meta.phase.name == "stateful" and query:
        case.query = {name: value for name, value in query.items() if name in TAKE_NOTHING}
    return case


@schemathesis.hook
def filter_case(context, case):
    """Ranges that do not end before they begin, no name of a study, collection or forest item by
    chance, at most ten words, cursors as given, and a release compared with an earlier one.
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
    numbers = str(query.get("since")), str((case.path_parameters or {}).get("number"))
    if all(map(str.isdecimal, numbers)) and int(numbers[0]) >= int(numbers[1]):
        return False
    return not {"study", "cursor", "collection"} & query.keys()
