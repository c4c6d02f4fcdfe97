"""Lists say whether they are whole; manifestations have wider terms.

“Listed” prior therapies become partial, never complete: nobody has said that they are.
"""

import django.db.models.deletion
from django.db import migrations, models

FROM = {"explicitly_none": "none", "listed": "partial", "not_stated": "not_stated"}
BACK = {"none": "explicitly_none", "partial": "listed", "complete": "listed", "not_stated": "not_stated"}


def from_prior_status(apps, schema_editor):
    patients = apps.get_model("evidence", "Patient").objects
    for before, after in FROM.items():
        patients.filter(prior_status=before).update(prior_therapies_completeness=after)


def to_prior_status(apps, schema_editor):
    patients = apps.get_model("evidence", "Patient").objects
    for before, after in BACK.items():
        patients.filter(prior_therapies_completeness=before).update(prior_status=after)


class Migration(migrations.Migration):

    dependencies = [
        ('evidence', '0007_version_tokens'),
    ]

    operations = [
        migrations.AddField(
            model_name='manifestation',
            name='parent',
            field=models.ForeignKey(blank=True, help_text='The wider term: whoever has this one has that one too, and whoever lacks that one lacks this one.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='evidence.manifestation'),
        ),
        migrations.AddField(
            model_name='patient',
            name='autoantibodies_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be more than is listed.', max_length=10, verbose_name='list of autoantibodies present'),
        ),
        migrations.AddField(
            model_name='patient',
            name='manifestations_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be more than is listed.', max_length=10, verbose_name='list of manifestations present'),
        ),
        migrations.AddField(
            model_name='patient',
            name='prior_therapies_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be more than is listed.', max_length=10, verbose_name='list of prior therapies'),
        ),
        migrations.AddField(
            model_name='treatment',
            name='adverse_event_categories_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be events of other categories than are listed. That none occurred is said above.', max_length=10, verbose_name='list of adverse event categories'),
        ),
        migrations.AddField(
            model_name='treatment',
            name='concomitant_therapies_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be more than is listed.', max_length=10, verbose_name='list of concomitant therapies'),
        ),
        migrations.AddField(
            model_name='treatment',
            name='indications_completeness',
            field=models.CharField(choices=[('complete', 'Complete'), ('partial', 'Partial: there may be more'), ('none', 'None, as stated'), ('not_stated', 'Not stated')], default='not_stated', help_text='Whether there may be more than is listed.', max_length=10, verbose_name='list of indications'),
        ),
        migrations.RunPython(from_prior_status, to_prior_status),
        migrations.RemoveConstraint(
            model_name='patient',
            name='patient_prior_status_coded',
        ),
        migrations.RemoveField(
            model_name='patient',
            name='prior_status',
        ),
        migrations.AddConstraint(
            model_name='manifestation',
            constraint=models.CheckConstraint(condition=models.Q(('parent__isnull', True), models.Q(('parent', models.F('pk')), _negated=True), _connector='OR'), name='manifestation_not_under_itself', violation_error_message='A term cannot be part of itself.'),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.CheckConstraint(condition=models.Q(('prior_therapies_completeness__in', ['complete', 'partial', 'none', 'not_stated'])), name='patient_prior_therapies_completeness_coded', violation_error_message='Choose one of the listed values for prior therapies completeness.'),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.CheckConstraint(condition=models.Q(('manifestations_completeness__in', ['complete', 'partial', 'none', 'not_stated'])), name='patient_manifestations_completeness_coded', violation_error_message='Choose one of the listed values for manifestations completeness.'),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.CheckConstraint(condition=models.Q(('autoantibodies_completeness__in', ['complete', 'partial', 'none', 'not_stated'])), name='patient_autoantibodies_completeness_coded', violation_error_message='Choose one of the listed values for autoantibodies completeness.'),
        ),
        migrations.AddConstraint(
            model_name='treatment',
            constraint=models.CheckConstraint(condition=models.Q(('indications_completeness__in', ['complete', 'partial', 'none', 'not_stated'])), name='treatment_indications_completeness_coded', violation_error_message='Choose one of the listed values for indications completeness.'),
        ),
        migrations.AddConstraint(
            model_name='treatment',
            constraint=models.CheckConstraint(condition=models.Q(('concomitant_therapies_completeness__in', ['complete', 'partial', 'none', 'not_stated'])), name='treatment_concomitant_therapies_completeness_coded', violation_error_message='Choose one of the listed values for concomitant therapies completeness.'),
        ),
        migrations.AddConstraint(
            model_name='treatment',
            constraint=models.CheckConstraint(condition=models.Q(('adverse_event_categories_completeness', 'not_stated'), models.Q(('adverse_event_categories_completeness__in', ['complete', 'partial']), ('adverse_events', 'events')), _connector='OR'), name='treatment_adverse_event_categories_completeness_coded', violation_error_message='Where adverse events are reported, their list is complete, partial or not stated; otherwise it is not stated, and “adverse events” says whether none occurred.'),
        ),
    ]
