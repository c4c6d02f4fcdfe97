"""What differs between two releases, cell by cell: read from their archives, so that everybody who
has both files finds the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from threading import Lock
from zipfile import ZipFile

from cachetools import LRUCache
from django.http import QueryDict

from ..models import Release, ReleasedCollection
from ..questions.form_fields import truncate_text
from ..tables import TIDY, Tidy
from ..tables.column import BATCH, batched
from .archives import DamagedArchive, check_archive, header_of, opened_archive, rows_of
from .rows import (
    BYTE_ORDER_MARK,
    MISSING,
    CsvLines,
    escape_formula,
    evidence_kind,
    unescape_formula,
)

ADDED, CHANGED, REMOVED = CHANGES = ("added", "changed", "removed")
# the same in every row of a file, or following from the study's own row: no change of a record
COMMON = {"empty_means", "collection", "evidence_kind"}
# a record that comes or goes is told by what is known of it
UNKNOWN = set(MISSING)
# Bounds: an archive is compared up to this size, and so many differences are listed. Both archives
# of more can be fetched and compared.
MAX_COMPARED_BYTES = 64 << 20
MAX_DIFFERENCES = 200_000

HEADER = (
    "collection",
    "evidence_kind",
    "since_release",
    "release",
    "table",
    "study",
    "record",
    "change",
    "field",
    "before",
    "after",
)


class CannotCompare(ValueError):
    """Why two releases are not compared, for a reader."""


@dataclass(frozen=True)
class Difference:
    """One cell that differs.

    `key` is what makes the record unique in its table, as (column, value) pairs; `study` is the
    study it belongs to. Of a record that was added or removed each known cell is a difference,
    empty before or after; one of nothing but its key has a single difference without a field.
    """

    collection: str
    table: str
    study: str
    key: tuple[tuple[str, str], ...]
    change: str
    field: str
    before: str
    after: str

    @property
    def record(self) -> str:
        """The key as one text: “patient=fujita-2019-1;treatment=1”."""
        return ";".join(f"{column}={value}" for column, value in self.key)


@dataclass(frozen=True)
class Compared:
    """The differences of one collection between two releases; `left_out` are (table, column) that
    only one of the two archives has, which says nothing of a record.
    """

    differences: list[Difference]
    left_out: list[tuple[str, str]]


_kept: LRUCache[tuple[str, str], Compared] = LRUCache(8)
_lock = Lock()


def compare_archives(older: ReleasedCollection, newer: ReleasedCollection) -> Compared:
    """All differences of a collection between two releases, by table, record and column.

    Raises CannotCompare where an archive is too large or damaged, or too much differs to be listed.
    """
    for released in (older, newer):
        if released.release.is_pruned:
            raise CannotCompare(f"The archives of {released.release} are not kept any more.")
    key = (older.sha256, newer.sha256)
    with _lock:
        if key in _kept:
            return _kept[key]
    if max(older.size, newer.size) > MAX_COMPARED_BYTES:
        raise CannotCompare(
            f"The archives of {newer.slug} are too large to be compared here. Both can be fetched "
            "at /releases/."
        )
    for released in (older, newer):
        try:
            check_archive(released)
        except DamagedArchive as error:
            raise CannotCompare(str(error)) from None
    differences: list[Difference] = []
    left_out: list[tuple[str, str]] = []
    with opened_archive(older) as before, opened_archive(newer) as after:
        studies = studies_of_patients(before) | studies_of_patients(after)
        for tidy in TIDY.values():
            path = f"{tidy.noun}.csv"
            headers = header_of(before, path), header_of(after, path)
            if all(headers):
                one_sided = sorted(set(headers[0]) ^ set(headers[1]))
                left_out += [(tidy.noun, name) for name in one_sided]
            for difference in table_differences(newer.slug, tidy, before, after, studies):
                if len(differences) == MAX_DIFFERENCES:
                    raise CannotCompare(
                        f"More than {MAX_DIFFERENCES:,} values of {newer.slug} differ. Both "
                        "archives can be fetched at /releases/."
                    )
                differences.append(difference)
    compared = Compared(differences, left_out)
    with _lock:
        _kept[key] = compared
    return compared


def compared_columns(tidy: Tidy, before: ZipFile, after: ZipFile) -> list[str]:
    """The columns both archives have of a table, so that a column added to Casebook is no change of
    every record. An archive without the table at all, made before there was one, has no record in
    it.
    """
    headers = [
        header for each in (before, after) if (header := header_of(each, f"{tidy.noun}.csv"))
    ]
    if not headers:
        return []
    return [
        name
        for name in headers[-1]
        if name not in COMMON and all(name in header for header in headers)
    ]


def table_differences(
    slug: str, tidy: Tidy, before: ZipFile, after: ZipFile, studies: dict[str, str]
) -> Iterator[Difference]:
    """The differences of one table, by record and column; `studies` are those of patients."""
    columns = compared_columns(tidy, before, after)
    old_rows, new_rows = (
        {tuple(row[name] for name in tidy.key): row for row in rows_of(archive, f"{tidy.noun}.csv")}
        for archive in (before, after)
    )
    for key in sorted(old_rows.keys() | new_rows.keys(), key=order_of):
        old, new = old_rows.get(key), new_rows.get(key)
        if old == new:
            continue
        change = CHANGED if old and new else ADDED if new else REMOVED
        either = new or old
        study = either.get("study") or studies.get(either.get("patient", ""), "")
        named = tuple(zip(tidy.key, key, strict=True))
        cells = [
            (name, old[name] if old else "", new[name] if new else "")
            for name in columns
            if name not in tidy.key
        ]
        told = [
            cell
            for cell in cells
            if (cell[1] != cell[2] if change == CHANGED else not {*cell[1:]} <= UNKNOWN)
        ]
        if not told and change != CHANGED:
            told = [("", "", "")]
        for name, was, became in told:
            known = [
                value if change == CHANGED or value not in UNKNOWN else ""
                for value in (was, became)
            ]
            yield Difference(
                slug, tidy.noun, study, named, change, name, *map(unescape_formula, known)
            )


def studies_of_patients(archive: ZipFile) -> dict[str, str]:
    """The study of each patient."""
    return {row["patient"]: row["study"] for row in rows_of(archive, "patients.csv")}


def order_of(key: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """Sorts keys so that course 10 follows course 9."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in key]


