"""Terms have synonyms and may be out of use; what outcomes are measured by is a vocabulary.

Each text that outcomes name becomes a measure. One that is a spelling of a measure the fixtures have
becomes that one ("MRSS" becomes mRSS), of groups' findings too; others that differ in case, spaces
and hyphens only become one, the most frequent. Values stay as they are, also those outside a range.
"""

import hashlib
import json

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Count
from django.utils.text import slugify

from evidence.models.spellings import fold_spelling
from evidence.models.version import ALL, REMEMBERED, new_token

NOT_NAMED = "not named"
POSITION = 100  # behind the measures that many sources use
# As the fixtures of this version have them.
KNOWN = [
    {'code': 'mrss', 'label': 'mRSS', 'synonyms': 'modified Rodnan skin score; modified Rodnan skin thickness score; Rodnan skin score; Rodnan', 'description': 'Modified Rodnan skin score.', 'position': 1, 'domain': 'skin', 'low': '0', 'high': '51', 'better': 'lower', 'standard': True},
    {'code': 'fvc-percent-predicted', 'label': 'FVC % predicted', 'synonyms': 'FVC%; FVC (%); FVC % pred; FVC % pred.; FVC (% predicted); ppFVC; %FVC; percent predicted FVC', 'description': 'Forced vital capacity as a percentage of what is predicted.', 'position': 2, 'domain': 'lung', 'unit': '% predicted', 'low': '0', 'high': '200', 'better': 'higher', 'standard': True},
    {'code': 'fvc', 'label': 'FVC', 'synonyms': 'forced vital capacity', 'description': 'Forced vital capacity in the unit the outcome gives. In % predicted it is a measure of its own.', 'position': 3, 'domain': 'lung', 'low': '0', 'better': 'higher', 'standard': True},
    {'code': 'dlco-percent-predicted', 'label': 'DLCO % predicted', 'synonyms': 'DLCO%; DLCO (%); DLCO % pred; DLCO % pred.; DLCO (% predicted); ppDLCO; %DLCO; percent predicted DLCO; TLCO % predicted; TLCO%', 'description': 'Diffusing capacity for carbon monoxide as a percentage of what is predicted.', 'position': 4, 'domain': 'lung', 'unit': '% predicted', 'low': '0', 'high': '200', 'better': 'higher', 'standard': True},
    {'code': 'dlco', 'label': 'DLCO', 'synonyms': 'TLCO; diffusing capacity', 'description': 'Diffusing capacity for carbon monoxide, in the unit the outcome gives or in one the source does not name. In % predicted it is a measure of its own.', 'position': 5, 'domain': 'lung', 'low': '0', 'better': 'higher', 'standard': True},
    {'code': 'six-minute-walk-distance', 'label': '6-minute walk distance', 'synonyms': '6MWD; 6MWT; six-minute walk distance; 6-minute walk test; six-minute walk test', 'position': 6, 'domain': 'lung', 'unit': 'm', 'low': '0', 'better': 'higher', 'standard': True},
    {'code': 'haq-di', 'label': 'HAQ-DI', 'synonyms': 'HAQ; Health Assessment Questionnaire Disability Index', 'description': 'Health Assessment Questionnaire, disability index.', 'position': 7, 'domain': 'global', 'low': '0', 'high': '3', 'better': 'lower', 'standard': True},
    {'code': 'acr-criss', 'label': 'ACR-CRISS', 'synonyms': 'CRISS; Composite Response Index in Systemic Sclerosis', 'description': 'Composite Response Index in Systemic Sclerosis: a predicted probability of having improved.', 'position': 8, 'domain': 'global', 'low': '0', 'high': '1', 'better': 'higher', 'standard': True},
    {'code': 'tender-joint-count', 'label': 'tender joint count', 'synonyms': 'TJC; number of tender joints', 'position': 9, 'domain': 'joints', 'low': '0', 'better': 'lower', 'standard': True},
    {'code': 'swollen-joint-count', 'label': 'swollen joint count', 'synonyms': 'SJC; number of swollen joints', 'position': 10, 'domain': 'joints', 'low': '0', 'better': 'lower', 'standard': True},
    {'code': 'das28', 'label': 'DAS28', 'description': 'Disease Activity Score of 28 joints, where the source does not say from what it is calculated.', 'position': 11, 'domain': 'joints', 'better': 'lower', 'standard': True},
    {'code': 'das28-crp', 'label': 'DAS28-CRP', 'synonyms': 'DAS28 (CRP)', 'description': 'Disease Activity Score of 28 joints with C-reactive protein.', 'position': 12, 'domain': 'joints', 'better': 'lower', 'standard': True},
    {'code': 'das28-esr', 'label': 'DAS28-ESR', 'synonyms': 'DAS28 (ESR)', 'description': 'Disease Activity Score of 28 joints with the erythrocyte sedimentation rate.', 'position': 13, 'domain': 'joints', 'better': 'lower', 'standard': True},
    {'code': 'cdai', 'label': 'CDAI', 'synonyms': 'Clinical Disease Activity Index', 'description': 'Clinical Disease Activity Index.', 'position': 14, 'domain': 'joints', 'low': '0', 'high': '76', 'better': 'lower', 'standard': True},
    {'code': 'digital-ulcers', 'label': 'digital ulcers', 'synonyms': 'number of digital ulcers; digital ulcer count', 'description': 'How many, where the outcome gives a number.', 'position': 15, 'domain': 'vascular', 'low': '0', 'better': 'lower', 'standard': True},
    {'code': 'ultrasound-skin-thickness', 'label': 'ultrasound skin thickness', 'synonyms': 'skin thickness by ultrasound', 'description': 'In the unit the outcome gives.', 'position': 16, 'domain': 'skin', 'low': '0', 'better': 'lower', 'standard': True},
    {'code': 'authors-statement', 'label': "authors' statement", 'position': 100},
    {'code': 'new-nodules', 'label': 'new nodules', 'position': 100},
    {'code': 'ra-disease-activity', 'label': 'RA disease activity', 'position': 100},
    {'code': 'skin-condition', 'label': 'skin condition', 'position': 100},
    {'code': 'skin-sclerosis', 'label': 'skin sclerosis', 'position': 100},
]


