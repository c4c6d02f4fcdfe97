"""Rows that many tests need: drawn once in each process, written again where they are needed.

To draw the small world by way of the models takes a hundred saves and their signals; to write the
same rows takes one statement for each table. What a test finds is the same, and each test rolls it
back as before.
"""

from collections.abc import Callable

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, models, transaction

from evidence.models import DataVersion

Rows = dict[type[models.Model], list[models.Model]]


def stored() -> dict[type[models.Model], dict[object, models.Model]]:
    """All rows of the evidence by table and key, the tables that join others included."""
    tables = apps.get_app_config("evidence").get_models(include_auto_created=True)
    return {table: table._base_manager.in_bulk() for table in tables}


def values(row: models.Model) -> dict:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def rows_written_by(draw: Callable[[], object], *, upon: Rows | None = None) -> Rows:
    """The rows that `draw()` adds to the evidence as shipped (and to `upon`), with the data version
    it leaves.

    Nothing of it stays. Raises AssertionError where a row that was there is changed, which `write`
    would not repeat.
    """
    with transaction.atomic():
        write(upon or {})
        before = stored()
        draw()
        after = stored()
        transaction.set_rollback(True)
    changed = [
        row
        for table, rows in before.items()
        for key, row in rows.items()
        if table is not DataVersion
        and (key not in after[table] or values(row) != values(after[table][key]))
    ]
    assert not changed, changed
    added = {
        table: [row for key, row in rows.items() if key not in before[table]]
        for table, rows in after.items()
    }
    return {table: rows for table, rows in added.items() if rows} | {
        DataVersion: list(after[DataVersion].values())
    }


def write(rows: Rows) -> None:
    """Writes remembered rows under the keys they had, in the order of the models: an event follows
    its course.
    """
    for table, found in rows.items():
        if table is DataVersion:
            found[0].save_base(raw=True)
        else:
            table._base_manager.bulk_create(found)
    # Whoever loads fixtures sets PostgreSQL's counters to the keys there are, these rows not among
    # them; the next row of a test must not get one of their keys.
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(rows)):
            cursor.execute(statement)
