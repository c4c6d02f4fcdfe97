"""What releases changed in the answer of a question: which patients came, changed and went.

Patients are named by their public ids, values are not: what was taken back must not live on in
somebody's feed reader.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from cachetools import LRUCache
from django.db.models import Exists, OuterRef

from ..models import ArchivePart, Release, ReleasedCollection
from ..questions.question import Question
from .archived_answers import ArchivedTables, NotInArchive, tree_of_today
from .archives import DamagedArchive, opened_archive

COMPARED = 12  # releases: the latest that hold the collection
# bytes of the tables of an archive that is asked while somebody waits; a larger one is passed over
MOST_BYTES = 8 << 20
# bytes of the tables that are kept, as files hold them; in memory they take a few times as much
KEPT_BYTES = 16 << 20
KEPT_ANSWERS = 2_000

_tables: LRUCache[str, ArchivedTables] = LRUCache(KEPT_BYTES, getsizeof=lambda held: held.size)
_answers: LRUCache[tuple, "PatientChanges"] = LRUCache(KEPT_ANSWERS)
_lock = Lock()


@dataclass(frozen=True)
class PatientChanges:
    """What became of the patients who answer a question, from one archive to the next, by their
    public ids in order.

    `added` are new in the collection, `entered` were in it and answer now; `changed` answered
    before too, and a row of theirs says something else; `left` do not answer any more; `withdrawn`
    are in the collection no longer, or their person counts by another report. `answering` is how
    many answer now.
    """

    answering: int
    added: tuple[str, ...] = ()
    entered: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.added, self.entered, self.changed, self.left, self.withdrawn))


@dataclass(frozen=True)
class ReleaseChanges:
    """What a release changed since an earlier one; `since` is None in the first."""

    release: Release
    since: Release | None
    patients: PatientChanges


@dataclass
class Followed:
    """The changes of a question's answer, newest first; `passed_over` says, in sentences, which
    releases could not be asked. `latest` is the latest release that holds the collection.
    """

    latest: Release | None = None
    changes: list[ReleaseChanges] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    is_cut: bool = False  # there are earlier releases, which are not compared


def latest_releases(slug: str) -> list[ReleasedCollection]:
    """A collection in its latest releases, newest first: one more than are compared. `kept` is
    whether there is an archive.
    """
    released = ReleasedCollection.objects.filter(slug=slug).select_related("release")
    parts = ArchivePart.objects.filter(archive=OuterRef("pk"))
    in_order = released.annotate(kept=Exists(parts)).order_by("-release__number")
    return list(in_order[: COMPARED + 1])


def follow_question(question: Question, since: int = 0) -> Followed:
    """What each of the latest releases changed in a question's answer; of those after `since`."""
    latest = latest_releases(question.collection.slug)
    if not latest:
        return Followed()
    followed = Followed(latest[0].release, is_cut=len(latest) > COMPARED)
    compared = latest[:COMPARED]
    before = None
    from_nothing = not followed.is_cut  # the first of all releases is in view
    for released in reversed(compared):
        try:
            check_can_be_read(released)
            patients = patient_changes(question, before, released)
        except NotInArchive as error:
            if released.release.number >= since:
                followed.passed_over.append(
                    f"Release {released.release.number} is passed over: {error}."
                )
            from_nothing = from_nothing and before is not None
            continue
        if (before or from_nothing) and patients and released.release.number > since:
            earlier = before.release if before else None
            followed.changes.insert(0, ReleaseChanges(released.release, earlier, patients))
        before = released
    return followed


def check_can_be_read(released: ReleasedCollection) -> None:
    """Raises NotInArchive where an archive is not kept any more, or too large."""
    if not released.kept:
        because = released.release.pruned_because
        raise NotInArchive(f"its archive is not kept any more{because and f' ({because})'}")
    check_size(released.size)


def check_size(size: int) -> None:
    """Raises NotInArchive where so many bytes are too many."""
    if size > MOST_BYTES:
        raise NotInArchive("its archive is too large to be asked here")


def patient_changes(
    question: Question, older: ReleasedCollection | None, newer: ReleasedCollection
) -> PatientChanges:
    """What differs between two archives, or what there is in the first, kept by the hashes of the
    archives. Raises NotInArchive.
    """
    hashes = (older and older.sha256, newer.sha256)
    key = (*hashes, question.collection.slug, question.parts, tree_of_today())
    with _lock:
        if key in _answers:
            return _answers[key]
    changes = compare(question, older and archived_tables(older), archived_tables(newer))
    with _lock:
        _answers[key] = changes
    return changes


def archived_tables(released: ReleasedCollection) -> ArchivedTables:
    """The tables of an archive, read once while they are kept. Raises NotInArchive."""
    with _lock:
        if released.sha256 in _tables:
            return _tables[released.sha256]
    try:
        with opened_archive(released) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            check_size(size)
            tables = ArchivedTables(archive, size)
    except DamagedArchive:
        raise NotInArchive("its archive is damaged") from None
    with _lock:
        _tables[released.sha256] = tables
    return tables


def compare(
    question: Question, before: ArchivedTables | None, now: ArchivedTables
) -> PatientChanges:
    """Raises NotInArchive."""
    answer_now = now.answering(question)
    if before is None:
        return PatientChanges(len(answer_now), added=ordered(answer_now))
    answered = before.answering(question)
    old, new = before.contents(now.headers), now.contents(before.headers)
    return PatientChanges(
        len(answer_now),
        added=ordered(answer_now - before.patients.keys()),
        entered=ordered((answer_now - answered) & before.patients.keys()),
        changed=ordered(slug for slug in answer_now & answered if old[slug] != new[slug]),
        left=ordered((answered - answer_now) & now.patients.keys()),
        withdrawn=ordered(answered - now.patients.keys()),
    )


def ordered(slugs: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(slugs))
