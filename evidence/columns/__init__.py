"""What tables and files hold: one declaration of columns per noun, read by page, file and API alike."""

from .column import Column, Table, ordered, rows
from .tables import FINDINGS, GROUPS, OUTCOMES, PATIENTS, STUDIES, TABLES, TREATMENTS
from .tables import EVENTS as ADVERSE_EVENTS

__all__ = [
    "ADVERSE_EVENTS",
    "Column",
    "FINDINGS",
    "GROUPS",
    "OUTCOMES",
    "PATIENTS",
    "STUDIES",
    "TABLES",
    "TREATMENTS",
    "Table",
    "ordered",
    "rows",
]
