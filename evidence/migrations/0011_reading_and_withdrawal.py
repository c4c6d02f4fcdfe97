"""What was looked for is said of each patient, what is withdrawn says why, identifiers are unique.

Of no patient has anybody said yet that every empty field was looked for. So a published study read
in full becomes one read in part where it has patients: its empty fields are unknown, not unreported.
Simulated patients are drawn, not read; what an empty field of theirs means stays as it was.
"""

import django.db.models.deletion
import django.db.models.functions.text
from django.core.management.base import CommandError
from django.db import migrations, models
from django.db.models import Count
from django.db.models.functions import Lower

from evidence.models.version import ALL, REMEMBERED, new_token

NOT_RECORDED = "The reason was not recorded."


def refuse_duplicates(apps, schema_editor):
    """Raises CommandError where two studies of a collection have one identifier: nobody but a
    curator can say which of them is right.
    """
    studies = apps.get_model("evidence", "Study").objects.order_by()
    publications, told = studies.exclude(extraction="registry"), []
    for records, name in (
        (studies, "doi"),
        (studies, "pmid"),
        (studies, "pmcid"),
        (publications, "nct"),
        (studies.filter(extraction="registry"), "nct"),
    ):
        known = records.exclude(**{name: ""}).annotate(written=Lower(name))
        twice = known.values("collection", "written").annotate(times=Count("pk")).filter(times__gt=1)
        for row in twice.order_by("collection", "written"):
            slugs = known.filter(collection=row["collection"], written=row["written"])
            told.append(
                f"{row['written']} ({name}): {', '.join(slugs.order_by('slug').values_list('slug', flat=True))}"
            )
    if told:
        raise CommandError(
            "Nothing was changed. Studies of one collection have the same identifier, which this version "
            "refuses. Correct them with the version before, then upgrade:\n  " + "\n  ".join(told)
        )


def not_looked_for_yet(apps, schema_editor):
    patients = apps.get_model("evidence", "Patient").objects
    studies = apps.get_model("evidence", "Study").objects
    full_text = {"extraction": "full_text", "collection__kind": "simulated"}
    simulated = studies.filter(**full_text).values("pk")
    patients.filter(study__in=simulated).update(looked_for=True)
    unread = patients.filter(looked_for=False).values("study")
    changed = studies.filter(extraction="full_text", pk__in=unread).update(extraction="in_part")
    for model in (patients, studies):
        changed += model.filter(state="withdrawn", withdrawal_reason="").update(withdrawal_reason=NOT_RECORDED)
    if changed:
        new_version(apps.get_model("evidence", "DataVersion").objects)


def new_version(versions):
    """What was kept of the answers before is of other data."""
    for version in versions.all():
        version.number += 1
        version.token = new_token()
        version.collections, version.tokens = {ALL: version.number}, {ALL: version.token}
        version.history = [*version.history, version.token][-REMEMBERED:]
        version.save()


def less_than_in_full(apps, schema_editor):
    """The version before has no word for a paper read in part; what is empty stays not extracted."""
    for name in ("Study", "Review"):
        model = apps.get_model("evidence", name).objects
        model.filter(extraction="in_part").update(extraction="abstract")


