"""One row per course in a table of its own, with a 0/1 column for each value of a set: what
Datasette and Dash like.
"""

import sqlite3
from pathlib import Path

SETS = {
    "indication": (
        "evidence_treatment_indications",
        "treatment_id",
        "t.id",
        "evidence_indication",
        "indication_id",
        "",
    ),
    "manifestation": (
        "evidence_patientmanifestation",
        "patient_id",
        "t.patient_id",
        "evidence_manifestation",
        "manifestation_id",
        "AND status = 'present'",
    ),
    "autoantibody": (
        "evidence_patientautoantibody",
        "patient_id",
        "t.patient_id",
        "evidence_autoantibody",
        "autoantibody_id",
        "AND status = 'present'",
    ),
    "prior": (
        "evidence_patient_prior_therapies",
        "patient_id",
        "t.patient_id",
        "evidence_therapy",
        "therapy_id",
        "",
    ),
    "adverse_event": (
        "evidence_adverseevent",
        "treatment_id",
        "t.id",
        "evidence_adverseeventcategory",
        "category_id",
        "",
    ),
}


def make(source: Path, target: Path, collection: str) -> None:
    """Writes `treatments` and `patients` into a new file."""
    target.unlink(missing_ok=True)
    db = sqlite3.connect(target)
    db.execute("ATTACH ? AS s", [str(source)])
    flags = []
    for name, (table, owner, key, terms, term, more) in SETS.items():
        for number, code in db.execute(f"SELECT id, code FROM s.{terms}"):
            flags.append(
                # Cast, so that the column is of numbers and Datasette's “= 1” finds them.
                f"CAST(EXISTS (SELECT 1 FROM s.{table} x WHERE x.{owner} = {key} "
                f"AND x.{term} = {number} {more}) "
                f'AS INTEGER) AS "{name}__{code}"'
            )
    events = [
        "(SELECT COUNT(*) FROM s.evidence_adverseevent x "
        f"WHERE x.treatment_id = t.id AND x.category_id = {number}) "
        f'AS "events__{code}"'
        for number, code in db.execute("SELECT id, code FROM s.evidence_adverseeventcategory")
    ]
    db.execute(
        f"""CREATE TABLE treatments AS SELECT p.slug AS patient, t.number, y.slug AS study, y.design, y.year,
        p.sex, p.age_years AS age, p.subset, j.slug AS inhibitor, t.indication_set, t.response, t.relapsed,
        t.adverse_events, t.dose, t.duration_months, {", ".join([*flags, *events])}
        FROM s.evidence_treatment t JOIN s.evidence_patient p ON p.id = t.patient_id
        JOIN s.evidence_study y ON y.id = p.study_id JOIN s.evidence_jakinhibitor j ON j.id = t.inhibitor_id
        WHERE y.collection_id = (SELECT id FROM s.evidence_collection WHERE slug = ?) ORDER BY p.slug, t.number""",  # noqa: E501
        [collection],
    )
    for column in ("inhibitor", "indication__ild", "indication__skin", "response", "sex"):
        db.execute(f'CREATE INDEX "by_{column}" ON treatments ("{column}")')
    db.execute("ANALYZE")
    db.commit()
    db.close()
