"""The first page of the curators’ entrance: what there is to do, then the tables by subject."""

from dataclasses import dataclass

from django.contrib.admin import AdminSite
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse

from ..curation.integrity import integrity_issues
from ..models import DataVersion, Patient, Study, StudyDraft
from ..models.choices import Extraction, State

SHOWN_DRAFTS = 8
FAULTS_SECONDS = 24 * 60 * 60  # as long as the data stay the same, see `faults_key`

# Every table of the admin: what a curator finds in it. The first word is the name of its model.
TABLES = {
    "Evidence": {
        "Study": "Publications and registered trials, with their groups.",
        "Patient": "Single people as one study describes them, with signs, antibodies and courses.",
        "Treatment": "Courses of one drug in one patient, with outcomes and adverse events.",
        "Outcome": "One measure before and after, and the result as the authors state it.",
        "AdverseEvent": "Single adverse events under a course.",
        "PatientManifestation": "Signs looked for in a patient, present or absent.",
        "PatientAutoantibody": "Antibodies a patient was tested for, present or absent.",
        "StudyGroup": "Arms and series a study reports as a whole.",
        "GroupFinding": "What a study prints about a group.",
        "Provenance": "Where in the source one value stands, who took it and who checked it.",
    },
    "Work on studies": {
        "StudyDraft": "Studies as documents; readers see nothing of it before it is published.",
        "StudyVersion": "Every state a study was ever in, with who made it so.",
        "Appraisal": "Risk of bias by question: two appraisers, then a consensus.",
        "Suggestion": "Corrections that readers suggest, to accept or decline.",
        "Curator": "Who agreed to be named to readers.",
    },
    "Vocabularies": {
        "JAKInhibitor": "The drugs, with facts about each.",
        "Measure": "What outcomes are measured with: units, ranges, which way is better.",
        "Indication": "What a course was given for.",
        "Manifestation": "Organs and signs; a term can be part of a wider one.",
        "Autoantibody": "Antibodies patients are tested for.",
        "Therapy": "Other drugs, before a JAK inhibitor or along with it.",
        "AdverseEventCategory": "What adverse events are counted as.",
    },
    "Reviews and collections": {
        "Collection": "Bodies of evidence: published, or simulated. Numbers never cross.",
        "Review": "Reviews of the same literature, with the figures they print.",
        "PrintedFigure": "Single figures of a review, compared with what the records give.",
        "FlowStep": "How many records a search found, and why some were left out.",
        "ReviewInclusion": "Which review includes which study.",
    },
    "Casebook’s own tables, to read only": {
        "Release": "Numbered states of the evidence that are kept for good.",
        "ReleasedCollection": "The collections of each release, as they were.",
        "DataVersion": "A number that rises with every change; answers are made anew when it does.",
        "LoadedRecord": "What the shipped files said when they were last loaded, so that a "
        "curator’s change is told from theirs.",
    },
    "Accounts": {
        "User": "Who may come in here.",
        "Group": "What several people may do alike.",
        "AccessAttempt": "Failed logins that still count; remove one to end its wait.",
        "AccessLog": "Logins, where they are kept.",
        "AccessFailureLog": "Every failed login, where they are kept.",
    },
}
OTHERS = "Others"


def grouped(apps: list[dict]) -> list[dict]:
    """Django's list of apps and their tables, by subject and with a line on each table."""
    tables = {table["object_name"]: table for app in apps for table in app["models"]}
    groups = []
    for title, lines in TABLES.items():
        found = [
            tables.pop(name) | {"explanation": line}
            for name, line in lines.items()
            if name in tables
        ]
        groups.append((title, found))
    groups.append((OTHERS, [table | {"explanation": ""} for table in tables.values()]))
    return [
        {
            "name": title,
            "app_label": f"group-{place}",
            "app_url": reverse("admin:index"),
            "has_module_perms": True,
            "models": found,
        }
        for place, (title, found) in enumerate(groups)
        if found
    ]


