"""The read-only API: the same filters, columns and summaries as the pages, for programs."""
