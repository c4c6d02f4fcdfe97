"""What a request asks: its question, and which rows and columns of the answer."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256

from django.core.exceptions import NON_FIELD_ERRORS
from django.http import QueryDict

from ..downloads.release_status import requested_release
from ..models.choices import Item
from ..models.consistency import current_version
from ..problems import ParameterError
from ..questions.filters.treatment import VIEW_PARAMS
from ..questions.form_fields import truncated
from ..questions.parsing import ParsedRequest, get_collection, parse_params
from ..summaries import forest_items
from ..tables import Column, Table
from .errors import Refused

USUAL_SIZE, LARGEST_SIZE = 100, 1000  # rows of a page
ROWS = ("sort", "fields", "page_size", "cursor")  # parameters of lists beside the filters
FOREST = ("item", "shared")  # parameters of a forest plot beside the filters
RELEASE = "release"


def parse_api_request(data: QueryDict, slug: str, own: tuple[str, ...] = ()) -> ParsedRequest:
    """The question of a request; `own` are parameters of this address beside the filters.

    Raises Http404 for an unknown collection, and Refused for a wrong question or data that have moved on since the
    release the request names.
    """
    collection = get_collection(slug)
    words = data.copy()
    for name in own:
        words.pop(name, None)
    found = parse_params(words, collection)
    faults = [(name, f"“{name}” is no parameter of this address.") for name in words if name in VIEW_PARAMS - {RELEASE}]
    # On a page an empty field asks nothing; in a program it is a value that was forgotten.
    faults += [(name, f"“{truncated(name)}” is empty. Leave it out.") for name, values in data.lists() if "" in values]
    if found.question is None:
        faults += parameter_errors(found)
    faults += [(name, f"“{name}” is given more than once.") for name in own if len(set(data.getlist(name))) > 1]
    pin = requested_release(data, collection)
    if pin and pin.problem:
        faults.append((RELEASE, pin.problem))
    raise_if_refused(faults)
    if pin and pin.moved:
        raise Refused(409, pin.moved_on, [(RELEASE, "The data have changed since.")])
    return found


def parameter_errors(asked: ParsedRequest) -> list[ParameterError]:
    """What is wrong with a question, each fault by the word of the address."""
    form = asked.form.form
    unknown = iter([name for name in form.data if name not in form.words()])
    told = [(name, str(text)) for name, texts in form.errors.items() for text in texts]
    return [(next(unknown, "") if name == NON_FIELD_ERRORS else name, text) for name, text in told]


def refuse_parameters(data: QueryDict) -> None:
    """For addresses without parameters. Raises Refused."""
    raise_if_refused([(name, f"“{truncated(name)}” is no parameter of this address; it has none.") for name in data])


def raise_if_refused(faults: list[ParameterError]) -> None:
    """Raises Refused if there is any fault."""
    if faults:
        raise Refused(400, " ".join(text for _, text in faults), faults)


def forest_words(data: QueryDict, asked: ParsedRequest) -> tuple[str, bool]:
    """What a forest plot is of, and whether people who may stand in two rows are counted twice.
    Raises Refused.
    """
    item, shared = data.get("item", Item.IMPROVED.value), data.get("shared")
    faults = []
    if item not in forest_items(asked.question):
        faults.append(("item", f"“{truncated(item)}” is nothing a forest plot can be drawn of here."))
    if shared not in (None, "yes"):
        faults.append(("shared", f"“{truncated(shared)}” is not “yes”. Leave it out otherwise."))
    raise_if_refused(faults)
    return item, shared == "yes"


@dataclass(frozen=True)
class PageOfList:
    """Which rows of a list, in which order, with which columns."""

    columns: list[Column]
    sort: str
    start: int
    size: int


def page_of_list(data: QueryDict, table: Table, asked: ParsedRequest) -> PageOfList:
    """Raises Refused for a wrong parameter, and for a cursor of data that have changed meanwhile."""
    faults: list[ParameterError] = []
    sort = data.get("sort", "")
    if not table.sorts_by(sort):
        faults.append(("sort", f"“{truncated(sort)}” is no column to sort by. Known: {', '.join(table.sort_words())}."))
    size = data.get("page_size") or str(USUAL_SIZE)
    if not (size.isascii() and size.isdecimal() and 1 <= int(size[:9]) <= LARGEST_SIZE):
        faults.append(("page_size", f"“page_size” is a whole number from 1 to {LARGEST_SIZE}."))
    columns = {column.name: column for column in table.file_columns}
    chosen = data["fields"].split(",") if data.get("fields") else list(columns)
    if unknown := [name for name in chosen if name not in columns]:
        told = (
            f"{', '.join(f'“{truncated(name)}”' for name in unknown[:3])}: no such field. Known: {', '.join(columns)}."
        )
        faults.append(("fields", told))
    raise_if_refused(faults)
    start = 0
    if cursor := data.get("cursor"):
        start = read_cursor(cursor, table, asked, sort)
    return PageOfList([columns[name] for name in dict.fromkeys(chosen)], sort, start, int(size))


# A cursor is a place in the list of one question in one version of the data. The order of a list is total, so within a
# version nothing is seen twice or missed; when the data have changed, the reader is told instead.


def cursor_key(table: Table, asked: ParsedRequest, sort: str) -> str:
    said = repr((asked.collection.slug, table.noun, asked.question.query(), sort))
    return sha256(said.encode()).hexdigest()[:12]


def make_cursor(start: int, table: Table, asked: ParsedRequest, sort: str) -> str:
    said = [start, current_version().token_of(asked.collection), cursor_key(table, asked, sort)]
    return urlsafe_b64encode(json.dumps(said, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str, table: Table, asked: ParsedRequest, sort: str) -> int:
    """The place a cursor stands for. Raises Refused."""
    try:
        start, then, question = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        sound = type(start) is int and 0 <= start < 1 << 40 and type(then) is str
    except (ValueError, TypeError):
        sound = False
    if not sound or question != cursor_key(table, asked, sort):
        raise_if_refused([("cursor", "This cursor belongs to another question, or to none. Begin without one.")])
    if then != current_version().token_of(asked.collection):
        detail = "The data have changed since the first page. Begin again without the cursor."
        raise Refused(409, detail, [("cursor", "It is of earlier data.")])
    return start
