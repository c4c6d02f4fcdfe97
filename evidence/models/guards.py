"""The rules a table's own constraints cannot hold: they ask another table, or the row as it was.

Written as database triggers after every migration, and on SQLite taken away before it: SQLite drops
a table's triggers when a migration remakes the table, and refuses to remake one that another
table's trigger asks about. The message is what a curator reads when a write goes round the forms.
"""

from .checking_guards import CHECKING_GUARDS
from .choices import Ascertainment, CollectionKind, Extraction, State
from .publication import (
    COURSE_STAYS,
    NEVER_SEEN,
    NO_DRAFT_AGAIN,
    NOT_DELETED,
    ONCE_PUBLISHED,
    PLACE_STAYS,
    SLUG_STAYS,
)
from .signing_guards import SIGNING_GUARDS
from .study import ADDRESS_STAYS, KIND_STAYS, LOOKED_FOR_NEEDED
from .trigger import Guard

# All that goes into this SQL is a constant of ours: no part of it comes from outside.
EVENT_NEEDED = "An adverse event needs a course whose adverse events are recorded as reported."
EVENTS = str(Ascertainment.EVENTS)
EVENT_WITHOUT_ASCERTAINMENT = (
    f"(SELECT adverse_events FROM evidence_treatment WHERE id = NEW.treatment_id) <> '{EVENTS}'"  # noqa: S608
)
ASCERTAINMENT_WITHOUT_EVENT = (
    f"NEW.adverse_events <> '{EVENTS}' "  # noqa: S608
    "AND EXISTS (SELECT 1 FROM evidence_adverseevent WHERE treatment_id = NEW.id)"
)

FULL_TEXT = str(Extraction.FULL_TEXT)
FULL_TEXT_NOT_LOOKED_FOR = (
    f"NEW.extraction = '{FULL_TEXT}' AND EXISTS "  # noqa: S608
    "(SELECT 1 FROM evidence_patient WHERE study_id = NEW.id AND NOT looked_for)"
)
# {lock} keeps the study as it is until the patient is written, where two may write at once.
NOT_LOOKED_FOR_UNDER_FULL_TEXT = (
    "NOT NEW.looked_for AND (SELECT extraction FROM evidence_study WHERE id = NEW.study_id {lock}) "  # noqa: S608
    f"= '{FULL_TEXT}'"
)

OUT_OF_RANGE = "A value lies outside the range of its measure."
OUTSIDE = (
    "({row}.baseline < {limits}.low OR {row}.baseline > {limits}.high "
    "OR {row}.followup < {limits}.low OR {row}.followup > {limits}.high)"
)
OUTCOME_OUT_OF_RANGE = (
    "(NEW.baseline IS NOT NULL OR NEW.followup IS NOT NULL) AND EXISTS "  # noqa: S608
    "(SELECT 1 FROM evidence_measure AS it WHERE it.label = NEW.measure AND "
    f"{OUTSIDE.format(row='NEW', limits='it')} {{lock}})"
)
# Only where a limit moves inwards: what was entered before there was one stays until it is mended.
OUTCOMES_OUT_OF_NEW_RANGE = (
    "((NEW.low IS NOT NULL AND (OLD.low IS NULL OR NEW.low > OLD.low)) "  # noqa: S608
    "OR (NEW.high IS NOT NULL AND (OLD.high IS NULL OR NEW.high < OLD.high))) AND EXISTS "
    "(SELECT 1 FROM evidence_outcome AS it WHERE it.measure = NEW.label AND "
    f"{OUTSIDE.format(row='it', limits='NEW')})"
)