@dataclass(frozen=True)
class Task:
    """One line of what there is to do: how many, of what, and where."""

    count: int
    what: str
    address: str
    why: str = ""


def changelist(model, **conditions) -> str:
    query = "&".join(f"{name}={value}" for name, value in conditions.items())
    return f"{reverse(f'admin:evidence_{model._meta.model_name}_changelist')}?{query}"


# Studies that say something else than the tables.
IS_OPEN = Q(head__isnull=False) & (Q(published__isnull=True) | ~Q(head=F("published")))


def open_drafts():
    """Studies in work that say something else than the tables, the latest first."""
    drafts = StudyDraft.objects.filter(IS_OPEN)
    return drafts.select_related("collection", "head__author").defer("head__content")


def work_to_do(request: HttpRequest) -> dict:
    """The context of the first page; what somebody may not see is left out."""
    may = request.user.has_perm
    tasks = []
    if may("evidence.view_study"):
        in_draft = Study.objects.filter(state=State.DRAFT)
        in_part = Study.objects.filter(state=State.PUBLISHED, extraction=Extraction.IN_PART)
        withdrawn = Study.objects.filter(state=State.WITHDRAWN)
        tasks += [
            Task(
                in_draft.count(),
                "in the tables, not yet published",
                changelist(Study, state__exact=State.DRAFT),
            ),
            Task(
                in_part.count(),
                "published and read in part",
                changelist(
                    Study, state__exact=State.PUBLISHED, extraction__exact=Extraction.IN_PART
                ),
                "Their empty values read “not extracted” until somebody has looked for each.",
            ),
            Task(withdrawn.count(), "withdrawn", changelist(Study, state__exact=State.WITHDRAWN)),
        ]
    patients = None
    if may("evidence.view_patient"):
        withdrawn = Patient.objects.filter(state=State.WITHDRAWN)
        patients = Task(
            withdrawn.count(), "withdrawn", changelist(Patient, state__exact=State.WITHDRAWN)
        )
    drafts = open_drafts() if may("evidence.view_studydraft") else None
    return {
        "tasks": tasks,
        "withdrawn_patients": patients,
        "drafts": drafts.order_by("-head__at")[:SHOWN_DRAFTS] if drafts is not None else [],
        "drafts_count": drafts.count() if drafts is not None else None,
        "faults": cache.get(faults_key()),
        "may_see_faults": may_see_faults(request),
        "ways_in": ways_in(request),
    }


def ways_in(request: HttpRequest) -> list[tuple[str, str]]:
    """How a study is begun: labels and addresses of the pages there are."""
    named = [
        ("Import a workbook", "evidence_studydraft_import", "evidence.change_studydraft"),
        ("Empty workbook", "evidence_studydraft_template", "evidence.change_studydraft"),
        ("Begin from references", "evidence_studydraft_references", "evidence.change_studydraft"),
        ("New study", "evidence_study_add", "evidence.add_study"),
    ]
    found = []
    for label, name, permission in named:
        try:
            address = reverse(f"admin:{name}")
        except NoReverseMatch:  # not in this version
            continue
        if request.user.has_perm(permission):
            found.append((label, address))
    return found


def may_see_faults(request: HttpRequest) -> bool:
    return request.user.has_perm("evidence.view_study")


def faults_key() -> str:
    """The name under which the number of faults is kept: that of one state of the data."""
    return f"faults:{DataVersion.current().token}"


def faults_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """What `check_evidence` finds now. It reads all records, so the first page only links here."""
    if not may_see_faults(request):
        raise PermissionDenied
    key, faults = faults_key(), integrity_issues()
    cache.set(key, len(faults), FAULTS_SECONDS)
    context = {**site.each_context(request), "title": "Faults", "faults": faults}
    return TemplateResponse(request, "admin/faults.html", context)
