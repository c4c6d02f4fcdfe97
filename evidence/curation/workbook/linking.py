"""Which record each row is, and which it belongs to.

A row that names a record with a fault of its own is no fault: the record is there, as soon as that
one is mended. So what rows are *meant* to be is kept beside what they are.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from django.utils.text import slugify

from ...models import Collection, Patient
from ...models.choices import Extraction
from .in_work import IDENTIFIERS, InWork
from .rows import Findings, Row
from .sheets import COURSES, EVENTS, FINDINGS, GROUPS, OUTCOME_ROWS, PATIENTS, STUDIES, TOTALS

SIMULATED_PREFIX = "SIM-"
MOST_SEARCHED = 300  # names that mean nothing for which near ones are looked for
BATCH = 500
NEIGHBOURS = 20  # rows before and after one that may be of the same patient


def is_registration(extraction) -> bool:
    return extraction == Extraction.REGISTRY


def letters(text: str) -> str:
    """What is left of an id that was mistyped in its signs alone."""
    return re.sub(r"[\W_]", "", text.casefold())


@dataclass
class Linked:
    """Rows by which record they are. Rows whose record is not known are in none of these."""

    studies: dict[str, Row] = field(default_factory=dict)
    patients: dict[str, Row] = field(default_factory=dict)
    courses: dict[tuple[str, int], Row] = field(default_factory=dict)
    outcomes: dict[tuple[str, int, int], Row] = field(default_factory=dict)
    events: dict[tuple[str, int, int], Row] = field(default_factory=dict)
    groups: dict[tuple[str, str], Row] = field(default_factory=dict)
    findings: dict[tuple[str, str, int], Row] = field(default_factory=dict)
    totals: dict[tuple[str, int], Row] = field(default_factory=dict)
    study_of: dict[str, str] = field(default_factory=dict)  # of each patient
    # Patients that may have courses, or a course events, of which the rows have faults.
    uncertain_courses: set[str] = field(default_factory=set)
    uncertain_events: set[str] = field(default_factory=set)
    uncertain_patients: set[str] = field(default_factory=set)  # rows that may be of these studies


class Linker:
    """Links the rows of all sheets, and says which cannot be."""

    def __init__(self, collection: Collection, in_work: InWork, findings: Findings):
        self.collection, self.in_work, self.said = collection, in_work, findings
        self.linked = Linked()
        # By their letters, as written in rows with a fault in that cell; and rows without an id.
        self.meant_studies: set[str] = set()
        self.unnamed_studies: list[Row] = []
        self.meant_patients: set[str] = set()
        self.unnamed_patients: list[Row] = []
        self.misnamed_patients: list[Row] = []  # whose id is another's, or is none
        self.meant_groups: set[tuple[str, str]] = set()
        self.searched: dict[tuple[str, str], tuple[str, ...]] = {}

    def link(self, rows: dict[str, list[Row]]) -> Linked:
        self.link_studies(rows[STUDIES.title])
        self.link_patients(rows[PATIENTS.title])
        self.link_references(rows[STUDIES.title])
        self.note_strays(rows)
        self.link_courses(rows[COURSES.title])
        for sheet, target in ((OUTCOME_ROWS, self.linked.outcomes), (EVENTS, self.linked.events)):
            self.link_under_courses(rows[sheet.title], target)
        self.link_groups(rows[GROUPS.title])
        self.link_findings(rows[FINDINGS.title])
        self.link_totals(rows[TOTALS.title])
        return self.linked

    def nearest(self, kind: str, text: str, names: Iterable[str]) -> tuple[str, ...]:
        """Names spelled like a text; each text is looked up once, and not more than some."""
        key = (kind, text)
        if key not in self.searched:
            if len(self.searched) >= MOST_SEARCHED:
                return ()
            self.searched[key] = tuple(get_close_matches(text, list(names), n=3, cutoff=0.7))
        return self.searched[key]

    def keep(self, target: dict, key, row: Row, name: str) -> bool:
        """Keeps a row under the key of its record, unless another has it already."""
        if key in target:
            problem = f"Row {target[key].number} says the same record already."
            self.said.fault(row, name, problem)
            return False
        target[key] = row
        return True

    # -- studies and what names them

    def link_studies(self, rows: list[Row]) -> None:
        seen: dict[tuple[str, str, bool], Row] = {}
        for row in rows:
            slug = row.values.get("slug")
            if slug is None:
                self.meant_studies.add(letters(row.text("slug")))
                if "slug" not in row.raw:
                    self.unnamed_studies.append(row)
            else:
                self.keep(self.linked.studies, slug, row, "slug")
            for name in IDENTIFIERS:
                if value := row.values.get(name):
                    self.check_identifier(row, slug, name, str(value), seen)

    def check_identifier(self, row: Row, slug, name: str, value: str, seen: dict) -> None:
        """One publication is one study. A trial's paper and its registration are two, which have
        one number.
        """
        extraction = row.values.get("extraction")
        if extraction is None:  # the row says nothing of it
            extraction = self.in_work.studies.get(slug, {}).get("extraction")
        folded, registered = value.casefold(), is_registration(extraction)
        by_number = name == "nct" and registered
        other = seen.setdefault((name, folded, by_number), row)
        if other is not row:
            if "slug" not in row.faulty:
                self.said.fault(row, name, f"The study in row {other.number} has it already.")
            return
        for other_slug, held in self.in_work.studies.items():
            if other_slug != slug and held[name].casefold() == folded:
                if name == "nct" and is_registration(held["extraction"]) != registered:
                    continue
                if other_slug in self.linked.studies:
                    continue  # the workbook says what that one has now
                self.said.fault(row, name, f"The study {other_slug} has it already.")
                return

    def link_references(self, rows: list[Row]) -> None:
        """Other studies that a study names."""
        for row in rows:
            named = row.values.get("may_share_patients_with", ())
            if named and row.values.get("slug") in named:
                problem = "A study does not share patients with itself. Name the other one."
                self.said.fault(row, "may_share_patients_with", problem)
                continue
            unknown = [
                slug for slug in named if not self.is_study(slug) and not self.is_meant_study(slug)
            ]
            if unknown:
                nearest = tuple(one for slug in unknown for one in self.near_studies(slug))
                problem = f"There is no study {' and no '.join(unknown)} in this collection."
                self.said.fault(row, "may_share_patients_with", problem, nearest)

    def is_study(self, slug: str) -> bool:
        return slug in self.linked.studies or slug in self.in_work.studies

    def is_meant_study(self, slug: str) -> bool:
        """Whether a row on Studies that has a fault there may be this study."""
        if STUDIES.title in self.said.absent:
            return True
        return letters(slug) in self.meant_studies or any(
            slugify(row.text("short_name")) == slug for row in self.unnamed_studies
        )

    def near_studies(self, slug: str) -> tuple[str, ...]:
        return self.nearest("study", slug, {**self.linked.studies, **self.in_work.studies})

    def study_named_in(self, row: Row) -> str | None:
        """The study a row belongs to; None where it is not known. Says so where that is a fault."""
        slug = row.values.get("study")
        if slug is None or self.is_study(slug):
            return slug
        if not self.is_meant_study(slug):
            problem = f"There is no study {slug}: not on the sheet Studies, nor in the collection."
            self.said.fault(row, "study", problem, self.near_studies(slug))
            self.linked.uncertain_patients.update(self.near_studies(slug))
        row.faulty.add("study")
        return None

    # -- patients

    def link_patients(self, rows: list[Row]) -> None:
        for row in rows:
            study, patient = self.study_named_in(row), row.values.get("slug")
            made_of = "slug"
            if patient is None and "slug" not in row.raw:
                number = row.values.get("patient_number")
                if number is not None and row.values.get("study"):
                    patient, made_of = self.made_id(row.values["study"], number), "patient_number"
                elif not row.faulty & {"patient_number", "study"}:
                    problem = "Write the patient’s public id, or a number from which it is made."
                    self.said.fault(row, "slug", problem)
            if patient is None:
                self.meant_patients.add(letters(row.text("slug")))
                missing = "slug" not in row.raw
                (self.unnamed_patients if missing else self.misnamed_patients).append(row)
                if study:
                    self.linked.uncertain_patients.add(study)
                continue
            if not self.keep(self.linked.patients, patient, row, made_of):
                if row.raw != self.linked.patients[patient].raw:  # or else it is a copy
                    self.misnamed_patients.append(row)
                continue
            row.values["slug"] = patient
            if study:
                self.linked.study_of[patient] = study
            self.check_prefix(row, patient, made_of)
        self.refuse_ids_of_others()
        self.link_other_reports()

    def made_id(self, study: str, number: int) -> str:
        prefix = SIMULATED_PREFIX if self.collection.is_simulated else ""
        return f"{prefix}{study}-{number}"

    def check_prefix(self, row: Row, patient: str, name: str) -> None:
        if patient.startswith(SIMULATED_PREFIX) != self.collection.is_simulated:
            problem = (
                f"A simulated patient’s public id begins with {SIMULATED_PREFIX}."
                if self.collection.is_simulated
                else f"Only a simulated patient’s public id begins with {SIMULATED_PREFIX}."
            )
            self.said.fault(row, name, problem)

    def refuse_ids_of_others(self) -> None:
        """A public id is one patient's, in all collections."""
        ids = list(self.linked.patients)
        for start in range(0, len(ids), BATCH):
            held = Patient.objects.filter(slug__in=ids[start : start + BATCH]).values_list(
                "slug", "study__slug", "study__collection__slug"
            )
            for patient, study, collection in held:
                own = self.linked.study_of.get(patient)
                row = self.linked.patients[patient]
                if own and (study, collection) != (own, self.collection.slug):
                    name = "slug" if "slug" in row.raw else "patient_number"
                    problem = f"This id belongs to a patient of {study} in {collection} already."
                    self.said.fault(row, name, problem)

    def link_other_reports(self) -> None:
        """Reports of one person in several studies: one of them counts."""
        for row in self.linked.patients.values():
            other = row.values.get("same_as")
            if other is None:
                continue
            if other == row.values["slug"]:
                problem = "A record cannot be another report of itself."
                self.said.fault(row, "same_as", problem)
            elif other in self.linked.patients:
                further = self.linked.patients[other].values.get("same_as")
                if further and further != row.values["slug"]:
                    problem = f"{other} is itself another report of {further}; choose that one."
                    self.said.fault(row, "same_as", problem, (further,))
                elif further and row.number > self.linked.patients[other].number:
                    problem = f"{other} names this patient; only one of the two names the other."
                    self.said.fault(row, "same_as", problem)
            elif not self.is_meant_patient(other) and not self.in_work.study_of_patient(other):
                problem = f"There is no patient {other} in this collection."
                self.said.fault(row, "same_as", problem, self.near_patients(other))

    def is_meant_patient(self, patient: str) -> bool:
        """Whether a row on Patients with a fault in its id may be this patient."""
        if PATIENTS.title in self.said.absent:
            return True
        return letters(patient) in self.meant_patients or any(
            row.text("study") and patient.startswith(f"{row.text('study').strip()}-")
            for row in self.unnamed_patients
        )

    def note_strays(self, rows: dict[str, list[Row]]) -> None:
        """Where a study's rows on Patients with an id that is another's, or none, are as many as
        the patients that other sheets name and that are not known, those are the ones meant.
        """
        named = {
            patient
            for sheet in (COURSES, OUTCOME_ROWS, EVENTS)
            for row in rows[sheet.title]
            if (patient := row.values.get("patient"))
        }
        unknown = {
            one
            for one in named.difference(self.linked.patients)
            if not self.in_work.study_of_patient(one) and letters(one) not in self.meant_patients
        }
        named_letters = {letters(one) for one in named}
        misnamed: dict[str, int] = defaultdict(int)
        for row in self.misnamed_patients:
            # A doubled id is known as the other's; one that is none may be named as it stands.
            if row.values.get("slug") or letters(row.text("slug")) not in named_letters:
                misnamed[row.text("study").strip()] += 1
        for study, count in misnamed.items():
            of_study = {one for one in unknown if study and one.startswith(f"{study}-")}
            if len(of_study) <= count:
                self.meant_patients.update(map(letters, of_study))

    def near_patients(self, patient: str) -> tuple[str, ...]:
        return self.nearest("patient", patient, self.linked.patients)

    def patient_named_in(self, row: Row) -> str | None:
        """The patient a row belongs to; None where it is not known. Says so where that is a
        fault.
        """
        patient = row.values.get("patient")
        if patient is None or patient in self.linked.patients:
            return patient
        study = self.in_work.study_of_patient(patient)
        if study:
            self.linked.study_of[patient] = study
            return patient
        row.faulty.add("patient")
        if not self.is_meant_patient(patient):
            problem = f"There is no patient {patient}: not on the sheet Patients, nor in work."
            self.said.fault(row, "patient", problem, self.near_patients(patient))
        return None

    def may_be(self, rows: list[Row], position: int) -> set[str]:
        """Patients that a row may belong to whose own cell does not say so: near in spelling, or
        those that stand between the patients of the rows before and after it.
        """
        text = rows[position].text("patient").strip()
        if len(self.searched) >= MOST_SEARCHED:
            return set(self.linked.patients)
        order = {patient: place for place, patient in enumerate(self.linked.patients)}
        before, after = (
            [order[patient] for row in some if (patient := row.values.get("patient")) in order]
            for some in (
                rows[max(0, position - NEIGHBOURS) : position],
                rows[position + 1 :][:NEIGHBOURS],
            )
        )
        first, last = max(before, default=0), min(after, default=len(order))
        between = {patient for patient, place in order.items() if first <= place <= last}
        return {text, *self.near_patients(text), *between}

    # -- courses and what happened under them

    def link_courses(self, rows: list[Row]) -> None:
        if COURSES.title in self.said.absent:
            self.linked.uncertain_courses.update(self.linked.patients)
        for position, row in enumerate(rows):
            patient = self.patient_named_in(row)
            if patient is None and COURSES.title not in self.said.absent:
                self.linked.uncertain_courses |= self.may_be(rows, position)
            elif "number" in row.faulty:
                self.linked.uncertain_courses.add(patient)
            elif patient is not None:
                number = row.values.setdefault("number", 1)
                self.keep(self.linked.courses, (patient, number), row, "number")

    def courses_of(self, patient: str) -> set[int]:
        study = self.linked.study_of.get(patient)
        held = self.in_work.held_of(study).courses.get(patient, set()) if study else set()
        return held | self.numbers_of_courses.get(patient, set())

    def link_under_courses(self, rows: list[Row], target: dict) -> None:
        """Outcomes or adverse events."""
        self.numbers_of_courses: dict[str, set[int]] = defaultdict(set)
        for patient, number in self.linked.courses:
            self.numbers_of_courses[patient].add(number)
        of_course: dict[tuple, list[Row]] = defaultdict(list)
        if EVENTS.title in self.said.absent:
            self.linked.uncertain_events.update(self.linked.patients)
        for position, row in enumerate(rows):
            patient = self.patient_named_in(row)
            if patient is None:
                if row.sheet is EVENTS and EVENTS.title not in self.said.absent:
                    self.linked.uncertain_events |= self.may_be(rows, position)
                continue
            course = self.course_named_in(row, patient)
            if course is None or "number" in row.faulty:
                self.linked.uncertain_events.add(patient)
            if course is not None:
                row.values["course"] = course
                of_course[patient, course].append(row)
        for owner, owned in of_course.items():
            self.number_rows(owner, owned, target)

    def course_named_in(self, row: Row, patient: str) -> int | None:
        if "course" in row.faulty:
            return None
        numbers, number = self.courses_of(patient), row.values.get("course")
        if number in numbers or (number is None and len(numbers) == 1):
            return number or min(numbers)
        if patient in self.linked.uncertain_courses:
            return None
        if number is None and numbers:
            courses = ", ".join(map(str, sorted(numbers)))
            problem = f"The patient has the courses {courses}. Write which one this is."
            self.said.fault(row, "course", problem)
        elif numbers:
            nearest = tuple(map(str, sorted(numbers)))
            self.said.fault(row, "course", f"{patient} has no course {number}.", nearest)
        elif patient not in self.linked.patients:
            self.said.fault(row, "course", f"{patient} has no course yet: see the sheet Courses.")
        return None  # that a patient has no course is said of the patient

    def number_rows(self, owner: tuple, rows: list[Row], target: dict) -> None:
        """Numbers rows that have none in their order, beside those that have one."""
        taken, seen = {row.values.get("number") for row in rows}, {}
        free = iter(number for number in range(1, len(rows) + 1) if number not in taken)
        for row in rows:
            if "number" in row.faulty:
                continue
            if "number" not in row.values:
                same = seen.setdefault(str(sorted(row.raw.items(), key=str)), row)
                if same is not row:
                    problem = (
                        f"This row says the same as row {same.number}. Delete one of them, or "
                        "number both if there are two."
                    )
                    self.said.fault(row, "number", problem)
                    continue
                row.values["number"] = next(free)
            self.keep(target, (*owner, row.values["number"]), row, "number")

    # -- groups

    def link_groups(self, rows: list[Row]) -> None:
        for row in rows:
            study, slug = self.study_named_in(row), row.values.get("slug")
            named = row.values.get("study", "")
            if slug is None or study is None:
                self.meant_groups.add((named, letters(row.text("slug"))))
            else:
                self.keep(self.linked.groups, (study, slug), row, "slug")

    def link_findings(self, rows: list[Row]) -> None:
        of_group: dict[tuple, list[Row]] = defaultdict(list)
        for row in rows:
            study, slug = self.study_named_in(row), row.values.get("group")
            if study is None or slug is None:
                continue
            if (study, slug) in self.linked.groups or slug in self.in_work.held_of(study).groups:
                of_group[study, slug].append(row)
            elif GROUPS.title in self.said.absent:
                continue
            elif not {letters(slug), ""} & {
                group
                for named, group in self.meant_groups
                if named == study or not self.is_study(named)
            }:
                own = [group for named, group in self.linked.groups if named == study]
                problem = f"The study {study} has no group {slug} on the sheet Groups."
                self.said.fault(row, "group", problem, self.nearest(study, slug, own))
        for owner, owned in of_group.items():
            self.number_rows(owner, owned, self.linked.findings)

    def link_totals(self, rows: list[Row]) -> None:
        """What the paper prints of all its patients."""
        of_study: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if study := self.study_named_in(row):
                of_study[study].append(row)
        for study, owned in of_study.items():
            self.number_rows((study,), owned, self.linked.totals)
