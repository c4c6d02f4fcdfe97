"""The same answers a second time: plain loops over records in memory, sharing no code with the
filters.
"""

from dataclasses import dataclass
from decimal import Decimal

from evidence.models import Appraisal, Patient, Treatment

WHOLE = ("complete", "none")
WIDER = {"ild": "lung"}  # of manifestations: whoever has the one has the other


@dataclass
class Listed:
    """A list of codes: which are present, which were looked for and absent, and whether there may
    be more.
    """

    present: set
    absent: set
    whole: bool


@dataclass
class Course:
    """One course and its patient, flat. Sets hold codes as recorded; `lists` say what follows from
    them.
    """

    patient: str
    study: str
    design: str
    retraction: str
    appraised: str
    year: int | None
    reading: str
    sex: str
    age: int | None
    subset: str
    disease_duration: Decimal | None
    dlco: Decimal | None
    lists: dict
    inhibitor: str
    dose: str
    duration: Decimal | None
    response: str
    relapsed: str
    stopped: str
    adverse_events: str
    categories: list
    serious: list
    study_graded: bool  # its study had no event, or says of one whether it was serious
    number: int
    results: list
    months: list
    outcomes: list  # (domain, result, month)
    texts: list  # what a search looks into anywhere
    names: list  # drugs and terms, which a search names by the beginning of a word


def is_seen(patient) -> bool:
    """Whether readers may see a report."""
    return patient.state == "published" and patient.study.state == "published"