SEEN = "({})".format(", ".join(f"'{state}'" for state in ONCE_PUBLISHED))
PUBLISHED = str(CollectionKind.PUBLISHED)
STUDY_WAS_PUBLISHED = (
    f"OLD.state IN {SEEN} AND EXISTS (SELECT 1 FROM evidence_collection "  # noqa: S608
    f"WHERE id = OLD.collection_id AND kind = '{PUBLISHED}')"
)
PATIENT_IS_PUBLIC = (
    f"{{row}}.state IN {SEEN} AND EXISTS (SELECT 1 FROM evidence_study "  # noqa: S608
    "JOIN evidence_collection ON evidence_collection.id = evidence_study.collection_id "
    f"WHERE evidence_study.id = {{row}}.study_id AND evidence_study.state IN {SEEN} "
    f"AND evidence_collection.kind = '{PUBLISHED}')"
)
PATIENT_WAS_PUBLISHED = PATIENT_IS_PUBLIC.format(row="OLD")
PATIENT_MOVED_AWAY = (
    "NEW.study_id <> OLD.study_id AND NOT EXISTS (SELECT 1 FROM evidence_study AS here "  # noqa: S608
    "JOIN evidence_study AS there ON there.collection_id = here.collection_id "
    f"WHERE here.id = OLD.study_id AND there.id = NEW.study_id AND there.state IN {SEEN})"
)
COURSE_WAS_PUBLISHED = (
    "EXISTS (SELECT 1 FROM evidence_patient AS it WHERE it.id = OLD.patient_id "  # noqa: S608
    f"AND {PATIENT_IS_PUBLIC.format(row='it')})"
)
COURSE_RENAMED = "(NEW.number <> OLD.number OR NEW.patient_id <> OLD.patient_id)"
HAS_STUDIES = "EXISTS (SELECT 1 FROM evidence_study WHERE collection_id = {row}.id)"
COLLECTION_STAYS = "A collection with studies is not deleted; take its studies out first."
SAME_STUDY = "(it.collection_id = NEW.collection_id AND it.slug = NEW.slug)"
HAS_VERSIONS = "EXISTS (SELECT 1 FROM evidence_studyversion WHERE draft_id = {row}.id)"
VERSION_IS_THERE = (
    "EXISTS (SELECT 1 FROM evidence_studyversion AS it WHERE it.id = NEW.id "
    "OR (it.draft_id = NEW.draft_id AND it.number = NEW.number))"
)
# Only of a row that is there: a new one may come from the files of a collection, which withdrew it.
WITHDRAWN_NOW = f"NEW.state = '{State.WITHDRAWN}' AND OLD.state <> '{State.WITHDRAWN}'"
STUDY_NEVER_SEEN = f"{WITHDRAWN_NOW} AND OLD.state NOT IN {SEEN}"
PATIENT_NEVER_SEEN = (
    f"{WITHDRAWN_NOW} AND NOT (OLD.state IN {SEEN} AND EXISTS (SELECT 1 FROM evidence_study "  # noqa: S608
    f"WHERE id = OLD.study_id AND state IN {SEEN}))"
)
DRAFT_AGAIN = f"NEW.state = '{State.DRAFT}'"