class Migration(migrations.Migration):

    dependencies = [
        ('evidence', '0010_measures'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='review',
            name='review_extraction_coded',
        ),
        migrations.RemoveConstraint(
            model_name='study',
            name='study_extraction_coded',
        ),
        migrations.AddField(
            model_name='patient',
            name='looked_for',
            field=models.BooleanField(default=False, help_text='Of the patient and of its courses, outcomes and events: what is empty was looked for in the full text and is not there. Without it an empty field is “not extracted”, and the study counts as read in part.', verbose_name='every empty field was looked for'),
        ),
        migrations.AddField(
            model_name='patient',
            name='replaced_by',
            field=models.ForeignKey(blank=True, help_text='Of a withdrawn record: the one that readers are led to instead.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replaces', to='evidence.patient'),
        ),
        migrations.AddField(
            model_name='patient',
            name='withdrawal_reason',
            field=models.TextField(blank=True, help_text='Shown to readers at the address of a withdrawn record.'),
        ),
        migrations.AddField(
            model_name='study',
            name='replaced_by',
            field=models.ForeignKey(blank=True, help_text='Of a withdrawn record: the one that readers are led to instead.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replaces', to='evidence.study'),
        ),
        migrations.AddField(
            model_name='study',
            name='withdrawal_reason',
            field=models.TextField(blank=True, help_text='Shown to readers at the address of a withdrawn record.'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='autoantibodies_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be more than is listed.', max_length=10, verbose_name='how much of the list of autoantibodies present the source gives'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='manifestations_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be more than is listed.', max_length=10, verbose_name='how much of the list of manifestations present the source gives'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='prior_therapies_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be more than is listed.', max_length=10, verbose_name='how much of the list of prior therapies the source gives'),
        ),
        migrations.AlterField(
            model_name='review',
            name='extraction',
            field=models.CharField(choices=[('full_text', 'Full text'), ('in_part', 'Full text, read in part'), ('abstract', 'Abstract or opening of the paper'), ('registry', 'Trial registration'), ('secondary', 'Cited by another publication')], max_length=12),
        ),
        migrations.AlterField(
            model_name='study',
            name='extraction',
            field=models.CharField(choices=[('full_text', 'Full text'), ('in_part', 'Full text, read in part'), ('abstract', 'Abstract or opening of the paper'), ('registry', 'Trial registration'), ('secondary', 'Cited by another publication')], help_text='How much was read. Decides whether an empty value means “not reported” or “not extracted”. “Full text” needs the tick “every empty field was looked for” on each patient.', max_length=12),
        ),
        migrations.AlterField(
            model_name='treatment',
            name='adverse_event_categories_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be events of other categories than are listed. That none occurred is said above.', max_length=10, verbose_name='how much of the list of adverse event categories the source gives'),
        ),
        migrations.AlterField(
            model_name='treatment',
            name='concomitant_therapies_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be more than is listed.', max_length=10, verbose_name='how much of the list of concomitant therapies the source gives'),
        ),
        migrations.AlterField(
            model_name='treatment',
            name='indications_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be more than is listed.', max_length=10, verbose_name='how much of the list of indications the source gives'),
        ),
        migrations.RunPython(refuse_duplicates, migrations.RunPython.noop),
        migrations.RunPython(not_looked_for_yet, less_than_in_full),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'withdrawn'), _negated=True), models.Q(('withdrawal_reason', ''), _negated=True), _connector='OR'), name='patient_withdrawn_has_reason', violation_error_message='A withdrawn record needs the reason that readers are told.'),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.CheckConstraint(condition=models.Q(('replaced_by__isnull', True), ('state', 'withdrawn'), _connector='OR'), name='patient_replaced_where_withdrawn', violation_error_message='Only a withdrawn record is replaced by another.'),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.CheckConstraint(condition=models.Q(('replaced_by__isnull', True), models.Q(('replaced_by', models.F('pk')), _negated=True), _connector='OR'), name='patient_not_replaced_by_itself', violation_error_message='A record cannot be replaced by itself.'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('extraction__in', ['full_text', 'in_part', 'abstract', 'registry', 'secondary'])), name='review_extraction_coded', violation_error_message='Choose one of the listed values for extraction.'),
        ),
        migrations.AddConstraint(
            model_name='study',
            constraint=models.UniqueConstraint(models.F('collection'), django.db.models.functions.text.Lower('doi'), condition=models.Q(('doi', ''), _negated=True), name='study_doi_once_per_collection', violation_error_message='This collection already has a study with this DOI.'),
        ),
        migrations.AddConstraint(
            model_name='study',
            constraint=models.UniqueConstraint(condition=models.Q(('pmid', ''), _negated=True), fields=('collection', 'pmid'), name='study_pmid_once_per_collection', violation_error_message='This collection already has a study with this PMID.'),
        ),
        migrations.AddConstraint(
            model_name='study',
            constraint=models.UniqueConstraint(condition=models.Q(('pmcid', ''), _negated=True), fields=('collection', 'pmcid'), name='study_pmcid_once_per_collection', violation_error_message='This collection already has a study with this PMCID.'),
        ),
        migrations.AddConstraint(
            model_name='study',
            constraint=models.UniqueConstraint(condition=models.Q(models.Q(('nct', ''), _negated=True), ('extraction', 'registry')), fields=('collection', 'nct'), name='study_nct_once_per_registration', violation_error_message='This collection already has the registration with this ClinicalTrials.gov number.'),
        ),
        migrations.AddConstraint(
            model_name='study',
            constraint=models.UniqueConstraint(condition=models.Q(models.Q(('nct', ''), _negated=True), models.Q(('extraction', 'registry'), _negated=True)), fields=('collection', 'nct'), name='study_nct_once_per_publication', violation_error_message='This collection already has a publication with this ClinicalTrials.gov number. If this is another one of the same trial, leave the number out here and choose that study under “may share patients with”.'),
        ),
        migrations.AddConstraint(
            model_name='study',
            constraint=models.CheckConstraint(condition=models.Q(('extraction__in', ['full_text', 'in_part', 'abstract', 'registry', 'secondary'])), name='study_extraction_coded', violation_error_message='Choose one of the listed values for extraction.'),
        ),
        migrations.AddConstraint(
            model_name='study',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'withdrawn'), _negated=True), models.Q(('withdrawal_reason', ''), _negated=True), _connector='OR'), name='study_withdrawn_has_reason', violation_error_message='A withdrawn record needs the reason that readers are told.'),
        ),
        migrations.AddConstraint(
            model_name='study',
            constraint=models.CheckConstraint(condition=models.Q(('replaced_by__isnull', True), ('state', 'withdrawn'), _connector='OR'), name='study_replaced_where_withdrawn', violation_error_message='Only a withdrawn record is replaced by another.'),
        ),
        migrations.AddConstraint(
            model_name='study',
            constraint=models.CheckConstraint(condition=models.Q(('replaced_by__isnull', True), models.Q(('replaced_by', models.F('pk')), _negated=True), _connector='OR'), name='study_not_replaced_by_itself', violation_error_message='A record cannot be replaced by itself.'),
        ),
        migrations.AlterConstraint(
            model_name='study',
            name='study_nct_format',
            constraint=models.CheckConstraint(condition=models.Q(('nct', ''), ('nct__regex', '^NCT\\d{8}$'), _connector='OR'), name='study_nct_format', violation_error_message='This is not a ClinicalTrials.gov number. Write it like NCT03274076, or leave it empty.'),
        ),
    ]
