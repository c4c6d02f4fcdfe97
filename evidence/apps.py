"""Wires what must happen on every write and after every migration."""

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import (
    m2m_changed,
    post_delete,
    post_migrate,
    post_save,
    pre_migrate,
    pre_save,
)


class EvidenceConfig(AppConfig):
    name = "evidence"
    verbose_name = "Evidence"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from .models.accounts import hold_names_apart, take_appraisals_along
        from .models.guards import create_triggers, drop_triggers
        from .models.version import bump_before_write, bump_on_write

        hold_names_apart()
        pre_save.connect(take_appraisals_along, sender=settings.AUTH_USER_MODEL)
        pre_migrate.connect(drop_triggers, sender=self)
        post_migrate.connect(create_triggers, sender=self)
        for model in self.get_models(include_auto_created=True):
            pre_save.connect(bump_before_write, sender=model)
            post_save.connect(bump_on_write, sender=model)
            post_delete.connect(bump_on_write, sender=model)
            if model._meta.auto_created:
                m2m_changed.connect(bump_on_write, sender=model)
