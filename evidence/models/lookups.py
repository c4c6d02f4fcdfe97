"""SQL that Django has no expression for.

`among` compares with many keys, which are passed to the database as one value; Django's `in`
processes each of two thousand keys in Python. `JoinedText` joins many values to one text.
"""

import json

from django.db.models import Aggregate, BigAutoField, ForeignKey, Lookup, TextField


@BigAutoField.register_lookup
@ForeignKey.register_lookup
class Among(Lookup):
    """`patient__among=[1, 2, 3]`; the keys are whole numbers."""

    lookup_name = "among"
    prepare_rhs = False

    def get_db_prep_lookup(self, value, connection):
        return ("%s", [value])

    def as_sql(self, compiler, connection):
        column, params = self.process_lhs(compiler, connection)
        return column + " IN (SELECT value FROM json_each(%s))", [  # noqa: S608
            *params,
            json.dumps(list(self.rhs)),
        ]

    def as_postgresql(self, compiler, connection):
        column, params = self.process_lhs(compiler, connection)
        return column + " = ANY(%s)", [*params, list(self.rhs)]


class JoinedText(Aggregate):
    """All values of a column as one text: ten times as fast to fetch as a row for each."""

    function = "GROUP_CONCAT"
    template = "%(function)s(%(expressions)s, %(separator)s)"

    def __init__(self, expression, separator: str):
        super().__init__(expression, separator=f"'{separator}'", output_field=TextField())

    def as_postgresql(self, compiler, connection, **context):
        return self.as_sql(
            compiler,
            connection,
            template="STRING_AGG((%(expressions)s)::text, %(separator)s)",
            **context,
        )
