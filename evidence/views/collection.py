"""The pages of one collection: cohort, lists, files."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from .. import charts, summaries
from ..columns import TABLES, ordered
from ..exports import csv_response
from ..summaries import answers, group_cover
from .asking import Asked, ask
from .listing import listing, page_links

TABS = [
    ("cohort", "Overview", ""),
    ("list", "Patients", "patients"),
    ("list", "Treatments", "treatments"),
    ("list", "Outcomes", "outcomes"),
    ("list", "Adverse events", "adverse-events"),
    ("list", "Studies", "studies"),
    ("list", "Groups", "groups"),
    ("list", "Findings", "findings"),
]
NEAREST = 4  # nearby questions offered where nobody matches


@require_safe
def cohort(request: HttpRequest, collection: str) -> HttpResponse:
    """The overview: the answer in a sentence, shares, charts."""
    asked = ask(request, collection)
    context = frame(request, asked, "")
    if asked.question:
        context |= overview(request, asked, context)
    return page(request, asked, "evidence/cohort.html", context)


@require_safe
def rows_of(request: HttpRequest, collection: str, noun: str) -> HttpResponse:
    """One noun's rows, for the same question."""
    asked = ask(request, collection)
    table = TABLES[noun]
    context = frame(request, asked, noun) | {"table": table, "listed": None}
    if asked.question:
        listed = listing(request, table, asked.question, asked.vocabulary, context["totals"].of(table.unit))
        context |= {"listed": listed, "page_links": page_links(listed, asked.question)}
        context |= charts_of(noun, asked, context)
    return page(request, asked, "evidence/list.html", context)


@require_safe
def file_of(request: HttpRequest, collection: str, noun: str) -> HttpResponse:
    """The same rows as a CSV file; a wrong question is a 400 that says why."""
    asked = ask(request, collection)
    table, problems = TABLES[noun], list(asked.problems)
    sort = request.GET.get("sort", "")
    if sort and sort.removeprefix("-") not in table.sort_words():
        problems.append(f"This file cannot be sorted so. Known: {', '.join(table.sort_words())}.")
    if problems:
        return HttpResponse("\n".join(problems) + "\n", status=400, content_type="text/plain; charset=utf-8")
    return csv_response(table, ordered(table, table.records(asked.question), sort), asked.question)


def frame(request: HttpRequest, asked: Asked, noun: str) -> dict:
    """What every page of a collection shows: form, chips, answer, tabs, groups beside the patients."""
    shown = asked.shown
    wanted = [
        summaries.facets(shown, asked.vocabulary, asked.matches),
        summaries.answer(shown),
        summaries.totals(shown),
    ]
    if asked.question:
        wanted += summaries_of(noun, asked)
    facets, answer, totals, *rest = answers(*wanted)
    context = {
        "asked": asked,
        "collection": asked.collection,
        "facets": facets,
        "answer": answer,
        "totals": totals,
        "rest": rest,
        "tabs": tabs(asked, noun),
        "noun": noun,
        "query": shown.query() if asked.question else "",
        "sort": request.GET.get("sort", ""),
    }
    if asked.question:
        context["cover"] = group_cover(asked.question)
        if not totals.patients and asked.question.parts:
            context["nearest"] = near(asked)
    return context


def near(asked: Asked) -> list[tuple]:
    """Nearby questions that somebody answers, each with the groups that answer it too."""
    (found,) = answers(summaries.nearest(asked.question, asked.vocabulary))
    return [(each, group_cover(each.question)) for each in found[:NEAREST]]


def summaries_of(noun: str, asked: Asked) -> list:
    """What a page counts besides its frame, so that everything travels in one statement."""
    question, words = asked.question, asked.vocabulary
    if noun == "adverse-events":
        return [summaries.events_by_category(question, words)]
    if noun:
        return []
    return [
        summaries.headlines(question),
        summaries.outcomes_by_domain(question),
        summaries.indication_sets(question, words),
        summaries.response_by_inhibitor(question, words),
        summaries.response_by_indication_set(question, words),
        summaries.events_by_category(question, words),
        summaries.age_and_sex(question),
    ]


def overview(request: HttpRequest, asked: Asked, context: dict) -> dict:
    headlines, domains, sets, by_drug, by_set, events, people = context["rest"]
    collection = asked.collection
    drawn = []
    if context["totals"].patients:
        drawn = [
            charts.share_chart(
                "indication-sets",
                "Indications, as combinations",
                "Indications together",
                sets,
                collection,
                nothing="The indications are known of none of these patients.",
                note="Each bar is one combination, exactly: ILD + skin does not count under ILD alone.",
            ),
            charts.response_chart(
                "response-by-inhibitor", "Response by JAK inhibitor", "JAK inhibitor", by_drug, collection
            ),
            charts.response_chart(
                "response-by-indication", "Response by indications", "Indications together", by_set, collection
            ),
            event_chart(events, context["totals"], collection),
            charts.age_chart(people, collection),
        ]
    shown = {"headlines": headlines, "domains": domains, "charts": drawn + group_charts(asked), "listed": None}
    if context["totals"].patients:
        table, address = TABLES["patients"], reverse("list", args=[collection.slug, "patients"])
        people = context["totals"].patients
        shown |= {
            "listed": listing(request, table, asked.question, asked.vocabulary, people, address),
            "table": table,
            "page_links": [],
        }
    return shown


def event_chart(events, totals, collection):
    nothing = f"No adverse event is recorded in the {summaries.plural(totals.patients, 'patients')} in view."
    nothing += " That is not the same as none having occurred: see how many are not known."
    return charts.event_chart(events, collection, nothing=nothing)


def group_charts(asked: Asked) -> list:
    """mRSS in the groups that answer the question, where any prints it."""
    changed = summaries.changes(asked.question)
    if not changed:
        return []
    return [
        charts.level_chart("mRSS", changed, asked.collection),
        charts.change_chart("mRSS", changed, asked.collection),
    ]


def charts_of(noun: str, asked: Asked, context: dict) -> dict:
    """Charts that belong to a list."""
    if noun == "adverse-events":
        (events,), totals = context["rest"], context["totals"]
        return {"charts": [event_chart(events, totals, asked.collection)] if totals.patients else []}
    return {"charts": group_charts(asked) if noun == "groups" else []}


def tabs(asked: Asked, noun: str) -> list[dict]:
    """The rooms of a collection; each keeps the question."""
    query = asked.shown.query() if asked.question else ""
    made = []
    for name, label, target in TABS:
        address = reverse(name, args=[asked.collection.slug, *([target] if target else [])])
        made.append({"label": label, "href": f"{address}?{query}" if query else address, "here": target == noun})
    return made


def page(request: HttpRequest, asked: Asked, template: str, context: dict) -> HttpResponse:
    """The whole page, or for htmx the part that changes; the address bar then gets the question's own spelling."""
    partial = request.htmx and not request.htmx.history_restore_request and not request.htmx.boosted
    response = render(request, template, context | {"layout": "evidence/_part.html" if partial else "base.html"})
    patch_vary_headers(response, ["HX-Request"])
    if partial and asked.question:
        query = asked.question.query(sort=context["sort"])
        response.headers["HX-Push-Url"] = f"{request.path}?{query}" if query else request.path
    return response
