"""The first screen: the question as heading, what happened, the groups' evidence, the cases."""

import re
from collections import Counter
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings

from evidence import summaries
from evidence.models import GroupFinding, Outcome, StudyGroup
from evidence.questions.heading import question_heading
from evidence.questions.parsing import parse_query_string
from evidence.summaries.cases import read_cases
from evidence.tables import PATIENTS
from evidence.web.case_matrix import BLOCK, MOST_CASES, case_matrix, sort_words

from . import plain
from .factories import make_group, make_patient, make_treatment
from .test_filters import addresses, few
from .test_pages import text_of

pytestmark = pytest.mark.django_db
FLAGSHIP = "inhibitor=tofacitinib&indication=ild&indication=skin&indication_match=all"


# The heading


@pytest.mark.parametrize(
    ("query", "heading"),
    [
        ("", ""),
        (FLAGSHIP, "Tofacitinib, for skin together with ILD"),
        ("indication=ild&indication=skin", "For skin or ILD"),
        ("indication=skin", "For skin"),
        ("indication=skin&indication_match=all", "For skin"),
        ("indication=skin&indication_match=exactly", "For skin alone"),
        (
            "indication=skin&indication=ild&indication_match=exactly",
            "For skin together with ILD and nothing else",
        ),
        ("indication=skin&indication_match=none", "Not for skin"),
        ("indication=skin&indication=ild&indication_match=none", "For none of skin, ILD"),
        ("inhibitor=tofacitinib&inhibitor=baricitinib", "Baricitinib or tofacitinib"),
        ("inhibitor=tofacitinib&sex=female", "Tofacitinib; Sex: Female"),
        ("sex=female", "Sex: Female"),
    ],
)
def test_a_question_in_a_line(world, query, heading):
    parsed = parse_query_string(query, world.collection)
    assert question_heading(parsed.question, parsed.vocabulary) == heading


def test_the_heading_of_a_page_is_its_question(client, world):
    page = client.get(world.address(f"patients/?{FLAGSHIP}")).content.decode()
    heading = re.search("<h1>(.*?)</h1>", page, re.S).group(1)
    assert " ".join(re.sub("<[^>]+>", " ", heading).split()) == (
        "Patients: Tofacitinib, for skin together with ILD"
    )
    assert "Tofacitinib, for skin together with ILD · world · Casebook" in text_of(
        client.get(world.address(f"?{FLAGSHIP}"))
    )


# Shares


def test_each_share_has_its_interval_as_a_picture_and_in_numbers(client, simulated):
    page = client.get(f"/{simulated.slug}/?{FLAGSHIP}").content.decode()
    row = re.search('<tr role="row" data-share="improved">.*?</tr>', page, re.S).group()
    assert "<b>19/19</b>" in row and "100.0 % (CI 83.2–100.0)" in row and "2 not extracted" in row
    assert '<line x1="83.2%" x2="100.0%"' in row and '<circle cx="100.0%"' in row
    row = re.search('<tr role="row" data-share="serious">.*?</tr>', page, re.S).group()
    assert "none known" in row and "<svg" not in row and "21 not extracted" in row


def test_what_is_asked_for_has_no_picture(client, simulated):
    page = client.get(f"/{simulated.slug}/?response=improved").content.decode()
    row = re.search('<tr role="row" data-share="improved">.*?</tr>', page, re.S).group()
    assert "70/70" in row and "asked for" in row and "<svg" not in row and " % (" not in row


@pytest.mark.slow
@settings(few, max_examples=25)
@given(question=addresses())
def test_every_number_leads_to_its_rows(client, unlimited, world, simulated, question):
    """Of random questions of both collections: as many rows as the number says."""
    for collection in (world.collection, simulated):
        page = client.get(f"/{collection.slug}/?{urlencode(question, doseq=True)}")
        if page.status_code != 200 or not page.context["totals"].patients:
            continue
        for linked in page.context["headlines"]:
            assert bool(linked.rows) == bool(linked.share.count)
            if linked.rows:
                assert client.get(linked.rows).context["listing"].total == linked.share.count
            if linked.not_known:
                listed = client.get(linked.not_known).context["listing"].total
                assert listed >= linked.share.missing > 0


