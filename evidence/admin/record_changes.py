"""Changed and untouched cells of a study under the records they are of, as pages list them."""

from dataclasses import dataclass
from itertools import groupby

from django.apps import apps
from django.utils.text import capfirst

from ..curation.cell_states import Cell
from ..curation.documents import CellChange, key_fields
from ..models import Study
from ..models.patient import PresenceRecord

PLACES = "evidence.provenance"
SHOWN_CHANGES = 2_000  # cells listed on one page; the page says how many there are
UNFOLDED_CELLS = 60  # more of new or removed records are folded, to be opened one by one


@dataclass
class RecordChanges:
    """The cells of one record that differ, as a page lists them."""

    title: str
    kind: str  # “changed”, “added” or “removed”
    changes: list[CellChange]
    unfolded: bool = True
    said: str = ""  # what a new record says that has one thing to say: present, or absent


def by_record(changes: list[CellChange]) -> dict[str, list[RecordChanges]]:
    """Changes under their records: those of the evidence, then, apart, the places of values."""
    groups: dict[tuple, RecordChanges] = {}
    for change in changes:
        group = groups.setdefault(
            (change.model, change.key), RecordChanges(record_title(change), change.record, [])
        )
        if change.record == "changed" or change.field not in key_fields(
            apps.get_model(change.model)
        ):
            group.changes.append(change)
    for (label, _), group in groups.items():
        model = apps.get_model(label)
        if issubclass(model, PresenceRecord) and group.kind == "added":
            status = {change.field: change.words[1] for change in group.changes}.get("status")
            group.said = status or str(model().get_status_display())
    records = [group for (model, _), group in groups.items() if model != PLACES]
    if sum(len(group.changes) for group in records) > UNFOLDED_CELLS:
        for group in records:
            group.unfolded = group.kind == "changed"
    places = [group for (model, _), group in groups.items() if model == PLACES]
    return {"records": records, "places": places}


def record_title(change: CellChange) -> str:
    """A record in words, without the collection and the study whose page it stands on."""
    model = apps.get_model(change.model)
    noun = str(model._meta.verbose_name)
    if model is Study:
        return capfirst(noun)
    path, *rest = (
        part for part in model.KEY if not part.endswith(("collection__slug", "study__slug"))
    )
    first, *others = map(str, change.key[len(change.key) - len(rest) - 1 :])
    if path.endswith("patient__slug"):
        return f"{first}, {noun.removeprefix('patient ')} {' / '.join(others)}"
    return f"{capfirst(noun)} {' / '.join([first, *others])}"


def changes_context(changes: list[CellChange]) -> dict:
    """What `_changes.html` shows."""
    return {
        **by_record(changes[:SHOWN_CHANGES]),
        "changes_shown": min(len(changes), SHOWN_CHANGES),
        "changes_count": len(changes),
    }


def by_owner(cells: list[Cell]) -> list[tuple[str, list[Cell]]]:
    """Core cells under the patient or the course they are of."""
    return [(owner, list(group)) for owner, group in groupby(cells, lambda cell: cell.owner)]
