"""The forest plot: studies, groups, the raw total, the pooled proportion."""

import csv

import pytest
from hypothesis import given, settings

from evidence import summaries
from evidence.models import GroupFinding
from evidence.questions.question import Question
from evidence.questions.vocabulary import vocabulary
from evidence.statistics import pooled_proportion
from evidence.summaries.forest import last_of_each_group

from . import plain
from .factories import make_collection, make_group, make_patient, make_study, make_treatment
from .test_filters import addresses, few
from .test_pages import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def every_answer_made_anew(settings):
    """So that each has its context."""
    settings.CACHE_RESPONSES = False


def forest(collection, item="improved", question=None, **more):
    return summaries.forest_plot(
        question or Question(collection), item, vocabulary(collection), **more
    )


def lines(found) -> dict:
    return {row.label: (row.fraction, row.counted, row.pooled) for row in found.rows}


@pytest.fixture
def literature(db):
    """Three series, two case reports, a series whose verdicts are not known, and two groups."""
    collection = make_collection("literature")
    for name, improved, others, unknown in [
        ("series-a", 6, 2, 1),
        ("series-b", 1, 4, 0),
        ("series-c", 3, 3, 0),
        ("case-d", 1, 0, 0),
        ("case-e", 1, 0, 0),
        ("series-f", 0, 0, 2),
    ]:
        study = make_study(collection, name)
        for response, times in (("improved", improved), ("stable", others), ("unknown", unknown)):
            for _ in range(times):
                make_treatment(make_patient(study), response=response, stopped="no")
    return collection


def test_a_study_with_one_matching_patient_is_nowhere_called_a_study_of_one_patient(client, world):
    """alpha has two women and one man: asked for men, it is a study with one matching patient."""
    pages = [world.address("forest/?item=improved&sex=male"), "/methods/"]
    texts = [text_of(client.get(page)) for page in pages]
    texts.append(client.get(world.address("forest.csv?item=improved&sex=male")).content.decode())
    texts.append(client.get("/api/v1/world/forest/?item=improved&sex=male").content.decode())
    for text in texts:
        assert "tudies of one patient" not in text and "tudy of one patient" not in text
        assert "one matching patient" in text


def test_by_hand(literature):
    found = forest(literature)
    assert lines(found) == {
        "series-a": ("6/8", True, True),
        "series-c": ("3/6", True, True),
        "series-b": ("1/5", True, True),
    }
    assert (found.singles.label, found.singles.fraction) == (
        "2 studies with one matching patient known",
        "2/2",
    )
    assert found.singles.what == "one matching patient each"
    assert (found.total.fraction, found.total.missing, found.unknown_studies) == ("12/21", 3, 1)
    assert found.pooled == pooled_proportion([(6, 8), (3, 6), (1, 5)]), (
        "case reports are not pooled as studies"
    )


def test_under_three_studies_nothing_is_pooled_and_the_page_says_why(client, literature, asking):
    question = asking(literature, "study=series-a&study=series-b&study=case-d")
    found = forest(literature, question=question)
    assert found.pooled is None and "fewer than 3" in found.refused
    assert found.total.fraction == "8/14"
    body = client.get("/literature/forest/?study=series-a&study=series-b").content.decode()
    assert (
        "No pooled proportion: fewer than 3 studies with two or more matching patients known."
        in body
    )


def test_groups_that_report_n_of_n_are_rows_and_their_own_items(literature):
    study = make_study(literature, "arm")
    stopped = {
        "kind": "events",
        "measure": "discontinuation",
        "events": 1,
        "n": 5,
        "item": "stopped",
    }
    early = {"kind": "events", "measure": "death", "events": 0, "n": 5, "at_weeks": 12}
    late = {"kind": "events", "measure": "death", "events": 1, "n": 5, "at_weeks": 52}
    make_group(study, "treated", n=5, findings=[stopped, early, late])
    make_group(study, "control", inhibitor=None, n=5, findings=[early | {"events": 4}])
    found = forest(literature, "stopped")
    assert lines(found)["arm"] == ("1/5", True, True)
    assert lines(found)["series-a"] == ("0/9", True, True)
    assert summaries.forest_items(Question(literature))["measure:death"] == "Death (groups only)"
    deaths = forest(literature, "measure:death")
    assert lines(deaths) == {"arm": ("1/5", True, True)}, "the last time, and no comparator"