def test_a_domain_leads_to_the_patients_with_a_result_in_it(client, published):
    page = client.get("/published/")
    for linked in page.context["domains"]:
        cases = client.get(linked.rows).context["cases"].cases
        first = cases[: linked.share.known]
        assert all(linked.share.key in case.domains for case in first)
        assert not any(linked.share.key in case.domains for case in cases[linked.share.known :])


def test_where_few_are_in_view_what_nobody_says_is_one_line(client, published):
    page = client.get("/published/")
    assert page.context["shown_headlines"] == [] and len(page.context["headlines"]) == 4
    assert "Known of none of them: improved (authors’ overall verdict) (4 not extracted)" in (
        text_of(page)
    )
    assert {each.share.key for each in page.context["domains"]} == {"skin", "joints", "vascular"}


# Counts of the navigation


@pytest.mark.slow
@settings(few, max_examples=25)
@given(question=addresses())
def test_the_navigation_counts_the_rows_of_its_lists(client, unlimited, world, published, question):
    for collection in (world.collection, published):
        query = urlencode(question, doseq=True)
        page = client.get(f"/{collection.slug}/?{query}")
        if page.status_code != 200:
            continue
        for tab in page.context["navigation"].main[1:]:
            assert client.get(tab.href).context["listing"].total == tab.count, tab


def test_a_study_counts_once_whether_by_its_groups_or_its_patients(client, world):
    counts = {
        tab.label: tab.count for tab in client.get(world.address()).context["navigation"].main
    }
    assert counts == {"Overview": None, "Patients": 5, "Groups": 3, "Studies": 2}
    # alpha by alpha-1 and alpha-3, and by its group; beta by nobody
    page = client.get(world.address("?indication=ild&indication=skin&indication_match=all"))
    assert [tab.count for tab in page.context["navigation"].main] == [None, 2, 1, 1]
    # beta by its group alone
    make_group(world.collection.studies.get(slug="beta"), "joints", indications=["joints"])
    page = client.get(world.address("?indication=joints"))
    assert [tab.count for tab in page.context["navigation"].main] == [None, 0, 1, 1]


def test_what_stands_behind_more_names_the_page_shown(client, world):
    page = client.get(world.address(f"outcomes/?{FLAGSHIP}"))
    navigation = page.context["navigation"]
    assert navigation.here.label == navigation.here_in_more.label == "Outcomes"
    assert '<summary class="here">Outcomes</summary>' in page.content.decode()
    assert client.get(world.address()).context["navigation"].here_in_more is None


# Groups


def rows_of_groups(query: str, collection) -> list[tuple]:
    evidence = summaries.group_evidence(parse_query_string(query, collection).question)
    return [
        (
            row.group.study.slug,
            row.group.slug,
            row.weeks,
            len(row.results) + len(row.adverse_events),
            len(row.undated),
        )
        for row in evidence.rows
    ]


def test_the_main_question_finds_the_groups_on_the_drug(client, published):
    page = client.get(f"/published/?{FLAGSHIP}")
    evidence = page.context["group_evidence"]
    assert evidence.answering == []
    assert evidence.lead == "4 groups, 75 people"
    text = text_of(page)
    assert "0 patients match." in text
    assert "4 groups, 75 people on tofacitinib, answer the rest of the question" in text
    assert "median: mRSS 24 → 12, IQR 7.5 wide ; ultrasound skin thickness 1.71 → 1.49" in text
    assert "No patient matches. What comes nearest" in text
    treated = {(group.study.slug, group.slug) for group in evidence.treated}
    assert treated == {
        ("khanna-2022", "tofacitinib-5-mg-twice-daily"),
        ("karalilova-2021", "tofacitinib-5-mg-twice-daily"),
        ("ssc-ild-tofacitinib-2023", "tofacitinib-ssc-ild-at-least-6-months"),
        ("khan-2026", "tofacitinib-5-mg-twice-daily"),
    }


