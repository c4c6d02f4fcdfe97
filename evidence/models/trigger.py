"""One rule as a database trigger, in the words of SQLite and of PostgreSQL."""

from dataclasses import dataclass

# Where a function of PostgreSQL looks for what it asks: the schema of the tables before temporary
# ones, which anybody may make under any name and which would be looked at first.
SEARCH_PATH = "SET search_path = pg_catalog, {schema}, pg_temp"


@dataclass(frozen=True)
class Guard:
    """One trigger: what is refused, on which writes of which table, and what is said. `fields` are
    those it asks for, as model.field: before a migration has made them there is nothing to guard.
    """

    name: str
    moment: str
    model: str
    condition: str
    message: str
    fields: tuple[str, ...] = ()
    on_postgresql: str = ""  # the condition there, where it is another

    @property
    def table(self) -> str:
        return f"evidence_{self.model}"

    def sqlite(self) -> list[str]:
        condition, message = self.condition.format(lock=""), self.message.replace("'", "''")
        return [
            f"CREATE TRIGGER IF NOT EXISTS {self.name} BEFORE {self.moment} ON {self.table} "
            f"WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        ]

    def postgresql(self, schema: str) -> list[str]:
        condition = (self.on_postgresql or self.condition).format(lock="FOR SHARE")
        message = self.message.replace("'", "''")
        row = "OLD" if self.moment == "DELETE" else "NEW"
        return [
            f"CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger AS $$ BEGIN "
            f"IF {condition} THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', "
            f"MESSAGE = '{message}'; END IF; RETURN {row}; END; $$ LANGUAGE plpgsql "
            f"{SEARCH_PATH.format(schema=schema)}",
            f"CREATE OR REPLACE TRIGGER {self.name} BEFORE {self.moment} ON {self.table} "
            f"FOR EACH ROW EXECUTE FUNCTION {self.name}()",
        ]


@dataclass(frozen=True)
class RowsGuard(Guard):
    """One whose condition is of any row written: `{row}` stands for it as it was and as it will be.

    On PostgreSQL a statement is looked at as a whole, once it has written its rows: millions of
    rows written at once ask no more than one row does.
    """

    asked_first: str = ""  # what nothing else need be asked without

    def sqlite(self) -> list[str]:
        rows = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}[self.moment]
        told = " OR ".join(f"({self.condition.format(row=row)})" for row in rows)
        message = self.message.replace("'", "''")
        return [
            f"CREATE TRIGGER IF NOT EXISTS {self.name} BEFORE {self.moment} ON {self.table} "
            f"WHEN {self.asked_first} AND ({told}) BEGIN SELECT RAISE(ABORT, '{message}'); END"
        ]

    def postgresql(self, schema: str) -> list[str]:
        names = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}[self.moment]
        tables = " ".join(f"{name} TABLE AS {name.lower()}_rows" for name in names)
        told = " OR ".join(
            f"EXISTS (SELECT 1 FROM {name.lower()}_rows AS written "  # noqa: S608
            f"WHERE {self.condition.format(row='written')})"
            for name in names
        )
        message = self.message.replace("'", "''")
        return [
            f"CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger AS $$ BEGIN "
            f"IF {self.asked_first} THEN IF {told} THEN RAISE EXCEPTION USING "
            f"ERRCODE = 'check_violation', MESSAGE = '{message}'; END IF; END IF; "
            "RETURN NULL; END; $$ LANGUAGE plpgsql "
            f"{SEARCH_PATH.format(schema=schema)}",
            f"CREATE OR REPLACE TRIGGER {self.name} AFTER {self.moment} ON {self.table} "
            f"REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION {self.name}()",
        ]
