"""The rules of the tables in Python say what the database says."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.apps import apps
from django.db import models
from django.db.models import F, Q, Value
from hypothesis import given
from hypothesis import strategies as st

from evidence.curation.documents import PARTS
from evidence.curation.workbook.constraint_check import fields_in, predicate, rules_of

RULES = [
    pytest.param(model, constraint, id=constraint.name)
    for model in apps.get_app_config("evidence").get_models()
    for constraint in model._meta.constraints
    if isinstance(constraint, models.CheckConstraint)
]
TEXTS = ["", "none", "unknown", "yes", "events", "10.1155/2019/5293981", "31360575", "NCT03274076"]


def mentioned(condition: Q, name: str) -> list:
    """Values a condition compares a field with: those at which it turns."""
    found = []
    for child in condition.children:
        if isinstance(child, Q):
            found += mentioned(child, name)
        elif child[0].split("__")[0] == name and not isinstance(child[1], F | bool):
            found += list(child[1]) if isinstance(child[1], list | tuple) else [child[1]]
    return found


def field_of(model, name: str) -> models.Field:
    return model._meta.pk if name == "pk" else model._meta.get_field(name)


def values_for(model, condition: Q, name: str) -> st.SearchStrategy:
    field = field_of(model, name)
    at = mentioned(condition, name)
    if isinstance(field, models.BooleanField):
        values = st.booleans()
    elif isinstance(field, models.DecimalField):
        near = [Decimal(str(one)) + step for one in at for step in (-1, 0, 1)]
        values = st.sampled_from([Decimal(0), Decimal(-1), Decimal("4.5"), *near])
    elif isinstance(field, models.IntegerField | models.ForeignKey | models.AutoField):
        numbers = [one for one in at if isinstance(one, int)]
        values = st.sampled_from([0, 1, 2, *(one + step for one in numbers for step in (-1, 0, 1))])
    elif isinstance(field, models.DateTimeField):
        values = st.just(datetime(2027, 5, 12, 12, tzinfo=UTC))
    elif isinstance(field, models.DateField):
        values = st.just(date(2027, 5, 12))
    else:
        values = st.sampled_from([*TEXTS, *(str(one) for one in at)]) | st.text(max_size=12).filter(
            lambda text: "\0" not in text
        )
        values = values.map(field.to_python)  # identifiers are kept as their registries write them
    may_be_empty = field.null or name == "pk"
    return st.none() | values if may_be_empty else values


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize(("model", "constraint"), RULES)
def test_every_rule_of_a_table_is_answered_as_the_database_does(model, constraint):
    condition = constraint.condition
    names = list(dict.fromkeys(fields_in(condition)))
    ours = predicate(condition)

    @given(st.fixed_dictionaries({name: values_for(model, condition, name) for name in names}))
    def agree(values):
        stored = {name: Value(value, field_of(model, name)) for name, value in values.items()}
        assert (ours(values) is not False) == condition.check(stored), values

    agree()


def test_every_kind_of_record_of_a_study_has_its_rules():
    for model in PARTS:
        expected = [
            one for one in model._meta.constraints if isinstance(one, models.CheckConstraint)
        ]
        assert [rule.name for rule in rules_of(model)] == [one.name for one in expected]


def test_what_cannot_be_answered_is_refused():
    with pytest.raises(ValueError, match="icontains"):
        predicate(Q(name__icontains="a"))
    with pytest.raises(ValueError, match="XOR"):
        predicate(Q(a=1) ^ Q(b=1))
