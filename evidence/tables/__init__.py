"""What tables and files hold: one declaration of columns per noun, read by page, file and API
alike.
"""

from .column import Batch, Column, Table, order_records, read_batches
from .courses import COURSES
from .pages import page_records
from .tables import EVENTS as ADVERSE_EVENTS
from .tables import FINDINGS, GROUPS, OUTCOMES, PATIENTS, STUDIES, TABLES, TREATMENTS
from .tidy import BUNDLED, TIDY, Tidy

# Nouns that have a file and an answer of the API; those of TABLES have a page too.
FILE_TABLES = TABLES | {COURSES.noun: COURSES}

__all__ = [
    "ADVERSE_EVENTS",
    "BUNDLED",
    "COURSES",
    "FILE_TABLES",
    "FINDINGS",
    "GROUPS",
    "OUTCOMES",
    "PATIENTS",
    "STUDIES",
    "TABLES",
    "TIDY",
    "TREATMENTS",
    "Batch",
    "Column",
    "Table",
    "Tidy",
    "order_records",
    "page_records",
    "read_batches",
]
