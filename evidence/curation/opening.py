"""Opening a study for readers: what lets its tables be written where two people publish."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..database_file import loading_files
from ..models import Collection, OpenPublication, Origin, Signature, StudyDraft
from ..models.base import Keyed
from ..models.study_parts import PARTS, study_of


@contextmanager
def opened(
    draft: StudyDraft, signature: Signature | None, *, is_preview: bool = False
) -> Iterator[None]:
    """While the tables of a study are written: opens it under a signature, or for a preview. It is
    closed at the end, for which the draft's published version has to name the signature; a preview
    stays open until it is rolled back. Nothing where neither is needed.
    """
    if signature is not None:
        row = OpenPublication.objects.create(draft=draft, origin=Origin.SIGNED, signature=signature)
        yield
        row.delete()
        return
    if is_preview and draft.collection.needs_two_people:
        OpenPublication.objects.create(draft=draft, origin=Origin.PREVIEW)
    yield


class FilesOpening:
    """Opens studies for the files of a collection, each when it is first written; see `loading`."""

    def __init__(self):
        self.is_needed = False
        self.look_again()

    def look_again(self) -> None:
        """Asks whether any collection needs it; the files may have said so just now."""
        self.is_needed = Collection.objects.filter(needs_two_people=True).exists()

    def allows(self, record: Keyed) -> bool:
        """Whether files may write a record: not where its study was published as checked."""
        if not self.is_needed or type(record) not in PARTS:
            return True
        study = study_of(record)
        if not study.collection.needs_two_people:
            return True
        draft, _ = StudyDraft.objects.get_or_create(collection=study.collection, slug=study.slug)
        if draft.versions.filter(signature__isnull=False).exists():
            return False
        open_for_files(draft)
        return True


def open_for_files(draft: StudyDraft) -> None:
    """Opens a study for what the files of a collection say of it, if it is not open for them."""
    with loading_files():
        OpenPublication.objects.get_or_create(draft=draft, origin=Origin.FILES)


def close_files() -> None:
    """Closes what the loader has opened, once versions say what it wrote."""
    OpenPublication.objects.filter(origin=Origin.FILES).delete()
