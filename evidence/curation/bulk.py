"""Writes very many new records quickly, without the ORM. Only generated collections are written
this way.

It skips signals, `clean()` and natural keys; all constraints and triggers of the database apply.
The caller raises the data version inside the same transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat

from django.core.management.color import no_style
from django.db import connection, models

MARKS_AT_ONCE = 900  # values of one statement; SQLite takes at least 999


def next_key(model: type[models.Model]) -> int:
    """The first primary key that is free, and all after it."""
    return (model.objects.order_by("-pk").values_list("pk", flat=True).first() or 0) + 1


def bulk_write(model: type[models.Model], columns: dict[str, Sequence]) -> int:
    """Inserts rows given column by column (`attname` -> values, all of one length); other fields
    get their default.

    Primary keys are among the columns; call `keys_written` after the last row. Returns how many
    rows it wrote.
    """
    length = len(next(iter(columns.values())))
    names, values = [], []
    for field in model._meta.concrete_fields:
        if field.attname in columns:
            column_values = columns[field.attname]
        elif field.primary_key:
            continue
        else:
            column_values = repeat(field.get_db_prep_save(field.get_default(), connection), length)
        names.append(connection.ops.quote_name(field.column))
        values.append(column_values)
    insert_rows(connection.ops.quote_name(model._meta.db_table), names, zip(*values, strict=True))
    return length


def insert_rows(table: str, names: list[str], rows: Iterable[tuple]) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        # Many rows in each statement: with triggers on its table, a statement costs most.
        marks, into = f"({', '.join(['%s'] * len(names))})", f"{table} ({', '.join(names)})"
        for count, values in in_batches(rows, MARKS_AT_ONCE // len(names)):
            statement = f"INSERT INTO {into} VALUES {', '.join([marks] * count)}"  # noqa: S608
            cursor.executemany(statement, values)


def in_batches(rows: Iterable[tuple], size: int) -> Iterator[tuple[int, Iterable[list]]]:
    """Rows by `size`, each batch as one list of values; first all that are full, then the rest."""
    rows, rest = iter(rows), []

    def full() -> Iterator[list]:
        while len(batch := list(islice(rows, size))) == size:
            yield list(chain.from_iterable(batch))
        rest.extend(batch)

    yield size, full()
    if rest:
        yield len(rest), [list(chain.from_iterable(rest))]


def keys_written(written: Iterable[type[models.Model]]) -> None:
    """Tells the database that primary keys were given to it, and has it look at its tables anew."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(written)):
            cursor.execute(statement)


def update_statistics() -> None:
    """Refreshes what the database knows of its tables, so that it plans well at the new size."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
