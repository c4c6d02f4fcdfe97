"""The words a question can be asked in: the codes of reference tables and of a collection's
studies, with labels.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import CharField, F, QuerySet, Value
from django.db.models.functions import Cast

from ..models import (
    AdverseEventCategory,
    Autoantibody,
    Collection,
    Indication,
    JAKInhibitor,
    Manifestation,
    Study,
    Therapy,
)
from ..models.choices import RetractionStatus
from ..models.consistency import cached_per_version
from ..models.study import flagged_name
from ..models.treatment import SET_SEPARATOR


@dataclass(frozen=True)
class Vocabulary:
    """Codes and their labels, kind by kind, in the order lists show them. `retracted` are the
    slugs of studies whose publication was retracted.
    """

    terms: dict[str, dict[str, str]]
    retracted: frozenset[str] = frozenset()
    cache: dict[str, Any] = field(default_factory=dict, compare=False)

    def cached_value(self, name: str, compute: Callable[[], Any]) -> Any:
        """Something made of these words, made once."""
        if name not in self.cache:
            self.cache[name] = compute()
        return self.cache[name]

    def label(self, kind: str, code: str) -> str:
        return self.terms[kind].get(code, code)

    def set_label(self, key: str, kind: str = "indication") -> str:
        """A set of codes in words: “ILD + skin” for `ild+skin`."""
        labels = [self.label(kind, code) for code in key.split(SET_SEPARATOR)]
        return " + ".join(
            abbreviation(label, label.lower() if kind == "indication" else label)
            for label in labels
        )


def abbreviation(label: str, otherwise: str) -> str:
    """The abbreviation a label ends with in brackets, if there is one."""
    return label[label.index("(") + 1 : -1] if label.endswith(")") and "(" in label else otherwise


def vocabulary(collection: Collection) -> Vocabulary:
    """All of it in one query, once per version of the collection."""
    return cached_per_version(("vocabulary",), collection, lambda: read_vocabulary(collection))


def read_vocabulary(collection: Collection) -> Vocabulary:
    def term_rows(
        kind: str, records: QuerySet, code: str, label: str, position="position"
    ) -> QuerySet:
        order = Value(0) if position is None else F(position)
        return records.order_by().values_list(
            Value(kind, output_field=CharField()),
            Cast(code, CharField()),
            Cast(label, CharField()),
            order,
        )

    studies = Study.objects.within(collection)
    with_notice = studies.exclude(retraction_status=RetractionStatus.NONE_KNOWN)
    rows = term_rows("inhibitor", JAKInhibitor.objects.all(), "slug", "name", None).union(
        term_rows("indication", Indication.objects.all(), "code", "label"),
        term_rows("manifestation", Manifestation.objects.all(), "code", "label"),
        term_rows("autoantibody", Autoantibody.objects.all(), "code", "label"),
        term_rows("prior", Therapy.objects.all(), "code", "label"),
        term_rows("adverse_event", AdverseEventCategory.objects.all(), "code", "label"),
        term_rows("study", studies, "slug", "short_name", None),
        term_rows("retraction", with_notice, "slug", "retraction_status", None),
        all=True,
    )
    terms = {
        kind: {}
        for kind in (
            "inhibitor",
            "indication",
            "manifestation",
            "autoantibody",
            "prior",
            "adverse_event",
            "study",
            "retraction",
        )
    }
    for kind, code, label, _ in sorted(rows, key=lambda row: (row[3], row[2].lower())):
        terms[kind][code] = label
    retraction = terms.pop("retraction")
    for slug, status in retraction.items():
        terms["study"][slug] = flagged_name(terms["study"][slug], status)
    retracted = {
        slug for slug, status in retraction.items() if status == RetractionStatus.RETRACTED
    }
    return Vocabulary(terms, frozenset(retracted))


SINGULAR = {
    "people": "person",
    "studies": "study",
    "boxes": "box",
    "therapies": "therapy",
    "autoantibodies": "autoantibody",
}


def unit_of(count: float, unit: str) -> str:
    """What so many are called: “patient” of one, “patients” of any other number; `unit` is the
    plural.
    """
    if count != 1:
        return unit
    return " ".join(SINGULAR.get(word, word.removesuffix("s")) for word in unit.split(" "))
