"""The front page: the question itself, asked of the published evidence."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .. import summaries
from ..models.consistency import all_collections
from ..questions.question import Question
from ..questions.request_checks import accept_params, head_response
from ..questions.vocabulary import vocabulary
from ..summaries import run_summaries

EXAMPLES = [
    (
        "Tofacitinib, for interstitial lung disease together with skin",
        "inhibitor=tofacitinib&indication=ild&indication=skin&indication_match=all",
    ),
    ("Any JAK inhibitor, for joints", "indication=joints"),
    ("Patients whose overall response is not known", "missing=response"),
    (
        "Patients in whom lung involvement was looked for and is absent",
        "manifestation=lung&manifestation_match=none",
    ),
]


@require_safe
@accept_params()
def home_page(request: HttpRequest) -> HttpResponse:
    """The question, asked of the first published collection; the other collections in cards of
    their own.
    """
    if head := head_response(request):
        return head
    collections = all_collections()
    overview = summaries.collection_counts(collections)
    asked = next((row for row in overview if not row.collection.is_simulated), None)
    choices = None
    if asked:
        (choices,) = run_summaries(
            summaries.question_choices(Question(asked.collection), vocabulary(asked.collection))
        )
    context = {
        "overview": overview,
        "asked": asked,
        "choices": choices,
        "others": [row for row in overview if row is not asked],
        "examples": EXAMPLES,
    }
    return render(request, "evidence/home.html", context)
