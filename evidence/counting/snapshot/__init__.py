"""The in-memory engine: a collection as bitmaps. Outside code uses `counting`, which says when this answers."""
