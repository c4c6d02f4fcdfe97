"""Where curators enter and check records."""

from . import (  # noqa: F401  (importing registers)
    appraisals,
    audit,
    drafts,
    reference,
    reviews,
    second_factor,
    studies,
    suggestions,
)