def test_people_who_may_stand_twice_are_counted_once_unless_asked(literature):
    small, large = make_study(literature, "small"), make_study(literature, "large")
    finding = {"kind": "events", "measure": "discontinuation", "events": 2, "item": "stopped"}
    make_group(small, n=5, findings=[finding | {"n": 5}])
    make_group(large, n=30, findings=[finding | {"n": 30}])
    large.may_share_patients_with.add(small)
    once, twice = forest(literature, "stopped"), forest(literature, "stopped", shared=True)
    assert lines(once)["large"] == ("2/30", True, True)
    assert lines(once)["small"] == ("2/5", False, False)
    assert once.duplicates == 1 and once.total.known + 5 == twice.total.known
    assert next(row.why for row in once.rows if row.label == "small") == "may be people of large"


def test_a_study_with_patients_and_a_group_is_counted_once(literature):
    study = literature.studies.get(slug="series-a")
    make_group(
        study,
        n=9,
        findings=[{"kind": "events", "measure": "x", "events": 5, "n": 9, "item": "improved"}],
    )
    rows = [row for row in forest(literature).rows if row.slug == "series-a"]
    assert [(row.fraction, row.counted) for row in rows] == [("5/9", True), ("6/8", False)]


def test_published_groups_that_may_share_patients(published):
    """De Pinto 2024 reports joints of five patients; nobody sums them with a study that may hold
    the same people.
    """
    found = forest(published, "improved_joints")
    assert found.total.fraction == "5/5" and found.pooled is None
    assert {row.label: row.fraction for row in found.rows} == {"De Pinto 2024": "5/5"}
    assert found.singles.fraction == found.cases.fraction == "2/2"


def test_a_group_is_never_added_to_case_reports(client, published):
    """Five of five in a group and two case reports are not “7/7, 100 %, 59.0–100.0”."""
    chart = client.get("/published/forest/?item=improved_joints").context["chart"]
    assert chart.sentence == (
        "Improved: joints: 5/5 without case reports (100.0 %, exact 95 % CI 47.8–100.0); 2/2 in "
        "2 case reports, selected cases that are not added to groups; 2 not known. Not pooled: "
        "fewer than 3 studies with two or more matching patients known."
    )
    cells = {row[0]: row[2:5] for row in chart.table.rows}
    assert cells["2 case reports"] == ["2/2", "selected cases", ""]
    assert not any("7/7" in cell for row in chart.table.rows for cell in row)
    file = csv.DictReader(
        client.get("/published/forest.csv?item=improved_joints")
        .content.decode("utf-8-sig")
        .splitlines()
    )
    sums = {row["row"]: (row["percent"], row["ci_low"], row["note"]) for row in file}
    assert sums["2 case reports"] == ("", "", "selected cases")


def test_a_sum_of_case_reports_is_a_count_without_an_interval(client, literature):
    """case-d and case-e hold one patient each; so does the total that they are in."""
    found = forest(literature)
    for row, why in ((found.singles, "one matching patient each"), (found.total, "selected cases")):
        assert (row.percent, row.interval, row.percent_text) == (None, None, why)
    sentence = client.get("/literature/forest/").context["chart"].sentence
    assert sentence.startswith(
        "Improved (authors’ overall verdict): 12/21 in all (selected cases among them, so no "
        "percentage and no interval is given); 3 not known."
    )
    alone = client.get("/literature/forest/?study=case-d&study=case-e").context["chart"]
    assert "2/2 in all (selected cases" in alone.sentence and alone.figure == {}


