"""What holds where two people publish, as triggers: who may sign what, and that readers see nothing
of a study change but by a version that a second person has checked.

`SECURITY.md` says against whom. The rules of the tables of a study are made from
`study_parts.PARTS`, so that a new one is held too.
"""

from collections.abc import Iterator

from django.db import models

from ..database_file import IS_LOADING
from .draft import FOUND_MESSAGE, Door
from .publication import ONCE_PUBLISHED
from .signature import Meaning, Origin
from .study import TWO_PEOPLE_STAYS
from .study_parts import PARTS
from .trigger import Guard, RowsGuard

# All that goes into this SQL is a constant of ours: no part of it comes from outside.
NEEDED = ("collection.needs_two_people", "openpublication.id", "signature.id")
SEEN = "({})".format(", ".join(f"'{state}'" for state in ONCE_PUBLISHED))
CHECKED, SUBMITTED, SENT_BACK = map(str, (Meaning.CHECKED, Meaning.SUBMITTED, Meaning.SENT_BACK))
SIGNED, FILES, PREVIEW = map(str, (Origin.SIGNED, Origin.FILES, Origin.PREVIEW))

TWO_PEOPLE = (
    "Two people publish here: what readers see of a study changes only through a version that a "
    "second person has checked."
)
ANY_NEEDS_TWO = "EXISTS (SELECT 1 FROM evidence_collection WHERE needs_two_people)"
# Of a study that readers see, in a collection that needs two people, which is not open.
CLOSED = (
    f"study.state IN {SEEN} AND EXISTS (SELECT 1 FROM evidence_collection AS its_collection "  # noqa: S608
    "WHERE its_collection.id = study.collection_id AND its_collection.needs_two_people) "
    "AND NOT EXISTS (SELECT 1 FROM evidence_openpublication AS is_open JOIN evidence_studydraft "
    "AS its_draft ON its_draft.id = is_open.draft_id "
    "WHERE its_draft.collection_id = study.collection_id AND its_draft.slug = study.slug)"
)


def is_closed(model: type[models.Model], path: str) -> str:
    """That a row of a table, `{row}`, belongs to a closed study; `path` leads there from it."""
    if path == "pk":
        return CLOSED.replace("study.", "{row}.")
    tables, column, owner = [], "", "{row}"
    for step, name in enumerate(steps := path.split("__"), start=1):
        field = model._meta.get_field(name)
        model, held = field.related_model, f"{owner}.{field.column}"
        owner = "study" if step == len(steps) else f"its_{name}"
        if not tables:
            tables, column = [f"{model._meta.db_table} AS {owner}"], f"{owner}.id = {held}"
        else:
            tables.append(f"JOIN {model._meta.db_table} AS {owner} ON {owner}.id = {held}")
    return f"EXISTS (SELECT 1 FROM {' '.join(tables)} WHERE {column} AND {CLOSED})"  # noqa: S608


def tables_of_a_study() -> Iterator[tuple[str, str]]:
    """Each table of a study without its prefix, lists of terms included, with the condition that a
    row of it belongs to a closed study.
    """
    for model, path in PARTS.items():
        yield model._meta.model_name, is_closed(model, path)
        for field in model._meta.many_to_many:
            through, owner = field.remote_field.through, field.m2m_field_name()
            if through._meta.auto_created:
                there = owner if path == "pk" else f"{owner}__{path}"
                yield through._meta.db_table.removeprefix("evidence_"), is_closed(through, there)


