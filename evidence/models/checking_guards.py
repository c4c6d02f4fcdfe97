"""What holds of what people said of single values, as triggers: nobody checks their own work, and
nothing that was said is changed or deleted.
"""

from .checking import CELLS_STAY, ENTRY_STAYS, WROTE_IT
from .signing_guards import (
    AUTHOR_SIGNS,
    FILES,
    NAME_OF_SIGNER,
    OTHER_NAME,
    WRITTEN_BY_THEM,
    unless_put_back,
)
from .trigger import Guard

NEEDED = ("checkedcell.id", "openpublication.id", "studyversion.signature_id")
ENTRY_NEEDED = ("secondentry.id", "openpublication.id")
JUDGEMENT_NEEDED = ("judgement.id", *ENTRY_NEEDED)
# Not put back as `dump_evidence` wrote it, of a draft that is open for files.
ENTRY_NOT_PUT_BACK = (
    "NOT EXISTS (SELECT 1 FROM evidence_openpublication AS is_open "  # noqa: S608
    f"WHERE is_open.origin = '{FILES}' AND is_open.draft_id = {{draft}})"
)
OF_ITS_DRAFT = ENTRY_NOT_PUT_BACK.format(draft="NEW.draft_id")
OF_ITS_ENTRY = ENTRY_NOT_PUT_BACK.format(
    draft="(SELECT entry.draft_id FROM evidence_secondentry AS entry WHERE entry.id = NEW.entry_id)"
)
HAS_WRITTEN = (
    "EXISTS (SELECT 1 FROM evidence_studyversion AS version "
    "WHERE version.draft_id = NEW.draft_id AND version.author_id = NEW.user_id)"
)
ENTRY_DONE_OR_MOVED = (
    "OLD.finished_at IS NOT NULL OR NEW.draft_id <> OLD.draft_id "
    "OR COALESCE(NEW.user_id, 0) <> COALESCE(OLD.user_id, 0) OR NEW.user_name <> OLD.user_name"
)
NOT_FINISHED = (
    "NOT EXISTS (SELECT 1 FROM evidence_secondentry AS entry WHERE entry.id = NEW.entry_id "
    "AND entry.finished_at IS NOT NULL)"
)
FINISH_FIRST = "Differences are decided once the second entry is finished."

CHECKING_GUARDS = [
    *(
        Guard(f"secondentry_{name}", moment, "secondentry", condition, text, ENTRY_NEEDED)
        for name, moment, condition, text in (
            ("names_its_user", "INSERT", f"{OTHER_NAME} AND {OF_ITS_DRAFT}", NAME_OF_SIGNER),
            ("not_by_an_author", "INSERT", f"{HAS_WRITTEN} AND {OF_ITS_DRAFT}", WROTE_IT),
            ("not_by_an_author_since", "UPDATE", HAS_WRITTEN, WROTE_IT),
            ("stays_as_finished", "UPDATE", ENTRY_DONE_OR_MOVED, ENTRY_STAYS),
            ("is_never_deleted", "DELETE", "1 = 1", ENTRY_STAYS),
        )
    ),
    *(
        Guard(f"judgement_{name}", moment, "judgement", condition, text, JUDGEMENT_NEEDED)
        for name, moment, condition, text in (
            ("names_its_user", "INSERT", f"{OTHER_NAME} AND {OF_ITS_ENTRY}", NAME_OF_SIGNER),
            ("of_a_finished_entry", "INSERT", NOT_FINISHED, FINISH_FIRST),
            ("is_never_changed", "UPDATE", "1 = 1", CELLS_STAY),
            ("is_never_deleted", "DELETE", "1 = 1", CELLS_STAY),
        )
    ),
    Guard(
        "checkedcell_names_its_user",
        "INSERT",
        "checkedcell",
        unless_put_back(OTHER_NAME),
        NAME_OF_SIGNER,
        NEEDED,
    ),
    Guard(
        "checkedcell_not_by_an_author",
        "INSERT",
        "checkedcell",
        unless_put_back(WRITTEN_BY_THEM),
        AUTHOR_SIGNS,
        NEEDED,
    ),
    *(
        Guard(f"checkedcell_is_never_{name}", moment, "checkedcell", "1 = 1", CELLS_STAY, NEEDED)
        for name, moment in (("changed", "UPDATE"), ("deleted", "DELETE"))
    ),
]
