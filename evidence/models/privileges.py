"""What the roles of PostgreSQL may do: readers' pages, the curators' entrance, and nobody more.

Three roles: the *owner* of the tables migrates and loads files; the *application* serves curators,
and cannot change a table, a trigger or a rule; the *reader* serves public pages, and cannot write
(but for a correction that a reader suggests, which it cannot read again).
"""

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Model

from .checking import CheckedCell, Judgement, SecondEntry
from .signature import OpenPublication
from .suggestion import Suggestion
from .version import LoadedRecord

# What readers' pages never ask for, so that nothing can make them tell it.
UNREAD = {CheckedCell, Judgement, OpenPublication, LoadedRecord}
MIGRATIONS = "django_migrations"


def columns_read() -> dict[type[Model], list[str]]:
    """Tables of which readers' pages see some columns alone: not what is being entered a second
    time, not who somebody is, not what others have suggested.
    """
    return {
        SecondEntry: ["id", "draft_id", "version_id", "finished_at", "comparison"],
        get_user_model(): ["id"],  # joined, to find whom to name of those who agreed
        Suggestion: ["id", "stage"],  # counted, so that not too many wait
    }


def tables_read() -> list[str]:
    """Tables that readers' pages see whole."""
    found = []
    for model in apps.get_app_config("evidence").get_models(include_auto_created=True):
        is_history = hasattr(model, "instance_type")
        if model not in UNREAD and model not in columns_read() and not is_history:
            found.append(model._meta.db_table)
    return sorted(found)


def quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def reader_statements(role: str, schema: str) -> list[str]:
    """SQL that gives a role what public pages need, and takes all else from it."""
    role = quoted(role)
    statements = taken_from(role, schema)
    statements += [f"GRANT SELECT ON {in_schema(schema, tables_read())} TO {role}"]
    statements += [
        f"GRANT SELECT ({', '.join(map(quoted, columns))}) "
        f"ON {in_schema(schema, [model._meta.db_table])} TO {role}"
        for model, columns in columns_read().items()
    ]
    suggested = Suggestion._meta.db_table
    return [
        *statements,
        f"GRANT INSERT ON {in_schema(schema, [suggested])} TO {role}",
        f"GRANT USAGE ON SEQUENCE {in_schema(schema, [f'{suggested}_id_seq'])} TO {role}",
    ]


def application_statements(role: str, schema: str) -> list[str]:
    """SQL that gives a role what the curators' entrance needs, and takes all else from it."""
    role = quoted(role)
    return [
        *taken_from(role, schema),
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {quoted(schema)} TO {role}",
        f"REVOKE INSERT, UPDATE, DELETE ON {in_schema(schema, [MIGRATIONS])} FROM {role}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {quoted(schema)} TO {role}",
    ]


def database_statements(database: str, schema: str) -> list[str]:
    """SQL that takes from everybody what PostgreSQL gives everybody: making tables."""
    return [
        f"REVOKE CREATE ON SCHEMA {quoted(schema)} FROM PUBLIC",
        f"REVOKE TEMPORARY ON DATABASE {quoted(database)} FROM PUBLIC",
    ]


# Each makes a large object, which fills the disk and needs no table.
LARGE_OBJECTS = [
    f"pg_catalog.{name}"
    for name in ("lo_creat(integer)", "lo_create(oid)", "lo_from_bytea(oid, bytea)")
]


# What takes that from everybody, in one database; an administrator of PostgreSQL alone can.
NO_LARGE_OBJECTS = f"REVOKE EXECUTE ON FUNCTION {', '.join(LARGE_OBJECTS)} FROM PUBLIC"


def taken_from(role: str, schema: str) -> list[str]:
    """Begins with nothing, so that what an earlier version gave does not stay."""
    return [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {quoted(schema)} FROM {role}",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {quoted(schema)} FROM {role}",
        f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {role}",
    ]


def in_schema(schema: str, names: list[str]) -> str:
    return ", ".join(f"{quoted(schema)}.{quoted(name)}" for name in names)