# A signature, NEW, with the version and the draft it is of.
OF_THE_VERSION = "evidence_studyversion AS version WHERE version.id = NEW.version_id"
# Not put back as `dump_evidence` wrote it: of one that is, who signed may have no account here, and
# the version is long past.
NOT_PUT_BACK = (
    "NOT EXISTS (SELECT 1 FROM evidence_openpublication AS is_open JOIN evidence_studyversion AS "  # noqa: S608
    f"put_back ON put_back.draft_id = is_open.draft_id WHERE is_open.origin = '{FILES}' "
    "AND put_back.id = NEW.version_id)"
)
LAST_WORD = (
    "COALESCE((SELECT word.meaning FROM evidence_signature AS word "
    "WHERE word.version_id = NEW.version_id ORDER BY word.id DESC LIMIT 1), '')"
)
LAST_CHECKED = (
    "COALESCE((SELECT MAX(earlier.number) FROM evidence_studyversion AS earlier "
    "WHERE earlier.draft_id = version.draft_id AND earlier.signature_id IS NOT NULL), 0)"
)
# Whoever says it wrote a version of the study since the last one published as checked.
WRITTEN_BY_THEM = (
    "EXISTS (SELECT 1 FROM evidence_studyversion AS version "  # noqa: S608
    "JOIN evidence_studyversion AS since ON since.draft_id = version.draft_id "
    "JOIN evidence_studyversion AS written ON written.draft_id = version.draft_id "
    "AND written.digest = since.digest WHERE version.id = NEW.version_id "
    f"AND written.author_id = NEW.user_id AND since.number > {LAST_CHECKED})"
)
BY_AN_AUTHOR = f"NEW.meaning = '{CHECKED}' AND {WRITTEN_BY_THEM}"
NOT_THE_HEAD = (
    "NOT EXISTS (SELECT 1 FROM evidence_studydraft AS draft JOIN evidence_studyversion AS version "
    "ON version.draft_id = draft.id AND version.id = draft.head_id "
    "WHERE version.id = NEW.version_id AND NOT version.is_published {lock})"
)
OTHER_DIGEST = f"NOT EXISTS (SELECT 1 FROM {OF_THE_VERSION} AND version.digest = NEW.digest)"  # noqa: S608
WITHOUT_AUTHOR = (
    f"NEW.meaning = '{CHECKED}' AND EXISTS (SELECT 1 FROM {OF_THE_VERSION} "  # noqa: S608
    "AND version.author_id IS NULL)"
)
OUT_OF_TURN = (
    f"(NEW.meaning = '{SUBMITTED}' AND {LAST_WORD} NOT IN ('', '{SENT_BACK}')) OR "
    f"(NEW.meaning = '{SENT_BACK}' AND {LAST_WORD} NOT IN ('{SUBMITTED}', '{CHECKED}')) OR "
    f"(NEW.meaning = '{CHECKED}' AND {LAST_WORD} <> '{SUBMITTED}')"
)
OTHER_NAME = (
    "NOT EXISTS (SELECT 1 FROM auth_user WHERE auth_user.id = NEW.user_id "
    "AND auth_user.username = NEW.user_name)"
)
AUTHOR_SIGNS = (
    "Who wrote a version since the last one that was published as checked cannot check this one."
)
NEWEST_ONLY = (
    "Only the newest version of a study in work can be signed, and only before it is published."
)
WRONG_DIGEST = "A signature holds the digest of the version it is of."
NO_AUTHOR = (
    "Nobody is known as the author of this version, so nobody can check it as a second person. "
    "Whoever changes it next is its author."
)
TURN = "A version is sent to be checked first; then it is sent back, or signed as checked, once."
NAME_OF_SIGNER = "A signature holds the account that signs and its name."
SIGNATURES_STAY = "A signature is never changed or deleted."

