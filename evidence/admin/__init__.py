"""Where curators enter and check records."""

from . import reference, reviews, studies  # noqa: F401  (importing registers)
