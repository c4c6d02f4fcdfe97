"""Where readers suggest a correction: one form for one value, or for a whole record.

What is sent is kept for curators and shown nowhere. The page is one person's and kept by nobody;
the pages that lead here hold no more than a link.
"""

from dataclasses import dataclass

from django import forms
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from ..models import Collection, Patient, Study, Suggestion
from ..models.choices import SuggestionStage
from ..models.suggestion import MOST_CONTACT, MOST_PASSAGE, MOST_PROPOSED, MOST_WAITING
from ..questions.form_fields import truncate_text
from ..questions.parsing import get_collection
from ..questions.request_checks import accept_params, head_response, problems_page
from ..tables import (
    ADVERSE_EVENTS,
    FINDINGS,
    GROUPS,
    OUTCOMES,
    PATIENTS,
    STUDIES,
    TREATMENTS,
)
from ..tables.column import plain_value
from .case_facts import Facts, Sources
from .cases import answer_gone, get_record
from .withdrawn import Gone

NOT_KEPT = {"Cache-Control": "no-store"}
MOST_BYTES = 32 * 1024  # of what is sent
WHOLE = "the whole record"


class SuggestionForm(forms.Form):
    """What a reader proposes. `website` is for programs that fill in whatever they find."""

    proposed = forms.CharField(
        label="What it should say", max_length=MOST_PROPOSED, help_text="The value alone."
    )
    passage = forms.CharField(
        label="Where the paper says so",
        max_length=MOST_PASSAGE,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="The passage, word by word, and its place: table 2, p. 4.",
    )
    contact = forms.EmailField(
        label="Your address, if you want an answer",
        max_length=MOST_CONTACT,
        required=False,
        help_text="Seen by curators alone, and in no file. Leave it empty to stay unnamed.",
    )
    website = forms.CharField(
        label="Leave this empty",
        required=False,
        widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}),
    )


@dataclass(frozen=True)
class Subject:
    """What a suggestion is about: a record that readers see, and one of its values or none."""

    record: Model
    field: str
    label: str
    current: str


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("contact")
@accept_params("field", "course", "outcome", "event", "sent")
@answer_gone(Gone.page)
def patient_suggestion(request: HttpRequest, collection: str, slug: str) -> HttpResponse:
    """The form for a value of a patient, a course, an outcome or an adverse event."""
    found = published_collection(collection)
    person = get_record(found, Patient, slug, "study__collection")
    record, table, called = person, PATIENTS, "the patient"
    if "course" in request.GET:
        record = numbered(person.treatments, request, "course")
        table, called = TREATMENTS, f"course {record.number}"
        for word, records, other in (
            ("outcome", "outcomes", OUTCOMES),
            ("event", "events", ADVERSE_EVENTS),
        ):
            if word in request.GET:
                if table is not TREATMENTS:
                    raise Http404("A value is of an outcome or of an adverse event.")
                record = numbered(getattr(record, records), request, word)
                table, called = other, f"{called}, {word} {record.number}"
    field, label, current = request.GET.get("field", ""), WHOLE, ""
    if field:
        column = next((one for one in table.case_columns if one.name == field), None)
        if column is None:
            return no_such_field(request, field)
        fact = Facts(table, record, person.study, Sources([])).fact_of(column)
        label, current = fact.label, fact.value or fact.missing
    subject = Subject(record, field, f"{person.slug}, {called}: {label}", current)
    return answer(request, found, person.study, subject)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("contact")
@accept_params("field", "group", "finding", "sent")
@answer_gone(Gone.page)
def study_suggestion(request: HttpRequest, collection: str, slug: str) -> HttpResponse:
    """The form for a value of a study, a group or a finding."""
    found = published_collection(collection)
    paper = get_record(found, Study, slug, "collection")
    record, table, called = paper, STUDIES, "the study"
    if "group" in request.GET:
        record = paper.groups.filter(slug=request.GET["group"]).first()
        if record is None:
            raise Http404("This study has no such group.")
        table, called = GROUPS, record.label
        if "finding" in request.GET:
            record = numbered(record.findings, request, "finding")
            table, called = FINDINGS, f"{called}, {record.measure}"
    field, label, current = request.GET.get("field", ""), WHOLE, ""
    if field:
        column = next((one for one in table.columns if one.name == field), None)
        if column is None or not has_field(record, field):
            return no_such_field(request, field)
        label = column.label
        current = stored_text(record, field) or paper.missing_reason.label
    subject = Subject(record, field, f"{paper.short_name}, {called}: {label}", current)
    return answer(request, found, paper, subject)


