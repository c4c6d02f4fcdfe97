"""What a schema cannot say of a request, for Schemathesis: `SCHEMATHESIS_HOOKS=.ci/api_hooks.py`.

Requests that break only these rules are rightly refused, so they are not among those that must be
answered.
"""

import schemathesis


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
