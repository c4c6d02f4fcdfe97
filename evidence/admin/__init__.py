"""Where curators enter and check records."""

from . import appraisals, drafts, reference, reviews, studies, suggestions  # noqa: F401  (importing registers)
