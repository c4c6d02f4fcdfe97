"""Citations, read back by programs other people use."""

import re

import bibtexparser
import pytest
import rispy
from bibtexparser.middlewares import SeparateCoAuthors, SplitNameParts
from pybtex.database import parse_string

from evidence.downloads.citations import bibtex_entry, citation_text, ris_record
from evidence.models import Study

from .factories import make_collection, make_study

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

# As extracted -> surname, initials
PERSONS = {
    "Fujita Y": ("Fujita", "Y."),
    "Fujita, Y.": ("Fujita", "Y."),
    "Khan NA": ("Khan", "N. A."),
    "Khan N A": ("Khan", "N. A."),
    "De Pinto M": ("De Pinto", "M."),
    "Di Donato S": ("Di Donato", "S."),
    "Alegre Sancho JJ": ("Alegre Sancho", "J. J."),
    "Bellando-Randone S": ("Bellando-Randone", "S."),
    "van der Heijde D": ("van der Heijde", "D."),
    "Van den Bosch F": ("Van den Bosch", "F."),
    "Ramón y Cajal S": ("Ramón y Cajal", "S."),
    "d'Angelo S": ("d'Angelo", "S."),
    "O'Brien K": ("O'Brien", "K."),
    "McMahan ZH": ("McMahan", "Z. H."),
    "Şener S": ("Şener", "S."),
    "Rossi J-P": ("Rossi", "J.-P."),
}
NO_PERSONS = [
    "EUSTAR Group",
    "Working Group A",
    "Scleroderma Clinical Trials Consortium Investigators II",
    "Health and Care Research Wales",
    "Association of Rheumatologists, B",
    "WHO",
    "Pfizer",
    "王伟",
    "Y Fujita",
    "Fujita Y Nawata M",
]


def by_pybtex(text: str) -> dict[str, list[tuple[str, str]]]:
    """Surname with its particles, and given names, of each author of each entry."""
    return {
        key: [
            (
                plain(" ".join(person.prelast_names + person.last_names)),
                " ".join(person.first_names + person.middle_names),
            )
            for person in entry.persons.get("author", [])
        ]
        for key, entry in parse_string(text, "bibtex").entries.items()
    }


def by_bibtexparser(text: str) -> dict[str, list[tuple[str, str]]]:
    library = bibtexparser.parse_string(
        text, append_middleware=[SeparateCoAuthors(), SplitNameParts()]
    )
    assert not library.failed_blocks
    return {
        entry.key: [
            (plain(" ".join(name.von + name.last)), " ".join(name.first))
            for name in (entry.fields_dict["author"].value if "author" in entry.fields_dict else [])
        ]
        for entry in library.entries
    }


def by_rispy(text: str) -> dict[str, list[tuple[str, str]]]:
    return {
        entry["id"]: [
            tuple(part.strip() for part in f"{name},".split(",")[:2])
            for name in entry.get("authors", [])
        ]
        for entry in rispy.loads(text)
    }


def plain(name: str) -> str:
    """A name without the braces that hold it together."""
    return name.replace("{", "").replace("}", "")


READERS = {
    "pybtex": ("bib", by_pybtex),
    "bibtexparser": ("bib", by_bibtexparser),
    "rispy": ("ris", by_rispy),
}
OTHERS = {"pybtex": [("others", "")], "bibtexparser": [("others", "")], "rispy": []}


def study_by(authors: str, **facts) -> Study:
    return make_study(make_collection(), "cited", authors=authors, **facts)


@pytest.mark.parametrize("reader", READERS)
def test_every_shipped_study_has_its_surnames(client, reader):
    ending, read = READERS[reader]
    found = read(client.get(f"/published/studies.{ending}").content.decode())
    studies = Study.objects.filter(collection__slug="published", state="published")
    assert set(found) == set(studies.values_list("slug", flat=True))
    for study in studies:
        named = [name for name in re.split(r"; *", study.authors) if name and name != "et al."]
        expected = [name.rpartition(" ")[0] for name in named]
        surnames = [surname for surname, _ in found[study.slug]]
        assert surnames == expected + [
            name for name, _ in OTHERS[reader] if "et al." in study.authors
        ], study


@pytest.mark.parametrize("reader", READERS)
def test_a_surname_is_a_surname(reader):
    ending, read = READERS[reader]
    study = study_by("; ".join(PERSONS))
    assert read(citation_text([study], ending))["cited"] == list(PERSONS.values())


@pytest.mark.parametrize("reader", ["pybtex", "bibtexparser"])
@pytest.mark.parametrize("author", NO_PERSONS)
def test_who_is_not_surely_a_person_is_named_whole_in_bibtex(author, reader):
    study = study_by(f"Fujita Y; {author}")
    assert READERS[reader][1](bibtex_entry(study))["cited"] == [("Fujita", "Y."), (author, "")]


