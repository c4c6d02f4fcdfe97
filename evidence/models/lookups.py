"""`among`: one of many keys, handed to the database as one value. `in` looks at each of two thousand keys in Python."""

import json

from django.db.models import BigAutoField, ForeignKey, Lookup


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
        return column + " IN (SELECT value FROM json_each(%s))", [*params, json.dumps(list(self.rhs))]  # noqa: S608

    def as_postgresql(self, compiler, connection):
        column, params = self.process_lhs(compiler, connection)
        return column + " = ANY(%s)", [*params, list(self.rhs)]
