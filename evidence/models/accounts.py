"""One account for one name: “Alice” and “alice ” would be two people to those who count them."""

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError


def check_name_is_free(name: str) -> None:
    """Raises ValidationError where an account has this name in other capitals or with other spaces.

    A validator of the field. The very same name is not its business: Django's own rule says that of
    a new account, and an account that is there keeps it.
    """
    others = get_user_model()._default_manager.values_list("username", flat=True)
    for other in others:
        if other != name and folded(other) == folded(name):
            raise ValidationError(
                f"There is an account “{other}” already; capitals and spaces make no other."
            )


def folded(name: str) -> str:
    """What the database compares (`auth_user_one_name`)."""
    return name.strip().lower()


def hold_names_apart() -> None:
    """Adds the validator to Django's field, for every form and command."""
    validators = get_user_model()._meta.get_field("username").validators
    if check_name_is_free not in validators:
        validators.append(check_name_is_free)
