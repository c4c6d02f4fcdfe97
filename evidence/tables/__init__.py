"""What tables and files hold: one declaration of columns per noun, read by page, file and API
alike.
"""

from .column import Batch, Column, Table, order_records, read_batches
from .pages import page_records
from .tables import EVENTS as ADVERSE_EVENTS
from .tables import FINDINGS, GROUPS, OUTCOMES, PATIENTS, STUDIES, TABLES, TREATMENTS
from .tidy import TIDY, Tidy

__all__ = [
    "ADVERSE_EVENTS",
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
