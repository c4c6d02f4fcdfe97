"""Gives the roles of PostgreSQL what they need and no more."""

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection, transaction

from ...models.privileges import (
    LARGE_OBJECTS,
    NO_LARGE_OBJECTS,
    application_statements,
    database_statements,
    quoted,
    reader_statements,
)


class Command(BaseCommand):
    help = (
        "Prints, or with --run executes, the GRANTs for a role that serves public pages and can "
        "only read (DATABASE_READER_URL), and for one that serves curators and can change no table "
        "(DATABASE_URL of the server). Run it as the owner of the tables, after every `prepare`: "
        "new tables belong to their owner alone until then. The roles have to be there."
    )

    def add_arguments(self, parser):
        parser.add_argument("--reader", metavar="ROLE", help="the role of public pages")
        parser.add_argument("--application", metavar="ROLE", help="the role of the entrance")
        parser.add_argument("--run", action="store_true", help="execute them, all or none")

    def handle(self, *, reader, application, run, **options):
        if connection.vendor != "postgresql":
            raise CommandError("Only PostgreSQL has roles; a file of SQLite is its owner's alone.")
        if not (reader or application):
            raise CommandError("Name a role: --reader, --application, or both.")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_database(), current_schema(), current_user, rolsuper "
                "FROM pg_roles WHERE rolname = current_user"
            )
            database, schema, owner, is_administrator = cursor.fetchone()
        missing = [role for role in (reader, application) if role and not self.is_there(role)]
        if owner in (reader, application):
            raise CommandError(f"{owner} is who asks: the owner keeps what an owner can do.")
        statements = database_statements(database, schema)
        if reader:
            statements += reader_statements(reader, schema)
        if application:
            statements += application_statements(application, schema)
        if is_administrator:
            statements.append(NO_LARGE_OBJECTS)
        if not run:
            for role in missing:
                self.stdout.write(f"-- CREATE ROLE {quoted(role)} LOGIN PASSWORD '…';")
            for statement in statements:
                self.stdout.write(f"{statement};")
            self.tell_what_is_left([reader, application])
            return
        if missing:
            raise CommandError(
                f"There is no role {missing[0]}. Make it first, with a password of its own: "
                f"CREATE ROLE {quoted(missing[0])} LOGIN PASSWORD '…';"
            )
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        except DatabaseError as error:
            raise CommandError(f"Nothing was granted: {error}") from error
        self.stdout.write(f"{len(statements)} statements were executed.")
        self.tell_what_is_left([reader, application])

    def tell_what_is_left(self, roles: list[str | None]) -> None:
        """What the owner of the tables cannot take from a role."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s::text[]) AND EXISTS ("
                "SELECT FROM unnest(%s::text[]) AS made "
                "WHERE has_function_privilege(rolname, made, 'EXECUTE')) ORDER BY rolname",
                [roles, LARGE_OBJECTS],
            )
            able = [name for (name,) in cursor.fetchall()]
        if able:
            self.stderr.write(
                self.style.WARNING(
                    f"{' and '.join(able)} can still fill the disk with large objects. Let an "
                    "administrator of PostgreSQL execute in this database, once:\n"
                    f"{NO_LARGE_OBJECTS};"
                )
            )

    @staticmethod
    def is_there(role: str) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            return cursor.fetchone() is not None
