"""Which release the data are of, and what an address that names a release may expect."""

import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from ..models import Collection, Patient, Release, ReleasedCollection, ReleasedRecords, Study
from ..models.choices import RetractionStatus
from ..models.consistency import (
    cached_per_version,
    cached_until_any_change,
    current_version,
    past_state,
)
from ..models.past_state import MAX_PATIENTS, CannotAnswer, Damaged, PastState, opened
from ..questions.filters import FILTERS
from ..questions.question import Question
from ..questions.vocabulary import unit_of
from ..tables import TIDY, Table, read_batches

logger = logging.getLogger(__name__)
# patients up to which contents are compared; beyond, an edit alone counts as a change
MAX_COMPARED_PATIENTS = 20_000

# The parts of a question that archives cannot be asked: what a search word names, such as the brand
# of a drug, is not in them.
NOT_IN_ARCHIVES = ("q",)
NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class ReleaseStatus:
    """How the data of a collection stand to the latest release that holds it.

    `has_changed` says whether they have changed since; `current` is the data version that gave
    them what they hold, as far as is known, and `changed_at` when it was.
    """

    release: Release | None
    has_changed: bool
    current: int
    changed_at: datetime

    @property
    def is_released(self) -> bool:
        return self.release is not None and not self.has_changed

    @property
    def label(self) -> str:
        """As files and answers say it: “1”, “1, changed since (data version 9)”, “none (data
        version 9)”.
        """
        if self.release is None:
            return f"none (data version {self.current})"
        return f"{self.release.number}" + (
            f", changed since (data version {self.current})" if self.has_changed else ""
        )

    @property
    def since(self) -> datetime:
        """When this state began: the release's own date, or the last change."""
        return self.release.released_at if self.is_released else self.changed_at

    @property
    def part_of_filename(self) -> str:
        """“-release-1”, or the data version where no release holds these data."""
        return f"-release-{self.release.number}" if self.is_released else f"-data-{self.current}"

    def as_json(self) -> dict:
        """For programs. Of a release itself without the data version, which counts the edits of
        one database: its answer is the same in every copy.
        """
        status = {
            "release": self.release and self.release.number,
            "changed_since": self.has_changed,
        }
        if self.release is not None:
            status |= {
                "released_at": self.release.released_at.isoformat(),
                "content_hash": self.release.content_hash,
            }
        return status if past_state() else status | {"data_version": self.current}

    def as_lasting_json(self) -> dict:
        """The same for a file that is alike in every copy of a release: without the data version,
        which counts the edits of one database, and with what names the release everywhere.
        """
        status = self.as_json()
        if self.is_released:
            status.pop("data_version", None)
            status["identifier"] = self.release.identifier
        return status


def latest_release() -> Release | None:
    """The latest release."""
    return release_by_number(current_version().release)


def release_by_number(number: int) -> Release | None:
    """The release of this number, if there is one."""
    if not number:
        return None
    return cached_until_any_change(
        ("release", number), lambda: Release.objects.filter(number=number).first()
    )


def release_named(text: str) -> Release | None:
    """The release of the number that an address gives, if it is a number and there is one."""
    return release_by_number(int(text)) if NUMBER.fullmatch(text) else None


@dataclass(frozen=True)
class ReleasedState:
    """A collection as a release holds it."""

    version: int
    content_hash: str
    patients: int


def released_states(number: int) -> dict[str, ReleasedState]:
    """The collections of a release, by slug."""

    def read_states() -> dict[str, ReleasedState]:
        records = ReleasedCollection.objects.filter(release__number=number)
        rows = records.values_list("slug", "version", "content_hash", "rows")
        return {
            slug: ReleasedState(changed, content, dict(rows).get("patients", 0))
            for slug, changed, content, rows in rows
        }

    return cached_until_any_change(("released", number), read_states)


def has_changed_since(released: ReleasedState, collection: Collection) -> bool:
    """Whether the records of a collection differ from the released ones. A new data version does
    not prove it: a shared table may have changed, or an edit may have been reverted.
    """
    if current_version().version_of(collection) <= released.version:
        return False
    return (
        released.patients > MAX_COMPARED_PATIENTS
        or content_hash(collection) != released.content_hash
    )


