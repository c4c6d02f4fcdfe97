"""What a request asks: its question, and which rows and columns of the answer."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256

from django.core.exceptions import NON_FIELD_ERRORS
from django.http import QueryDict

from ..downloads.release_status import pinned
from ..models.choices import Item
from ..models.consistency import version
from ..problems import Fault
from ..questions.filters.treatment import VIEW_WORDS
from ..questions.form_fields import cut
from ..questions.parsing import Asked, asked_of, named
from ..summaries import forest_items
from ..tables import Column, Table
from .errors import Refused

USUAL_SIZE, LARGEST_SIZE = 100, 1000  # rows of a page
ROWS = ("sort", "fields", "page_size", "cursor")  # parameters of lists beside the filters
FOREST = ("item", "shared")  # parameters of a forest plot beside the filters
RELEASE = "release"


def asked(data: QueryDict, slug: str, own: tuple[str, ...] = ()) -> Asked:
    """The question of a request; `own` are parameters of this address beside the filters.

    Raises Http404 for an unknown collection, and Refused for a wrong question or data that have moved on since the
    release the request names.
    """
    collection = named(slug)
    words = data.copy()
    for name in own:
        words.pop(name, None)
    found = asked_of(words, collection)
    faults = [(name, f"“{name}” is no parameter of this address.") for name in words if name in VIEW_WORDS - {RELEASE}]
    # On a page an empty field asks nothing; in a program it is a value that was forgotten.
    faults += [(name, f"“{cut(name)}” is empty. Leave it out.") for name, values in data.lists() if "" in values]
    if found.question is None:
        faults += faults_of(found)
    faults += [(name, f"“{name}” is given more than once.") for name in own if len(set(data.getlist(name))) > 1]
    pin = pinned(data, collection)
    if pin and pin.problem:
        faults.append((RELEASE, pin.problem))
    refuse(faults)
    if pin and pin.moved:
        raise Refused(409, pin.moved_on, [(RELEASE, "The data have changed since.")])
    return found


def faults_of(asked: Asked) -> list[Fault]:
    """What is wrong with a question, each fault by the word of the address."""
    form = asked.form.form
    unknown = iter([name for name in form.data if name not in form.words()])
    told = [(name, str(text)) for name, texts in form.errors.items() for text in texts]
    return [(next(unknown, "") if name == NON_FIELD_ERRORS else name, text) for name, text in told]


def nothing_more(data: QueryDict) -> None:
    """For addresses without parameters. Raises Refused."""
    refuse([(name, f"“{cut(name)}” is no parameter of this address; it has none.") for name in data])


def refuse(faults: list[Fault]) -> None:
    """Raises Refused if there is any fault."""
    if faults:
        raise Refused(400, " ".join(text for _, text in faults), faults)


def forest_words(data: QueryDict, asked: Asked) -> tuple[str, bool]:
    """What a forest plot is of, and whether people who may stand in two rows are counted twice.
    Raises Refused.
    """
    item, shared = data.get("item", Item.IMPROVED.value), data.get("shared")
    faults = []
    if item not in forest_items(asked.question):
        faults.append(("item", f"“{cut(item)}” is nothing a forest plot can be drawn of here."))
    if shared not in (None, "yes"):
        faults.append(("shared", f"“{cut(shared)}” is not “yes”. Leave it out otherwise."))
    refuse(faults)
    return item, shared == "yes"


@dataclass(frozen=True)
class Part:
    """Which rows of a list, in which order, with which columns."""

    columns: list[Column]
    sort: str
    start: int
    size: int


def part(data: QueryDict, table: Table, asked: Asked) -> Part:
    """Raises Refused for a wrong parameter, and for a cursor of data that have changed meanwhile."""
    faults: list[Fault] = []
    sort = data.get("sort", "")
    if not table.sorts_by(sort):
        faults.append(("sort", f"“{cut(sort)}” is no column to sort by. Known: {', '.join(table.sort_words())}."))
    size = data.get("page_size") or str(USUAL_SIZE)
    if not (size.isascii() and size.isdecimal() and 1 <= int(size[:9]) <= LARGEST_SIZE):
        faults.append(("page_size", f"“page_size” is a whole number from 1 to {LARGEST_SIZE}."))
    columns = {column.name: column for column in table.file_columns}
    chosen = data["fields"].split(",") if data.get("fields") else list(columns)
    if unknown := [name for name in chosen if name not in columns]:
        told = f"{', '.join(f'“{cut(name)}”' for name in unknown[:3])}: no such field. Known: {', '.join(columns)}."
        faults.append(("fields", told))
    refuse(faults)
    start = 0
    if cursor := data.get("cursor"):
        start = read_cursor(cursor, table, asked, sort)
    return Part([columns[name] for name in dict.fromkeys(chosen)], sort, start, int(size))


# A cursor is a place in the list of one question in one version of the data. The order of a list is total, so within a
# version nothing is seen twice or missed; when the data have changed, the reader is told instead.


def belongs(table: Table, asked: Asked, sort: str) -> str:
    said = repr((asked.collection.slug, table.noun, asked.question.query(), sort))
    return sha256(said.encode()).hexdigest()[:12]


def cursor(start: int, table: Table, asked: Asked, sort: str) -> str:
    said = [start, version().token_of(asked.collection), belongs(table, asked, sort)]
    return urlsafe_b64encode(json.dumps(said, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str, table: Table, asked: Asked, sort: str) -> int:
    """The place a cursor stands for. Raises Refused."""
    try:
        start, then, question = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        sound = type(start) is int and 0 <= start < 1 << 40 and type(then) is str
    except (ValueError, TypeError):
        sound = False
    if not sound or question != belongs(table, asked, sort):
        refuse([("cursor", "This cursor belongs to another question, or to none. Begin without one.")])
    if then != version().token_of(asked.collection):
        detail = "The data have changed since the first page. Begin again without the cursor."
        raise Refused(409, detail, [("cursor", "It is of earlier data.")])
    return start
