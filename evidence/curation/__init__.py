"""Writing the evidence: fixtures, loading, reconstruction, integrity, releases. Only the admin and
commands use it.
"""