def published_collection(slug: str) -> Collection:
    """Raises Http404 for a simulated collection: no paper says otherwise."""
    collection = get_collection(slug)
    if collection.is_simulated:
        raise Http404("A simulated record has no paper to correct it by.")
    return collection


def numbered(records, request: HttpRequest, word: str) -> Model:
    """The record of the number that a word of the address says. Raises Http404."""
    number = request.GET[word]
    found = (
        records.filter(number=number).first() if number.isdecimal() and len(number) < 6 else None
    )
    if found is None:
        raise Http404(f"There is no such {word}.")
    return found


def has_field(record: Model, name: str) -> bool:
    try:
        record._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


def stored_text(record: Model, name: str) -> str:
    """What a field says, in words; empty where it says nothing."""
    field = record._meta.get_field(name)
    if field.many_to_many:
        return ", ".join(map(str, getattr(record, name).all()))
    value = getattr(record, f"get_{name}_display")() if field.choices else getattr(record, name)
    return "" if value in (None, "") else str(plain_value(value))


def no_such_field(request: HttpRequest, field: str) -> HttpResponse:
    return problems_page(request, [f"“{truncate_text(field)}” is no value of this record."])


def answer(
    request: HttpRequest, collection: Collection, study: Study, subject: Subject
) -> HttpResponse:
    """The form, what is wrong with what was sent, or thanks."""
    if head := head_response(request, headers=NOT_KEPT):
        return head
    status, wait = 200, getattr(request, "seconds_to_wait", 0)
    form = SuggestionForm(request.POST or None)
    if request.method == "POST":
        if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
            form, status = SuggestionForm(), 413
        elif wait:
            status = 429
        elif not form.is_valid():
            status = 400
        elif keep(form.cleaned_data, collection, study, subject):
            query = request.GET.copy()
            query["sent"] = "yes"
            address = f"{request.path}?{query.urlencode()}"
            return HttpResponseRedirect(address, status=303, headers=NOT_KEPT)
        else:
            status = 503
    context = {
        "collection": collection,
        "study": study,
        "subject": subject,
        "back": back_address(subject.record, study),
        "form": form,
        "sent": "sent" in request.GET and request.method == "GET",
        "status": status,
        "minutes": -(-wait // 60),
    }
    headers = NOT_KEPT | ({"Retry-After": str(wait)} if wait else {})
    response = render(request, "evidence/suggest.html", context, status=status)
    for name, value in headers.items():
        response.headers[name] = value
    return response


def back_address(record: Model, study: Study) -> str:
    """The page the reader came from."""
    for step in ("treatment", "patient"):
        record = getattr(record, step, record)
    return record.get_absolute_url() if isinstance(record, Patient) else study.get_absolute_url()


def keep(sent: dict, collection: Collection, study: Study, subject: Subject) -> bool:
    """Keeps a suggestion; says whether that was possible. One of a program that filled in what
    people leave empty is thanked for and dropped.
    """
    if sent["website"]:
        return True
    if Suggestion.objects.filter(stage=SuggestionStage.NEW).count() >= MOST_WAITING:
        return False
    Suggestion.objects.create(
        collection=collection,
        study=study.slug,
        record=subject.record._meta.label_lower,
        key=list(subject.record.natural_key()),
        field=subject.field,
        label=subject.label[:200],
        current=subject.current,
        proposed=sent["proposed"],
        passage=sent["passage"],
        contact=sent["contact"],
        at=timezone.now(),
    )
    return True
