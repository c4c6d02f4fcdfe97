"""The same answers a second time: plain loops over records in memory, sharing no code with the filters."""

from dataclasses import dataclass
from decimal import Decimal

from evidence.models import Patient, Treatment


@dataclass
class Course:
    """One course and its patient, flat. Sets hold codes; an empty `indications` is an unknown one."""

    patient: str
    study: str
    design: str
    year: int | None
    reading: str
    sex: str
    age: int | None
    subset: str
    disease_duration: Decimal | None
    dlco: Decimal | None
    present: set
    absent: set
    antibodies: set
    antibodies_absent: set
    prior: set
    prior_status: str
    inhibitor: str
    indications: set
    dose: str
    duration: Decimal | None
    response: str
    relapsed: str
    stopped: str
    adverse_events: str
    categories: list
    serious: list
    results: list
    months: list


def is_seen(patient) -> bool:
    """Whether readers may see a report."""
    return patient.state == "published" and patient.study.state == "published"


def persons(collection) -> list[list[Patient]]:
    """The reports of a collection, seen or not, those of one person together: whoever is linked by `same_as`, either
    way round and over any number of links.
    """
    reports = Patient.objects.select_related("study").order_by("pk")
    left = {each.pk: each for each in reports if each.study.collection_id == collection.pk}
    links = [(each.pk, each.same_as_id) for each in left.values() if each.same_as_id in left]
    found = []
    while left:
        person = {next(iter(left))}
        while more := {end for link in links for end in link if person & set(link)} - person:
            person |= more
        found.append([left.pop(key) for key in sorted(person)])
    return found


def rank(report: Patient, seen: set[int], reports: set[int]) -> tuple:
    """Smallest for the report that counts: it has a course; it leads to no other report, or to none readers see."""
    leads = 0 if report.same_as_id not in reports else 2 if report.same_as_id in seen else 1
    return (not report.treatments.exists(), leads, report.pk)


def counted(collection) -> list[Patient]:
    """The one report of each person that counts; nobody of whom readers see no report."""
    found = []
    for reports in persons(collection):
        shown = [each for each in reports if is_seen(each)]
        if len(shown) > 1:
            seen, every = {each.pk for each in shown}, {each.pk for each in reports}
            shown = [min(shown, key=lambda each, seen=seen, every=every: rank(each, seen, every))]
        found += shown
    return found


def all_courses(collection) -> list[Course]:
    """Every course readers may see, each person once."""
    found, people = [], {patient.pk for patient in counted(collection)}
    for course in Treatment.objects.all():
        patient = course.patient
        study = patient.study
        if patient.pk not in people:
            continue
        signs = list(patient.manifestation_records.all())
        antibodies = list(patient.autoantibody_records.all())
        events = list(course.events.all())
        found.append(
            Course(
                patient=patient.slug,
                study=study.slug,
                design=study.design,
                year=study.year,
                reading="not-reported" if study.extraction == "full_text" else "not-extracted",
                sex=patient.sex,
                age=patient.age_years,
                subset=patient.subset,
                disease_duration=patient.disease_duration_months,
                dlco=patient.dlco_percent,
                present={each.manifestation.code for each in signs if each.status == "present"},
                absent={each.manifestation.code for each in signs if each.status == "absent"},
                antibodies={each.autoantibody.code for each in antibodies if each.status == "present"},
                antibodies_absent={each.autoantibody.code for each in antibodies if each.status == "absent"},
                prior={each.code for each in patient.prior_therapies.all()},
                prior_status=patient.prior_status,
                inhibitor=course.inhibitor.slug,
                indications={each.code for each in course.indications.all()},
                dose=course.dose,
                duration=course.duration_months,
                response=course.response,
                relapsed=course.relapsed,
                stopped=course.stopped,
                adverse_events=course.adverse_events,
                categories=[each.category.code for each in events],
                serious=[each.serious for each in events],
                results=[each.result for each in course.outcomes.all()],
                months=[each.at_months for each in course.outcomes.all() if each.at_months is not None],
            )
        )
    return found


def seriousness(course: Course) -> str:
    if "yes" in course.serious:
        return "yes"
    if course.adverse_events == "explicitly_none" or (course.serious and set(course.serious) == {"no"}):
        return "no"
    return "unknown"


def set_matches(own: set, asked: set, match: str, known: bool) -> bool:
    if match == "any":
        return bool(own & asked)
    if match == "all":
        return asked <= own
    if match == "exactly":
        return own == asked
    return known and not own & asked


def holds(course: Course, name: str, values: list[str], match: str) -> bool:
    """Whether one part of a question holds of one course."""
    asked = set(values)
    events_known = course.adverse_events == "explicitly_none" or bool(course.categories)
    if name == "indication":
        return set_matches(course.indications, asked, match, bool(course.indications))
    if name == "prior":
        return set_matches(course.prior, asked, match, course.prior_status != "not_stated")
    if name == "adverse_event":
        return set_matches(set(course.categories), asked, match, events_known)
    if name == "manifestation":
        return asked <= course.absent if match == "none" else set_matches(course.present, asked, match, True)
    if name == "autoantibody":
        own, absent = course.antibodies, course.antibodies_absent
        return asked <= absent if match == "none" else set_matches(own, asked, match, True)
    if name.endswith("_min"):
        number = getattr(course, name.removesuffix("_min"))
        return number is not None and number >= int(values[0])
    if name.endswith("_max"):
        number = getattr(course, name.removesuffix("_max"))
        return number is not None and number <= int(values[0])
    if name == "serious":
        return seriousness(course) in asked
    if name == "assessed":
        return bool(asked & {window_of(month) for month in course.months}) or ("unknown" in asked and not course.months)
    if name == "missing":
        return all(is_missing(course, word) for word in values)
    return getattr(course, name) in asked


def window_of(month) -> str:
    for word, end in (("1", 2), ("3", 4.5), ("6", 9), ("12", 18), ("24", 36)):
        if month < end:
            return word
    return "later"


def known(course: Course) -> dict[str, bool]:
    """Of each attribute that can be unknown, whether it is known of this course."""
    return {
        "sex": course.sex != "unknown",
        "age": course.age is not None,
        "subset": course.subset != "unknown",
        "disease_duration": course.disease_duration is not None,
        "dlco": course.dlco is not None,
        "autoantibody": bool(course.antibodies | course.antibodies_absent),
        "manifestation": bool(course.present | course.absent),
        "prior": course.prior_status != "not_stated",
        "indication": bool(course.indications),
        "dose": course.dose != "",
        "duration": course.duration is not None,
        "response": course.response != "unknown",
        "outcome": any(result != "unknown" for result in course.results),
        "assessed": bool(course.months),
        "stopped": course.stopped != "unknown",
        "relapsed": course.relapsed != "unknown",
        "adverse_events": course.adverse_events != "not_stated",
        "adverse_event": course.adverse_events == "explicitly_none" or bool(course.categories),
        "serious": seriousness(course) != "unknown",
        "year": course.year is not None,
    }


def is_missing(course: Course, word: str) -> bool:
    name, _, reason = word.partition(".")
    return not known(course)[name] and reason in ("", course.reading)


def answering(courses: list[Course], question: dict[str, list[str]]) -> list[Course]:
    """`question` is an address as a dict of lists, match words included."""
    parts = {name: values for name, values in question.items() if values and not name.endswith("_match")}
    return [
        course
        for course in courses
        if all(holds(course, name, values, question.get(f"{name}_match", ["any"])[0]) for name, values in parts.items())
    ]


def patients(courses: list[Course]) -> set[str]:
    return {course.patient for course in courses}
