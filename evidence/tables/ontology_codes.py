"""Codes of other ontologies for our terms, as a table of their own: the same rows on the page of
the data dictionary, in the API and in every bundle. They are vocabulary, so they are the same for
all collections and no part of a release's hash.
"""

from ..models import OntologyCode
from ..models.ontology_code import TERMS
from .column import OUR_DEFINITION
from .dictionary import MISSING_NONE, Entry

FILE = "ontology-codes.csv"
KEY = ("kind", "term")
COLUMNS = {
    "kind": ("Kind", "What the term belongs to: a vocabulary, or the disease and its subsets."),
    "kind_label": ("Of", "The same in words."),
    "term": ("Term", "Casebook's own code of the term, as other files and addresses have it."),
    "term_label": ("Called", "Casebook's own label of the term."),
    "code": ("Code", "The code the ontology has for it."),
    "label": ("Label there", "The ontology's own label of the code."),
    "ontology": ("Ontology", "The name of the ontology."),
    "release": ("Release", "The release of the ontology the code and its label were read in."),
    "source": ("Read in", "The address of the copy that was read."),
    "note": ("Note", "What the copy says besides."),
    "iri": ("Address there", "The address the ontology gives its term."),
}


def ontology_code_rows() -> list[dict[str, str]]:
    """Every code with its term, by kind and in the order of the vocabulary; one query."""
    codes = sorted(
        OntologyCode.objects.select_related(*TERMS),
        key=lambda code: (
            (*TERMS, "disease").index(code.subject_name),
            getattr(getattr(code, code.subject_name), "position", 0),
            code.code,
            code.pk,
        ),
    )
    return [
        {
            "kind": code.subject_name,
            "kind_label": code.subject_label,
            "term": code.term_code,
            "term_label": code.term_label,
            "code": code.code,
            "label": code.label,
            "ontology": code.ontology.name,
            "release": code.release,
            "source": code.source,
            "note": code.note,
            "iri": code.iri,
        }
        for code in codes
    ]


def ontology_code_entries() -> list[Entry]:
    """The columns of the file, explained."""
    return [
        Entry(
            FILE,
            name,
            label,
            meaning,
            "text",
            "",
            [],
            "",
            MISSING_NONE if name == "note" else "never empty",
            OUR_DEFINITION,
        )
        for name, (label, meaning) in COLUMNS.items()
    ]
