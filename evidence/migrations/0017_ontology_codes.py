"""Codes of other ontologies have a table of their own, each with the release and the copy it was read in.

What somebody noted as a term's HPO code until now has neither, so it becomes no code: it stays as a remark
in the term's description. The groups of curators may read the new table.
"""

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

GROUPS = ("Extractors", "Checkers", "Editors")


def keep_noted_codes(apps, schema_editor):
    """Codes without a release and a copy become remarks."""
    for name in ("Indication", "Manifestation"):
        for term in apps.get_model("evidence", name).objects.exclude(hpo=""):
            remark = f"HPO code noted without its source: {term.hpo}."
            term.description = f"{term.description}\n{remark}".strip()
            term.save(update_fields=["description"])


def extend_groups(apps, schema_editor):
    app = apps.get_app_config("evidence")
    app.models_module = True  # else it counts as an app without models
    create_permissions(app, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    groups, permissions = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    wanted = permissions.objects.filter(content_type__app_label="evidence", codename="view_ontologycode")
    for group in groups.objects.filter(name__in=GROUPS):
        group.permissions.add(*wanted)


def nothing(apps, schema_editor):
    """Remarks stay, and permissions go with the table."""


class Migration(migrations.Migration):

    dependencies = [
        ('evidence', '0016_checking'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(keep_noted_codes, nothing),
        migrations.CreateModel(
            name='HistoricalOntologyCode',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('disease', models.CharField(blank=True, choices=[('systemic-sclerosis', 'Systemic sclerosis'), ('diffuse', 'Systemic sclerosis: Diffuse cutaneous (dcSSc)'), ('limited', 'Systemic sclerosis: Limited cutaneous (lcSSc)'), ('sine', 'Systemic sclerosis: Sine scleroderma'), ('overlap', 'Systemic sclerosis: Overlap syndrome')], help_text='Systemic sclerosis or one of its subsets, where the code stands for these.', max_length=20, verbose_name='disease or subset')),
                ('code', models.CharField(help_text='HP or MONDO with seven digits, such as HP:0000001.', max_length=16)),
                ('label', models.CharField(help_text='The ontology’s own label of the code.', max_length=200)),
                ('release', models.CharField(help_text='The release of the ontology that was read, such as 2023-07-21.', max_length=10)),
                ('source', models.CharField(help_text='The address of the copy that was read: a file of the ontology’s own repository at one commit.', max_length=300)),
                ('note', models.TextField(blank=True, help_text='What the copy says besides, such as a synonym that decides.')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical ontology code',
                'verbose_name_plural': 'historical ontology codes',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='OntologyCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('disease', models.CharField(blank=True, choices=[('systemic-sclerosis', 'Systemic sclerosis'), ('diffuse', 'Systemic sclerosis: Diffuse cutaneous (dcSSc)'), ('limited', 'Systemic sclerosis: Limited cutaneous (lcSSc)'), ('sine', 'Systemic sclerosis: Sine scleroderma'), ('overlap', 'Systemic sclerosis: Overlap syndrome')], help_text='Systemic sclerosis or one of its subsets, where the code stands for these.', max_length=20, verbose_name='disease or subset')),
                ('code', models.CharField(help_text='HP or MONDO with seven digits, such as HP:0000001.', max_length=16)),
                ('label', models.CharField(help_text='The ontology’s own label of the code.', max_length=200)),
                ('release', models.CharField(help_text='The release of the ontology that was read, such as 2023-07-21.', max_length=10)),
                ('source', models.CharField(help_text='The address of the copy that was read: a file of the ontology’s own repository at one commit.', max_length=300)),
                ('note', models.TextField(blank=True, help_text='What the copy says besides, such as a synonym that decides.')),
            ],
            options={
                'ordering': ['code', 'pk'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='indication',
            name='indication_hpo_format',
        ),
        migrations.RemoveConstraint(
            model_name='manifestation',
            name='manifestation_hpo_format',
        ),
        migrations.RemoveField(
            model_name='historicalindication',
            name='hpo',
        ),
        migrations.RemoveField(
            model_name='historicalmanifestation',
            name='hpo',
        ),
        migrations.RemoveField(
            model_name='indication',
            name='hpo',
        ),
        migrations.RemoveField(
            model_name='manifestation',
            name='hpo',
        ),
        migrations.AddField(
            model_name='historicalontologycode',
            name='adverse_event_category',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='evidence.adverseeventcategory'),
        ),
        migrations.AddField(
            model_name='historicalontologycode',
            name='autoantibody',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='evidence.autoantibody'),
        ),
        migrations.AddField(
            model_name='historicalontologycode',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalontologycode',
            name='indication',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='evidence.indication'),
        ),
        migrations.AddField(
            model_name='historicalontologycode',
            name='manifestation',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='evidence.manifestation'),
        ),
        migrations.AddField(
            model_name='ontologycode',
            name='adverse_event_category',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='ontology_codes', to='evidence.adverseeventcategory'),
        ),
        migrations.AddField(
            model_name='ontologycode',
            name='autoantibody',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='ontology_codes', to='evidence.autoantibody'),
        ),
        migrations.AddField(
            model_name='ontologycode',
            name='indication',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='ontology_codes', to='evidence.indication'),
        ),
        migrations.AddField(
            model_name='ontologycode',
            name='manifestation',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='ontology_codes', to='evidence.manifestation'),
        ),
        migrations.AddConstraint(
            model_name='ontologycode',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('adverse_event_category__isnull', True), ('autoantibody__isnull', True), ('indication__isnull', False), ('manifestation__isnull', True), ('disease', '')), models.Q(('adverse_event_category__isnull', True), ('autoantibody__isnull', True), ('indication__isnull', True), ('manifestation__isnull', False), ('disease', '')), models.Q(('adverse_event_category__isnull', True), ('autoantibody__isnull', False), ('indication__isnull', True), ('manifestation__isnull', True), ('disease', '')), models.Q(('adverse_event_category__isnull', False), ('autoantibody__isnull', True), ('indication__isnull', True), ('manifestation__isnull', True), ('disease', '')), models.Q(('adverse_event_category__isnull', True), ('autoantibody__isnull', True), ('indication__isnull', True), ('manifestation__isnull', True), models.Q(('disease', ''), _negated=True)), _connector='OR'), name='ontologycode_one_term', violation_error_message='A code stands for exactly one term.'),
        ),
        migrations.AddConstraint(
            model_name='ontologycode',
            constraint=models.UniqueConstraint(fields=('indication',), name='ontologycode_once_per_indication', violation_error_message='This term has a code already.'),
        ),
        migrations.AddConstraint(
            model_name='ontologycode',
            constraint=models.UniqueConstraint(fields=('manifestation',), name='ontologycode_once_per_manifestation', violation_error_message='This term has a code already.'),
        ),
        migrations.AddConstraint(
            model_name='ontologycode',
            constraint=models.UniqueConstraint(fields=('autoantibody',), name='ontologycode_once_per_autoantibody', violation_error_message='This term has a code already.'),
        ),
        migrations.AddConstraint(
            model_name='ontologycode',
            constraint=models.UniqueConstraint(fields=('adverse_event_category',), name='ontologycode_once_per_adverse_event_category', violation_error_message='This term has a code already.'),
        ),
        migrations.AddConstraint(
            model_name='ontologycode',
            constraint=models.UniqueConstraint(condition=models.Q(('disease', ''), _negated=True), fields=('disease',), name='ontologycode_once_per_disease', violation_error_message='This term has a code already.'),
        ),
        migrations.AddConstraint(
            model_name='ontologycode',
            constraint=models.CheckConstraint(condition=models.Q(('disease__in', ['', 'systemic-sclerosis', 'diffuse', 'limited', 'sine', 'overlap'])), name='ontologycode_disease_coded', violation_error_message='Choose one of the listed values for disease.'),
        ),
        migrations.AddConstraint(
            model_name='ontologycode',
            constraint=models.CheckConstraint(condition=models.Q(('code__regex', '^(HP|MONDO):\\d{7}$')), name='ontologycode_code_format', violation_error_message='Write the code as its ontology does, such as HP:0000001.'),
        ),
        migrations.AddConstraint(
            model_name='ontologycode',
            constraint=models.CheckConstraint(condition=models.Q(('release__regex', '^\\d{4}-\\d{2}-\\d{2}$')), name='ontologycode_release_format', violation_error_message='Write the release by its day, such as 2023-07-21.'),
        ),
        migrations.AddConstraint(
            model_name='ontologycode',
            constraint=models.CheckConstraint(condition=models.Q(('source__regex', '^https://\\S+$')), name='ontologycode_source_format', violation_error_message='Give the address of the copy that was read: https://….'),
        ),
        migrations.AddConstraint(
            model_name='ontologycode',
            constraint=models.CheckConstraint(condition=models.Q(('label', ''), _negated=True), name='ontologycode_has_label', violation_error_message='Give the label the ontology has for the code.'),
        ),
        migrations.RunPython(extend_groups, nothing),
    ]