# The row that opens a study.
NOT_SIGNED = (
    f"NEW.origin = '{SIGNED}' AND NOT EXISTS (SELECT 1 FROM evidence_signature AS signature "  # noqa: S608
    "JOIN evidence_studyversion AS version ON version.id = signature.version_id "
    "JOIN evidence_studydraft AS draft ON draft.id = version.draft_id "
    "AND draft.head_id = version.id WHERE signature.id = NEW.signature_id "
    "AND draft.id = NEW.draft_id AND signature.digest = version.digest "
    f"AND signature.meaning = '{CHECKED}' "
    "AND signature.user_id IS NOT NULL AND signature.id = (SELECT MAX(word.id) "
    "FROM evidence_signature AS word WHERE word.version_id = version.id) "
    "AND COALESCE(version.base_id, 0) = COALESCE(draft.published_id, 0) AND NOT EXISTS (SELECT 1 "
    "FROM evidence_studyversion AS later WHERE later.draft_id = draft.id "
    "AND later.number > version.number) AND NOT EXISTS (SELECT 1 "
    "FROM evidence_studyversion AS used WHERE used.signature_id = signature.id) {lock})"
)
NOT_BY_FILES = f"NEW.origin = '{FILES}' AND "
NOT_LOADING = f"{NOT_BY_FILES}NOT {IS_LOADING}()"
NOT_THE_OWNER = (
    f"{NOT_BY_FILES}NOT pg_has_role(current_user, (SELECT relowner FROM pg_class "  # noqa: S608
    "WHERE oid = 'evidence_openpublication'::regclass), 'USAGE')"
)
SIGNED_BEFORE = (
    f"{NOT_BY_FILES}EXISTS (SELECT 1 FROM evidence_studyversion AS version "  # noqa: S608
    "WHERE version.draft_id = NEW.draft_id AND version.signature_id IS NOT NULL)"
)
STILL_OPEN = (
    f"OLD.origin = '{PREVIEW}' OR (OLD.origin = '{SIGNED}' AND NOT EXISTS (SELECT 1 "  # noqa: S608
    "FROM evidence_studydraft AS draft JOIN evidence_studyversion AS version "
    "ON version.id = draft.published_id WHERE draft.id = OLD.draft_id "
    f"AND version.signature_id = OLD.signature_id)) OR (OLD.origin = '{FILES}' AND EXISTS "
    "(SELECT 1 FROM evidence_studydraft AS draft JOIN evidence_study AS study "
    "ON study.collection_id = draft.collection_id AND study.slug = draft.slug "
    "WHERE draft.id = OLD.draft_id AND draft.published_id IS NULL))"
)
NOT_CHECKED = (
    "This version is not signed as checked by a second person, has been sent back or changed "
    "since, or was published already."
)
FILES_ONLY = "Only `load_evidence` writes what the files of a collection say."
FILES_YIELD = "What was published as checked is not changed by files."
ENDS_WITH_VERSION = (
    "What was opened is closed by a version that is published under the same signature; a preview "
    "is taken back."
)
NEVER_MOVED = "A study is opened for one publication, which does not change."

# A version, NEW.
IN_TWO_PEOPLES_COLLECTION = (
    f"{ANY_NEEDS_TWO} AND EXISTS (SELECT 1 FROM evidence_studydraft AS draft "  # noqa: S608
    "JOIN evidence_collection AS collection ON collection.id = draft.collection_id "
    "WHERE draft.id = NEW.draft_id AND collection.needs_two_people)"
)
VERSION_OPEN = (
    "EXISTS (SELECT 1 FROM evidence_openpublication AS is_open "
    "WHERE is_open.draft_id = NEW.draft_id{more})"
)
FILES_OPEN = VERSION_OPEN.format(more=f" AND is_open.origin = '{FILES}'")
VERSION_WITHOUT_AUTHOR = (
    f"NEW.author_id IS NULL AND NOT NEW.is_published AND {IN_TWO_PEOPLES_COLLECTION} "
    f"AND NOT {FILES_OPEN}"
)
VERSION_NOT_OPEN = (
    f"NEW.is_published AND {IN_TWO_PEOPLES_COLLECTION} AND NOT {VERSION_OPEN.format(more='')} "
    f"AND NOT (NEW.door = '{Door.FOUND}' AND NEW.message = '{FOUND_MESSAGE}' "
    "AND NEW.author_id IS NULL AND NEW.signature_id IS NULL)"
)
OTHER_SIGNATURE = (
    "NEW.signature_id IS NOT NULL AND NOT "
    + VERSION_OPEN.format(more=" AND is_open.signature_id = NEW.signature_id")
    + f" AND NOT {FILES_OPEN}"
)
AUTHOR_NEEDED = "Where two people publish, each version has an author."
DRAFT_MOVED = (
    "(NEW.slug <> OLD.slug OR NEW.collection_id <> OLD.collection_id) AND EXISTS "
    "(SELECT 1 FROM evidence_studyversion AS version WHERE version.draft_id = OLD.id)"
)
DRAFT_STAYS = "A study in work stays that study: its versions are of no other."
HAS_BEEN_SEEN = (
    "OLD.needs_two_people AND NOT NEW.needs_two_people AND EXISTS (SELECT 1 FROM evidence_study "  # noqa: S608
    f"WHERE collection_id = OLD.id AND state IN {SEEN})"
)


