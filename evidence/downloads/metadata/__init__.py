"""What a data set is called, whose it is and under which licence, said once; and the same in the
forms that repositories, search engines and programs read.
"""

from .datacite import DATACITE_TYPE, datacite_record
from .declaration import (
    CODE_LICENCE,
    CREATOR,
    DATA_LICENCE,
    KEYWORDS,
    LICENCE,
    TITLE,
    DatasetDescription,
    Source,
    describe_collection,
    describe_dataset,
    sources_of,
)
from .linked_data import linked_datasets
from .links import collection_links, link_header, record_links, release_links
from .ro_crate import CRATE_FILE, CrateFile, ro_crate

__all__ = [
    "CODE_LICENCE",
    "CRATE_FILE",
    "CREATOR",
    "DATACITE_TYPE",
    "DATA_LICENCE",
    "KEYWORDS",
    "LICENCE",
    "TITLE",
    "CrateFile",
    "DatasetDescription",
    "Source",
    "collection_links",
    "datacite_record",
    "describe_collection",
    "describe_dataset",
    "link_header",
    "linked_datasets",
    "record_links",
    "release_links",
    "ro_crate",
    "sources_of",
]
