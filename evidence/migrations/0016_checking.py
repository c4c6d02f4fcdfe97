import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evidence', '0015_readers'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CheckedCell',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('record', models.CharField(max_length=40)),
                ('key', models.JSONField()),
                ('field', models.CharField(max_length=60)),
                ('digest', models.CharField(max_length=64)),
                ('agrees', models.BooleanField()),
                ('remark', models.TextField(blank=True)),
                ('user_name', models.CharField(max_length=150)),
                ('at', models.DateTimeField()),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='checked_cells', to='evidence.studyversion')),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('agrees', True), models.Q(('remark', ''), _negated=True), _connector='OR'), name='checkedcell_wrong_says_why', violation_error_message='Say what is wrong with the value.')],
            },
        ),
    ]
