"""Upgrades databases of earlier versions, one after the other, in the database DATABASE_URL names.

    python -m tests.upgrades.run FILE ...

Everything in that database is lost. Each becomes what the file says, a curator works in it, and it
is upgraded as `manage.py prepare` does it. Writes what came of each as a line of JSON.
"""

import json
import os
import shutil
import sys
from io import StringIO
from pathlib import Path

import django


def told(command: str, *arguments) -> str:
    """What a command prints."""
    from django.core.management import call_command

    out = StringIO()
    call_command(command, *arguments, stdout=out, no_color=True, skip_checks=True)
    return out.getvalue()


def empty_at(state: str) -> None:
    """Makes the database one without records in the state after this migration.

    On SQLite it is made once from the state before it, and copied: files come in the order of
    states.
    """
    from django.db import connection

    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        told("migrate", "evidence", state)
        return
    name = Path(connection.settings_dict["NAME"])
    connection.close()  # which leaves all of it in the one file
    made = name.with_suffix(f".{state}")
    before = max(
        (path for path in name.parent.glob(f"{name.stem}.0*") if path <= made), default=None
    )
    name.unlink(missing_ok=True)
    if before:
        shutil.copy(before, name)
    if before != made:
        told("migrate", "evidence", state)
        connection.close()
        shutil.copy(name, made)


def fill(tables: dict[str, list[list]], models: list) -> None:
    """Writes the rows of a file, whose first one names the columns, into tables that are empty."""
    from django.core.management.color import no_style
    from django.db import connection, transaction
    from django.db.models import BooleanField

    by_table = {model._meta.db_table: model for model in models}
    with transaction.atomic(), connection.cursor() as cursor:
        for table, (names, *rows) in tables.items():
            columns = {column.column: column for column in by_table[table]._meta.concrete_fields}
            flags = {
                place for place, name in enumerate(names) if isinstance(columns[name], BooleanField)
            }
            quoted = ", ".join(map(connection.ops.quote_name, names))
            marks = ", ".join(["%s"] * len(names))
            cursor.executemany(
                f"INSERT INTO {table} ({quoted}) VALUES ({marks})",
                [
                    [
                        bool(value) if place in flags and value is not None else value
                        for place, value in enumerate(row)
                    ]
                    for row in rows
                ],
            )
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)


def upgraded(held: dict) -> dict:
    """What a database of an earlier version holds after the upgrade, and what loading said."""
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    from evidence.models import LoadedRecord

    from .records import curate, everything

    state = held["migrated_to"]
    empty_at(state)
    then = MigrationLoader(connection).project_state(("evidence", state)).apps
    fill(held["tables"], then.get_models(include_auto_created=True))
    curate(lambda name: then.get_model("evidence", name))
    told("migrate", "evidence")
    first, again = told("load_evidence"), told("load_evidence")
    ledger = LoadedRecord.objects.exclude(model="*").values_list("model", "key", "fields")
    return {
        "first": first,
        "again": again,
        "everything": everything(),
        "named": {
            f"{model} {' / '.join(map(str, json.loads(key)))}": sorted(fields)
            for model, key, fields in ledger
        },
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evidence.settings")
    django.setup()
    databases = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    found = {
        held["version"]: upgraded(held)
        for held in sorted(databases, key=lambda each: each["migrated_to"])
    }
    json.dump(found, sys.stdout)