def test_every_group_and_every_finding_stands_once(published):
    """The rows of the table against a plain loop over the records."""
    rows = rows_of_groups("", published)
    expected = Counter()
    for group in StudyGroup.objects.within(published):
        weeks = [finding.at_weeks for finding in group.findings.all()]
        dated = sorted({week for week in weeks if week is not None})
        for week in dated or ([None] if weeks else []):
            undated = weeks.count(None) if dated and week == dated[-1] else 0
            expected[group.study.slug, group.slug, week, weeks.count(week), undated] += 1
    assert Counter(rows) == expected
    without = summaries.group_evidence(parse_query_string("", published).question).without_results
    assert sorted(group.slug for group in without) == sorted(
        group.slug for group in StudyGroup.objects.within(published) if not group.findings.all()
    )
    assert sum(row[3] + row[4] for row in rows) == GroupFinding.objects.within(published).count()


def test_a_group_that_was_given_it_for_something_else_stands_apart_from_its_study(world):
    alpha = world.collection.studies.get(slug="alpha")
    for group in StudyGroup.objects.within(world.collection):
        GroupFinding.objects.create(group=group, number=1, **FOUND)
    make_group(alpha, "others", indications=["joints"], findings=[FOUND])
    parsed = parse_query_string("inhibitor=tofacitinib&indication=skin", world.collection)
    evidence = summaries.group_evidence(parsed.question)
    assert [row.group.slug for row in evidence.answering] == ["treated", "control"]
    assert [row.group.slug for row in evidence.otherwise_indicated] == ["others"]
    assert evidence.lead == "1 group, 10 people"
    assert evidence.lead_apart == "1 group, of unknown size"
    make_group(alpha, "silent", findings=[FOUND], n=4)
    parsed = parse_query_string("inhibitor=tofacitinib&indication=skin&sex=male", world.collection)
    evidence = summaries.group_evidence(parsed.question)
    assert [row.group.slug for row in evidence.indication_unknown] == ["silent"]


def test_a_group_whose_subset_is_not_known_is_open(world):
    alpha = world.collection.studies.get(slug="alpha")
    make_group(alpha, "diffuse", subset="diffuse", indications=["skin"])

    def said(query: str) -> str:
        return summaries.group_cover(parse_query_string(query, world.collection).question).sentence

    # treated, ILD + skin, and beta's mixed one do not say their subset; control is a comparator
    assert "For 2 more groups it is open: their subset is not known." in said("subset=diffuse")
    assert "For 2 groups it is open: their subset is not known." in said("subset=limited")
    text = said("subset=diffuse&indication=skin")
    assert "For 2 more groups it is open: their indications or subset are not known." in text
    assert "it is open" not in said("inhibitor=tofacitinib&indication=skin")


def test_comparators_stand_with_the_group_they_were_compared_with(world):
    def groups(query: str) -> list[str]:
        parsed = parse_query_string(query, world.collection)
        return [group.slug for group in summaries.group_evidence(parsed.question).groups]

    assert groups("inhibitor=tofacitinib") == ["treated", "control"]
    assert groups("inhibitor=baricitinib") == []


FOUND = {"kind": "events", "measure": "improvement", "events": 1, "n": 8}


def test_groups_on_the_drug_for_something_else_stand_apart(world):
    for group in StudyGroup.objects.within(world.collection):
        GroupFinding.objects.create(group=group, number=1, **FOUND)
    parsed = parse_query_string("inhibitor=tofacitinib&indication=joints", world.collection)
    evidence = summaries.group_evidence(parsed.question)
    assert evidence.answering == []
    assert [row.group.slug for row in evidence.otherwise_indicated] == ["treated", "control"]
    parsed = parse_query_string("inhibitor=tofacitinib&indication=skin", world.collection)
    evidence = summaries.group_evidence(parsed.question)
    assert [row.group.slug for row in evidence.answering] == ["treated", "control"]