def release_status(collection: Collection) -> ReleaseStatus:
    """How a collection stands to the latest release; a release that does not hold it is none for
    it.
    """
    version = current_version()
    release = latest_release()
    released = released_states(release.number).get(collection.slug) if release else None
    has_changed = released is not None and has_changed_since(released, collection)
    current = (
        version.version_of(collection) if released is None or has_changed else released.version
    )
    return ReleaseStatus(release if released else None, has_changed, current, version.changed_at)


@dataclass(frozen=True)
class RequestedRelease:
    """What became of the release an address names. `problem` says why there is none of that
    number.
    """

    release: Release | None = None
    has_changed: bool = False
    problem: str = ""
    reason: str = ""  # why the release itself cannot be asked; empty where it can

    @property
    def is_past(self) -> bool:
        """Whether the release itself answers."""
        return past_state() is not None

    @property
    def archive(self) -> str:
        """Where the release can be read about and fetched."""
        return f"/releases/#release-{self.release.number}"

    @property
    def why(self) -> str:
        """Why the release did not answer, as the end of a sentence."""
        return self.reason or NOT_AT_HAND

    @property
    def changed_text(self) -> str:
        """Why an exact answer cannot be given, for whoever asked for one."""
        date = f"{self.release.released_at:%-d %B %Y}"
        return (
            f"The data have changed since release {self.release.number} of {date}, and it cannot "
            f"be asked: {self.why}. What there is of that release is at {self.archive}; without "
            "“release” this address gives the data of today."
        )


def requested_release(data: QueryDict, collection: Collection) -> RequestedRelease | None:
    """What an address that names a release, such as `release=1`, can expect of today's data; None
    if it names none.
    """
    numbers = set(filter(None, data.getlist("release")))
    if len(numbers) > 1:  # nobody could know which one is meant
        return RequestedRelease(problem="“release” is given more than once.")
    return find_requested_release(numbers.pop(), collection) if numbers else None


def requested_number(data: QueryDict) -> str:
    """What an address names a release by; empty where it names none."""
    return next(filter(None, data.getlist("release")), "")


# Of a release that could not be asked when the request came, and can be now.
NOT_AT_HAND = "it was not at hand a moment ago; ask again"


def find_requested_release(text: str, collection: Collection) -> RequestedRelease:
    """What the release of this number can be expected to be today."""
    release = release_named(text)
    if release is None:
        return RequestedRelease(
            problem="There is no such release. The releases are listed at /releases/."
        )
    released = released_states(release.number).get(collection.slug)
    if released is None:
        return RequestedRelease(problem=f"Release {release.number} does not hold this collection.")
    reason = "" if past_state() else why_not_asked(release)
    return RequestedRelease(release, has_changed_since(released, collection), reason=reason)


# Asking a release itself


def records_of(number: int) -> ReleasedRecords | None:
    """The records of a release, where they are kept."""
    return cached_until_any_change(
        ("records", number),
        lambda: (
            ReleasedRecords.objects.filter(release__number=number).select_related("release").first()
        ),
    )


def past_state_of(text: str, collection: Collection) -> PastState | None:
    """The state of the release of this number, if it holds the collection and can be asked. Raises
    Busy, and Damaged where its records are not those it was made of.
    """
    release = release_named(text)
    if release is None or collection.slug not in released_states(release.number):
        return None
    records = records_of(release.number)
    if records is None or records.sha256 in refused:
        return None
    try:
        return opened(records)
    except Damaged as error:
        logger.error("Release %s cannot be asked: %s", release.number, error)
        raise
    except CannotAnswer as error:
        refused[records.sha256] = str(error)
        return None


# why records cannot be read by this version of Casebook, by their SHA-256
refused: dict[str, str] = {}


