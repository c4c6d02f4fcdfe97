"""What several commands share."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError


@contextmanager
def database_said_plainly(outcome: str) -> Iterator[None]:
    """Ends a command in words where the database is away or its disk is full: `outcome` is what
    became of it, which a transaction took back.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise CommandError(f"{outcome} The database says: {error}") from None


def add_user_argument(parser: ArgumentParser) -> None:
    """Who does it, for the history; needed where two people publish."""
    parser.add_argument(
        "--user", help="the account of who does this, for the history; needed where two publish"
    )


def account_named(name: str | None):
    """The account with a name; None where none is named. Raises CommandError where there is no
    such account.
    """
    if not name:
        return None
    found = get_user_model().objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"Nothing was changed. There is no account “{name}”.")
    return found