def test_a_report_of_several_cases_is_a_case_report_too(literature, asking):
    series = "study=series-a&study=series-b&study=series-c"
    assert forest(literature, question=asking(literature, series)).total.interval
    literature.studies.filter(slug="series-a").update(design="case_report")
    assert forest(literature, question=asking(literature, series)).total.interval is None


def test_studies_with_one_matching_patient_are_not_called_studies_of_one_patient(
    literature, asking
):
    for slug in ("series-a", "series-b"):
        person = literature.studies.get(slug=slug).patients.order_by("pk").first()
        person.sex = "male"
        person.save()
    found = forest(literature, question=asking(literature, "sex=male"))
    assert found.singles.label == "2 studies with one matching patient known"
    assert not found.total.selected, "they are series, of whom one patient matches"


def test_intervals_by_t_stand_beside_those_by_z_by_name(client, literature):
    found = forest(literature)
    facts = dict(found.pooled_facts)

    def printed(interval):
        return "–".join(f"{100 * each:.1f}" for each in interval) + " %"

    assert facts["95 % CI by t, 2 degrees of freedom"] == printed(found.pooled.interval_t)
    assert facts["95 % CI by z (normal distribution)"] == printed(found.pooled.interval)
    assert facts["95 % prediction interval by t, 1 degree of freedom"] == printed(
        found.pooled.prediction_t
    )
    assert facts["95 % prediction interval by z"] == printed(found.pooled.prediction)
    low, high = found.pooled.tau2_interval
    assert facts["τ², the variance between studies (log odds)"] == (
        f"{found.pooled.tau2:.2f} (95 % profile likelihood interval {low:.2f}–{high:.2f})"
    )
    text = text_of(client.get("/literature/forest/"))
    for name, value in facts.items():
        assert f"{name} {value}" in text
    figure = client.get("/literature/forest/").context["chart"].figure
    drawn = {trace["name"]: trace["x"] for trace in figure["data"]}
    assert drawn["Pooled, 95 % CI (t)"] == [
        pytest.approx(100 * each, abs=1e-4) for each in found.pooled.interval_t
    ]


def test_each_study_is_left_out_in_turn(client, literature):
    study = make_study(literature, "series-g")
    for response in ("improved", "stable"):
        make_treatment(make_patient(study), response=response)
    without = {row.slug: each for row, each in forest(literature).without}
    assert without["series-a"].pooled == pooled_proportion([(3, 6), (1, 5), (1, 2)])
    assert list(without) == ["series-a", "series-c", "series-b", "series-g"]
    text = text_of(client.get("/literature/forest/"))
    assert "Without each study in turn" in text and "series-a 6/8" in text
    three = client.get("/literature/forest/?study=series-a&study=series-b&study=series-c")
    assert (
        "series-a 6/8 Not pooled: fewer than 3 studies with two or more matching patients known."
        in text_of(three)
    )


def test_of_many_studies_none_is_left_out(monkeypatch, client, literature):
    monkeypatch.setattr("evidence.summaries.forest.LEFT_OUT", 2)
    assert forest(literature).without == []


def test_nothing_is_said_of_pooling_where_nothing_is_pooled(client, published):
    page = client.get("/published/forest/?item=improved_joints")
    assert "Pooled" not in page.context["chart"].table.headings
    assert "random-intercept" not in page.context["chart"].note
    assert "and not pooled" not in text_of(page) and "I²" not in text_of(page)


def test_the_last_of_several_times_does_not_hang_on_the_database(literature):
    group = make_group(make_study(literature, "weeks"), n=5)
    made = [
        GroupFinding(
            group=group, number=number, at_weeks=week, kind="events", measure="x", events=1, n=5
        )
        for number, week in enumerate((12, None, 52, None), start=1)
    ]
    for order in (made, made[::-1]):
        assert [each.at_weeks for each in last_of_each_group(order)] == [52]
    assert [each.number for each in last_of_each_group([made[3], made[1]])] == [4]


