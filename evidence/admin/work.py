"""The first page of the curators’ entrance: what there is to do, then the tables by subject."""

from dataclasses import dataclass

from django import forms
from django.contrib.admin import AdminSite
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.text import slugify

from ..curation.cell_states import core_cells
from ..curation.drafts import Author, Conflict, open_draft, save_draft
from ..curation.integrity import integrity_issues
from ..curation.second_entry import blind_drafts
from ..curation.signing import words_to_act_on
from ..curation.workbook.cells import DocumentCells
from ..curation.workbook.grid import faults_of
from ..models import (
    Collection,
    DataVersion,
    Meaning,
    Patient,
    Signature,
    Study,
    StudyDraft,
    StudyVersion,
    Suggestion,
)
from ..models.choices import CollectionKind, Extraction, State, SuggestionStage, YesNo
from ..questions.form_fields import WholeNumberField

SHOWN_DRAFTS = 8  # on the first page
MOST_DRAFTS = 60  # on the page of the queue
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
        "ReportedTotal": "What a paper prints of all its patients, compared with them.",
        "Provenance": "Where in the source one value stands, who took it and who checked it.",
    },
    "Work on studies": {
        "StudyDraft": "Studies as documents; readers see nothing of it before it is published.",
        "StudyVersion": "Every state a study was ever in, with who made it so.",
        "Signature": "What was said of versions: to be checked, sent back, checked.",
        "CheckedCell": "What a second person said of single values: agreed, or what is wrong.",
        "SecondEntry": "Who has entered a study a second time, blind.",
        "Judgement": "How differences between two entries were decided, and why.",
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
        "OntologyCode": "What other ontologies call these terms; only as a copy was read.",
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
        "Group": "What several people may do alike: extractors enter, checkers check what others "
        "entered, editors publish.",
        "AccessAttempt": "Failed logins that still count; remove one to end its wait.",
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
    """Studies in work that say something else than the tables, with `said`: what was last said of
    the newest version, or None.
    """
    said = Signature.objects.filter(version=OuterRef("head")).order_by("-pk").values("meaning")
    drafts = StudyDraft.objects.filter(IS_OPEN).annotate(said=Subquery(said[:1]))
    contents = ("head__content", "published__content")
    return drafts.select_related("collection", "head__author", "published").defer(*contents)


def work_to_do(request: HttpRequest, most: int = SHOWN_DRAFTS) -> dict:
    """The context of the first page; what somebody may not see is left out. `most`: of studies in
    work.
    """
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
    return {
        "tasks": tasks,
        "withdrawn_patients": patients,
        **(queue_of_work(most, request.user) if may("evidence.view_studydraft") else {}),
        "suggestions": Suggestion.objects.filter(stage=SuggestionStage.NEW).count()
        if may("evidence.view_suggestion")
        else 0,
        "faults": cache.get(faults_key()),
        "may_see_faults": may_see_faults(request),
        "ways_in": ways_in(request),
    }


TO_CHECK, TO_MEND, CHECKED, IN_WORK = "To check", "To mend", "Checked, to publish", "In work"
GROUPS = {  # of the queue, in its order, each with what it means
    TO_CHECK: "Sent by whoever entered them. Somebody else compares each value with the source.",
    TO_MEND: "",
    CHECKED: "A second person has signed them.",
    IN_WORK: "",
}
GROUP_OF = {Meaning.SUBMITTED: TO_CHECK, Meaning.CHECKED: CHECKED}


@dataclass(frozen=True)
class Entry:
    """A study of the queue: where it is worked on, and how far it is."""

    study: str
    collection: str
    address: str
    draft: StudyDraft | None = None
    word: Signature | None = None  # what was last said of it, where something follows from that
    stated: int = 0
    cells: int = 0
    faults: int = 0
    is_unseen: bool = False  # a remark may quote what whoever looks may not see yet

    @property
    def is_behind(self) -> bool:
        return self.draft is not None and self.draft.is_behind

    @property
    def faults_address(self) -> str:
        """Where its faults are listed beside its grids."""
        return f"{bench(self.draft.collection, self.draft.slug)}#faults"

    @property
    def group(self) -> str:
        """The part of the queue it stands in: what is wrong comes before what was said of it."""
        meaning = self.word.meaning if self.word else None
        if self.is_behind or meaning == Meaning.SENT_BACK:
            return TO_MEND
        if meaning in GROUP_OF:
            return GROUP_OF[meaning]
        return TO_MEND if self.faults else IN_WORK


def queue_of_work(most: int, user) -> dict:
    """What there is to do: up to `most` studies in work, those to check first, then the latest;
    and those of reviews of which nothing has been entered.
    """
    drafts = open_drafts()
    to_check_first = Case(When(said=Meaning.SUBMITTED, then=0), default=1)
    in_order = drafts.order_by(to_check_first, "-head__at", "-pk")
    may_check, found = user.has_perm("evidence.check_study"), list(in_order[:most])
    words, unseen = words_to_act_on(found), {draft.pk for draft in blind_drafts(user)}
    shown = [
        entry_of(draft, words.get(draft.pk), may_check, is_unseen=draft.pk in unseen)
        for draft in found
    ]
    not_begun = [
        Entry(study.short_name, str(study.collection), bench(study.collection, study.slug))
        for study in studies_not_begun()
    ]
    return {
        "queue": [
            (title, why, entries)
            for title, why, entries in (
                *(
                    (title, why, [one for one in shown if one.group == title])
                    for title, why in GROUPS.items()
                ),
                ("Not begun", "Included by a review, without any patient or group.", not_begun),
            )
            if entries
        ],
        "drafts_count": drafts.count(),
        "drafts_shown": len(shown),
    }


def entry_of(
    draft: StudyDraft, word: Signature | None, may_check: bool, *, is_unseen: bool
) -> Entry:
    """A study in work, counted once for each version and each state of the data."""
    key = f"queue:{draft.head_id}:{DataVersion.current().token}"
    counts = cache.get(key)
    if counts is None:
        content = StudyVersion.objects.get(pk=draft.head_id).content
        told = StudyVersion.objects.filter(pk=draft.published_id).first()
        found = list(core_cells(content, told.content if told else ()))
        cells = DocumentCells(draft.collection, draft.slug, content)
        faults = len(faults_of(cells, content))
        counts = (sum(cell.is_stated for cell in found), len(found), faults)
        cache.set(key, counts, FAULTS_SECONDS)
    address = bench(draft.collection, draft.slug)
    if draft.said == Meaning.SUBMITTED and may_check:
        address = reverse("admin:check", args=[draft.collection.slug, draft.slug])
    elif draft.said == Meaning.CHECKED:
        address = reverse("admin:evidence_studydraft_change", args=[draft.pk])
    return Entry(draft.slug, str(draft.collection), address, draft, word, *counts, is_unseen)


def studies_not_begun():
    """Studies that a review includes and of which nothing but the reference is in the tables."""
    begun = StudyDraft.objects.filter(IS_OPEN, collection=OuterRef("collection"))
    studies = Study.objects.filter(
        ~Exists(begun.filter(slug=OuterRef("slug"))),
        inclusions__status=YesNo.YES,
        patients=None,
        groups=None,
    ).exclude(state=State.WITHDRAWN)
    return studies.select_related("collection").distinct().order_by("collection", "short_name")


def bench(collection: Collection, slug: str) -> str:
    """Where a study is worked on."""
    return reverse("admin:workbench", args=[collection.slug, slug])


def queue_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The queue alone, longer than on the first page."""
    if not request.user.has_perm("evidence.view_studydraft"):
        raise PermissionDenied
    context = {
        **site.each_context(request),
        **work_to_do(request, MOST_DRAFTS),
        "title": "Work",
    }
    return TemplateResponse(request, "admin/work.html", context)


class NewStudyForm(forms.Form):
    """What a study is begun with; everything else is entered on the workbench."""

    required_css_class = "required"
    collection = forms.ModelChoiceField(
        Collection.objects.filter(kind=CollectionKind.PUBLISHED), empty_label=None
    )
    short_name = forms.CharField(
        max_length=Study._meta.get_field("short_name").max_length,
        help_text="First author and year, such as Fujita 2019.",
    )
    year = WholeNumberField(required=False)

    def clean(self):
        data = self.cleaned_data
        data["slug"] = slugify(data.get("short_name", ""))
        if "collection" not in data or "short_name" not in data:
            return
        if not data["slug"]:
            self.add_error("short_name", "This gives no address: it has no letter or digit.")
        taken = Study.objects.filter(collection=data["collection"], slug=data["slug"])
        drafts = StudyDraft.objects.filter(collection=data["collection"], slug=data["slug"])
        if taken.exists() or drafts.filter(head__isnull=False).exists():
            self.add_error("short_name", f"There is a study {data['slug']} already.")


def new_study_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Begins a study and goes on to its workbench."""
    if not request.user.has_perm("evidence.change_studydraft"):
        raise PermissionDenied
    form = NewStudyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data, author = form.cleaned_data, Author(user=request.user)
        collection, slug = data["collection"], data["slug"]
        fields = {"collection": [collection.slug], "slug": slug, "short_name": data["short_name"]}
        if data.get("year"):
            fields["year"] = data["year"]
        draft = open_draft(collection, slug, author)
        document = [{"model": "evidence.study", "fields": fields}]
        try:
            save_draft(draft, document, based_on=None, author=author, message="Begun.")
        except (Conflict, ValidationError) as error:
            form.add_error("short_name", getattr(error, "messages", [str(error)]))
        else:
            address = reverse("admin:workbench_grid", args=[collection.slug, slug, "study"])
            return HttpResponseRedirect(address)
    context = {**site.each_context(request), "title": "New study", "form": form}
    return TemplateResponse(request, "admin/new_study.html", context)


def ways_in(request: HttpRequest) -> list[tuple[str, str]]:
    """How a study is begun: labels and addresses of the pages there are."""
    named = [
        ("New study", "work_new", "evidence.change_studydraft"),
        ("Import a workbook", "evidence_studydraft_import", "evidence.change_studydraft"),
        ("Empty workbook", "evidence_studydraft_template", "evidence.change_studydraft"),
        ("Begin from references", "evidence_studydraft_references", "evidence.change_studydraft"),
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
