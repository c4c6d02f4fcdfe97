"""What readers take away: lists in several formats, charts' numbers, the data dictionary, citations."""

from .bundle import Bundle, bundle
from .file_names import attachment, file_name
from .formats import FILE_FORMATS, download
from .rows import separated_text
from .whole_files import chart_csv, citation_file, dictionary_csv
from .workbook import TooManyRows

__all__ = [
    "FILE_FORMATS",
    "Bundle",
    "TooManyRows",
    "attachment",
    "bundle",
    "chart_csv",
    "citation_file",
    "dictionary_csv",
    "download",
    "file_name",
    "separated_text",
]
