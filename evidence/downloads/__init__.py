"""What readers take away: lists in several formats, charts' numbers, the data dictionary,
citations.
"""

from .bundle import Bundle, bundle_pieces
from .file_names import attachment_header, file_name, file_stem
from .formats import FILE_FORMATS, list_download
from .rows import separated_text
from .typed_files import parquet_pieces, sqlite_pieces
from .whole_files import chart_csv, chart_rows, citation_file, dictionary_csv
from .workbook import TooManyRows

# Everything of a question in one file, by its ending: the content type, and what writes it.
BUNDLE_FORMATS = {
    "zip": ("application/zip", bundle_pieces),
    "sqlite": ("application/vnd.sqlite3", sqlite_pieces),
    "parquet.zip": ("application/zip", parquet_pieces),
}

__all__ = [
    "BUNDLE_FORMATS",
    "FILE_FORMATS",
    "Bundle",
    "TooManyRows",
    "attachment_header",
    "bundle_pieces",
    "chart_csv",
    "chart_rows",
    "citation_file",
    "dictionary_csv",
    "file_name",
    "file_stem",
    "list_download",
    "separated_text",
]
