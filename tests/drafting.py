"""A made-up study in work, and what is done to it."""

import json

from evidence.curation import drafts
from evidence.curation.cell_states import unstated_cells
from evidence.curation.documents import NOT_REPORTED, by_key
from evidence.curation.drafts import Author
from evidence.models import Door, StudyDraft, StudyVersion

MRSS = ["mrss"]
SOMEBODY = Author(door=Door.WORKBENCH)


def record(model: str, states=None, **fields) -> dict:
    return {"model": f"evidence.{model}", "fields": fields} | ({"states": states} if states else {})


def beispiel(*more, collection="work", **study) -> list[dict]:
    """A made-up study of one patient with one course."""
    key = [collection, "beispiel-2027"]
    return [
        record(
            "study",
            **{
                "collection": [collection],
                "slug": "beispiel-2027",
                "short_name": "Beispiel 2027",
                "design": "case_report",
                "extraction": "full_text",
                "year": 2027,
            }
            | study,
        ),
        record("patient", study=key, slug="beispiel-2027-1", label="Case 1", age_years=61),
        record(
            "treatment",
            patient=["beispiel-2027-1"],
            number=1,
            inhibitor=["tofacitinib"],
            indications=[["ild"]],
        ),
        *more,
    ]


def with_cell(document, model: str, name: str, value) -> list[dict]:
    """The document with one cell of its first record of a model changed."""
    copy = json.loads(json.dumps(document))
    found = next(one for one in copy if one["model"] == f"evidence.{model}")
    found["fields"].pop(name, None)
    if value is not None:
        found["fields"][name] = value
    return copy


def all_looked_for(document, *, of_patients: bool = True) -> list[dict]:
    """The document with every untouched core cell marked “not reported”, or those of patients left
    out.
    """
    copy = json.loads(json.dumps(document))
    records = by_key(copy)
    for cell in unstated_cells(copy):
        if cell.patient and not of_patients:
            continue
        records[cell.record].setdefault("states", {})[cell.field] = NOT_REPORTED
    return copy


def published(draft, document=None) -> StudyDraft:
    if document is not None:
        keep(draft, document)
    drafts.publish(draft, based_on=draft.head.number, author=SOMEBODY)
    return draft


def keep(draft, document, author=SOMEBODY) -> StudyVersion:
    number = draft.head.number if draft.head else None
    return drafts.save_draft(draft, document, based_on=number, author=author)
