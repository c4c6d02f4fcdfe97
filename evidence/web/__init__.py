"""Request -> filter -> summary -> response. GET only."""
