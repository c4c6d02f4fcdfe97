"""What readers take away: lists in several formats, charts' numbers, the data dictionary, citations."""

from .bundle import Bundle, bundle
from .downloads import FILE_FORMATS, download
from .rows import separated_text
from .sheets import TooManyRows
from .small import chart_csv, citation_file, dictionary_csv

__all__ = [
    "FILE_FORMATS",
    "Bundle",
    "TooManyRows",
    "bundle",
    "chart_csv",
    "citation_file",
    "dictionary_csv",
    "download",
    "separated_text",
]
