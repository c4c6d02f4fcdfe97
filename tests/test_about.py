"""Methods, data dictionary, citations: each says what is true, and nothing is left out."""

import csv
import json
import re

import pytest
from rest_framework.serializers import IntegerField

from evidence.api.shapes import PAGES
from evidence.downloads.citations import bibtex_entry, ris_record
from evidence.models import Review, Study
from evidence.statistics import pooled_proportion
from evidence.statistics.pooling import expit
from evidence.summaries.methods import METHODS
from evidence.tables import BUNDLED, FILE_TABLES, Column
from evidence.tables.dictionary import COMMON, RELEASE, bundle_entries, dictionary_entries

from .factories import make_collection, make_study

pytestmark = pytest.mark.django_db

# first, second, third: of no unit
ORDINALS = ("treatment", "outcome", "event", "finding", "provenance", "item")
# Each example by hand, or from the publication or program that its method names.
WORKED = {
    "share": "22/49 patients (44.9 %, 95 % CI 31.9–58.7), 38 not known (38 not extracted)",
    "three-answers": (
        "tofacitinib, indications not known: no; baricitinib, indications not known: open; "
        "baricitinib, skin, perhaps more: open; baricitinib, skin, the complete list: no; "
        "baricitinib, ILD, perhaps more: yes"
    ),
    "several-treatments": "1/2 patients (95 % CI 9.5–90.5, 50.0 %), 2 not known (2 not extracted)",
    "last-outcome": (
        "improved at month 3, worsened at month 12: not improved; "
        "improved at no stated month, stable at month 6: not improved; "
        "at month 6 improved by one measure and stable by another: not improved; "
        "worsened at month 12, improved at month 3 of a later treatment: improved; "
        "worsened at month 12, improved at no stated month of a later treatment: not improved"
    ),
    "serious": (
        "an event said to be serious: counted; an event said not to be serious: counted; "
        "one said not to be serious and one of which nothing is said: not known; "
        "no event, in a study that says of an event whether it was serious: counted; "
        "no event, in a study that says it of none of its events: not known; "
        "no event, in a study without any: counted"
    ),
    "asked-for": "70/70 patients (asked for), none missing",
    "sensitivity": (
        "8/16 (50.0 %) if none of the 2 not known, 10/16 (62.5 %) if all; "
        "2/6 (33.3 %) without A to 7/10 (70.0 %) without B"
    ),
    "not-asked": "asked of groups: JAK inhibitor: tofacitinib; not asked of them: Sex: Female, "
    "Age from 40 years",
    "wilson": "31.9 to 58.7 %",
    "clopper-pearson": "30.7 to 59.8 %",
    "newcombe": "20.0 points, 5.2 to 33.4 points",
    "quartiles": "9.0 (7.0 to 10.0)",
    "denominators": "1/17, 2/34, 3/51, 4/68, 5/85",
    "mrss-5-25": "response",
    "fvc-5": "response",
    "fvc-10": "no response",
    "fvc-omeract": "progression; progression; not evaluable (FVC fell by 5 to under 10 %, and "
    "the change of DLCO is not known); no progression",
    "fvc-ppf": "progression; no progression; not evaluable (the measurements lie more than 12 "
    "months apart)",
}


@pytest.mark.parametrize("method", METHODS, ids=lambda each: each.slug)
def test_every_method_has_its_formula_its_source_and_an_example_that_works(client, method):
    assert all(
        [
            method.name,
            method.where,
            method.formula,
            method.explanation,
            method.reference,
            method.question,
        ]
    )
    worked = method.example()
    assert worked
    if method.slug in WORKED:
        assert worked == WORKED[method.slug]
    assert f'id="{method.slug}"' in client.get("/methods/").content.decode()


