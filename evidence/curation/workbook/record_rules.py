"""Rules on the records of a study that single cells cannot break: those of the tables, of the
models, and of `curation.integrity`, asked of the rows together with what is in work already.

No rule asks about a cell that has a fault of its own, and each names the cell to change.
"""

from collections import defaultdict
from functools import cache

from django.core.exceptions import ValidationError
from django.db import models

from ...models import Manifestation, Measure
from ...models.base import COMPLETENESS, Keyed
from ...models.choices import Ascertainment, Extraction, ListCompleteness, Presence, Statistic
from ...models.measure import LEVELS, VALUE_KINDS
from ...models.reported_total import A_WHOLE_NUMBER
from ...models.term_tree import TermTree, read_tree
from .constraint_check import Rule, rules_of
from .in_work import InWork
from .linking import Linked
from .rows import Findings, Row
from .sheets import LISTED_TWICE, PRESENCES, Kind, Sheet
from .values import CellReader

EVENT_LIST = "adverse_event_categories_completeness"
# Of a rule on several cells, the one to change where it is not the last one filled in.
CELL_TO_CHANGE = {
    "treatment_stop_reason_needs_stop": "stopped",
    "treatment_adverse_event_categories_completeness_coded": EVENT_LIST,
    "outcome_followup_not_before_baseline": "at_months",
    "finding_item_is_counted": "item",
    "finding_harm_is_counted": "harm",
    "finding_events_within_n": "events",
    "group_mixed_names_no_inhibitor": "mixed_inhibitors",
    "reportedtotal_count_within_n": "of_n",
    "reportedtotal_month_of_followup": "at_months",
}
GIVEN = (ListCompleteness.COMPLETE, ListCompleteness.PARTIAL)
MOST_PLACES = 32_767  # of a study: what the number of a place can be


