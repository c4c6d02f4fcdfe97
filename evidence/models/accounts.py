"""One account for one name: “Alice” and “alice ” would be two people to those who count them."""

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from .appraisal import Appraisal, spelled

# Fillers of Korean script: letters to Unicode, so to Django's own rule, and drawn as nothing.
INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0")


def check_name_is_free(name: str) -> None:
    """Raises ValidationError where an account has this name in other capitals or with other spaces.

    A validator of the field. The very same name is not its business: Django's own rule says that of
    a new account, and an account that is there keeps it.
    """
    if INVISIBLE & set(name):
        raise ValidationError("A letter of this name is invisible.")
    others = get_user_model()._default_manager.values_list("username", flat=True)
    for other in others:
        if other != name and folded(other).casefold() == folded(name).casefold():
            raise ValidationError(
                f"There is an account “{other}” already; capitals and spaces make no other."
            )


def folded(name: str) -> str:
    """What the database compares (`auth_user_one_name`)."""
    return name.strip().lower()


def take_appraisals_along(sender, instance, update_fields=None, **kwargs) -> None:
    """pre_save receiver of accounts: appraisals name their appraiser, and who is called otherwise
    from now on is no second one. Answers that somebody gave under the new name before stay theirs.
    """
    if update_fields is not None and "username" not in update_fields:
        return
    before = sender._default_manager.filter(pk=instance.pk).first()
    if before is None:
        return
    old, new = spelled(before.username), spelled(instance.username)
    if old == new or Appraisal.objects.filter(appraiser=new).exists():
        return
    for name in ("appraiser", "decided_by"):
        Appraisal.objects.filter(**{name: old}).update(**{name: new})


def hold_names_apart() -> None:
    """Adds the validator to Django's field, for every form and command."""
    validators = get_user_model()._meta.get_field("username").validators
    if check_name_is_free not in validators:
        validators.append(check_name_is_free)