@pytest.mark.parametrize("author", NO_PERSONS)
def test_who_is_not_surely_a_person_is_named_as_written_in_ris(author):
    (entry,) = rispy.loads(ris_record(study_by(f"Fujita Y; {author}")))
    assert entry["authors"] == ["Fujita, Y.", author]


@pytest.mark.parametrize("suffix", ["Jr", "Jr.", "3rd"])
def test_a_suffix_belongs_to_the_name(suffix):
    study = study_by(f"Smith JA {suffix}")
    (name,) = parse_string(bibtex_entry(study), "bibtex").entries["cited"].persons["author"]
    assert (name.last_names, name.lineage_names) == (["Smith"], [suffix.rstrip(".")])
    assert f"AU  - Smith, J. A., {suffix.rstrip('.')}\r\n" in ris_record(study)


@pytest.mark.parametrize(
    "others",
    [
        "; et al.",
        "; et al",
        "; Et al.",
        " et al.",
        ", et al.",
        "; et  al.;",
        " and others",
        " & others",
    ],
)
def test_et_al_is_no_author(others):
    study = study_by(f"Chen F{others}")
    assert "author = {Chen, F. and others}" in bibtex_entry(study)
    for read in (by_pybtex, by_bibtexparser):
        assert read(bibtex_entry(study))["cited"] == [("Chen", "F."), ("others", "")]
    (entry,) = rispy.loads(ris_record(study))
    assert entry["authors"] == ["Chen, F."]
    assert "There are more authors than are named here." in entry["notes"]


def test_all_authors_named_means_no_others():
    study = study_by("Chen F; Etal B")
    assert "others" not in bibtex_entry(study) and "more authors" not in ris_record(study)
    nobody = study_by("et al.")
    assert "author" not in bibtex_entry(nobody) and "AU  -" not in ris_record(nobody)


@pytest.mark.parametrize(
    "attack",
    [
        "x},url={javascript:alert(1)",
        "x}},url={{y",
        "x\\},url=\\{y",
        "x{",
        "}",
        'x",url="y',
        "x@article{y,",
    ],
)
@pytest.mark.parametrize("field", ["doi", "url", "title", "authors", "journal", "volume", "pages"])
def test_no_text_adds_a_field(field, attack):
    prefix = {"doi": "10.1155/", "url": "https://example.org/"}.get(field, "")
    facts = dict.fromkeys(["title", "authors", "journal", "volume", "pages"], "x") | {
        "doi": "10.1155/y"
    }
    collection = make_collection()
    harmless, study = (
        make_study(collection, "harmless", **facts),
        make_study(collection, "attacked", **facts | {"doi": "10.1155/z"}),
    )
    setattr(study, field, prefix + attack)
    if field == "url":
        study.doi = harmless.doi = ""
        harmless.url = "https://example.org/"
    names = ["author", "title", "journal", "volume", "pages", "doi", "url", "note"]
    expected = [name for name in names if name != "doi" or field != "url"]
    (entry,) = bibtexparser.parse_string(bibtex_entry(study)).entries
    assert [field.key for field in entry.fields if field.key != "year"] == expected
    (entry,) = parse_string(bibtex_entry(study), "bibtex").entries.values()
    assert {*entry.fields, "author"} - {"year"} == set(expected)
    assert entry.fields["url"].startswith("https://")
    (entry,) = rispy.loads(ris_record(study))
    assert set(entry) == set(rispy.loads(ris_record(harmless))[0])


def test_an_identifier_stays_what_it_is():
    study = study_by("Fujita Y", doi="10.1002/(SICI)1097_4628#a<1%3A2>3.0.CO;2-2")
    assert "doi = {10.1002/(SICI)1097_4628#a<1%3A2>3.0.CO;2-2}" in bibtex_entry(study)


def test_volume_and_issue_are_kept_apart(world):
    """As they are printed together, and read back by what manages references."""
    study = make_study(world.collection, "issued", journal="J", volume="44(7)", pages="1-5")
    (entry,) = parse_string(bibtex_entry(study), "bibtex").entries.values()
    assert (entry.fields["volume"], entry.fields["number"]) == ("44", "7")
    (entry,) = rispy.loads(ris_record(study))
    assert (entry["volume"], entry["number"]) == ("44", "7")
    for volume in ("44", "44 Suppl 1", "(7)"):
        study.volume = volume
        (entry,) = parse_string(bibtex_entry(study), "bibtex").entries.values()
        assert entry.fields["volume"] == volume and "number" not in entry.fields