class RecordRules:
    """Checks every record of the workbook; faults go to `said`."""

    def __init__(self, linked: Linked, in_work: InWork, said: Findings, reader: CellReader):
        self.linked, self.in_work, self.said, self.reader = linked, in_work, said, reader
        self.measures = {measure.code: measure for measure in Measure.objects.all()}
        self.tree: TermTree = read_tree(Manifestation)
        self.patients_of: dict[str, list[str]] = defaultdict(list)
        self.courses_of: dict[str, list[tuple]] = defaultdict(list)
        self.outcomes_of: dict[tuple, list[tuple]] = defaultdict(list)
        self.events_of: dict[tuple, list[tuple]] = defaultdict(list)
        self.groups_of: dict[str, list[tuple]] = defaultdict(list)
        self.findings_of: dict[tuple, list[tuple]] = defaultdict(list)
        self.totals_of: dict[str, list[tuple]] = defaultdict(list)
        for key in linked.totals:
            self.totals_of[key[0]].append(key)
        for patient, study in linked.study_of.items():
            self.patients_of[study].append(patient)
        for owners, keys in (
            (self.courses_of, [linked.courses, linked.outcomes, linked.events]),
            (self.groups_of, [linked.groups, linked.findings]),
        ):
            for key in dict.fromkeys(key[:2] for one in keys for key in one):
                owners[key[0]].append(key)
        for owners, keys in (
            (self.outcomes_of, linked.outcomes),
            (self.events_of, linked.events),
            (self.findings_of, linked.findings),
        ):
            for key in keys:
                owners[key[:-1]].append(key)

    def check(self) -> None:
        """Checks the study of each row, one after the other."""
        studies = (self.linked.studies, self.patients_of, self.groups_of, self.totals_of)
        for slug in dict.fromkeys(slug for of_study in studies for slug in of_study):
            self.check_study(slug, StudyInWork(self.in_work, slug))

    def check_study(self, slug: str, held: "StudyInWork") -> None:
        row = self.linked.studies.get(slug)
        if row:
            self.check_record(
                row, held.fields("evidence.study", self.in_work.collection.slug, slug)
            )
            registered = row.values.get("extraction") == Extraction.REGISTRY
            if registered and not row.values.get("nct") and "nct" not in row.faulty:
                problem = "A trial registration has a ClinicalTrials.gov number."
                self.said.fault(row, "nct", problem)
        places = 0
        for patient in self.patients_of[slug]:
            places += self.check_patient(patient, held)
        for key in self.groups_of[slug]:
            places += self.check_group(key, held)
        for key in self.totals_of[slug]:
            before = held.fields("evidence.reportedtotal", self.in_work.collection.slug, *key)
            self.check_total(self.linked.totals[key], before)
        if places > MOST_PLACES and row:
            problem = f"More than {MOST_PLACES:,} values of this study have a place."
            self.said.fault(row, "slug", problem)
        if row and row.values.get("n_jaki") is not None and "n_jaki" not in row.faulty:
            self.check_size(slug, row, held)

    def check_size(self, slug: str, row: Row, held: "StudyInWork") -> None:
        """No more patients are described than were given a JAK inhibitor."""
        most = row.values["n_jaki"]
        patients = held.keys("evidence.patient") | {(one,) for one in self.patients_of[slug]}
        if len(patients) > most:
            problem = (
                f"The study has {len(patients)} individual patients, more than the {most} given a "
                "JAK inhibitor."
            )
            self.said.fault(row, "n_jaki", problem)
            return
        in_groups = 0
        collection = self.in_work.collection.slug
        keys = {(slug, key[2]) for key in held.keys("evidence.studygroup")}
        for key in keys | set(self.groups_of[slug]):
            group = self.linked.groups.get(key)
            if group and group.faulty & {"n", "inhibitor", "mixed_inhibitors"}:
                return
            fields = merged(group, held.fields("evidence.studygroup", collection, *key))
            if fields.get("inhibitor") or fields.get("mixed_inhibitors"):
                in_groups += fields.get("n") or 0
        if in_groups > most:
            problem = (
                f"Its treated groups add up to {in_groups}, more than the {most} given a JAK "
                "inhibitor."
            )
            self.said.fault(row, "n_jaki", problem)

    # -- patients

    def check_patient(self, patient: str, held: "StudyInWork") -> int:
        """Checks a patient and all under it; says how many values have a place."""
        row, places = self.linked.patients.get(patient), 0
        if row:
            places += placed_values(row)
            self.check_record(row, held.fields("evidence.patient", patient))
            self.check_own_list(row, "prior_therapies", held.fields("evidence.patient", patient))
            for name, model in PRESENCES.items():
                self.check_presences(row, name, model, held)
            courses = {*self.courses_of[patient], *held.keys_under("evidence.treatment", patient)}
            if not courses and patient not in self.linked.uncertain_courses:
                problem = "This patient has no course on the sheet Courses."
                name = "slug" if "slug" in row.raw else "patient_number"
                self.said.fault(row, name, problem)
        for key in self.courses_of[patient]:
            places += self.check_course(key, held)
        return places

    def check_presences(self, row: Row, name: str, model: type[Keyed], held: "StudyInWork") -> None:
        """What was found, and what was looked for and not found."""
        lists = {}
        for status in Presence.values:
            field = f"{name}_{status}"
            if field in row.faulty:
                return
            listed = row.values.get(field)
            if listed is None:
                listed = held.presences(model, row.values["slug"], status)
            lists[status] = tuple(listed)
        present, absent = lists[Presence.PRESENT], lists[Presence.ABSENT]
        completeness = f"{name}{COMPLETENESS}"
        fields = merged(row, held.fields("evidence.patient", row.values["slug"]))
        self.check_list(row, f"{name}_present", completeness, present, fields.get(completeness))
        to_change = f"{name}_absent" if f"{name}_absent" in row.raw else f"{name}_present"
        labels = self.reader.spellings_of(row.sheet.column(f"{name}_absent").vocabulary).labels
        both = [labels[code] for code in present if code in absent]
        if both:
            self.said.fault(row, to_change, LISTED_TWICE.format("; ".join(both)))
        elif name == "manifestations":
            wider = [
                (code, other)
                for code in present
                for other in self.tree.wider.get(code, ())
                if other in absent
            ]
            if wider:
                problem = " ".join(
                    f"“{labels[code]}” is present, but “{labels[other]}”, of which it is a part, "
                    "is listed as absent."
                    for code, other in wider
                )
                self.said.fault(row, to_change, problem)

    def check_own_list(self, row: Row, name: str, before: dict) -> None:
        fields = merged(row, before)
        completeness = f"{name}{COMPLETENESS}"
        self.check_list(row, name, completeness, fields.get(name, ()), fields.get(completeness))

    def check_list(self, row: Row, name: str, completeness: str, items, stated) -> None:
        """A list said to be empty has no item; one said to be there has at least one."""
        if row.faulty & {name, completeness}:
            return
        label = row.sheet.column(completeness).header
        if items and stated == ListCompleteness.NONE:
            to_change = completeness if completeness in row.raw else name
            problem = f"Something is listed, but “{label}” says that there is none."
            self.said.fault(row, to_change, problem)
        elif not items and stated in GIVEN:
            to_change = completeness if completeness in row.raw else name
            problem = "The list is said to be there, but nothing is listed."
            self.said.fault(row, to_change, problem)

    # -- courses

    def check_course(self, key: tuple, held: "StudyInWork") -> int:
        row, before = self.linked.courses.get(key), held.fields("evidence.treatment", *key)
        places = 0
        outcomes, events = self.outcomes_of[key], self.events_of[key]
        all_events = {*events, *held.keys_under("evidence.adverseevent", *key)}
        if row:
            places += placed_values(row)
            self.check_record(row, before)
            for name in ("indications", "concomitant_therapies"):
                self.check_own_list(row, name, before)
            self.check_event_list(key, row, merged(row, before), all_events)
            self.check_no_outcomes(row, outcomes)
        if all_events and merged(row, before).get("adverse_events") != Ascertainment.EVENTS:
            self.refuse_events(row, [self.linked.events[one] for one in events])
        for one in outcomes:
            outcome = self.linked.outcomes[one]
            places += placed_values(outcome)
            self.check_record(outcome, held.fields("evidence.outcome", *one))
            self.check_measure(outcome)
            self.check_misfits(outcome, held.fields("evidence.outcome", *one))
        for one in events:
            event = self.linked.events[one]
            places += placed_values(event)
            self.check_record(event, held.fields("evidence.adverseevent", *one))
        return places

    def check_no_outcomes(self, row: Row, outcomes: list[tuple]) -> None:
        if row.states.get("outcomes") and outcomes:
            rows = ", ".join(str(self.linked.outcomes[one].number) for one in outcomes)
            problem = f"The sheet Outcomes has outcomes of this course (row {rows})."
            self.said.fault(row, "outcomes", problem)

    def refuse_events(self, course: Row | None, events: list[Row]) -> None:
        """An adverse event stands under a course that says that there were some."""
        label = Ascertainment.EVENTS.label
        if course is None:
            problem = f"The course in work does not say “{label}” under adverse events."
            self.said.fault(events[0], "course", problem)
        elif "adverse_events" not in course.faulty:
            rows = ", ".join(str(event.number) for event in events)
            where = (
                f"the sheet Adverse events has some (row {rows})" if rows else "some are in work"
            )
            problem = f"This cell has to say “{label}”: {where}."
            self.said.fault(course, "adverse_events", problem, (label,))

    def check_event_list(self, key: tuple, row: Row, fields: dict, events: set[tuple]) -> None:
        certain = key[0] not in self.linked.uncertain_events
        certain = certain and not row.faulty & {EVENT_LIST, "adverse_events"}
        if certain and not events and fields.get(EVENT_LIST) in GIVEN:
            problem = "The list is said to be there, but the sheet Adverse events has none."
            self.said.fault(row, EVENT_LIST, problem)

    def check_measure(self, row: Row) -> None:
        """The values of a measure lie in its range."""
        column, code = row.sheet.column("measure"), row.values.get("measure")
        if column.kind != Kind.TERM and code is not None:
            code = self.reader.spellings_of(Measure).find(code)
        measure = self.measures.get(code)
        levels = (*LEVELS, *VALUE_KINDS.get(row.values.get("kind"), ()))
        for name in levels if measure else ():
            error = measure.range_error(row.values.get(name))
            if error:
                self.said.fault(row, name, error)

    def check_misfits(self, row: Row, before: dict) -> None:
        """An outcome has the domain and the unit of its measure."""
        fields = merged(row, before)
        measure = self.measures.get(row.values.get("measure"))
        if measure is None:
            return
        misfits = measure.misfits(fields.get("domain", ""), fields.get("unit") or "")
        for name, problem in misfits.items():
            if name not in row.faulty:
                self.said.fault(row, name if name in row.raw else "measure", problem)

    # -- groups

    def check_group(self, key: tuple, held: "StudyInWork") -> int:
        row, collection = self.linked.groups.get(key), self.in_work.collection.slug
        before, places = held.fields("evidence.studygroup", collection, *key), 0
        if row:
            self.check_record(row, before)
            places += placed_values(row)
        size = merged(row, before).get("n")
        for one in self.findings_of[key]:
            finding = self.linked.findings[one]
            places += placed_values(finding)
            self.check_record(finding, held.fields("evidence.groupfinding", collection, *one))
            self.check_measure(finding)
            analysed = finding.values.get("n")
            faulty = finding.faulty | (row.faulty if row else set())
            if size and analysed and analysed > size and "n" not in faulty:
                problem = f"The finding analyses {analysed} patients of a group of {size}."
                self.said.fault(finding, "n", problem)
        return places

    # -- totals

    def check_total(self, row: Row, before: dict) -> None:
        self.check_record(row, before)
        value = row.values.get("value")
        is_count = merged(row, before).get("statistic") == Statistic.COUNT
        if is_count and value is not None and value % 1 and not row.faulty & {"value", "statistic"}:
            self.said.fault(row, "value", A_WHOLE_NUMBER)

    # -- the rules of a table

    def check_record(self, row: Row, before: dict) -> None:
        """The rules a table holds, of one record as it would be with this row."""
        values = None
        for rule in several_cells(row.sheet.model):
            if row.faulty.intersection(rule.fields):
                continue
            if not row.raw.keys() & set(rule.fields):
                continue  # the row says nothing of it
            if values is None:
                values = rule_values(row, before)
            if rule.is_broken(values):
                self.said.fault(row, cell_to_change(rule, row), rule.message)


