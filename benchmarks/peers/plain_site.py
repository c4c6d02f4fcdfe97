"""The page a Django developer writes first: django-filter on joins, a COUNT per option, instances
in the template.

A yardstick, never shipped: the same records, the same question, the same numbers as Casebook's
page, without its care for speed. It runs on Casebook's models and settings, in a process of its
own.
"""

import json
from collections import Counter

import django_filters
from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.template import Context, Template
from django.urls import path

from evidence.models import (
    AdverseEventCategory,
    Autoantibody,
    Collection,
    Indication,
    JAKInhibitor,
    Manifestation,
    Patient,
    Therapy,
    Treatment,
)

SINGLE = {
    "inhibitor": "inhibitor__slug",
    "sex": "patient__sex",
    "subset": "patient__subset",
    "response": "response",
    "relapsed": "relapsed",
    "adverse_events": "adverse_events",
    "design": "patient__study__design",
}
SEVERAL = {
    "indication": "indications__code",
    "manifestation": "patient__manifestation_records__manifestation__code",
    "autoantibody": "patient__autoantibody_records__autoantibody__code",
    "prior": "patient__prior_therapies__code",
    "adverse_event": "events__category__code",
}
PRESENT = {
    "manifestation": {"patient__manifestation_records__status": "present"},
    "autoantibody": {"patient__autoantibody_records__status": "present"},
}


def options() -> dict[str, list[str]]:
    def chosen(model, field):
        return sorted(
            {
                value
                for value in Treatment._meta.get_field(field).flatchoices
                for value in [value[0]]
            }
        )

    return {
        "inhibitor": list(JAKInhibitor.objects.values_list("slug", flat=True)),
        "sex": ["female", "male", "unknown"],
        "subset": ["diffuse", "limited", "sine", "overlap", "unknown"],
        "response": chosen(Treatment, "response"),
        "relapsed": chosen(Treatment, "relapsed"),
        "adverse_events": chosen(Treatment, "adverse_events"),
        "design": sorted(
            value
            for value, _ in Collection._meta.apps.get_model("evidence.Study").design.field.choices
        ),
        "indication": list(Indication.objects.values_list("code", flat=True)),
        "manifestation": list(Manifestation.objects.values_list("code", flat=True)),
        "autoantibody": list(Autoantibody.objects.values_list("code", flat=True)),
        "prior": list(Therapy.objects.values_list("code", flat=True)),
        "adverse_event": list(AdverseEventCategory.objects.values_list("code", flat=True)),
    }


class PlainFilter(django_filters.FilterSet):
    inhibitor = django_filters.MultipleChoiceFilter(field_name="inhibitor__slug")
    indication = django_filters.MultipleChoiceFilter(field_name="indications__code", conjoined=True)
    sex = django_filters.MultipleChoiceFilter(field_name="patient__sex")
    response = django_filters.MultipleChoiceFilter(field_name="response")

    class Meta:
        model = Treatment
        fields = []

    def __init__(self, *args, choices, **kwargs):
        super().__init__(*args, **kwargs)
        for name, url_filter in self.filters.items():
            url_filter.extra["choices"] = [(code, code) for code in choices[name]]


def courses(data, collection, choices):
    base = Treatment.objects.filter(
        patient__study__collection=collection,
        patient__study__state="published",
        patient__state="published",
        patient__same_as__isnull=True,
    )
    return PlainFilter(data, base, choices=choices).qs


def numbers(request, collection):
    """Everything the page shows, as plain numbers."""
    choices = options()
    treatments = courses(request.GET, collection, choices)
    facets = {}
    for name, field in {**SINGLE, **SEVERAL}.items():
        data = request.GET.copy()
        if name in SINGLE:
            data.pop(name, None)
        others = courses(data, collection, choices)
        facets[name] = {
            code: others.filter(**{field: code}, **PRESENT.get(name, {}))
            .values("patient")
            .distinct()
            .count()
            for code in choices[name]
        }
    patients = Patient.objects.filter(pk__in=treatments.values("patient"))
    ages = Counter()
    for age, sex in patients.values_list("age_years", "sex"):
        ages[f"{'unknown' if age is None else age // 10 * 10} {sex}"] += 1
    events = Counter()
    for course in treatments.prefetch_related("events__category"):
        for event in course.events.all():
            events[event.category.code] += 1
    return {
        "patients": patients.count(),
        "treatments": treatments.count(),
        "facets": facets,
        "sets": Counter(treatments.values_list("indication_set", flat=True)),
        "response_by_inhibitor": Counter(
            f"{drug} {response}"
            for drug, response in treatments.values_list("inhibitor__slug", "response")
        ),
        "response_by_set": Counter(
            f"{key} {response}"
            for key, response in treatments.values_list("indication_set", "response")
        ),
        "events": events,
        "ages": ages,
    }


PAGE = (
    Template(
        """<!doctype html><title>Plain</title><h1>{{ n.patients }} patients</h1><form>
{% for name, options in n.facets.items %}<fieldset><legend>{{ name }}</legend>{% for code, count in options.items %}
<label><input type="checkbox" name="{{ name }}" value="{{ code }}"> {{ code }} <span>{{ count }}</span></label>
{% endfor %}</fieldset>{% endfor %}</form>
{% for figure in figures %}<script type="application/json">{{ figure|safe }}</script>{% endfor %}
<table>{% for patient in rows %}<tr><td>{{ patient.slug }}</td><td>{{ patient.study.short_name }}</td>
<td>{{ patient.get_sex_display }}</td><td>{{ patient.age_years }}</td><td>{{ patient.get_subset_display }}</td>
<td>{% for course in patient.treatments.all %}{{ course.inhibitor.name }} {{ course.get_response_display }}
{% for each in course.indications.all %}{{ each.label }} {% endfor %}{% endfor %}</td></tr>{% endfor %}</table>"""  # noqa: E501
    )
    if settings.configured
    else None
)


def page(request, slug):
    collection = Collection.objects.get(slug=slug)
    found = numbers(request, collection)
    if request.GET.get("format") == "json":
        return JsonResponse(found)
    import plotly.graph_objects as go

    drawn = ("sets", "response_by_inhibitor", "response_by_set", "events", "ages")
    figures = [
        go.Figure(go.Bar(x=list(found[name]), y=list(found[name].values()))).to_json()
        for name in drawn
    ]
    asked = courses(request.GET, collection, options())
    rows = (
        Patient.objects.filter(treatments__in=asked)
        .distinct()
        .select_related("study")
        .order_by("slug")
    )
    rows = rows.prefetch_related("treatments__inhibitor", "treatments__indications")[:50]
    return HttpResponse(PAGE.render(Context({"n": found, "rows": rows, "figures": figures})))


def hello(request):
    return HttpResponse(json.dumps("hello"))


urlpatterns = [path("hello", hello), path("<slug:slug>/", page)]
