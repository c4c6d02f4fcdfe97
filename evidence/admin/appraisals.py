"""Appraisals: a list of studies, and a page for each with the questions as a table."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse

from ..curation.appraising import (
    Answer,
    Answers,
    appraising,
    digest_of_answers,
    save_consensus,
    save_own,
)
from ..models import Appraisal, Study
from ..models.appraisal import TOOLS, appraised_by, spelled
from ..models.choices import AppraisalAnswer, AppraisalTool, CollectionKind, Design, State
from .base import NumbersAsText

SUITED = {
    Design.CASE_REPORT: (AppraisalTool.JBI_CASE_REPORTS, AppraisalTool.MURAD_2018),
    Design.CASE_SERIES: (AppraisalTool.JBI_CASE_SERIES, AppraisalTool.MURAD_2018),
}


@admin.register(Appraisal)
class AppraisalAdmin(NumbersAsText, admin.ModelAdmin):
    """Entered by studies, not by rows: nobody sees what others say before having said it."""

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def get_urls(self):
        return [
            path(
                "study/<int:study>/<slug:tool>/",
                self.admin_site.admin_view(self.study_view),
                name="evidence_appraisal_study",
            ),
            path(
                "", self.admin_site.admin_view(self.list_view), name="evidence_appraisal_changelist"
            ),
            *super().get_urls(),
        ]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        """The page of the study whose answer it is: a single answer has none."""
        one = self.get_object(request, object_id)
        if one is None:
            raise Http404("There is no such answer.")
        return self.study_view(request, one.study_id, one.tool)

    def history_view(self, request, object_id, extra_context=None):
        """The same: a title would tell what somebody answered."""
        return self.change_view(request, object_id)

    def list_view(self, request):
        """Every published study with its sets of questions: how many are answered by whoever looks,
        and whether it counts as appraised.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        own = {}
        me = spelled(request.user.get_username())
        for key in Appraisal.objects.filter(appraiser=me).values_list("study", "tool"):
            own[key] = own.get(key, 0) + 1
        done = {code: set(appraised_by(code).values_list("pk", flat=True)) for code in TOOLS}
        studies = Study.objects.filter(
            collection__kind=CollectionKind.PUBLISHED, state=State.PUBLISHED
        ).select_related("collection")
        rows = [
            (
                study,
                [
                    {
                        "code": code,
                        "label": AppraisalTool(code).label,
                        "suited": code in SUITED.get(study.design, ()),
                        "own": own.get((study.pk, code), 0),
                        "of": len(tool.questions),
                        "is_appraised": study.pk in done[code],
                    }
                    for code, tool in TOOLS.items()
                ],
            )
            for study in studies.order_by("collection__position", "short_name", "slug")
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": "Appraisals",
            "opts": self.opts,
            "rows": rows,
        }
        return TemplateResponse(request, "admin/evidence/appraisal/list.html", context)

    def study_view(self, request, study, tool):
        """The questions about one study, with one's own answers; then those of others, and the
        consensus.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        if tool not in TOOLS:
            raise Http404("There is no such set of questions.")
        record = get_object_or_404(
            Study.objects.select_related("collection"),
            pk=study,
            collection__kind=CollectionKind.PUBLISHED,
        )
        me = request.user.get_username()
        typed: dict[str, Answers] = {}
        if request.method == "POST":
            if not self.has_change_permission(request):
                raise PermissionDenied
            which = "agreed" if "agree" in request.POST else "own"
            typed[which] = read_answers(request.POST, which, tool)
            try:
                if which == "agreed":
                    based_on = request.POST.get("based_on", "")
                    save_consensus(record, tool, me, typed[which], based_on=based_on)
                else:
                    save_own(record, tool, me, typed[which])
            except ValidationError as error:
                self.message_user(request, " ".join(error.messages), messages.ERROR)
            else:
                self.message_user(request, "Saved.", messages.SUCCESS)
                address = reverse("admin:evidence_appraisal_study", args=[record.pk, tool])
                return HttpResponseRedirect(address)
        now = appraising(record, tool, me)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{record}: {AppraisalTool(tool).label}",
            "opts": self.opts,
            "study": record,
            "tool": TOOLS[tool],
            "now": now,
            "answers": AppraisalAnswer.choices,
            "can_change": self.has_change_permission(request),
            "own_rows": table_rows(tool, "own", typed.get("own", now.own)),
            "agreed_rows": table_rows(tool, "agreed", typed.get("agreed", now.agreed)),
            "based_on": digest_of_answers(now.agreed),
            "compared": compared(tool, me, now.own, now.others),
        }
        return TemplateResponse(request, "admin/evidence/appraisal/study.html", context)


def read_answers(data, which: str, tool: str) -> Answers:
    """What a form sent, by question."""
    return {
        item: Answer(data.get(f"{which}-{item}", ""), data.get(f"{which}-{item}-reason", ""))
        for item in TOOLS[tool].items
    }


def table_rows(tool: str, which: str, answers: Answers) -> list[dict]:
    """The questions as the rows of a form."""
    return [
        {
            "item": item,
            "question": TOOLS[tool].questions[item - 1],
            "name": f"{which}-{item}",
            "given": answers.get(item, Answer()),
        }
        for item in TOOLS[tool].items
    ]


def compared(tool: str, me: str, own: Answers, others: dict[str, Answers]) -> list[dict]:
    """Each question with what everybody says who has answered everything."""
    people = {spelled(me): own, **others}
    return [
        {
            "item": item,
            "question": TOOLS[tool].questions[item - 1],
            "said": [
                (name, AppraisalAnswer(answers[item].answer).label, answers[item].reason)
                for name, answers in people.items()
                if item in answers
            ],
            "names": list(people),
            "differ": len({answers[item].answer for answers in people.values() if item in answers})
            > 1,
        }
        for item in TOOLS[tool].items
    ]
