"""Faults made on purpose, before a real Casebook, and what a reader saw of them."""
