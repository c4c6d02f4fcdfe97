"""What a request asks: its question, and which rows and columns of the answer."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256

from django.core.exceptions import NON_FIELD_ERRORS
from django.http import Http404, QueryDict

from ..downloads.differences import WORDS as DIFFERENCE_WORDS
from ..downloads.differences import AskedDifferences, asked_differences
from ..downloads.release_status import release_by_number, requested_release
from ..models import Collection
from ..models.choices import Item
from ..models.consistency import current_version, past_state
from ..problems import ParameterError
from ..questions.filters.treatment import VIEW_PARAMS
from ..questions.form_fields import truncate_text
from ..questions.parsing import ParsedRequest, get_collection, parse_params, parse_query_string
from ..statistics import ALL_RULES, DEFAULT_RULE
from ..summaries import forest_items
from ..tables import Column, Table
from .errors import Refused

PAGE_SIZE = re.compile(r"[1-9][0-9]{0,8}")

DEFAULT_SIZE, LARGEST_SIZE = 100, 1000  # rows of a page
ROWS = ("sort", "fields", "page_size", "cursor")  # parameters of lists beside the filters
FOREST = ("item", "shared")  # parameters of a forest plot beside the filters
RULES = ("rule",)  # parameters of the rules beside the filters
SIDES = ("a", "b")  # parameters of a comparison, each a question as a query string
RELEASE = "release"
PAGES_BY_NUMBER = ("page", "page_size")  # of what never changes, so that a number is a place


def parse_api_request(
    data: QueryDict, slug: str, own_params: tuple[str, ...] = ()
) -> ParsedRequest:
    """The question of a request; `own_params` are parameters of this address beside the filters.

    Raises Http404 for an unknown collection, and Refused for a wrong question or data that have
    moved on since the release the request names.
    """
    collection = get_collection(slug)
    params = data.copy()
    for name in own_params:
        params.pop(name, None)
    parsed = parse_params(params, collection)
    errors = [
        (name, f"“{name}” is no parameter of this address.")
        for name in params
        if name in VIEW_PARAMS - {RELEASE}
    ]
    # On a page an empty field asks nothing; in a program it is a value that was forgotten.
    errors += [
        (name, f"“{truncate_text(name)}” is empty. Leave it out.")
        for name, values in data.lists()
        if not all(value.strip() for value in values)
    ]
    if parsed.question is None:
        errors += parameter_errors(parsed)
    errors += repeated_errors(data, *own_params, RELEASE)
    refuse_or_keep_release(data, collection, errors)
    return parsed


def refuse_or_keep_release(
    data: QueryDict, collection: Collection, errors: list[ParameterError]
) -> None:
    """Raises Refused for these errors, for a release that does not exist, and for one whose data
    have changed since.
    """
    requested = requested_release(data, collection)
    if requested and requested.problem:
        errors = list(dict.fromkeys([*errors, (RELEASE, requested.problem)]))
    raise_if_refused(errors)
    if requested and requested.has_changed:
        raise Refused(409, requested.changed_text, [(RELEASE, "The data have changed since.")])


def parse_record_request(data: QueryDict, slug: str) -> Collection:
    """The collection of an address that has no question and takes a release alone.

    Raises Http404 for an unknown collection, and Refused as `parse_api_request` does.
    """
    collection = get_collection(slug)
    errors = [
        (name, f"“{truncate_text(name)}” is no parameter of this address; it has {RELEASE} alone.")
        for name in data
        if name != RELEASE
    ]
    refuse_or_keep_release(data, collection, [*errors, *single_value_errors(data, RELEASE)])
    return collection


def single_value_errors(data: QueryDict, *names: str) -> list[ParameterError]:
    """What is wrong with parameters that have one value, where they are given."""
    empty = [
        (name, f"“{truncate_text(name)}” is empty. Leave it out.")
        for name in names
        if "" in data.getlist(name)
    ]
    return [*empty, *repeated_errors(data, *names)]


def repeated_errors(data: QueryDict, *names: str) -> list[ParameterError]:
    """Those of the parameters that have more than one value where one is meant."""
    return [
        (name, f"“{name}” is given more than once.")
        for name in names
        if len(set(data.getlist(name))) > 1
    ]


def parse_sides(data: QueryDict, slug: str) -> dict[str, ParsedRequest]:
    """The two questions of a comparison, by SIDES; an empty one asks for the whole collection.

    Raises Http404 for an unknown collection, and Refused as `parse_api_request` does.
    """
    collection = get_collection(slug)
    errors = [
        (name, f"“{truncate_text(name)}” is no part of a comparison; it has a, b and release.")
        for name in data
        if name not in (*SIDES, RELEASE)
    ]
    errors += [
        (side, f"“{side}” is missing: a comparison needs a and b.")
        for side in SIDES
        if side not in data
    ]
    errors += repeated_errors(data, *SIDES)
    errors += single_value_errors(data, RELEASE)
    parsed_by_side = {side: parse_query_string(data.get(side, ""), collection) for side in SIDES}
    errors += [
        (side, f"{side}: {problem}")
        for side, parsed in parsed_by_side.items()
        for problem in parsed.problems
    ]
    refuse_or_keep_release(data, collection, errors)
    return parsed_by_side


def rule_word(data: QueryDict) -> str:
    """The code of the rule asked for. Raises Refused for one that is none."""
    code = data.get("rule", DEFAULT_RULE)
    if code not in ALL_RULES:
        raise_if_refused(
            [("rule", f"“{truncate_text(code)}” is no rule. Known: {', '.join(ALL_RULES)}.")]
        )
    return code


def parameter_errors(parsed: ParsedRequest) -> list[ParameterError]:
    """What is wrong with a question, each fault by the word of the address."""
    form = parsed.form.form
    unknown_names = iter([name for name in form.data if name not in form.known_words()])
    errors = [(name, str(text)) for name, texts in form.errors.items() for text in texts]
    return [
        (next(unknown_names, "") if name == NON_FIELD_ERRORS else name, text)
        for name, text in errors
    ]


def refuse_parameters(data: QueryDict) -> None:
    """For addresses without parameters. Raises Refused."""
    raise_if_refused(
        [
            (name, f"“{truncate_text(name)}” is no parameter of this address; it has none.")
            for name in data
        ]
    )


def raise_if_refused(faults: list[ParameterError]) -> None:
    """Raises Refused if there is any fault."""
    if faults:
        raise Refused(400, " ".join(text for _, text in faults), faults)


def forest_words(data: QueryDict, parsed: ParsedRequest) -> tuple[str, bool]:
    """What a forest plot is of, and whether people who may stand in two rows are counted twice.
    Raises Refused.
    """
    item, shared = data.get("item", Item.IMPROVED.value), data.get("shared")
    errors = []
    if item not in forest_items(parsed.question):
        errors.append(
            ("item", f"“{truncate_text(item)}” is nothing a forest plot can be drawn of here.")
        )
    if shared not in (None, "yes"):
        errors.append(
            ("shared", f"“{truncate_text(shared)}” is not “yes”. Leave it out otherwise.")
        )
    raise_if_refused(errors)
    return item, shared == "yes"


def parse_differences(data: QueryDict, number: int) -> tuple[AskedDifferences, int, int]:
    """The differences a request asks for, which page of them, and rows of a page.

    Raises Http404 for an unknown release, and Refused for wrong parameters or archives that cannot
    be compared.
    """
    release = release_by_number(number)
    if release is None:
        raise Http404("There is no such release.")
    errors = [
        (name, f"“{truncate_text(name)}” is no parameter of this address.")
        for name in data
        if name not in (*DIFFERENCE_WORDS, *PAGES_BY_NUMBER)
    ]
    errors += [
        (name, f"“{truncate_text(name)}” is empty. Leave it out.")
        for name, values in data.lists()
        if "" in values
    ]
    errors += repeated_errors(data, *PAGES_BY_NUMBER)
    size, page = data.get("page_size") or str(DEFAULT_SIZE), data.get("page") or "1"
    if not (PAGE_SIZE.fullmatch(size) and int(size) <= LARGEST_SIZE):
        errors.append(("page_size", f"“page_size” is a whole number from 1 to {LARGEST_SIZE}."))
    if not PAGE_SIZE.fullmatch(page):
        errors.append(("page", "“page” is a whole number from 1."))
    raise_if_refused(errors)
    asked = asked_differences(release, data)
    raise_if_refused([("", problem) for problem in asked.problems])
    if asked.refused:
        raise Refused(409, asked.refused)
    return asked, int(page), int(size)


@dataclass(frozen=True)
class PageOfList:
    """Which rows of a list, in which order, with which columns."""

    columns: list[Column]
    sort: str
    start: int
    size: int


def page_of_list(data: QueryDict, table: Table, parsed: ParsedRequest) -> PageOfList:
    """Raises Refused for a wrong parameter, and for a cursor of data that have changed
    meanwhile.
    """
    errors: list[ParameterError] = []
    sort = data.get("sort", "")
    if not table.sorts_by(sort):
        errors.append(
            (
                "sort",
                f"“{truncate_text(sort)}” is no column to sort by. Known: "
                f"{', '.join(table.sort_words())}.",
            )
        )
    size = data.get("page_size") or str(DEFAULT_SIZE)
    if not (PAGE_SIZE.fullmatch(size) and 1 <= int(size) <= LARGEST_SIZE):
        errors.append(("page_size", f"“page_size” is a whole number from 1 to {LARGEST_SIZE}."))
    columns = {column.name: column for column in table.file_columns}
    names = data["fields"].split(",") if data.get("fields") else list(columns)
    if unknown_names := [name for name in names if name not in columns]:
        detail = (
            f"{', '.join(f'“{truncate_text(name)}”' for name in unknown_names[:3])}: no such "
            f"field. Known: {', '.join(columns)}."
        )
        errors.append(("fields", detail))
    raise_if_refused(errors)
    start = 0
    if cursor := data.get("cursor"):
        start = read_cursor(cursor, table, parsed, sort)
    return PageOfList([columns[name] for name in dict.fromkeys(names)], sort, start, int(size))


# A cursor is a place in the list of one question in one version of the data. The order of a list is
# total, so within a version nothing is seen twice or missed; when the data have changed, the reader
# is told instead.


def cursor_key(table: Table, parsed: ParsedRequest, sort: str) -> str:
    identity = repr((parsed.collection.slug, table.noun, parsed.question.query(), sort))
    return sha256(identity.encode()).hexdigest()[:12]


def data_read(collection: Collection) -> str:
    """Names the data a cursor is a place in: a release by number and content, as in every copy."""
    past = past_state()
    if past is None:
        return current_version().token_of(collection)
    return f"{past.number}-{past.content_hash}"


def make_cursor(start: int, table: Table, parsed: ParsedRequest, sort: str) -> str:
    content = [
        start,
        data_read(parsed.collection),
        cursor_key(table, parsed, sort),
    ]
    return (
        urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")
    )


def read_cursor(text: str, table: Table, parsed: ParsedRequest, sort: str) -> int:
    """The place a cursor stands for. Raises Refused."""
    try:
        start, token, question = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        is_valid = type(start) is int and 0 <= start < 1 << 40 and type(token) is str
    except (ValueError, TypeError, RecursionError):
        is_valid = False
    if not is_valid or question != cursor_key(table, parsed, sort):
        raise_if_refused(
            [("cursor", "This cursor belongs to another question, or to none. Begin without one.")]
        )
    if token != data_read(parsed.collection):
        detail = "The data have changed since the first page. Begin again without the cursor."
        raise Refused(409, detail, [("cursor", "It is of earlier data.")])
    return start