class StudyInWork:
    """What is in work of one study, by record and by what it belongs to."""

    def __init__(self, in_work: InWork, slug: str):
        self.records = in_work.records(slug)
        self.under: dict[tuple, set[tuple]] = defaultdict(set)  # by model and owner
        self.listed: dict[tuple, list[str]] = defaultdict(list)  # by model, patient and status
        presences = {model._meta.label_lower for model in PRESENCES.values()}
        for (model, *key), record in self.records.items():
            self.under[model, *key[:-1]].add(tuple(key))
            if model in presences:
                status = record["fields"].get("status", Presence.PRESENT.value)
                self.listed[model, key[0], status].append(key[1])

    def fields(self, *key) -> dict:
        record = self.records.get(key)
        return record["fields"] if record else {}

    def keys(self, model: str) -> set[tuple]:
        return {key[1:] for key in self.records if key[0] == model}

    def keys_under(self, model: str, *owner) -> set[tuple]:
        """Keys of records of their owner."""
        return self.under.get((model, *owner), set())

    def presences(self, model: type[Keyed], patient: str, status: str) -> list[str]:
        """Codes listed for a patient."""
        return self.listed.get((model._meta.label_lower, patient, status), [])


def merged(row: Row | None, before: dict) -> dict:
    """The fields of a record in work with those of a row over them."""
    if row is None:
        return before
    kept = {name: value for name, value in before.items() if name not in row.states}
    return kept | row.values


