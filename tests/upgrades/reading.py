"""Takes studies of each kind over migration 0011 and back, in the database DATABASE_URL names.

    python -m tests.upgrades.reading

Everything in that database is lost. Writes as JSON what is said of reading and withdrawal before,
afterwards, and once the migration is taken back; first why it refuses two studies with one DOI.
"""

import json
import os
import sys

import django

BEFORE, AFTER = "0009_finding_harm", "0011_reading_and_withdrawal"


def draw(get_model) -> None:
    """Published and simulated studies, read in full or not, with a patient or without."""
    for kind in ("published", "simulated"):
        collection = get_model("Collection").objects.create(
            slug=kind, name=kind, kind=kind, description=kind, caveat="as a test has it"
        )
        for extraction in ("full_text", "abstract"):
            for patients in (0, 1):
                study = get_model("Study").objects.create(
                    collection=collection,
                    slug=f"{kind}-{extraction}-{patients}",
                    short_name="S",
                    design="case_series",
                    extraction=extraction,
                    state="published",
                )
                for _ in range(patients):
                    get_model("Patient").objects.create(
                        study=study, slug=f"{study.slug}-p", label="p", state="published"
                    )
    get_model("Study").objects.filter(slug="published-abstract-0").update(state="withdrawn")
    get_model("Study").objects.filter(extraction="full_text").update(doi="10.1000/Same")
    studies = get_model("Study").objects.filter(slug="published-abstract-0")
    studies.update(doi="10.1000/same")
    get_model("DataVersion").objects.create(id=1, number=7, token="then", tokens={"*": "then"})


def taken_over() -> dict:
    from django.core.management import CommandError
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    from .run import empty_at, told

    def model_at(state: str):
        apps = MigrationLoader(connection).project_state(("evidence", state)).apps
        return lambda name: apps.get_model("evidence", name)

    def values(get_model, model: str, *names: str) -> dict:
        rows = get_model(model).objects.values_list("slug", *names)
        return {slug: found[0] if len(found) == 1 else found for slug, *found in rows}

    empty_at(BEFORE)
    draw(model_at(BEFORE))
    try:
        refused = told("migrate", "evidence", AFTER)
    except CommandError as error:
        refused = str(error)
    model_at(BEFORE)("Study").objects.update(doi="")
    told("migrate", "evidence", AFTER)
    new = model_at(AFTER)
    version = new("DataVersion").objects.get()
    found = {
        "refused": refused,
        "extraction": values(new, "Study", "extraction"),
        "looked_for": values(new, "Patient", "looked_for"),
        "reasons": values(new, "Study", "state", "withdrawal_reason"),
        "version": [version.number, version.token != "then", version.tokens["*"] == version.token],
    }
    told("migrate", "evidence", BEFORE)
    old = model_at(BEFORE)
    study = old("Study").objects.get(slug="published-full_text-0")
    # the triggers that ask for what is no longer there are gone as well
    old("Patient").objects.create(study=study, slug="new", label="new")
    old("Patient").objects.all().delete()
    return found | {"back": values(old, "Study", "extraction")}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evidence.settings")
    django.setup()
    json.dump(taken_over(), sys.stdout)
