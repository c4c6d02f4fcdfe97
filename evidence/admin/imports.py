"""Filling studies in work from files: a workbook, or references of a reference manager."""

from base64 import b64encode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.text import slugify

from ..curation.drafts import Author, overwritten_by_import, save_import
from ..curation.references import Begun, UnreadableReferences, begin_studies, read_references
from ..curation.second_entry import blind_drafts
from ..curation.workbook.importing import Import, read_workbook
from ..curation.workbook.opening import UnreadableFile
from ..curation.workbook.report import coloured_workbook, conversion_rows, fault_csv
from ..curation.workbook.template import write_template
from ..models import Collection, Door, StudyDraft
from ..models.choices import CollectionKind

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_UPLOAD = 20 * 1024 * 1024  # bytes
SHOWN_FAULTS = 5_000  # rows of one page; the report in the workbook has all

FINISH_BEFORE = (
    "An import says what stands in the studies already. Finish your second entry of {} first."
)


class CollectionChoice(forms.Form):
    """Which collection a file is for: a simulated one is drawn, not entered."""

    required_css_class = "required"
    collection = forms.ModelChoiceField(
        Collection.objects.filter(kind=CollectionKind.PUBLISHED), empty_label=None
    )


class WorkbookForm(CollectionChoice):
    """A workbook to be read into studies in work."""

    file = forms.FileField(
        help_text="An XLSX file made from the empty workbook, or a ZIP of CSV files of its sheets.",
        widget=forms.ClearableFileInput(attrs={"accept": ".xlsx,.zip"}),
    )
    message = forms.CharField(
        required=False, max_length=400, help_text="What was entered, for the history."
    )

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > MAX_UPLOAD:
            raise forms.ValidationError(
                f"The file has {file.size / 1e6:.0f} MB; up to {MAX_UPLOAD / 1e6:.0f} MB are read. "
                "Split it by studies."
            )
        return file


class ReferencesForm(CollectionChoice):
    """References, pasted or as a file."""

    text = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField"}),
        label="References",
        help_text="RIS, BibTeX, nbib or PubMed XML. Nothing is looked up elsewhere.",
    )
    file = forms.FileField(required=False, help_text="Or a file of them.")

    def clean(self):
        text, file = self.cleaned_data.get("text"), self.cleaned_data.get("file")
        if bool(text) == bool(file):
            raise forms.ValidationError("Paste references or choose a file, one of the two.")
        if file:
            if file.size > MAX_UPLOAD:
                raise forms.ValidationError("The file is larger than 20 MB.")
            text = file.read().decode("utf-8-sig", errors="replace")
        try:
            self.cleaned_data["references"] = read_references(text)
        except UnreadableReferences as error:
            self.add_error("file" if file else "text", str(error))


class ImportViews:
    """The addresses of StudyDraftAdmin that fill studies from files."""

    def import_urls(self) -> list:
        """The routes, to stand before those of single studies."""
        view = self.admin_site.admin_view
        return [
            path("import/", view(self.import_view), name="evidence_studydraft_import"),
            path("workbook/", view(self.template_view), name="evidence_studydraft_template"),
            path("references/", view(self.references_view), name="evidence_studydraft_references"),
        ]

    def page(self, request, template: str, **context) -> TemplateResponse:
        return TemplateResponse(
            request,
            f"admin/evidence/studydraft/{template}",
            {**self.admin_site.each_context(request), "opts": self.opts, **context},
        )

    def check_may_change(self, request: HttpRequest) -> None:
        if not self.has_change_permission(request):
            raise PermissionDenied

    def template_view(self, request) -> HttpResponse:
        """The empty workbook of a collection."""
        self.check_may_change(request)
        form = CollectionChoice(request.GET if "collection" in request.GET else None)
        if not form.is_valid():
            return self.page(request, "template.html", title="Empty workbook", form=form)
        collection = form.cleaned_data["collection"]
        name = f"casebook-{slugify(collection.slug)}.xlsx"
        return HttpResponse(
            write_template(collection),
            content_type=XLSX,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def import_view(self, request) -> HttpResponse:
        """Reads a workbook into studies in work, or says everything that is wrong with it."""
        self.check_may_change(request)
        form = WorkbookForm(request.POST or None, request.FILES or None)
        context = {"title": "Import a workbook", "form": form}
        if request.method == "POST" and form.is_valid():
            file, collection = form.cleaned_data["file"], form.cleaned_data["collection"]
            blind = [one for one in blind_drafts(request.user) if one.collection == collection]
            if blind:
                form.add_error("collection", FINISH_BEFORE.format(blind[0].slug))
                return self.page(request, "import.html", **context)
            try:
                result = read_workbook(file, file.name, collection)
            except UnreadableFile as error:
                form.add_error("file", str(error))
                return self.page(request, "import.html", **context)
            if result.faults:
                context |= faults_context(file, result)
            else:
                message = form.cleaned_data["message"] or f"Workbook {file.name}."
                author = Author(request.user, Door.IMPORT)
                outcomes = save_import(result.documents, collection, author, message)
                context |= {
                    "outcomes": studies_with_outcomes(collection, outcomes),
                    "conversions": conversion_rows(result.conversions),
                }
                self.message_user(
                    request, "Imported into studies in work. Readers see nothing of it yet."
                )
        return self.page(request, "import.html", **context)

    def references_view(self, request) -> HttpResponse:
        """Begins a study in work for each reference that is new."""
        self.check_may_change(request)
        form = ReferencesForm(request.POST or None, request.FILES or None)
        context = {"title": "New studies from references", "form": form}
        if request.method == "POST" and form.is_valid():
            collection = form.cleaned_data["collection"]
            begun = begin_studies(form.cleaned_data["references"], collection)
            author = Author(request.user, Door.IMPORT)
            outcomes = save_import(begun.started, collection, author, "Begun from a reference.")
            context |= {
                "begun": begun,
                "outcomes": studies_with_outcomes(collection, outcomes),
                "doubts": doubts_in_words(begun),
            }
            if outcomes:
                self.message_user(request, f"{len(outcomes)} studies begun.", messages.SUCCESS)
        return self.page(request, "references.html", **context)


def faults_context(file, result: Import) -> dict:
    """What is wrong, as rows and as the workbook with the faulty cells marked."""
    stem, _, kind = file.name.rpartition(".")
    if kind.lower() == "zip":  # CSV files have no cells to mark
        name, content = f"{stem}-faults.csv", fault_csv(result.faults).encode()
    else:
        file.seek(0)
        name, content = f"{stem}-marked.xlsx", coloured_workbook(file, result.faults)
    return {
        "faults": result.faults[:SHOWN_FAULTS],
        "faults_count": len(result.faults),
        "report_name": name,
        "report": b64encode(content).decode(),
    }


def studies_with_outcomes(collection: Collection, outcomes: dict[str, str]) -> list[tuple]:
    """Each imported study with its page, what became of it, and which of its cells said something
    else before.
    """
    drafts = StudyDraft.objects.filter(collection=collection, slug__in=outcomes)
    overwritten = overwritten_by_import(collection, outcomes)
    return [
        (
            draft,
            reverse("admin:evidence_studydraft_change", args=[draft.pk]),
            outcomes[draft.slug],
            overwritten.get(draft.slug, ()),
        )
        for draft in drafts.order_by("slug")
    ]


def doubts_in_words(begun: Begun) -> list[str]:
    """Studies that were begun and may be known already."""
    return [
        f"{slug} may be {match.short_name} ({match.slug}): {match.reason}."
        for slug, match in begun.doubtful
    ]