def test_the_other_examples_by_a_second_way():
    examples = {method.slug: method.example() for method in METHODS}
    assert examples["fisher"].endswith("p = 0.0860")  # 2 (C(8,3)C(9,8) + C(8,2)C(9,9)) / C(17,11)
    assert "pooled" in examples["glmm"] and "prediction interval" in examples["glmm"]
    assert examples["similar"] == "the second stands first: 2/0 before 2/1"
    pooled = pooled_proportion([(6, 8), (3, 6), (1, 5), (4, 10)])
    # The 97.5th percentiles of Student's t with 3 and 2 degrees of freedom, as tables print them.
    half_widths = 3.1824463 * pooled.se, 4.3026527 * (pooled.tau2 + pooled.se**2) ** 0.5
    for half_width in half_widths:
        low, high = (100 * expit(pooled.mu + side * half_width) for side in (-1, 1))
        assert f"of freedom: {low:.1f} to {high:.1f} %" in examples["glmm"]
    low, high = pooled.tau2_interval
    assert f"(95 % profile likelihood interval {low:.3f} to {high:.3f})" in examples["glmm"]
    without = pooled_proportion([(3, 6), (1, 5), (4, 10)])
    assert f"without 6/8: {100 * without.proportion:.1f} %" in examples["glmm"]
    assert set(WORKED) | {"fisher", "glmm", "similar"} == {method.slug for method in METHODS}


def test_the_pooled_proportion_is_described_as_it_is_drawn():
    (method,) = [method for method in METHODS if method.slug == "glmm"]
    for words in (
        "μ ± t(k − 1) SE",
        "μ ± t(k − 2) √(τ² + SE²)",
        "profile likelihood",
        "Leave-one-out",
    ):
        assert words in method.explanation


def test_every_column_has_an_entry_that_says_what_it_means():
    alone, together = [*COMMON, RELEASE], COMMON
    files = [
        *((*each, alone) for each in dictionary_entries()),
        *((*each, together) for each in bundle_entries()),
    ]
    assert len(files) == len(FILE_TABLES) + len(BUNDLED)
    for table, entries, besides in files:
        assert [each.name for each in entries] == [
            *(column.name for column in table.file_columns),
            *(name for name, *_ in besides),
        ]
        for each in entries:
            assert each.meaning.endswith(".") or each.meaning.endswith("”."), each
            assert each.type and each.missing and each.source
            if each.type == "number" and each.name not in ORDINALS:
                assert each.unit, f"{each.file} {each.name} has no unit"


def test_a_column_without_a_meaning_is_refused_where_it_is_declared():
    with pytest.raises(ValueError, match="column “shoe_size” says nothing of what it means"):
        Column("shoe_size", "Shoe size", "shoe_size")
    with pytest.raises(ValueError, match="number “shoe_size” has no unit"):
        Column("shoe_size", "Shoe size", "shoe_size", "Length of the shoe.", numeric=True)
    assert (
        Column("place", "Place", "place", "First, second, third.", numeric=True, whole=True).unit
        == ""
    )


def test_the_api_describes_a_column_as_the_dictionary_does():
    for noun, entries in ((table.noun, entries) for table, entries in dictionary_entries()):
        fields = PAGES[noun]().fields["results"].child.fields
        for each in entries[: -len([*COMMON, RELEASE])]:
            told = f"{each.label}. {each.meaning}" + (f" In {each.unit}." if each.unit else "")
            assert fields[each.name].help_text == told
            assert isinstance(fields[each.name], IntegerField) == each.whole


@pytest.mark.parametrize("noun", FILE_TABLES)
def test_the_dictionary_has_the_columns_of_the_file(client, noun):
    header = (
        client.get(f"/published/{noun}.csv")
        .getvalue()
        .decode("utf-8-sig")
        .splitlines()[0]
        .split(",")
    )
    entries = next(entries for table, entries in dictionary_entries() if table.noun == noun)
    assert [each.name for each in entries] == header


def test_coded_columns_list_their_codes(client):
    entries = {
        (each.file, each.name): each for _, entries in dictionary_entries() for each in entries
    }
    assert ("improved", "Improved") in entries["treatments.csv", "response"].values
    assert "unknown" not in dict(entries["treatments.csv", "response"].values), (
        "missing is not a value"
    )
    assert entries["patients.csv", "age_years"].unit == "years"
    body = client.get("/data-dictionary/").content.decode()
    assert 'id="patients-age_years"' in body