def name_measures(apps, schema_editor):
    outcomes = apps.get_model("evidence", "Outcome").objects.order_by()
    findings = apps.get_model("evidence", "GroupFinding").objects.order_by()
    measures = apps.get_model("evidence", "Measure").objects
    known = {
        fold_spelling(spelling): fields
        for fields in KNOWN
        for spelling in (fields["code"], fields["label"], *fields.get("synonyms", "").split(";"))
        if fold_spelling(spelling)
    }
    times = dict(outcomes.values_list("measure").annotate(times=Count("pk")))
    labels, codes, rewritten = {}, {fields["code"] for fields in KNOWN}, 0
    for text in sorted(times, key=lambda text: (-times[text], text)):
        folded = fold_spelling(text)
        fields = known.get(folded)
        if fields:
            labels[folded] = fields["label"]
            _, is_new = measures.get_or_create(code=fields["code"], defaults=fields)
            if is_new:
                note_loaded(apps, fields)
        elif folded not in labels:
            labels[folded] = text.strip() if folded else NOT_NAMED
            code = unused_code(text, codes)
            codes.add(code)
            measures.create(code=code, label=labels[folded], position=POSITION)
        if text != labels[folded]:
            rewritten += outcomes.filter(measure=text).update(measure=labels[folded])
    for text in set(findings.values_list("measure", flat=True)):
        fields = known.get(fold_spelling(text))
        if fields and text != fields["label"]:
            rewritten += findings.filter(measure=text).update(measure=fields["label"])
    if rewritten:
        new_version(apps.get_model("evidence", "DataVersion").objects)


def unused_code(text, used):
    code = slugify(text)[:40].strip("-_") or "measure"
    return next(each for each in (code, *(f"{code}-{number}" for number in range(2, len(used) + 3))) if each not in used)


def note_loaded(apps, fields):
    """That the fixtures say so, so that a later correction of theirs arrives; see `loading`."""
    fingerprints = {
        name: hashlib.sha256(json.dumps(str(value)).encode()).hexdigest()[:16] for name, value in fields.items()
    }
    apps.get_model("evidence", "LoadedRecord").objects.update_or_create(
        model="evidence.measure", key=json.dumps([fields["code"]]), defaults={"fields": fingerprints}
    )


def new_version(versions):
    """What was kept of the answers before is of other texts."""
    for version in versions.all():
        version.number += 1
        version.token = new_token()
        version.collections, version.tokens = {ALL: version.number}, {ALL: version.token}
        version.history = [*version.history, version.token][-REMEMBERED:]
        version.save()