# What an address asks of them


@dataclass(frozen=True)
class AskedDifferences:
    """The differences that an address asks for; `problems` says what is wrong with it, and
    `refused` why it cannot be answered.
    """

    release: Release
    since: Release | None
    chosen: dict[str, str]  # the filters, by their words; empty where not asked
    collections: list[ReleasedCollection] = field(default_factory=list)
    new_collections: list[ReleasedCollection] = field(default_factory=list)
    all: list[Difference] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    refused: str = ""

    @property
    def differences(self) -> list[Difference]:
        """Those that the filters leave."""
        return [
            each
            for each in self.all
            if all(not value or getattr(each, name) == value for name, value in self.chosen.items())
        ]

    def choices(self, name: str) -> list[str]:
        """The values of a filter that any difference has."""
        return list(dict.fromkeys(getattr(each, name) for each in self.all if getattr(each, name)))


FILTERS = ("collection", "table", "study", "change")
WORDS = ("since", *FILTERS)


def asked_differences(release: Release, data: QueryDict) -> AskedDifferences:
    """Reads the words of an address: `since`, by default the release before, and the filters."""
    chosen = {name: data.get(name, "") for name in FILTERS}
    problems = [
        f"“{name}” is given more than once."
        for name in WORDS
        if len(set(filter(None, data.getlist(name)))) > 1
    ]
    earlier = Release.objects.filter(number__lt=release.number)
    since, text = earlier.first(), data.get("since", "")
    if text:
        is_number = text.isascii() and text.isdecimal() and len(text) <= 9
        since = earlier.filter(number=int(text)).first() if is_number else None
        if since is None:
            problems.append(
                f"“{truncate_text(text)}” is no release before release {release.number}."
            )
    asked = AskedDifferences(release, since, chosen, problems=problems)
    if problems:
        return asked
    return compare_releases(asked)


def compare_releases(asked: AskedDifferences) -> AskedDifferences:
    """The differences of all collections that both releases hold, and what is wrong with the
    filters: a word that no difference has is told from one that does not exist. Nothing differs
    from a release that is the first.
    """
    earlier = asked.since.collections.all() if asked.since else ()
    before = {released.slug: released for released in earlier}
    now = list(asked.release.collections.all())
    known = {
        "collection": {each.slug for each in now} | before.keys(),
        "table": TIDY.keys(),
        "change": set(CHANGES),
    }
    problems = [
        f"“{truncate_text(value)}” is no {name} of these releases. Known: "
        f"{', '.join(sorted(known[name]))}."
        for name, value in asked.chosen.items()
        if value and name in known and value not in known[name]
    ]
    both = [released for released in now if released.slug in before]
    only_now = [released for released in now if released.slug not in before and asked.since]
    found, left_out, refused = [], [], ""
    try:
        for released in both:
            compared = compare_archives(before[released.slug], released)
            found += compared.differences
            left_out += compared.left_out
    except CannotCompare as error:
        found, left_out, refused = [], [], str(error)
    return replace(
        asked,
        collections=both,
        new_collections=only_now,
        all=found,
        left_out=list(dict.fromkeys(left_out)),
        problems=problems,
        refused=refused,
    )


def differences_csv(asked: AskedDifferences) -> Iterator[str]:
    """The differences as the text of a CSV file, header first. No text is a formula."""
    lines = CsvLines()
    kinds = {each.slug: evidence_kind(each) for each in asked.collections}
    yield BYTE_ORDER_MARK + lines.as_text([HEADER])
    for batch in batched(asked.differences, BATCH):
        yield lines.as_text(
            (
                each.collection,
                kinds[each.collection],
                asked.since.number,
                asked.release.number,
                each.table,
                each.study,
                each.record,
                each.change,
                each.field,
                escape_formula(each.before),
                escape_formula(each.after),
            )
            for each in batch
        )