def why_not_asked(release: Release) -> str:
    """Why a release cannot be asked, as the end of a sentence; empty where it can."""
    if release.is_pruned:
        return (
            f"its archive was removed on {release.pruned_at:%-d %B %Y} ({release.pruned_because})"
        )
    records = records_of(release.number)
    if records is not None:
        return refused.get(records.sha256, "")
    patients = sum(state.patients for state in released_states(release.number).values())
    if patients > MAX_PATIENTS:
        return f"it has more than {MAX_PATIENTS:,} patients"
    return "it was made before Casebook kept what that takes"


@dataclass(frozen=True)
class SinceReleased:
    """What has become of records of a release, which a page of it has to say: (slug, address)."""

    withdrawn: tuple[tuple[str, str], ...] = ()
    retracted: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.withdrawn or self.retracted)


def since_released(state: PastState, collection: Collection) -> SinceReleased:
    """What of the release's records has been withdrawn since, or is of a study retracted since."""

    def compare() -> SinceReleased:
        gone = {
            (noun, slug)
            for noun, model in (("patient", Patient), ("study", Study))
            for slug in model.objects.withdrawn_within(collection).values_list("slug", flat=True)
        }
        flagged = set(retracted_slugs(collection))
        if not gone and not flagged:
            return SinceReleased()
        with state.answering():
            then = Collection.objects.get(slug=collection.slug)
            seen = {
                (noun, slug)
                for noun, model in (("patient", Patient), ("study", Study))
                for slug in model.objects.within(then).values_list("slug", flat=True)
            }
            flagged -= set(retracted_slugs(then))
        return SinceReleased(
            tuple(
                (slug, reverse(noun, args=[collection.slug, slug]))
                for noun, slug in sorted(gone & seen)
            ),
            tuple(
                (slug, reverse("study", args=[collection.slug, slug]))
                for slug in sorted(flagged)
                if ("study", slug) in seen
            ),
        )

    return cached_per_version(("since", state.sha256), collection, compare)


def retracted_slugs(collection: Collection) -> list[str]:
    retracted = Study.objects.within(collection).filter(
        retraction_status=RetractionStatus.RETRACTED
    )
    return list(retracted.values_list("slug", flat=True))


def page_status(request: HttpRequest, collection: Collection, problems: list[str]) -> int:
    """400 for a page whose address is wrong, a release that does not exist included; otherwise
    200.
    """
    requested = requested_release(request.GET, collection)
    return 400 if problems or (requested and requested.problem) else 200


def parts_not_in_archives(question: Question) -> list[str]:
    """The labels of the parts of a question that no archive can be asked."""
    return [FILTERS[name].label for name in NOT_IN_ARCHIVES if name in question]


# The content, as one number


def content_hash(collection: Collection) -> str:
    """The SHA-256 of what a collection's tidy tables hold; nothing of where, when or as what they
    were released.
    """

    def compute_hash() -> str:
        question = Question(collection)
        return combined_hash(
            (tidy.noun, combined_hash(row_hashes(tidy.table, question))) for tidy in TIDY.values()
        )

    return cached_per_version(("content",), collection, compute_hash)


def row_hashes(table: Table, question: Question) -> Iterator[tuple[str, str]]:
    """Each row with its hash. Databases sort texts in different orders, so the order says
    nothing.
    """
    yield "columns", hash_values([column.name for column in table.file_columns])
    for batch in read_batches(
        table.file_columns, table, table.records(question).order_by(), question
    ):
        for row in zip(*batch.values, batch.reasons, strict=True):
            yield "row", hash_values(row)


def hash_values(values) -> str:
    return sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


def combined_hash(hashes: Iterable[tuple[str, str]]) -> str:
    """One hash over several, each with a name, whatever their order."""
    return hash_values(sorted(f"{name} {digest}" for name, digest in hashes))


def rows_in_words(released: ReleasedCollection) -> str:
    """The rows of a released collection in words, tables without any left out."""
    return ", ".join(
        f"{rows:,} {unit_of(rows, table.replace('-', ' '))}"
        for table, rows in released.rows
        if rows
    )
