"""Identifiers: understood as they are pasted, told with an example where wrong, once per
collection.
"""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from evidence.models import Study
from evidence.models.identifiers import KINDS, normalise_identifiers

from .factories import make_collection, make_study
from .test_admin import address, filled, visible_errors

PASTED = {
    "doi": {
        "10.1155/2019/5293981": [
            "10.1155/2019/5293981",
            " 10.1155/2019/5293981\n",
            "https://doi.org/10.1155/2019/5293981",
            "http://dx.doi.org/10.1155/2019/5293981",
            "doi.org/10.1155/2019/5293981",
            "doi:10.1155/2019/5293981",
            "DOI: 10.1155/2019/5293981.",
            "doi: https://doi.org/10.1155/2019/5293981",
        ],
        "10.1002/(SICI)1097<1:A>3.0;2-2": [
            "https://doi.org/10.1002/(SICI)1097%3C1%3AA%3E3.0%3B2-2",
            "doi:10.1002/(SICI)1097<1:A>3.0;2-2",
        ],
        "10.1002/a%3Cb": ["10.1002/a%3Cb"],  # no address: nothing is encoded
    },
    "pmid": {
        "31360575": [
            "31360575",
            "PMID: 31360575",
            "pmid:31360575.",
            "PMID 31360575",
            "https://pubmed.ncbi.nlm.nih.gov/31360575/",
            "https://www.ncbi.nlm.nih.gov/pubmed/31360575",
        ]
    },
    "pmcid": {
        "PMC6652034": [
            "pmc6652034",
            "PMCID: PMC6652034",
            "PMC 6652034",
            "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC6652034/",
            "https://pmc.ncbi.nlm.nih.gov/articles/PMC6652034/",
        ]
    },
    "nct": {
        "NCT03274076": [
            "nct03274076",
            "NCT 03274076",
            "ClinicalTrials.gov: NCT03274076",
            "ClinicalTrials.gov identifier: NCT03274076",
            "https://clinicaltrials.gov/study/NCT03274076",
            "https://clinicaltrials.gov/ct2/show/NCT03274076",
        ]
    },
}
EACH = [
    (kind, text, meant)
    for kind, meanings in PASTED.items()
    for meant, texts in meanings.items()
    for text in texts
]
WRONG = {
    "doi": ["Fujita 2019", "doi:11.1155/x", "https://example.org/10.1155/x", "10.1155"],
    "pmid": ["0123", "PMID: none", "12 34", "PMC123", "31360575 and more of them"],
    "pmcid": ["6652034", "PMC0123", "PMCID"],
    "nct": ["NCT1", "nct0327407", "2019-001234-12", "EudraCT 2019-001234-12"],
}
EXAMPLE = {
    "doi": "This is not a DOI. Write it like 10.1155/2019/5293981, or leave it empty.",
    "pmid": "This is not a PMID. Write it like 31360575, or leave it empty.",
    "pmcid": "This is not a PMCID. Write it like PMC6652034, or leave it empty.",
    "nct": "This is not a ClinicalTrials.gov number. Write it like NCT03274076, or leave it empty.",
}


@pytest.mark.parametrize(("kind", "text", "meant"), EACH)
def test_what_is_pasted_is_understood(kind, text, meant):
    assert normalise_identifiers({kind: text, "title": text}) == {kind: meant, "title": text}


@given(kind=st.sampled_from(sorted(KINDS)), text=st.text(max_size=40))
def test_normalising_twice_changes_nothing_more(kind, text):
    once = KINDS[kind].normalise(text)
    assert KINDS[kind].normalise(once) == once


@pytest.mark.parametrize(("kind", "text", "meant"), EACH)
def test_a_record_is_checked_and_saved_as_it_was_meant(db, kind, text, meant):
    study = make_study(make_collection(), state="draft")
    setattr(study, kind, text)
    study.full_clean()
    assert getattr(study, kind) == meant
    study.save()
    assert getattr(Study.objects.get(pk=study.pk), kind) == meant


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in WRONG.items() for text in texts]
)
def test_a_wrong_one_is_told_with_an_example_and_nothing_else(db, kind, text):
    study = make_study(make_collection(), state="draft")
    setattr(study, kind, text)
    with pytest.raises(ValidationError) as told:
        study.full_clean()
    assert told.value.message_dict == {kind: [EXAMPLE[kind]]}


def test_a_curator_can_paste_them_all(db, admin_client):
    study = make_study(make_collection(), state="draft")
    place = address(Study, "change", study.pk)
    page = admin_client.get(place)
    fields = page.context["adminform"].form.fields
    assert all("maxlength" not in fields[kind].widget.attrs for kind in KINDS)
    pasted = {
        kind: max(texts, key=len)
        for kind, ((_, texts), *_) in (
            (kind, list(meanings.items())) for kind, meanings in PASTED.items()
        )
    }
    assert admin_client.post(place, filled(page) | pasted).status_code == 302
    study.refresh_from_db()
    assert {kind: getattr(study, kind) for kind in KINDS} == {
        kind: next(iter(meanings)) for kind, meanings in PASTED.items()
    }
    wrong = {kind: texts[-1] for kind, texts in WRONG.items()}
    told = visible_errors(admin_client.post(place, filled(admin_client.get(place)) | wrong))
    assert all(EXAMPLE[kind] in told for kind in KINDS)


# Once per collection

IDENTIFIERS = {kind: next(iter(meanings)) for kind, meanings in PASTED.items()}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_identifier_is_once_in_a_collection(kind):
    collection = make_collection()
    make_study(collection, **{kind: IDENTIFIERS[kind]})
    other = make_study(collection)
    name = f"study_{kind}_once_per_"

    def refused(write):
        # SQLite names the columns of a plain index, the name of another
        told = rf"{name}|evidence_study\.{kind}"
        with pytest.raises(IntegrityError, match=told), transaction.atomic():
            write()

    value = IDENTIFIERS[kind]
    refused(lambda: Study.objects.filter(pk=other.pk).update(**{kind: value}))
    refused(lambda: make_study(collection, **{kind: value}))
    new = Study(collection=collection, slug="new", design="unknown", extraction="abstract")
    setattr(new, kind, value)
    refused(lambda: Study.objects.bulk_create([new]))

    def by_sql():
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE evidence_study SET {kind} = %s WHERE id = %s",
                [value, other.pk],
            )

    refused(by_sql)
    setattr(other, kind, value)
    with pytest.raises(ValidationError, match="This collection already has "):
        other.full_clean()
    make_study(make_collection(), **{kind: value}).full_clean()  # of another collection
    make_study(collection).full_clean()  # of which it is not known
    make_study(collection).full_clean()


def test_a_doi_is_the_same_in_any_case(db):
    collection = make_collection()
    make_study(collection, doi="10.1002/ART.1")
    other = make_study(collection, state="draft")
    other.doi = "https://doi.org/10.1002/art.1"
    with pytest.raises(ValidationError, match="already has a study with this DOI"):
        other.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        other.save()


def test_a_trial_s_registration_and_its_publication_share_their_number(db):
    collection = make_collection()
    trial = {"collection": collection, "nct": "NCT03274076"}
    registration = make_study(**trial, extraction="registry")
    publication = make_study(**trial, extraction="full_text")
    for study in (registration, publication):
        study.full_clean()
    for extraction, told in (
        ("registry", "already has the registration"),
        ("in_part", "already has a publication.*may share patients with"),
    ):
        twin = Study(**trial, slug="x", short_name="x", design="unknown", extraction=extraction)
        with pytest.raises(ValidationError, match=told):
            twin.full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            twin.save()