def persons(collection) -> list[list[Patient]]:
    """The reports of a collection, seen or not, those of one person together: whoever is linked by
    `same_as`, either way round and over any number of links.
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
    """Smallest for the report that counts: it has a course; it leads to no other report, or to none
    readers see.
    """
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


def with_wider(codes: set) -> set:
    return codes | {WIDER[code] for code in codes if code in WIDER}


def with_narrower(codes: set) -> set:
    return codes | {code for code, wider in WIDER.items() if wider in codes}


def appraised_studies() -> set[int]:
    """Studies of which two persons have answered every question of one set, and a consensus stands
    for each.
    """
    said = {}
    for one in Appraisal.objects.all():
        said.setdefault((one.study_id, one.tool), {}).setdefault(one.appraiser, set()).add(one.item)
    sizes = {"jbi-case-reports": 8, "jbi-case-series": 10, "murad-2018": 8}
    found = set()
    for (study, tool), by_person in said.items():
        complete = [who for who, items in by_person.items() if len(items) == sizes[tool]]
        if "" in complete and len(complete) >= 3:
            found.add(study)
    return found


def all_courses(collection) -> list[Course]:
    """Every course readers may see, each person once."""
    found, people = [], {patient.pk for patient in counted(collection)}
    with_events, graded, appraised = set(), set(), appraised_studies()
    treatments = list(
        Treatment.objects.select_related("patient__study", "inhibitor").prefetch_related(
            "patient__manifestation_records__manifestation",
            "patient__autoantibody_records__autoantibody",
            "patient__prior_therapies",
            "indications",
            "concomitant_therapies",
            "events__category",
            "outcomes",
        )
    )
    for course in treatments:
        if is_seen(course.patient) and course.adverse_events == "events":
            with_events.add(course.patient.study_id)
            if any(each.serious != "unknown" for each in course.events.all()):
                graded.add(course.patient.study_id)
    for course in treatments:
        patient = course.patient
        study = patient.study
        if patient.pk not in people:
            continue
        signs = list(patient.manifestation_records.all())
        antibodies = list(patient.autoantibody_records.all())
        events = list(course.events.all())
        categories = [each.category.code for each in events]
        lists = {
            "manifestation": Listed(
                with_wider({each.manifestation.code for each in signs if each.status == "present"}),
                with_narrower(
                    {each.manifestation.code for each in signs if each.status == "absent"}
                ),
                patient.manifestations_completeness in WHOLE,
            ),
            "autoantibody": Listed(
                {each.autoantibody.code for each in antibodies if each.status == "present"},
                {each.autoantibody.code for each in antibodies if each.status == "absent"},
                patient.autoantibodies_completeness in WHOLE,
            ),
            "prior": Listed(
                {each.code for each in patient.prior_therapies.all()},
                set(),
                patient.prior_therapies_completeness in WHOLE,
            ),
            "indication": Listed(
                {each.code for each in course.indications.all()},
                set(),
                course.indications_completeness in WHOLE,
            ),
            "adverse_event": Listed(
                set(categories),
                set(),
                course.adverse_events == "explicitly_none"
                or course.adverse_event_categories_completeness in WHOLE,
            ),
        }
        found.append(
            Course(
                patient=patient.slug,
                study=study.slug,
                design=study.design,
                retraction=study.retraction_status,
                appraised="yes" if study.pk in appraised else "no",
                year=study.year,
                reading="not-reported" if study.extraction == "full_text" else "not-extracted",
                sex=patient.sex,
                age=patient.age_years,
                subset=patient.subset,
                disease_duration=patient.disease_duration_months,
                dlco=patient.dlco_percent,
                lists=lists,
                inhibitor=course.inhibitor.slug,
                dose=course.dose,
                duration=course.duration_months,
                response=course.response,
                relapsed=course.relapsed,
                stopped=course.stopped,
                adverse_events=course.adverse_events,
                categories=categories,
                serious=[each.serious for each in events],
                study_graded=study.pk not in with_events or study.pk in graded,
                number=course.number,
                results=[each.result for each in course.outcomes.all()],
                outcomes=[
                    (each.domain, each.result, each.at_months) for each in course.outcomes.all()
                ],
                months=[
                    each.at_months for each in course.outcomes.all() if each.at_months is not None
                ],
                texts=[
                    *(patient.slug, patient.notes, patient.comorbidities),
                    *(study.short_name, study.title, study.authors, study.journal),
                    *(each.description for each in events),
                ],
                names=[
                    *(course.inhibitor.name, course.inhibitor.brand),
                    *(each.category.label for each in events),
                    *(each.label for each in course.indications.all()),
                    *(each.label for each in course.concomitant_therapies.all()),
                    *(each.label for each in patient.prior_therapies.all()),
                    *(each.manifestation.label for each in signs if each.status == "present"),
                    *(each.autoantibody.label for each in antibodies if each.status == "present"),
                ],
            )
        )
    return found


def seriousness(course: Course) -> str:
    if "yes" in course.serious:
        return "yes"
    if course.adverse_events == "explicitly_none" or (
        course.serious and set(course.serious) == {"no"}
    ):
        return "no"
    return "unknown"


def seriousness_counts(course: Course) -> bool:
    """Whether a course is in the N of serious events. Of a study that graded no event, nobody
    is.
    """
    return seriousness(course) != "unknown" and (
        course.study_graded or course.adverse_events == "events"
    )


def item(own: Listed, code: str) -> str:
    """yes, no or open: whether a list has a code."""
    if code in own.present:
        return "yes"
    return "no" if code in own.absent or own.whole else "open"


def list_answer(own: Listed, asked: set, match: str) -> str:
    """yes, no or open: how a list stands to what is asked."""
    items = [item(own, code) for code in sorted(asked)]
    if match == "any":
        return "yes" if "yes" in items else "open" if "open" in items else "no"
    if match == "none":
        return "no" if "yes" in items else "open" if "open" in items else "yes"
    if match == "all":
        return "no" if "no" in items else "open" if "open" in items else "yes"
    beside = own.present - with_wider(asked)
    if beside or "no" in items:
        return "no"
    return "yes" if own.whole and "open" not in items else "open"


def number_answer(value: int | None, holds) -> str:
    return "open" if value is None else "yes" if holds(value) else "no"


def coded_answer(value: str, asked: set, unknown: str) -> str:
    if value in asked:
        return "yes"
    return "open" if value == unknown and unknown not in asked else "no"


def begins_a_word(name: str, word: str) -> bool:
    """Whether a word begins within a name as `word` does."""
    name, word = name.lower(), word.lower()
    return any(
        name.startswith(word, place) and not name[:place][-1:].isalnum()
        for place in range(len(name))
    )


def is_mentioned(course: Course, word: str) -> bool:
    """Whether a word of a search is found in a course or its patient."""
    return any(word.lower() in text.lower() for text in course.texts) or any(
        begins_a_word(name, word) for name in course.names
    )


UNKNOWN = {
    "sex": "unknown",
    "subset": "unknown",
    "response": "unknown",
    "relapsed": "unknown",
    "adverse_events": "not_stated",
}


def part_answer(course: Course, name: str, values: list[str], match: str) -> str:
    """yes, no or open: what one part of a question answers of one course."""
    asked = set(values)
    if name in course.lists:
        return list_answer(course.lists[name], asked, match)
    if name.endswith(("_min", "_max")):
        own, end = getattr(course, name[: -len("_min")]), int(values[0])
        return number_answer(
            own, lambda value: value >= end if name.endswith("min") else value <= end
        )
    if name == "q":
        return "yes" if all(is_mentioned(course, word) for word in values[0].split()) else "no"
    if name == "serious":
        return coded_answer(seriousness(course), asked, "unknown")
    if name == "assessed":
        if asked & {window_of(month) for month in course.months} or (
            "unknown" in asked and not course.months
        ):
            return "yes"
        if asked == {"unknown"}:
            return "no"
        all_dated = course.outcomes and len(course.months) == len(course.outcomes)
        return "no" if all_dated else "open"
    if name == "missing":
        return "yes" if all(is_missing(course, word) for word in values) else "no"
    return coded_answer(getattr(course, name), asked, UNKNOWN.get(name, ""))


def answer(course: Course, question: dict[str, list[str]]) -> str:
    """yes, no or open. `question` is an address as a dict of lists, match words included."""
    found = [
        part_answer(course, name, values, question.get(f"{name}_match", ["any"])[0])
        for name, values in question.items()
        if values and not name.endswith("_match")
    ]
    return "no" if "no" in found else "open" if "open" in found else "yes"


def patients_answering(courses: list[Course], question: dict[str, list[str]]) -> dict[str, str]:
    """A patient is yes if one course is, no if all are, else open."""
    found = {}
    for course in courses:
        found.setdefault(course.patient, []).append(answer(course, question))
    return {
        patient: "yes" if "yes" in said else "open" if "open" in said else "no"
        for patient, said in found.items()
    }


def window_of(month) -> str:
    for word, end in (("1", 2), ("3", 4.5), ("6", 9), ("12", 18), ("24", 36)):
        if month < end:
            return word
    return "later"


def outcomes_in(courses: list[Course], months: list[str] = ()) -> int:
    """How many outcomes of these courses are of these months; without months, all."""
    return sum(
        not months or ("unknown" if month is None else window_of(month)) in months
        for course in courses
        for _, _, month in course.outcomes
    )


def last_results(courses: list[Course], months: list[str] = ()) -> dict[tuple[str, str], bool]:
    """By patient and domain: whether the last outcome with a result is an improvement. Only
    outcomes of these months.

    The last dated one, by course and then by month; where no course has a dated one, that of the
    last course; and at one time an improvement only where nothing else is said.
    """
    found = {}
    for course in courses:
        for domain, result, month in course.outcomes:
            window = "unknown" if month is None else window_of(month)
            if result != "unknown" and (not months or window in months):
                time = (month is not None, course.number, month or 0)
                at_time = found.setdefault((course.patient, domain), {})
                at_time.setdefault(time, set()).add(result)
    return {key: at_time[max(at_time)] == {"improved"} for key, at_time in found.items()}


WORST_FIRST = ("worsened", "not_improved", "stable", "improved")


def domain_results(courses: list[Course], months: list[str] = ()) -> dict[str, list[tuple]]:
    """By patient: (domain, result, month) of the outcome that counts in each domain, as
    `last_results` chooses it; of several at one time the worst.
    """
    found = {}
    for course in courses:
        for domain, result, month in course.outcomes:
            window = "unknown" if month is None else window_of(month)
            if result == "unknown" or (months and window not in months):
                continue
            rank = (month is not None, course.number, month or 0, -WORST_FIRST.index(result))
            by_domain = found.setdefault(course.patient, {})
            if domain not in by_domain or rank > by_domain[domain][0]:
                by_domain[domain] = rank, (domain, result, month)
    order = ("skin", "lung", "gi", "joints", "vascular", "global")
    return {
        patient: [by_domain[domain][1] for domain in order if domain in by_domain]
        for patient, by_domain in found.items()
    }


def best_results(courses: list[Course], months: list[str] = ()) -> dict[tuple[str, str], bool]:
    """By patient and domain with a result in these months: whether one of them is an
    improvement.
    """
    found = {}
    for course in courses:
        for domain, result, month in course.outcomes:
            if result != "unknown" and (
                not months or ("unknown" if month is None else window_of(month)) in months
            ):
                key = course.patient, domain
                found[key] = found.get(key, False) or result == "improved"
    return found


def known(course: Course) -> dict[str, bool]:
    """Of each attribute that can be unknown, whether it is known of this course."""
    return {
        "sex": course.sex != "unknown",
        "age": course.age is not None,
        "subset": course.subset != "unknown",
        "disease_duration": course.disease_duration is not None,
        "dlco": course.dlco is not None,
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
        "design": course.design != "unknown",
    } | {
        name: bool(own.present | own.absent) or own.whole
        for name, own in course.lists.items()
        if name != "adverse_event"
    }


def is_missing(course: Course, word: str) -> bool:
    name, _, reason = word.partition(".")
    return not known(course)[name] and reason in ("", course.reading)


def answering(courses: list[Course], question: dict[str, list[str]]) -> list[Course]:
    return [course for course in courses if answer(course, question) == "yes"]


def patients(courses: list[Course]) -> set[str]:
    return {course.patient for course in courses}
