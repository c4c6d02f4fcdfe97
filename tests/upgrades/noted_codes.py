"""Takes terms with a noted HPO code over migration 0017 and back, in the database DATABASE_URL
names.

    python -m tests.upgrades.noted_codes

Everything in that database is lost. Writes as JSON what the terms say of themselves before and
afterwards, and how many codes of other ontologies there are then.
"""

import json
import os
import sys

import django

BEFORE, AFTER = "0016_checking", "0017_ontology_codes"


def taken_over() -> dict:
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    from .run import empty_at, told

    def model_at(state: str, name: str):
        apps = MigrationLoader(connection).project_state(("evidence", state)).apps
        return apps.get_model("evidence", name)

    def descriptions(state: str) -> dict:
        return {
            name: dict(model_at(state, name).objects.values_list("code", "description"))
            for name in ("Indication", "Manifestation")
        }

    empty_at(BEFORE)
    create = model_at(BEFORE, "Manifestation").objects.create
    create(code="noted", label="Noted", hpo="HP:0000001", description="As entered.")
    create(code="silent", label="Silent", description="As entered.")
    model_at(BEFORE, "Indication").objects.create(code="noted", label="Noted", hpo="HP:0000002")
    before = descriptions(BEFORE)
    told("migrate", "evidence", AFTER)
    found = {
        "before": before,
        "after": descriptions(AFTER),
        "codes": model_at(AFTER, "OntologyCode").objects.count(),
    }
    told("migrate", "evidence", BEFORE)
    return found | {"back": descriptions(BEFORE)}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evidence.settings")
    django.setup()
    json.dump(taken_over(), sys.stdout)
