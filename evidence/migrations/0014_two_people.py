"""Two people: signatures, groups of curators, and one account for one name.

Accounts whose names differ in capitals or spaces alone stop the upgrade, before anything is changed:
nobody but an administrator can say whose they are.
"""

import django.db.models.deletion
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.core.management.base import CommandError
from django.db import migrations, models

EVIDENCE = (
    "study", "patient", "treatment", "outcome", "adverseevent", "patientmanifestation", "patientautoantibody",
    "studygroup", "groupfinding", "provenance", "reviewinclusion", "collection", "review", "indication",
    "manifestation", "autoantibody", "adverseeventcategory", "therapy", "measure", "jakinhibitor",
)
READING = [
    *(f"view_{model}" for model in EVIDENCE),
    "view_studydraft", "view_studyversion", "view_signature",
    # Whether they are named to readers, each says for themselves.
    "view_curator", "add_curator", "change_curator", "delete_curator",
]
GROUPS = {
    "Extractors": [*READING, "change_studydraft"],
    "Checkers": [*READING, "check_study"],
    "Editors": [*READING, "publish_study"],
}


def refuse_names_twice(apps, schema_editor):
    """Raises CommandError where two accounts would become one."""
    app, model = settings.AUTH_USER_MODEL.split(".")
    by_name = {}
    for name in apps.get_model(app, model).objects.order_by("pk").values_list("username", flat=True):
        by_name.setdefault(name.strip().lower(), []).append(name)
    told = [", ".join(map(repr, names)) for names in by_name.values() if len(names) > 1]
    if told:
        raise CommandError(
            "Nothing was changed. These accounts differ in capitals or spaces alone, which this version refuses: "
            "one person could check their own work. Rename or remove all but one of each with the version before, "
            "then upgrade:\n  " + "\n  ".join(told)
        )


def create_groups(apps, schema_editor):
    """Groups of curators; one that is there already under this name stays as it is."""
    app = apps.get_app_config("evidence")
    app.models_module = True  # else it counts as an app without models
    create_permissions(app, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    groups, permissions = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, codenames in GROUPS.items():
        group, is_new = groups.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(
                permissions.objects.filter(content_type__app_label="evidence", codename__in=codenames)
            )


class Migration(migrations.Migration):

    dependencies = [
        ('evidence', '0013_finding_weeks'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.RunPython(refuse_names_twice, migrations.RunPython.noop),
        migrations.RunSQL(
            'CREATE UNIQUE INDEX auth_user_one_name ON auth_user (lower(trim(username)))',
            'DROP INDEX auth_user_one_name',
        ),
        migrations.CreateModel(
            name='OpenPublication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('origin', models.CharField(choices=[('signed', 'A version that a second person has checked'), ('files', 'Files of the collection'), ('preview', 'To be looked at and taken back')], max_length=8)),
            ],
        ),
        migrations.CreateModel(
            name='Signature',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64)),
                ('meaning', models.CharField(choices=[('submitted', 'Sent to be checked'), ('sent_back', 'Sent back'), ('checked', 'Checked')], max_length=10)),
                ('user_name', models.CharField(max_length=150)),
                ('at', models.DateTimeField()),
                ('remark', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.AlterModelOptions(
            name='studydraft',
            options={'ordering': ['collection', 'slug'], 'permissions': [('publish_study', 'Can publish a study'), ('check_study', 'Can check a study')], 'verbose_name': 'study in work', 'verbose_name_plural': 'studies in work'},
        ),
        migrations.AddField(
            model_name='collection',
            name='needs_two_people',
            field=models.BooleanField(default=False, help_text='On: what readers see of a study changes only through a version that somebody has checked who wrote none of it. Once readers have seen a study it stays on.', verbose_name='publishing needs a second person'),
        ),
        migrations.AddField(
            model_name='historicalcollection',
            name='needs_two_people',
            field=models.BooleanField(default=False, help_text='On: what readers see of a study changes only through a version that somebody has checked who wrote none of it. Once readers have seen a study it stays on.', verbose_name='publishing needs a second person'),
        ),
        migrations.AddConstraint(
            model_name='collection',
            constraint=models.CheckConstraint(condition=models.Q(('needs_two_people', False), ('kind', 'published'), _connector='OR'), name='collection_two_people_publish_what_was_read', violation_error_message='Simulated records are drawn; there is no source that a second person could check them against.'),
        ),
        migrations.AddField(
            model_name='openpublication',
            name='dangling',
            field=models.ForeignKey(default=0, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='evidence.openpublication'),
        ),
        migrations.AddField(
            model_name='openpublication',
            name='draft',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='evidence.studydraft'),
        ),
        migrations.AddField(
            model_name='signature',
            name='user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='signature',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='evidence.studyversion'),
        ),
        migrations.AddField(
            model_name='openpublication',
            name='signature',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='evidence.signature'),
        ),
        migrations.AddField(
            model_name='studyversion',
            name='signature',
            field=models.OneToOneField(help_text='Of a published version: by which a second person had checked it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='published_version', to='evidence.signature'),
        ),
        migrations.AddConstraint(
            model_name='studyversion',
            constraint=models.CheckConstraint(condition=models.Q(('signature__isnull', True), ('is_published', True), _connector='OR'), name='version_signature_is_published', violation_error_message='A signature stands with the version that was published under it.'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.CheckConstraint(condition=models.Q(('meaning__in', ['submitted', 'sent_back', 'checked'])), name='signature_meaning_coded', violation_error_message='Choose one of the listed values for meaning.'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('meaning', 'sent_back'), _negated=True), models.Q(('remark', ''), _negated=True), _connector='OR'), name='signature_sent_back_says_why', violation_error_message='Say what has to be mended.'),
        ),
        migrations.AddConstraint(
            model_name='openpublication',
            constraint=models.CheckConstraint(condition=models.Q(('origin__in', ['signed', 'files', 'preview'])), name='openpublication_origin_coded', violation_error_message='Choose one of the listed values for origin.'),
        ),
        migrations.AddConstraint(
            model_name='openpublication',
            constraint=models.CheckConstraint(condition=models.Q(('pk__gte', 1), ('dangling', 0)), name='openpublication_does_not_last', violation_error_message='It ends with the transaction that it is made in.'),
        ),
        migrations.AddConstraint(
            model_name='openpublication',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('origin', 'signed'), ('signature__isnull', False)), models.Q(models.Q(('origin', 'signed'), _negated=True), ('signature__isnull', True)), _connector='OR'), name='openpublication_signed_names_signature', violation_error_message='A signature is named where one is used.'),
        ),
        migrations.RunPython(create_groups, migrations.RunPython.noop),
    ]