def test_the_dictionary_as_a_file(client):
    text = client.get("/data-dictionary.csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == sum(len(entries) for _, entries in dictionary_entries())
    assert rows[0]["column"] == "patient"


# Citations


def test_a_study_in_ris():
    study = Study.objects.get(slug="fujita-2019")
    lines = ris_record(study).split("\r\n")
    assert lines[0] == "TY  - JOUR" and lines[-2:] == ["ER  - ", ""]
    assert (
        lines.count("AU  - Fujita, Y.") == 1 and sum(line.startswith("AU") for line in lines) == 6
    )
    assert (
        "DO  - 10.1155/2019/5293981" in lines
        and "PY  - 2019" in lines
        and "AN  - PMID 31360575" in lines
    )
    assert "N1  - Read for Casebook: abstract or opening of the paper." in lines
    assert all(re.match(r"[A-Z][A-Z0-9]  - ", line) for line in lines[:-1])


def test_a_study_in_bibtex():
    entry = bibtex_entry(Study.objects.get(slug="karalilova-2021"))
    assert entry.startswith("@article{karalilova-2021,\n")
    assert "author = {Karalilova, R. V. and Batalov, Z. A. and" in entry
    assert "pages = {1743--1753}" in entry and "doi = {10.1007/s00296-021-04956-7}" in entry
    assert entry.count("{") == entry.count("}")


def test_what_was_not_extracted_is_left_out_and_others_are_others():
    nameless = Study.objects.get(slug="ssc-ild-tofacitinib-2023")
    assert "AU  -" not in ris_record(nameless) and "author" not in bibtex_entry(nameless)
    assert bibtex_entry(Study.objects.get(slug="chen-2025-basics")).count(" and others}") == 1
    assert ris_record(Study.objects.get(slug="rhk-2025-101")).startswith("TY  - CPAPER")
    assert bibtex_entry(Study.objects.get(slug="nct05300932")).startswith("@misc{")


def test_letters_that_mean_something_in_latex_are_escaped():
    study = make_study(
        make_collection(),
        "odd",
        title="50 % of {A} & B_2 #1 $x$ \\y\nTY  - FAKE",
        authors="A; et al.",
    )
    assert (
        "50 \\% of \\textbraceleft{}A\\textbraceright{} \\& B\\_2 \\#1 \\$x\\$ "
        "\\textbackslash{}y TY - FAKE" in bibtex_entry(study)
    )
    assert sum(line.startswith("TY  -") for line in ris_record(study).split("\r\n")) == 1, (
        "a line break begins no new field"
    )


def test_the_studies_of_exactly_this_question(client):
    query = "inhibitor=baricitinib"
    listed = client.get(f"/published/studies/?{query}").context["listing"].total
    text = client.get(f"/published/studies.ris?{query}").content.decode()
    assert text.count("TY  - ") == text.count("ER  - ") == listed
    assert client.get(f"/published/studies.bib?{query}").content.decode().count("@") == listed
    assert client.get("/published/studies.ris?sex=x").status_code == 400
    one = client.get("/published/studies/fujita-2019.bib")
    assert one.content.decode() == bibtex_entry(Study.objects.get(slug="fujita-2019"))
    assert 'filename="fujita-2019.bib"' in one["Content-Disposition"]


def test_simulated_articles_cannot_be_cited(client, simulated):
    assert client.get("/sener-2025-reconstruction/studies.ris").status_code == 404
    assert (
        client.get("/sener-2025-reconstruction/studies/simulated-article-01.ris").status_code == 404
    )
    assert "studies.ris" not in client.get("/sener-2025-reconstruction/studies/").content.decode()


def test_the_page_says_how_to_cite_and_tells_search_engines(client):
    response = client.get("/cite/", headers={"host": "testserver"})
    body = response.content.decode()
    assert "Data version" in body and "http://testserver/" in body
    data = json.loads(
        re.search(r'<script type="application/ld\+json">(.*?)</script>', body, re.S).group(1)
    )
    assert [each["@type"] for each in data["@graph"]] == ["Dataset", "Dataset"]
    assert "ETag" not in response.headers, "it names its host, so it is kept for no other"


@pytest.mark.parametrize("address", ["/reviews/undated/", "/cite/"])
def test_a_review_without_a_year_does_not_print_one(client, address):
    Review.objects.create(
        slug="undated", short_name="Undated", journal="A journal", extraction="abstract"
    )
    body = client.get(address).content.decode()
    assert "<i>A journal</i>." in body and "None" not in body
