"""Writes what a database of an earlier version holds as a text file, a row on each line.

    python -m tests.upgrades.write VERSION COMMIT DATABASE

Accounts, sessions and releases are left out: no fixture has a part in them.
"""

import json
import sqlite3
import sys
from pathlib import Path

LEFT_OUT = {
    "evidence_release",
    "evidence_releasedcollection",
    "evidence_archivepart",
    "evidence_releasedrecords",
    "evidence_recordspart",
}
TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'evidence%' ORDER BY rowid"
)
STATE = "SELECT max(name) FROM django_migrations WHERE app = 'evidence'"


def text(version: str, commit: str, database: str) -> str:
    """The file's text: JSON whose rows stand on lines of their own, to be read and compared."""
    with sqlite3.connect(database) as connection:
        (state,) = connection.execute(STATE).fetchone()
        blocks = []
        for (table,) in connection.execute(TABLES).fetchall():
            if table in LEFT_OUT:
                continue
            found = connection.execute(f'SELECT * FROM "{table}" ORDER BY id')
            columns = json.dumps([column[0] for column in found.description])
            rows = [json.dumps(row, ensure_ascii=False) for row in found]
            blocks.append(f'"{table}": [\n' + ",\n".join([columns, *rows]) + "\n]")
    head = f'"version": "{version}",\n"commit": "{commit}",\n"migrated_to": "{state}"'
    return "{\n" + head + ',\n"tables": {\n' + ",\n".join(blocks) + "\n}\n}\n"


if __name__ == "__main__":
    version, commit, database = sys.argv[1:]
    (Path(__file__).parent / f"{version}.json").write_text(
        text(version, commit, database), encoding="utf-8"
    )