def test_groups_are_never_added_to_patients(client, published):
    text = text_of(client.get("/published/"))
    assert "Groups 10 groups, 125 people and 2 groups of unknown size" in text
    assert "Never pooled, never added to the patients; 5 comparators besides." in text
    assert "129" not in re.sub("Data version.*", "", text)


# Cases


def matrix_of(collection, query: str = "", sort: str = "", most: int = MOST_CASES):
    parsed = parse_query_string(query, collection)
    total = parsed.question and len({course.patient for course in plain_answer(collection, parsed)})
    return case_matrix(parsed.question, parsed.vocabulary, sort, total, most)


def plain_answer(collection, parsed):
    asked: dict[str, list[str]] = {}
    for name, value in parsed.question.to_params():
        asked.setdefault(name, []).append(value)
    return plain.answering(plain.all_courses(collection), asked)


def cells(matrix) -> dict[str, list[tuple]]:
    """Row by row: the state or the mark of each cell, and its words."""
    return {
        row.label: [(cell.mark or cell.state, cell.words) for cell in row.cells]
        for block in matrix.blocks
        for row in block.rows
    }


def test_the_matrix_of_the_small_world(world):
    matrix = matrix_of(world.collection)
    assert [case.patient for case in matrix.cases] == [
        "alpha-1",
        "alpha-2",
        "alpha-3",
        "alpha-4",
        "beta-1",
    ]
    shown = cells(matrix)
    missing, unread = ("not-reported", "not reported"), ("not-extracted", "not extracted")
    assert shown["JAK inhibitor"] == [
        ("tof", "tofacitinib"),
        ("tof+", "tofacitinib, baricitinib"),
        ("tof", "tofacitinib"),
        ("tof", "tofacitinib"),
        ("bar", "baricitinib"),
    ]
    given, not_given = ("listed", "given for it"), ("not-listed", "not given for it")
    assert shown["For ILD"] == [given, given, given, missing, not_given]
    assert shown["For GI"] == [not_given, not_given, given, missing, not_given]
    assert shown["Overall response"] == [
        ("improved", "Improved"),
        ("several", "Worsened; Improved"),
        ("stable", "Stable"),
        missing,
        ("not_improved", "Not improved (not further stated)"),
    ]
    # of several results at the same time the worst
    assert shown["Skin"] == [missing, missing, missing, missing, ("stable", "skin stable")]
    assert "Joints" not in shown  # a result that is not known is no result
    assert shown["Relapsed"] == [("no", "No"), missing, ("yes", "Yes"), missing, unread]
    assert shown["Adverse events"] == [
        ("yes", "adverse events reported"),
        ("several", "none, as stated; not reported"),
        ("yes", "adverse events reported"),
        missing,
        ("yes", "adverse events reported"),
    ]
    assert shown["Sex"] == [
        ("F", "Female"),
        ("M", "Male"),
        ("F", "Female"),
        missing,
        ("F", "Female"),
    ]
    assert shown["Age"] == [
        ("40", "40 years"),
        ("60", "60 years"),
        missing,
        missing,
        ("25", "25 years"),
    ]
    assert [mark for mark, _ in shown["Subset"]] == [
        "d",
        "l",
        "not-reported",
        "not-reported",
        "not-extracted",
    ]
    assert {"not-reported", "not-extracted", "several"} < {state for state, _ in matrix.marks}


def test_a_case_shows_only_the_courses_that_answer(world):
    shown = cells(matrix_of(world.collection, "inhibitor=baricitinib"))
    assert shown["Overall response"][0] == ("improved", "Improved")  # alpha-2's second course
    assert shown["JAK inhibitor"] == [("bar", "baricitinib"), ("bar", "baricitinib")]


def test_a_matrix_takes_as_many_queries_for_one_case_as_for_forty(
    db, django_assert_num_queries, world
):
    parsed = parse_query_string("", world.collection)
    case_matrix(parsed.question, parsed.vocabulary, "", 5, 1)  # reads what changed into memory
    with CaptureQueriesContext(connection) as for_one:
        case_matrix(parsed.question, parsed.vocabulary, "", 5, 1)
    alpha = world.collection.studies.get(slug="alpha")
    for _ in range(40):
        make_treatment(make_patient(alpha))
    case_matrix(parsed.question, parsed.vocabulary, "", 45, 45)
    with django_assert_num_queries(len(for_one)):
        assert len(case_matrix(parsed.question, parsed.vocabulary, "", 45, 45).cases) == 45


