"""Where curators enter and check records."""

from . import drafts, reference, reviews, studies, suggestions  # noqa: F401  (importing registers)
