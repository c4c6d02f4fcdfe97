"""The rules a table's own constraints cannot hold: an adverse event needs a treatment that says
there were events, and a version of a study is never changed or deleted.

Written as database triggers after every migration, and on SQLite taken away before it: SQLite drops
a table's triggers when a migration remakes the table, and refuses to remake one that another
table's trigger asks about. The message is what a curator reads when a write goes round the forms.
"""

from .choices import Ascertainment

NEEDS_ASCERTAINMENT = (
    "An adverse event needs a course whose adverse events are recorded as reported."
)

EVENTS = str(Ascertainment.EVENTS)  # a constant of ours: no part of this SQL comes from outside
EVENT_WITHOUT_ASCERTAINMENT = (
    f"(SELECT adverse_events FROM evidence_treatment WHERE id = NEW.treatment_id) <> '{EVENTS}'"  # noqa: S608
)
ASCERTAINMENT_WITHOUT_EVENT = (
    f"NEW.adverse_events <> '{EVENTS}' "  # noqa: S608
    "AND EXISTS (SELECT 1 FROM evidence_adverseevent WHERE treatment_id = NEW.id)"
)

VERSIONS_STAY = "A version of a study is never changed or deleted."

TRIGGERS = [
    (
        "event_needs_ascertainment_new",
        "INSERT",
        "evidence_adverseevent",
        EVENT_WITHOUT_ASCERTAINMENT,
        NEEDS_ASCERTAINMENT,
    ),
    (
        "event_needs_ascertainment_moved",
        "UPDATE",
        "evidence_adverseevent",
        EVENT_WITHOUT_ASCERTAINMENT,
        NEEDS_ASCERTAINMENT,
    ),
    (
        "ascertainment_keeps_events",
        "UPDATE",
        "evidence_treatment",
        ASCERTAINMENT_WITHOUT_EVENT,
        NEEDS_ASCERTAINMENT,
    ),
    ("version_is_never_changed", "UPDATE", "evidence_studyversion", "1 = 1", VERSIONS_STAY),
    ("version_is_never_deleted", "DELETE", "evidence_studyversion", "1 = 1", VERSIONS_STAY),
]


def trigger_statements(vendor: str) -> list[str]:
    """The SQL that puts the triggers in place, harmless when they already are."""
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {moment} ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            for name, moment, table, condition, message in TRIGGERS
        ]
    return [
        statement
        for name, moment, table, condition, message in TRIGGERS
        for statement in (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger AS $$ BEGIN IF {condition} THEN "
            f"RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = '{message}'; END IF; "
            f"RETURN {'OLD' if moment == 'DELETE' else 'NEW'}; END; $$ LANGUAGE plpgsql",
            f"CREATE OR REPLACE TRIGGER {name} BEFORE {moment} ON {table} FOR EACH ROW EXECUTE "
            f"FUNCTION {name}()",
        )
    ]


def drop_triggers(sender, using, **kwargs):
    """pre_migrate receiver; `create_triggers` puts them back."""
    from django.db import connections

    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        for name, *_ in TRIGGERS:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


def create_triggers(sender, using, **kwargs):
    """post_migrate receiver."""
    from django.db import connections

    connection = connections[using]
    tables = set(connection.introspection.table_names())
    if not {table for _, _, table, *_ in TRIGGERS} <= tables:  # migrated in part
        return
    with connection.cursor() as cursor:
        for statement in trigger_statements(connection.vendor):
            cursor.execute(statement)