class Migration(migrations.Migration):

    dependencies = [
        ('evidence', '0009_finding_harm'),
    ]

    operations = [
        migrations.AddField(
            model_name='adverseeventcategory',
            name='in_use',
            field=models.BooleanField(default=True, help_text='Off: not offered for new records. Records that have it keep it.'),
        ),
        migrations.AddField(
            model_name='adverseeventcategory',
            name='synonyms',
            field=models.TextField(blank=True, help_text='Other spellings, separated by semicolons. Whoever enters one of them enters this.'),
        ),
        migrations.AddField(
            model_name='autoantibody',
            name='in_use',
            field=models.BooleanField(default=True, help_text='Off: not offered for new records. Records that have it keep it.'),
        ),
        migrations.AddField(
            model_name='autoantibody',
            name='synonyms',
            field=models.TextField(blank=True, help_text='Other spellings, separated by semicolons. Whoever enters one of them enters this.'),
        ),
        migrations.AddField(
            model_name='indication',
            name='in_use',
            field=models.BooleanField(default=True, help_text='Off: not offered for new records. Records that have it keep it.'),
        ),
        migrations.AddField(
            model_name='indication',
            name='synonyms',
            field=models.TextField(blank=True, help_text='Other spellings, separated by semicolons. Whoever enters one of them enters this.'),
        ),
        migrations.AddField(
            model_name='jakinhibitor',
            name='in_use',
            field=models.BooleanField(default=True, help_text='Off: not offered for new records. Records that have it keep it.'),
        ),
        migrations.AddField(
            model_name='jakinhibitor',
            name='synonyms',
            field=models.TextField(blank=True, help_text='Other spellings, separated by semicolons. Whoever enters one of them enters this.'),
        ),
        migrations.AddField(
            model_name='manifestation',
            name='in_use',
            field=models.BooleanField(default=True, help_text='Off: not offered for new records. Records that have it keep it.'),
        ),
        migrations.AddField(
            model_name='manifestation',
            name='synonyms',
            field=models.TextField(blank=True, help_text='Other spellings, separated by semicolons. Whoever enters one of them enters this.'),
        ),
        migrations.AddField(
            model_name='therapy',
            name='in_use',
            field=models.BooleanField(default=True, help_text='Off: not offered for new records. Records that have it keep it.'),
        ),
        migrations.AddField(
            model_name='therapy',
            name='synonyms',
            field=models.TextField(blank=True, help_text='Other spellings, separated by semicolons. Whoever enters one of them enters this.'),
        ),
        migrations.AlterField(
            model_name='jakinhibitor',
            name='brand',
            field=models.CharField(blank=True, help_text='Several are separated by a slash.', max_length=80),
        ),
        migrations.CreateModel(
            name='Measure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.SlugField(unique=True, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*$', 'Use letters, digits and single hyphens, such as fujita-2019-1.')])),
                ('label', models.CharField(max_length=120, unique=True)),
                ('synonyms', models.TextField(blank=True, help_text='Other spellings, separated by semicolons. Whoever enters one of them enters this.')),
                ('description', models.TextField(blank=True)),
                ('in_use', models.BooleanField(default=True, help_text='Off: not offered for new records. Records that have it keep it.')),
                ('position', models.PositiveSmallIntegerField(default=0, help_text='Order in lists; equal numbers go by label.')),
                ('domain', models.CharField(blank=True, choices=[('skin', 'Skin'), ('lung', 'Lung'), ('gi', 'Gastrointestinal'), ('joints', 'Joints'), ('vascular', 'Vascular'), ('global', 'Global')], help_text='Empty: no single one.', max_length=8)),
                ('unit', models.CharField(blank=True, max_length=40)),
                ('low', models.DecimalField(blank=True, decimal_places=3, help_text='As the instrument defines it. Values below are refused. Empty: no limit.', max_digits=9, null=True, verbose_name='lowest value')),
                ('high', models.DecimalField(blank=True, decimal_places=3, help_text='As the instrument defines it. Values above are refused. Empty: no limit.', max_digits=9, null=True, verbose_name='highest value')),
                ('better', models.CharField(blank=True, choices=[('lower', 'Lower is better'), ('higher', 'Higher is better')], help_text='Empty: neither, or not known.', max_length=8)),
                ('standard', models.BooleanField(default=False, help_text='An instrument that many sources use. Off: words of one source.')),
            ],
            options={
                'ordering': ['position', 'label'],
                'abstract': False,
                'constraints': [models.CheckConstraint(condition=models.Q(('domain__in', ['', 'skin', 'lung', 'gi', 'joints', 'vascular', 'global'])), name='measure_domain_coded', violation_error_message='Choose one of the listed values for domain.'), models.CheckConstraint(condition=models.Q(('better__in', ['', 'lower', 'higher'])), name='measure_better_coded', violation_error_message='Choose one of the listed values for better.'), models.CheckConstraint(condition=models.Q(('low__isnull', True), ('high__isnull', True), ('low__lte', models.F('high')), _connector='OR'), name='measure_range_ordered', violation_error_message='The range ends below its beginning.')],
            },
        ),
        migrations.RunPython(name_measures, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='outcome',
            name='measure',
            field=models.ForeignKey(db_column='measure', db_index=False, help_text='Such as mRSS, FVC % predicted, digital ulcers.', on_delete=django.db.models.deletion.PROTECT, related_name='outcomes', to='evidence.measure', to_field='label'),
        ),
    ]
