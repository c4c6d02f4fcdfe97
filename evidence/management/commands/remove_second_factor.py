"""The last way back in for somebody who has lost both the app and the codes on paper."""

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from ...admin.second_factor import note, remove_factor


class Command(BaseCommand):
    help = (
        "Takes the second factor off an account, so that its password alone opens the door again "
        "(or, where CASEBOOK_REQUIRE_TOTP is 1, a new one is set up at the next login). Make sure "
        "who asks for it."
    )

    def add_arguments(self, parser):
        parser.add_argument("username")

    def handle(self, *, username, **options):
        users = get_user_model()
        user = users._default_manager.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no account “{username}”.")
        if not remove_factor(user):
            self.stdout.write(f"“{username}” has no second factor.")
            return
        note(user, "The second factor was removed on the server (remove_second_factor).")
        self.stdout.write(f"The second factor of “{username}” is removed.")
