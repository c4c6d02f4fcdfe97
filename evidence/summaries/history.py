"""What readers are told of a study's making: when it was entered, by how many it was checked, what
has been corrected since.
"""

from dataclasses import dataclass
from datetime import datetime

from ..models import Door, Provenance, Study, StudyVersion
from ..models.consistency import past_state

FROM_FILES = (Door.FIXTURES, Door.FOUND)


@dataclass(frozen=True)
class Correction:
    """One change of a study that readers could see before and after."""

    at: datetime
    cells: int
    reason: str
    by: str  # empty without the person's consent


@dataclass(frozen=True)
class History:
    """A study's making. `entered_at` is None where it came with the collection's files, and
    `published_at` where readers saw it first as the files have it: when a database loaded them
    says nothing of the study.
    """

    entered_at: datetime | None
    published_at: datetime | None
    by: str
    checked_at: datetime | None  # what readers see now, by somebody who wrote none of it
    checked_by: str  # empty without the person's consent
    values_checked: int  # by somebody other than who entered them, as the places of values say
    corrections: list[Correction]

    @property
    def from_files(self) -> bool:
        """Whether it came with the collection's files, and nothing is known of its entry."""
        return self.entered_at is None


def study_history(study: Study) -> History:
    """The history of a published study, in two queries: versions come without their content.

    A second person signs a whole version; where places of single values name who checked them,
    those are counted. Of a release, what later files corrected is left out: whether and when a
    database loaded the files before is none of the release.
    """
    versions = list(
        StudyVersion.objects.filter(draft__collection=study.collection_id, draft__slug=study.slug)
        .order_by("number")
        .values_list(
            "at",
            "door",
            "is_public",
            "changed",
            "message",
            "author__curator__public_name",
            "signature__at",
            "signature__user__curator__public_name",
        )
    )
    public = [version for version in versions if version[2]]
    entered = versions[0] if versions and versions[0][1] not in FROM_FILES else None
    return History(
        entered_at=entered[0] if entered else None,
        published_at=public[0][0] if public and public[0][1] not in FROM_FILES else None,
        by=(entered[5] or "") if entered else "",
        checked_at=public[-1][6] if public else None,
        checked_by=(public[-1][7] or "") if public else "",
        values_checked=Provenance.objects.filter(study=study).exclude(checked_by="").count(),
        corrections=[
            Correction(at, changed, message, name or "")
            for at, door, _, changed, message, name, *_ in reversed(public[1:])
            if changed and not (door in FROM_FILES and past_state())
        ],
    )