@cache
def several_cells(model: type[Keyed]) -> tuple[Rule, ...]:
    """The rules of a table on more than one cell; those on one are asked of each cell."""
    return tuple(rule for rule in rules_of(model) if len(rule.fields) > 1)


def rule_values(row: Row, before: dict) -> dict:
    """What the rules of a table ask about, as the database would hold it."""
    fields, values = merged(row, before), {"pk": None}
    for name in {name for rule in several_cells(row.sheet.model) for name in rule.fields}:
        if name == "pk":
            continue
        field = row.sheet.model._meta.get_field(name)
        value = fields.get(name)
        if value is None:
            value = None if field.is_relation else field.get_default()
        elif isinstance(field, models.DecimalField) and not field.is_relation:
            try:
                value = field.to_python(value)
            except ValidationError:  # in work, not in this row
                value = None
        values[name] = value
    return values


def cell_to_change(rule: Rule, row: Row) -> str:
    """The cell a curator has to change for a rule to hold."""
    if rule.name in CELL_TO_CHANGE:
        return CELL_TO_CHANGE[rule.name]
    columns = [name for name in rule.fields if name in row.sheet.by_field]
    if rule.name == "finding_events_given":
        return next((name for name in ("events", "n") if row.values.get(name) is None), "events")
    if rule.name == "finding_spread_not_negative":
        return next(name for name in columns if (row.values.get(name) or 0) < 0)
    return [name for name in columns if name in row.raw][-1]


@cache
def placed_fields(sheet: Sheet) -> frozenset[str]:
    return frozenset(column.field for column in sheet.columns if column.placed)


def placed_values(row: Row) -> int:
    """How many values of a row have a place."""
    return len(placed_fields(row.sheet) & row.values.keys()) if row.place else 0