def unless_put_back(condition: str) -> str:
    """A condition on a new signature, but for those that are put back."""
    return f"({condition}) AND {NOT_PUT_BACK}"


SIGNING_GUARDS = [
    Guard("two_people_stays", "UPDATE", "collection", HAS_BEEN_SEEN, TWO_PEOPLE_STAYS, NEEDED),
    Guard("draft_stays_its_study", "UPDATE", "studydraft", DRAFT_MOVED, DRAFT_STAYS, NEEDED),
    *(
        Guard(f"signature_{name}", "INSERT", "signature", unless_put_back(condition), text, NEEDED)
        for name, condition, text in (
            ("of_the_newest", NOT_THE_HEAD, NEWEST_ONLY),
            ("has_the_digest", OTHER_DIGEST, WRONG_DIGEST),
            ("names_its_user", OTHER_NAME, NAME_OF_SIGNER),
            ("in_turn", OUT_OF_TURN, TURN),
            ("not_by_an_author", BY_AN_AUTHOR, AUTHOR_SIGNS),
            ("not_of_nobody", WITHOUT_AUTHOR, NO_AUTHOR),
        )
    ),
    Guard("signature_is_never_changed", "UPDATE", "signature", "1 = 1", SIGNATURES_STAY, NEEDED),
    Guard("signature_is_never_deleted", "DELETE", "signature", "1 = 1", SIGNATURES_STAY, NEEDED),
    *(
        Guard(f"open_{name}", moment, "openpublication", condition, text, NEEDED, elsewhere)
        for name, moment, condition, text, elsewhere in (
            ("is_signed", "INSERT", NOT_SIGNED, NOT_CHECKED, ""),
            ("by_the_loader", "INSERT", NOT_LOADING, FILES_ONLY, NOT_THE_OWNER),
            ("not_over_a_signature", "INSERT", SIGNED_BEFORE, FILES_YIELD, ""),
            ("never_changes", "UPDATE", "1 = 1", NEVER_MOVED, ""),
            ("ends_with_a_version", "DELETE", STILL_OPEN, ENDS_WITH_VERSION, ""),
        )
    ),
    *(
        Guard(f"version_{name}", "INSERT", "studyversion", condition, text, NEEDED)
        for name, condition, text in (
            ("has_an_author", VERSION_WITHOUT_AUTHOR, AUTHOR_NEEDED),
            ("is_published_open", VERSION_NOT_OPEN, TWO_PEOPLE),
            ("has_its_signature", OTHER_SIGNATURE, NOT_CHECKED),
        )
    ),
    *(
        RowsGuard(
            f"{table}_{moment.lower()}_by_two",
            moment,
            table,
            condition,
            TWO_PEOPLE,
            NEEDED,
            asked_first=ANY_NEEDS_TWO,
        )
        for table, condition in tables_of_a_study()
        for moment in ("INSERT", "UPDATE", "DELETE")
    ),
]