@pytest.mark.slow
@pytest.mark.parametrize("turned", ["", "-"])
def test_sorted_by_any_row(simulated, turned):
    """All cases, once each; of a sorted row the known come first, in the order of their codes."""
    parsed = parse_query_string("", simulated)
    words = sort_words(parsed.vocabulary)
    usual = [case.patient for case in matrix_of(simulated).cases]
    for word, codes in words.items():
        matrix = matrix_of(simulated, sort=f"{turned}{word}")
        assert sorted(case.patient for case in matrix.cases) == sorted(usual), word
        assert not matrix.notices
        values = [sort_value(case, word, codes) for case in matrix.cases]
        known_first = [value is not None for value in values]
        assert known_first == sorted(known_first, reverse=True), word
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=bool(turned)), word


def sort_value(case, word, codes):
    """Where a case belongs in a row's order; None where it is not known."""
    name, _, code = word.partition(".")
    if word == "patient":
        return case.patient
    if not codes:
        return getattr(case, word) if getattr(case, word) not in (None, "") else None
    if name == "indication":
        return {"yes": 0, "no": 1}.get(case.indicated(code))
    if name == "domain":
        result = case.domains.get(code)
        return codes.index(result.result) if result else None
    field = {"inhibitors": "inhibitor"}.get(name, name)
    places = [
        codes.index(getattr(course, field)) for course in case.courses if getattr(course, field)
    ]
    return min(places) if places else None


def test_a_row_that_does_not_exist_sorts_nothing_and_says_so(client, simulated):
    page = client.get(f"/{simulated.slug}/?sort=nonsense")
    assert page.status_code == 200
    assert "The cases have no such row to sort by" in text_of(page)
    assert page.context["cases"].cases[0].patient == "SIM-01-01"


def test_beyond_a_block_the_overview_leads_to_the_matrix_and_the_list(client, simulated):
    page = client.get(f"/{simulated.slug}/")
    assert len(page.context["cases"].cases) == BLOCK
    text = text_of(page)
    assert "The first 36 of 87 patients." in text and "All 87 side by side" in text
    whole = client.get(f"/{simulated.slug}/matrix/")
    assert len(whole.context["cases"].cases) == 87
    assert [(block.first, block.last) for block in whole.context["cases"].blocks] == [
        (1, 36),
        (37, 72),
        (73, 87),
    ]
    body = whole.content.decode()
    assert len(set(re.findall(r'href="/sener[^"]*/patients/(SIM-[^/"]+)/"', body))) == 87


@pytest.mark.slow
@settings(few, max_examples=15)
@given(question=addresses())
def test_cases_are_those_of_a_plain_loop(world, simulated, question):
    for collection in (world.collection, simulated):
        parsed = parse_query_string(urlencode(question, doseq=True), collection)
        if parsed.question is None:
            continue
        found = read_cases(parsed.question, PATIENTS.records(parsed.question).order_by("slug"))
        courses = plain.answering(world.records(collection), dict(question))
        expected: dict[str, list] = {}
        for course in sorted(courses, key=lambda each: each.number):
            expected.setdefault(course.patient, []).append(course)
        assert sorted(case.patient for case in found) == sorted(expected)
        for case in found:
            theirs = expected[case.patient]
            assert [course.inhibitor for course in case.courses] == [
                course.inhibitor for course in theirs
            ]
            for code in ("ild", "skin", "joints"):
                lists = [course.lists["indication"] for course in theirs]
                told = (
                    "yes"
                    if any(code in listed.present for listed in lists)
                    else "no"
                    if all(listed.whole for listed in lists)
                    else ""
                )
                assert case.indicated(code) == told
            results = plain.domain_results(theirs).get(case.patient, [])
            assert [
                (each.domain, each.result, each.month) for each in case.domains.values()
            ] == results


