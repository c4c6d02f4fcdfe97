"""Gives the version of the data a random token, and remembers those before it."""

from django.db import migrations, models

import evidence.models.version
from evidence.models.version import ALL, new_token


def name_the_version(apps, schema_editor):
    """The version a database has when it is upgraded gets a token, the same for all collections."""
    token = new_token()
    apps.get_model("evidence", "DataVersion").objects.update(token=token, tokens={ALL: token}, history=[token])


class Migration(migrations.Migration):

    dependencies = [
        ('evidence', '0006_patient_dlco_percent'),
    ]

    operations = [
        migrations.AddField(
            model_name='dataversion',
            name='history',
            field=models.JSONField(default=list, editable=False),
        ),
        migrations.AddField(
            model_name='dataversion',
            name='token',
            field=models.CharField(default=evidence.models.version.new_token, editable=False, max_length=32),
        ),
        migrations.AddField(
            model_name='dataversion',
            name='tokens',
            field=models.JSONField(default=dict, editable=False),
        ),
        migrations.RunPython(name_the_version, migrations.RunPython.noop),
    ]