def test_nobody_known_is_said(client, published):
    response = client.get("/published/forest/?item=relapsed")
    assert response.context["chart"].sentence == "Relapsed: known of nobody here."
    assert response.context["chart"].figure == {}


ITEMS = {
    "improved": "response",
    "relapsed": "relapsed",
    "stopped": "stopped",
    "any_adverse_event": "adverse_events",
}
YES = {"improved": "improved", "relapsed": "yes", "stopped": "yes", "any_adverse_event": "events"}
UNKNOWN = {"adverse_events": "not_stated"}


@pytest.mark.slow
@settings(few, max_examples=12)
@given(address=addresses())
def test_every_study_agrees_with_plain_loops(world, simulated, asking, address):
    from urllib.parse import urlencode

    for collection in (world.collection, simulated):
        records = plain.answering(world.records(collection), address)
        question = asking(collection, urlencode(address, doseq=True))
        for item, name in ITEMS.items():
            found = forest(collection, item, question)
            left = plain.patients(
                [c for c in records if getattr(c, name) == UNKNOWN.get(name, "unknown")]
            )
            having = plain.patients([c for c in records if getattr(c, name) == YES[item]])
            total, count = len(plain.patients(records) - left | having), len(having)
            assert (found.total.count, found.total.known) == (count, total)
            rows = [*found.rows, *([found.singles] if found.singles else [])]
            assert (
                sum(row.count for row in rows) == count and sum(row.known for row in rows) == total
            )


def test_an_unknown_item_is_told(client, world):
    response = client.get(world.address("forest/?item=nonsense"))
    assert response.status_code == 400
    assert (
        "“nonsense” is nothing a forest plot can be drawn of here."
        in response.context["parsed"].problems
    )
    assert client.get(world.address("forest.csv?item=nonsense")).status_code == 400


def test_the_file_has_the_rows_of_the_table(client, literature):
    rows = list(
        csv.DictReader(
            client.get("/literature/forest.csv").content.decode("utf-8-sig").splitlines()
        )
    )
    assert [row["row"] for row in rows] == [
        "series-a",
        "series-c",
        "series-b",
        "2 studies with one matching patient known",
        "All counted",
        "Pooled",
    ]
    assert (rows[0]["n"], rows[0]["known"], rows[0]["study"], rows[0]["pooled"]) == (
        "6",
        "8",
        "series-a",
        "yes",
    )
    pooled, found = rows[-1], forest(literature).pooled
    for name, expected in {
        "percent": 100 * found.proportion,
        "ci_low": 100 * found.interval_t[0],
        "ci_z_high": 100 * found.interval[1],
        "prediction_low": 100 * found.prediction_t[0],
        "prediction_high": 100 * found.prediction_t[1],
        "prediction_z_low": 100 * found.prediction[0],
        "tau2": found.tau2,
        "tau2_low": found.tau2_interval[0],
        "tau2_high": found.tau2_interval[1],
        "i2": found.i2,
    }.items():
        assert float(pooled[name]) == pytest.approx(expected), name
    assert (pooled["ci_method"], pooled["prediction_method"]) == (
        "t, 2 degrees of freedom",
        "t, 1 degree of freedom",
    )


def test_serious_events_are_left_out_where_no_event_is_graded(literature, simulated):
    study = literature.studies.get(slug="series-a")
    make_treatment(make_patient(study), adverse_events="explicitly_none")
    make_treatment(make_patient(study), events=[("infection", {})])
    other = literature.studies.get(slug="series-b")
    make_treatment(make_patient(other), adverse_events="explicitly_none")
    make_treatment(make_patient(other), events=[("infection", {"serious": "yes"})])
    assert lines(forest(literature, "serious")) == {"series-b": ("1/2", True, True)}
    # In the reconstruction no event is graded; studies without any event say that none was serious.
    assert forest(simulated, "serious").total.count == 0
    assert (
        forest(simulated, "serious").total.known
        < forest(simulated, "any_adverse_event").total.known / 2
    )