def test_a_few_cases_in_words(client, published):
    text = text_of(client.get("/published/"))
    assert (
        "Female, 71 years, Overlap syndrome Baricitinib for joints: overall response "
        "not extracted; skin improved; joints improved (month 12). Relapse not extracted; "
        "adverse events not extracted."
    ) in text


def test_results_of_several_courses_are_put_behind_none_of_them(client, world):
    """The results by domain are of the patient; which course they came of, the case page says."""
    patient = world.collection.studies.get(slug="alpha").patients.get(slug="alpha-2")
    first = patient.treatments.get(number=1)
    Outcome.objects.create(treatment=first, domain="skin", measure_id="mRSS", result="improved")
    text = text_of(client.get(world.address("?sex=male")))
    assert "Tofacitinib for skin: overall response worsened. Baricitinib for ILD: overall " in text
    assert "response improved. Of all courses together: skin improved. " in text


def test_simulated_cases_are_marked(client, simulated):
    for address in ("", "matrix/", "?age_min=75"):
        body = client.get(f"/{simulated.slug}/{address}").content.decode()
        cases = body.split('id="cases"')[1]
        assert '<span class="mark">simulated</span>' in cases.split("</h2>")[0]


# Home, filters, citing


def test_the_front_page_asks_the_published_collection_alone(client, published, simulated):
    page = client.get("/")
    body = page.content.decode()
    form = body[body.index("<form") : body.index("</form>")]
    assert f'action="{published.get_absolute_url()}"' in form
    assert "tofacitinib (2 patients, 4 groups)" in " ".join(form.split())
    examples = body.split('class="questions"')[1].split("</ul>")[0]
    assert simulated.slug not in examples and simulated.slug not in form
    card = body.split('class="card simulated"')[1]
    assert '<span class="mark">simulated</span>' in card and "associations are not evidence" in card


def test_choices_of_the_front_page_count_what_they_lead_to(client, published):
    choices = client.get("/").context["choices"]
    for name, offered in (("inhibitor", choices.inhibitors), ("indication", choices.indications)):
        assert offered
        for choice in offered:
            page = client.get(f"/published/?{name}={choice.code}")
            assert page.context["totals"].patients == choice.patients
            assert page.context["cover"].treated == choice.groups


def test_options_that_nobody_has_fold_away(client, published):
    body = client.get("/published/").content.decode()
    facet = body.split('id="d-inhibitor"')[1].split("</fieldset>")[0]
    shown, folded = facet.split('<details class="nobody"')
    assert 'value="tofacitinib"' in shown and 'value="ruxolitinib"' in folded
    assert "<summary>5 more, 0 patients</summary>" in folded
    chosen = client.get("/published/?inhibitor=ruxolitinib").content.decode()
    facet = chosen.split('id="d-inhibitor"')[1].split('<details class="nobody"')[0]
    assert re.search('value="ruxolitinib" checked', facet)


def test_a_view_is_cited_with_its_question_its_release_and_exactly_its_studies(client, released):
    page = client.get("/published/?inhibitor=tofacitinib")
    panel = page.content.decode().split('id="cite-view"')[1].split("</details>")[0]
    text = " ".join(re.sub("<[^>]+>", " ", panel).split())
    assert "Release 1," in text and "Question: JAK inhibitor: tofacitinib." in text
    assert 'href="/published/?inhibitor=tofacitinib&amp;release=1"' in panel
    ris = re.search(r'href="(/published/studies\.ris\?[^"]+)"', panel).group(1)
    body = client.get(ris).content.decode()
    listed = client.get("/published/studies/?inhibitor=tofacitinib").context["listing"].total
    assert body.count("TY  - ") == listed


def test_a_simulated_view_cites_no_articles(client, simulated):
    panel = client.get(f"/{simulated.slug}/").content.decode().split('id="cite-view"')[1]
    panel = panel.split("</details>")[0]
    assert "simulated records, not evidence" in panel and ".ris" not in panel