VERSIONS_STAY = "A version of a study is never changed or deleted."
PUBLISHED_IS_ANOTHERS = (
    "COALESCE(NEW.published_id, 0) <> COALESCE(OLD.published_id, 0) AND NOT EXISTS (SELECT 1 "
    "FROM evidence_studyversion AS it WHERE it.id = NEW.published_id AND it.draft_id = NEW.id "
    "AND it.is_published AND it.number > COALESCE((SELECT held.number FROM evidence_studyversion "
    "AS held WHERE held.id = OLD.published_id), 0))"
)
PUBLISHED_MOVES_ON = (
    "What the tables hold of a study is a published version of it, and a later one follows."
)
LOOKED_FOR = ("patient.looked_for",)
RANGE = ("measure.low",)
WITHDRAWAL = ("study.withdrawal_reason", "patient.withdrawal_reason")
GUARDS = [
    Guard(
        "event_needs_ascertainment_new",
        "INSERT",
        "adverseevent",
        EVENT_WITHOUT_ASCERTAINMENT,
        EVENT_NEEDED,
    ),
    Guard(
        "event_needs_ascertainment_moved",
        "UPDATE",
        "adverseevent",
        EVENT_WITHOUT_ASCERTAINMENT,
        EVENT_NEEDED,
    ),
    Guard(
        "ascertainment_keeps_events",
        "UPDATE",
        "treatment",
        ASCERTAINMENT_WITHOUT_EVENT,
        EVENT_NEEDED,
    ),
    *(
        Guard(
            f"collection_{name}_stays",
            "UPDATE",
            "collection",
            f"NEW.{name} <> OLD.{name} AND {HAS_STUDIES.format(row='OLD')}",
            message,
            ("study.id",),
        )
        for name, message in (("kind", KIND_STAYS), ("slug", ADDRESS_STAYS))
    ),
    Guard(
        "treatment_number_stays",
        "UPDATE",
        "treatment",
        f"{COURSE_RENAMED} AND {COURSE_WAS_PUBLISHED}",
        COURSE_STAYS,
        WITHDRAWAL,
    ),
    # The rules about a row would hold no more of one taken away and made anew under its id. SQLite
    # replaces rows by inserting, and asks no other trigger where `recursive_triggers` is off.
    *(
        Guard(f"{model}_{name}", moment, model, condition, message, (needed,))
        for model, used, same, message, needed in (
            ("collection", HAS_STUDIES, "it.slug = NEW.slug", COLLECTION_STAYS, "study.id"),
            ("studydraft", HAS_VERSIONS, SAME_STUDY, VERSIONS_STAY, "studyversion.id"),
        )
        for name, moment, condition in (
            ("is_not_deleted", "DELETE", used.format(row="OLD")),
            (
                "is_not_replaced",
                "INSERT",
                f"EXISTS (SELECT 1 FROM evidence_{model} AS it "  # noqa: S608
                f"WHERE (it.id = NEW.id OR {same}) AND {used.format(row='it')})",
            ),
        )
    ),
    Guard(
        "published_version_moves_on",
        "UPDATE",
        "studydraft",
        PUBLISHED_IS_ANOTHERS,
        PUBLISHED_MOVES_ON,
        ("studyversion.is_published",),
    ),
    Guard("version_is_not_replaced", "INSERT", "studyversion", VERSION_IS_THERE, VERSIONS_STAY),
    Guard("version_is_never_changed", "UPDATE", "studyversion", "1 = 1", VERSIONS_STAY),
    Guard("version_is_never_deleted", "DELETE", "studyversion", "1 = 1", VERSIONS_STAY),
    *(
        Guard(
            f"outcome_in_range_{name}",
            moment,
            "outcome",
            OUTCOME_OUT_OF_RANGE,
            OUT_OF_RANGE,
            RANGE,
        )
        for name, moment in (("new", "INSERT"), ("changed", "UPDATE"))
    ),
    Guard(
        "range_keeps_outcomes",
        "UPDATE",
        "measure",
        OUTCOMES_OUT_OF_NEW_RANGE,
        OUT_OF_RANGE,
        RANGE,
    ),
    *(
        Guard(
            f"full_text_is_looked_through_{name}",
            moment,
            "study",
            FULL_TEXT_NOT_LOOKED_FOR,
            LOOKED_FOR_NEEDED,
            LOOKED_FOR,
        )
        for name, moment in (("new", "INSERT"), ("changed", "UPDATE"))
    ),
    *(
        Guard(
            f"patient_is_looked_through_{name}",
            moment,
            "patient",
            NOT_LOOKED_FOR_UNDER_FULL_TEXT,
            LOOKED_FOR_NEEDED,
            LOOKED_FOR,
        )
        for name, moment in (("new", "INSERT"), ("changed", "UPDATE"))
    ),
    *(
        Guard(f"{model}_withdrawn_was_seen", "UPDATE", model, condition, NEVER_SEEN, WITHDRAWAL)
        for model, condition in (("study", STUDY_NEVER_SEEN), ("patient", PATIENT_NEVER_SEEN))
    ),
    *(
        Guard(f"{model}_{name}", moment, model, condition, message, WITHDRAWAL)
        for model, was_published, moved in (
            ("study", STUDY_WAS_PUBLISHED, "NEW.collection_id <> OLD.collection_id"),
            ("patient", PATIENT_WAS_PUBLISHED, PATIENT_MOVED_AWAY),
        )
        for name, moment, condition, message in (
            (
                "slug_stays",
                "UPDATE",
                f"NEW.slug <> OLD.slug AND {was_published}",
                SLUG_STAYS,
            ),
            ("place_stays", "UPDATE", f"{moved} AND {was_published}", PLACE_STAYS),
            (
                "no_draft_again",
                "UPDATE",
                f"{DRAFT_AGAIN} AND {was_published}",
                NO_DRAFT_AGAIN,
            ),
            ("not_deleted", "DELETE", was_published, NOT_DELETED),
        )
    ),
    *SIGNING_GUARDS,
    *CHECKING_GUARDS,
]


def trigger_statements(connection, guards: list[Guard] | None = None) -> list[str]:
    """The SQL that puts these triggers (by default all) in place, harmless when they already
    are.
    """
    guards = GUARDS if guards is None else guards
    if connection.vendor == "sqlite":
        return [statement for guard in guards for statement in guard.sqlite()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = cursor.fetchone()[0]
    return [statement for guard in guards for statement in guard.postgresql(schema)]


def drop_triggers(sender, using, plan=(), **kwargs):
    """pre_migrate receiver; `create_triggers` puts them back. PostgreSQL keeps them unless a
    migration is taken back, which may take away what they ask for.
    """
    from django.db import connections

    connection = connections[using]
    if connection.vendor != "sqlite" and not any(backwards for _, backwards in plan):
        return
    with connection.cursor() as cursor:
        for guard in GUARDS:
            table = "" if connection.vendor == "sqlite" else f" ON {guard.table}"
            cursor.execute(f"DROP TRIGGER IF EXISTS {guard.name}{table}")


def create_triggers(sender, using, **kwargs):
    """post_migrate receiver: those triggers whose fields there are."""
    from django.db import connections

    connection = connections[using]
    with connection.cursor() as cursor:
        fields = {
            f"{table.removeprefix('evidence_')}.{column.name}"
            for table in connection.introspection.table_names(cursor)
            if table in {"evidence_adverseevent", *(guard.table for guard in GUARDS)}
            for column in connection.introspection.get_table_description(cursor, table)
        }
        ready = [
            guard
            for guard in GUARDS
            if f"{guard.model}.id" in fields and fields.issuperset(guard.fields)
        ]
        for statement in trigger_statements(connection, ready):
            cursor.execute(statement)