def test_measures_that_read_nearly_alike_stay_apart(literature):
    study = make_study(literature, "graded")
    for number, measure in enumerate(("grade 3 adverse event", "grade >=3 adverse event"), start=1):
        make_group(
            study,
            f"g{number}",
            n=9,
            findings=[{"kind": "events", "measure": measure, "events": number, "n": 9}],
        )
    assert lines(forest(literature, "measure:grade 3 adverse event")) == {
        "graded": ("1/9", True, True)
    }
    assert lines(forest(literature, "measure:grade >=3 adverse event")) == {
        "graded": ("2/9", True, True)
    }


def test_one_matching_patient_each_is_no_selected_case(client, literature):
    """Men of two series: ordinary members of a series, whatever the question leaves of it."""
    for slug in ("series-a", "series-b"):
        person = literature.studies.get(slug=slug).patients.order_by("pk").first()
        person.sex = "male"
        person.save()
    page = client.get("/literature/forest/?sex=male")
    chart = page.context["chart"]
    cells = {row[0]: row[2:5] for row in chart.table.rows}
    label = "2 studies with one matching patient known"
    assert cells[label] == ["2/2", "one matching patient each", ""]
    file = client.get("/literature/forest.csv?sex=male").content.decode("utf-8-sig")
    (line,) = [row for row in csv.DictReader(file.splitlines()) if row["row"] == label]
    assert (line["percent"], line["note"]) == ("", "one matching patient each")
    found = client.get("/api/v1/literature/forest/?item=improved&sex=male").json()
    for text in (text_of(page), chart.sentence, chart.note, file, str(found)):
        assert "selected cases" not in text
    assert "Studies with one matching patient each stand in the table" in chart.note
    assert "in all (exact 95 % CI 15.8–100.0, 100.0 %)" in chart.sentence, "few: interval first"


def test_a_small_group_sets_its_interval_first(client, db):
    collection = make_collection("small-groups")
    finding = {"kind": "events", "measure": "x", "events": 2, "n": 2, "item": "improved"}
    make_group(make_study(collection, "arm"), n=2, findings=[finding])
    chart = client.get("/small-groups/forest/").context["chart"]
    assert "2/2 in all (exact 95 % CI 15.8–100.0, 100.0 %)" in chart.sentence
    assert "arm: 2/2 (exact 95 % CI 15.8–100.0, 100.0 %)" in chart.figure["data"][0]["customdata"]
    finding |= {"events": 1, "n": 1}
    make_group(make_study(collection, "arm-of-one"), n=1, findings=[finding])
    rows = client.get("/small-groups/forest/").context["chart"].table.rows
    assert next(row[2:5] for row in rows if row[0].startswith("1 study")) == [
        "1/1",
        "one matching patient",
        "",
    ]


def test_no_estimated_spread_is_explained(client, db):
    collection = make_collection("alike")
    for slug in ("a", "b", "c"):
        study = make_study(collection, slug)
        for response in ("improved", "improved", "stable", "stable"):
            make_treatment(make_patient(study), response=response)
    found = forest(collection)
    assert found.pooled.tau2 == 0
    upper = f"{found.pooled.tau2_interval[1]:.2f}"
    page = client.get("/alike/forest/")
    for text in (text_of(page), page.context["chart"].sentence):
        assert "τ² is estimated as 0, so the prediction interval by z equals the confidence" in text
        assert f"the interval of τ² goes up to {upper}, so that a spread" in text


def test_an_estimated_spread_is_not_said_to_be_none(client, literature):
    study = literature.studies.get(slug="series-b")
    for _ in range(12):
        make_treatment(make_patient(study), response="stable")
    assert forest(literature).pooled.tau2 > 0
    assert "estimated as 0" not in text_of(client.get("/literature/forest/"))


