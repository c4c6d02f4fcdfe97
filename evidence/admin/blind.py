"""What somebody who enters a study a second time may not see before having finished.

Every page of the admin goes through one door (`entrance.CuratorsEntrance.admin_view`), so this is
asked there of all of them, and of pages that do not exist yet.
"""

from django.apps import apps
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from ..curation.second_entry import blind_drafts
from ..models import StudyDraft, Suggestion
from ..models.study_parts import PARTS, study_of

FINISH_FIRST = (
    "You are entering this study a second time, without seeing what was entered before. This page "
    "would show it, so it opens once you have finished."
)
OWN_PAGES = ("second", "second_decide")  # which show nothing of it themselves
ANSWERS_SCRIPT = ("workbench_enter", "workbench_head", "workbench_undo", "check_say")
# From records that are no part of a study's document to its draft.
DRAFT_OF = {
    "studydraft": "pk",
    "studyversion": "draft",
    "signature": "version__draft",
    "checkedcell": "version__draft",
    "secondentry": "draft",
    "judgement": "entry__draft",
}


def refusal(request: HttpRequest, site) -> HttpResponse | None:
    """The answer to somebody who would see a first entry before having finished the second; None
    where the page shows none.
    """
    if not request.user.is_authenticated or request.resolver_match.url_name in OWN_PAGES:
        return None
    kept = blind_drafts(request.user)
    draft = draft_asked(request, kept) if kept else None
    if draft is None:
        return None
    address = reverse("admin:second", args=[draft.collection.slug, draft.slug])
    if request.resolver_match.url_name in ANSWERS_SCRIPT:
        return JsonResponse({"problem": f"{FINISH_FIRST} {address}"}, status=403)
    context = {
        **site.each_context(request),
        "title": f"{draft.slug} is not shown yet",
        "reason": FINISH_FIRST,
        "address": address,
    }
    return TemplateResponse(request, "admin/evidence/checking/blind.html", context, status=403)


def draft_asked(request: HttpRequest, drafts: list[StudyDraft]) -> StudyDraft | None:
    """Which of some studies in work a page speaks of."""
    match = request.resolver_match
    given = match.kwargs
    if "collection" in given and "study" in given:
        asked = (given["collection"], given["study"])
        return next((one for one in drafts if (one.collection.slug, one.slug) == asked), None)
    pk = given.get("object_id", given.get("pk"))
    name = (match.url_name or "").split("_")
    if pk is None or name[0] != "evidence":
        return None
    try:
        model = apps.get_model("evidence", name[1])
        record = model._default_manager.filter(pk=unquote(str(pk))).first()
    except (LookupError, ValueError, ValidationError):
        return None
    return None if record is None else next((one for one in drafts if is_of(record, one)), None)


def is_of(record, draft: StudyDraft) -> bool:
    """Whether a record tells something of the study of a draft."""
    model, name = type(record), record._meta.model_name
    if model in PARTS:
        study = study_of(record)
        return (study.collection_id, study.slug) == (draft.collection_id, draft.slug)
    if name in DRAFT_OF:
        its_own = model._default_manager.filter(**{DRAFT_OF[name]: draft.pk})
        return its_own.filter(pk=record.pk).exists()
    return name == "suggestion" and (record.collection_id, record.study) == (
        draft.collection_id,
        draft.slug,
    )


class Unseen:
    """Lists of the admin, without records of studies of which whoever looks has to finish a second
    entry first.
    """

    def get_queryset(self, request):
        queryset = super().get_queryset(request)
        drafts = blind_drafts(request.user)
        return without(queryset, drafts) if drafts else queryset


def without(queryset: QuerySet, drafts: list[StudyDraft]) -> QuerySet:
    """The records that belong to none of some studies in work."""
    model = queryset.model
    keys = [draft.pk for draft in drafts]
    if model is Suggestion:
        for draft in drafts:
            queryset = queryset.exclude(collection=draft.collection_id, study=draft.slug)
        return queryset
    if model in PARTS:
        path = PARTS[model]
        at = "" if path == "pk" else f"{path}__"
        own = StudyDraft.objects.filter(
            pk__in=keys, collection=OuterRef(f"{at}collection"), slug=OuterRef(f"{at}slug")
        )
        return queryset.exclude(Exists(own))
    return queryset.exclude(**{f"{DRAFT_OF[model._meta.model_name]}__in": keys})
