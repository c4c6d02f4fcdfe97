"""Studies in a workbook: the template, and its way into studies in work."""