def test_it_opens_at_the_first_item_of_which_anything_is_known(client, published, literature):
    """Nobody published has an overall verdict; of De Pinto’s five nobody stopped."""
    page = client.get("/published/forest/")
    assert page.context["item"] == "stopped" and page.context["chart"].figure
    assert client.get("/published/forest/?item=improved").context["item"] == "improved"
    assert client.get("/literature/forest/").context["item"] == "improved"
    assert client.get("/literature/forest/?study=series-f").context["item"] == "stopped", (
        "of this series no verdict is known, and of both that they did not stop"
    )
    stopped = client.get("/published/forest.csv").content
    assert stopped == client.get("/published/forest.csv?item=stopped").content.replace(
        b"item=stopped", b""
    ), "the file without an item is that of the page"


@pytest.mark.parametrize(
    "question", ["", "sex=female", "study=alpha", "study=beta", "response=stable"]
)
def test_the_first_item_is_one_that_the_plot_knows(world, asking, question):
    asked = asking(world.collection, question)
    items = list(summaries.forest_items(asked))
    known = [item for item in items if forest(world.collection, item, asked).total.known]
    assert summaries.first_known_item(asked) == (known or items)[0]


def test_where_nothing_is_known_it_opens_at_the_first_item(client, db):
    make_treatment(make_patient(make_study(make_collection("silent"))))
    page = client.get("/silent/forest/")
    assert (
        page.context["item"] == "improved" and "known of nobody" in page.context["chart"].sentence
    )


def test_numbers_stand_in_columns_beside_the_plot(client, literature):
    chart = client.get("/literature/forest/?study=series-a&study=series-b&study=series-c").context[
        "chart"
    ]
    rows = {}
    for text in chart.figure["layout"]["annotations"]:
        rows.setdefault(text["y"], []).append(text["text"])
    labels = chart.figure["layout"]["yaxis"]["ticktext"]
    assert labels == ["series-a", "series-c", "series-b", "All counted", "Pooled, 3 studies"]
    assert rows[-1] == ["Study", "n/N", "% (95 % CI)"]
    assert rows[0] == ["6/8", "75.0 % (34.9–96.8)"]
    assert rows[3][0] == "10/19"
    pooled = pooled_proportion([(6, 8), (3, 6), (1, 5)])
    assert rows[4][0].startswith(f"{100 * pooled.proportion:.1f} % (") and len(rows[4]) == 1
    narrow = chart.narrow["yaxis"]["ticktext"]
    assert narrow[0] == "series-a · 6/8 · 75.0 % (34.9–96.8)"
    assert len(narrow) == len(labels)


def test_a_study_is_one_click_away_from_its_mark_and_its_row(client, literature):
    page = client.get("/literature/forest/")
    chart = page.context["chart"]
    assert chart.marks[0][0] == "/literature/studies/series-a/"
    assert '<a href="/literature/studies/series-a/">series-a</a>' in page.content.decode()
    assert all(link is None for link in chart.marks[1:] for link in link)


def test_two_rows_of_one_study_stand_apart(client, literature):
    finding = {"kind": "events", "measure": "x", "events": 5, "n": 9, "item": "improved"}
    make_group(literature.studies.get(slug="series-a"), n=9, findings=[finding])
    figure = client.get("/literature/forest/").context["chart"].figure
    drawn = [y for trace in figure["data"] for y in trace["y"] if trace["mode"] == "markers"]
    assert len(drawn) == len(set(drawn))


def test_a_simulated_plot_keeps_its_mark_at_every_width(client, simulated):
    chart = client.get("/sener-2025-reconstruction/forest/").context["chart"]
    for layout in (chart.figure["layout"], chart.narrow):
        assert any("SIMULATED" in text["text"] for text in layout["annotations"])
