"""Casebook under load and abuse: hostile requests, more than it can hold, a front, several hosts.

`python -m soak` runs all of it and writes JSON to `var/soak/`; `python -m soak.report` makes a
chapter of `docs/reliability.md` from that. Everything is bounded in count and time, asks servers
of its own on loopback or in network namespaces that it makes, and leaves nothing running.
"""
