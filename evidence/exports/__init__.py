"""What readers take away: lists in several formats, charts' numbers, the data dictionary, citations."""

from .bundle import Bundle, bundle
from .downloads import FILE_FORMATS, download
from .naming import attachment, file_name
from .rows import separated_text
from .sheets import TooManyRows
from .small import chart_csv, citation_file, dictionary_csv

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
