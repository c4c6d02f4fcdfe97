"""Publications out of reference managers and PubMed: each begins a study in work, none twice."""

import pytest

from evidence.curation.references import (
    Reference,
    UnreadableReferences,
    begin_studies,
    initials_of,
    matching_study,
    read_references,
)
from evidence.models import Collection

from .factories import make_study

RIS = """TY  - JOUR
AU  - Beispiel, Anna-Lena
AU  - De Muster, Marco
TI  - A made-up case
JO  - Journal of Examples
PY  - 2027
VL  - 3
SP  - 12
EP  - 15
DO  - https://doi.org/10.1000/made.up
ER  -
"""
BIBTEX = """@article{beispiel2027,
  author = {Beispiel, Anna-Lena and De Muster, Marco},
  title = {A made-up {case}}, journal = {Journal of Examples}, year = 2027, volume = {3},
  pages = {12--15}, doi = {10.1000/made.up}
}
"""
NBIB = """PMID- 7654321
TI  - A made-up
      case.
AU  - Beispiel AL
AU  - De Muster M
JT  - Journal of Examples
DP  - 2027 Jul 3
VI  - 3
PG  - 12-15
AID - 10.1000/made.up [doi]
SI  - ClinicalTrials.gov/NCT00000001
"""
XML = """<?xml version="1.0"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN"
 "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">
<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>7654321</PMID><Article>
<Journal><JournalIssue><Volume>3</Volume><PubDate><Year>2027</Year></PubDate></JournalIssue>
<Title>Journal of Examples</Title></Journal>
<ArticleTitle>A made-up <i>case</i>.</ArticleTitle>
<Pagination><MedlinePgn>12-15</MedlinePgn></Pagination>
<AuthorList><Author><LastName>Beispiel</LastName><Initials>AL</Initials></Author>
<Author><LastName>De Muster</LastName><Initials>M</Initials></Author></AuthorList>
</Article></MedlineCitation><PubmedData><ArticleIdList>
<ArticleId IdType="doi">10.1000/made.up</ArticleId></ArticleIdList></PubmedData>
</PubmedArticle></PubmedArticleSet>"""


@pytest.mark.parametrize("text", [RIS, BIBTEX, NBIB, XML], ids=["RIS", "BibTeX", "nbib", "XML"])
def test_every_format_says_the_same(text):
    (reference,) = read_references(text)
    assert reference.authors == ("Beispiel AL", "De Muster M")
    assert (reference.title, reference.year) == ("A made-up case", 2027)
    assert (reference.journal, reference.volume) == ("Journal of Examples", "3")
    assert (reference.pages, reference.doi) == ("12-15", "10.1000/made.up")
    assert (reference.short_name, reference.slug) == ("Beispiel 2027", "beispiel-2027")


def test_several_references_are_read_in_their_order():
    texts = [RIS.replace("2027", str(year)) for year in range(2001, 2019)]
    found = read_references("\n".join(texts))
    assert [reference.year for reference in found] == list(range(2001, 2019))
    assert [one.year for one in read_references(NBIB + "\n\n" + NBIB)] == [2027, 2027]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "No reference was found"),
        ("a plain sentence", "No reference was found"),
        ("@article{x, author = {a}", "the entry at line 1 is broken"),
        ("<?xml version='1.0'?><PubmedArticleSet>", "This XML cannot be read"),
        (
            "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "entities of its own",
        ),
        ("x" * 5_000_001, "longer than"),
    ],
)
def test_what_cannot_be_read_is_said(text, problem):
    with pytest.raises(UnreadableReferences, match=problem):
        read_references(text)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Beispiel, Anna-Lena", "Beispiel AL"),
        ("Beispiel, A. L.", "Beispiel AL"),
        ("van den Muster, Jan", "van den Muster J"),
        ("Example Study Group", "Example Study Group"),
    ],
)
def test_names_are_surname_and_initials(name, written):
    assert initials_of(name) == written


@pytest.mark.django_db
def test_known_studies_are_not_begun_again_and_doubtful_ones_are_told():
    collection = Collection.objects.get(slug="published")
    references = [
        Reference("Whatever", ("Somebody A",), year=2001, doi="10.1155/2019/5293981".upper()),
        Reference("Another case", ("Fujita Y",), year=2019),
        Reference("A new case", ("Beispiel A",), year=2027),
        Reference("A second new case", ("Beispiel A",), year=2027, pmid="1"),
        Reference("The same again", ("Beispiel A",), year=2027, pmid="1"),
    ]
    begun = begin_studies(references, collection)
    assert [(one.doi.lower(), match.slug) for one, match in begun.known] == [
        ("10.1155/2019/5293981", "fujita-2019"),
        ("", "beispiel-2027-b"),
    ]
    assert list(begun.started) == ["fujita-2019-b", "beispiel-2027", "beispiel-2027-b"]
    assert [(slug, match.slug, match.reason) for slug, match in begun.doubtful] == [
        ("fujita-2019-b", "fujita-2019", "the same first author and year"),
        ("beispiel-2027-b", "beispiel-2027", "the same first author and year"),
    ]


def test_a_reference_with_nothing_but_a_title_is_matched_by_it():
    studies = {"a": {"slug": "a", "short_name": "A", "title": "Some  TITLE, here"}}
    match = matching_study(Reference("Some title here"), studies)
    assert (match.slug, match.certain) == ("a", False)
    assert matching_study(Reference("Some other title"), studies) is None


@pytest.mark.django_db
def test_a_shipped_study_written_as_ris_and_bibtex_is_recognised(client):
    collection = Collection.objects.get(slug="published")
    for how in ("ris", "bib"):
        text = client.get(f"/published/studies/fujita-2019.{how}").getvalue().decode()
        begun = begin_studies(read_references(text), collection)
        assert [match.slug for _, match in begun.known] == ["fujita-2019"], how


@pytest.mark.django_db
def test_studies_of_other_collections_do_not_count(work):
    make_study(work, "beispiel-2027", doi="10.1000/made.up", title="A made-up case")
    begun = begin_studies(read_references(RIS), Collection.objects.get(slug="published"))
    assert list(begun.started) == ["beispiel-2027"] and not begun.known
