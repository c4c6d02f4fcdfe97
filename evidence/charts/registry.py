"""The charts a reader can choose from: what each counts, and how it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import charts, summaries
from ..models.treatment import SET_SEPARATOR
from ..questions.parsing import Asked
from ..questions.question import Question, Step
from ..summaries import MEASURES, Totals
from ..tables import TABLES, page_records
from . import Chart

SWIMMERS = 40  # courses of a swimmer plot


@dataclass(frozen=True)
class Drawn:
    """A chart by its name. `counts` gives the summary it needs, if it is made of counts; `draw` gets its result, or
    None. `draw` returns None where there is nothing the reader would look for.
    """

    name: str
    label: str
    draw: Callable[[Asked, Any, Totals], Chart | None]
    counts: Callable[[Asked], Any] | None = None
    usual: bool = False


def chosen(asked: Asked) -> list[Drawn]:
    """The charts the address names, or the usual ones."""
    names = [name for name in asked.view.get("chart", ()) if name in CHARTS]
    return [each for each in CHARTS.values() if (each.name in names if names else each.usual)]


def settle(asked: Asked) -> None:
    """Forgets a choice that is the usual one: the form always says which charts are ticked, the address need not."""
    if set(asked.view.get("chart", ())) == {each.name for each in CHARTS.values() if each.usual}:
        del asked.view["chart"]


def one(asked: Asked, name: str) -> Chart:
    """A chart by its name, also where there is nothing to show. Raises KeyError."""
    drawn, asked.view["chart"] = CHARTS[name], [name]
    totals, *rest = summaries.answers(
        summaries.totals(asked.question), *([drawn.counts(asked)] if drawn.counts else [])
    )
    return drawn.draw(asked, rest[0] if rest else None, totals)


# What choosing a mark asks


def verdict_step(question: Question, name: str) -> Callable:
    """A verdict on the courses of one drug or indication set; without a verdict, all of its courses."""

    def choose(row, response: str | None) -> Step | None:
        said = {"response": (str(response),)} if response else {}
        if name == "inhibitor":
            return question.choosing(inhibitor=(row.key,), **said)
        if not row.key:
            missing = tuple(sorted({*question.value("missing", ()), "indication"}))
            return question.choosing(missing=missing, **said)
        return question.exactly("indication", row.key.split(SET_SEPARATOR), **said)

    return choose


def band_step(question: Question) -> Callable:
    """A decade of age, within the ages that are asked for already."""

    def choose(band: str, sex: str | None) -> Step:
        low, high = map(int, band.split("–"))
        ages = {
            "age_min": max(low, question.value("age_min", low)),
            "age_max": min(high, question.value("age_max", high)),
        }
        return question.choosing(**ages, **({"sex": (sex,)} if sex else {}))

    return choose


# How each is drawn


def upset(kind: str, name: str, title: str, nothing: str, *, usual: bool = False) -> Drawn:
    def draw(asked: Asked, found, totals: Totals) -> Chart:
        question = asked.question
        return charts.upset_chart(
            name,
            title,
            found,
            asked.collection,
            nothing=nothing,
            exactly=lambda codes: question.exactly(kind, codes),
            among=lambda code: question.narrowing(kind, code),
        )

    return Drawn(name, title, draw, lambda asked: summaries.combinations(asked.question, kind, asked.vocabulary), usual)


def by_inhibitor(asked: Asked, rows, totals: Totals) -> Chart:
    choose = verdict_step(asked.question, "inhibitor")
    return charts.response_chart(
        "response-by-inhibitor", "Response by JAK inhibitor", "JAK inhibitor", rows, asked.collection, choose=choose
    )


def by_indications(asked: Asked, rows, totals: Totals) -> Chart:
    return charts.response_chart(
        "response-by-indication",
        "Response by indications",
        "Indications together",
        rows,
        asked.collection,
        choose=verdict_step(asked.question, "indication"),
    )


def events(asked: Asked, rows, totals: Totals) -> Chart:
    nothing = f"No adverse event is recorded in the {summaries.plural(totals.patients, 'patients')} in view."
    nothing += " That is not the same as none having occurred: see how many are not known."
    return charts.event_chart(
        rows,
        asked.collection,
        nothing=nothing,
        choose=lambda code: asked.question.narrowing("adverse_event", code),
    )


def ages(asked: Asked, people, totals: Totals) -> Chart:
    return charts.age_chart(people, asked.collection, choose=band_step(asked.question))


def groups(measure: str, how: str) -> Drawn:
    """A measure in groups; left out where no group prints it, unless it is asked for by name."""
    label, names = MEASURES[measure]
    name = f"group-{how}" if measure == "mrss" else f"group-{how}-{measure}"
    draws = {"levels": charts.level_chart, "changes": charts.change_chart}[how]

    def draw(asked: Asked, _, totals: Totals) -> Chart | None:
        rows = summaries.changes(asked.question, *names)
        if not rows and name not in asked.view.get("chart", ()):
            return None
        return draws(label, rows, asked.collection, name)

    titles = {"levels": f"{label} in groups: baseline to follow-up", "changes": f"Change in {label} in groups"}
    return Drawn(name, titles[how], draw, usual=measure == "mrss")


def people(measure: str) -> Drawn:
    label, _ = MEASURES[measure]

    def draw(asked: Asked, _, totals: Totals) -> Chart:
        return charts.people_chart(measure, summaries.levels(asked.question, measure), asked.collection)

    return Drawn(f"{measure}-levels", f"{label} in single patients: baseline to follow-up", draw)


def swimmers(asked: Asked, _, totals: Totals) -> Chart:
    """The longest courses. The list of treatments says which they are, so that both show the same."""
    courses = page_records(TABLES["treatments"], asked.question, "-duration_months", 0, SWIMMERS)
    courses = courses.select_related("patient", "inhibitor").prefetch_related("outcomes", "events__category")
    return charts.swimmer_chart(summaries.swimmers(asked.question, courses), asked.collection)


CHARTS = {
    each.name: each
    for each in [
        upset(
            "indication",
            "indication-sets",
            "Indications, as combinations",
            "The indications are known of none of these patients.",
            usual=True,
        ),
        Drawn(
            "response-by-inhibitor",
            "Response by JAK inhibitor",
            by_inhibitor,
            lambda asked: summaries.response_by_inhibitor(asked.question, asked.vocabulary),
            usual=True,
        ),
        Drawn(
            "response-by-indication",
            "Response by indications",
            by_indications,
            lambda asked: summaries.response_by_indication_set(asked.question, asked.vocabulary),
            usual=True,
        ),
        Drawn(
            "adverse-events",
            "Adverse events by category",
            events,
            lambda asked: summaries.events_by_category(asked.question, asked.vocabulary),
            usual=True,
        ),
        Drawn("age-and-sex", "Age and sex", ages, lambda asked: summaries.age_and_sex(asked.question), usual=True),
        groups("mrss", "levels"),
        groups("mrss", "changes"),
        upset(
            "manifestation",
            "manifestation-sets",
            "Manifestations, as combinations",
            "No manifestation is recorded as present in any of these patients.",
        ),
        upset(
            "prior",
            "prior-sets",
            "Prior therapies, as combinations",
            "No prior therapy is recorded of any of these patients.",
        ),
        people("mrss"),
        people("fvc"),
        people("dlco"),
        Drawn("swimmers", "Courses over time (swimmer plot)", swimmers),
        groups("fvc", "levels"),
        groups("dlco", "levels"),
    ]
}
