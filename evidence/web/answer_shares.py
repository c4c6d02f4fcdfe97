"""The shares of the answer, each with the addresses of the rows behind its numbers."""

from dataclasses import dataclass

from django.urls import reverse

from ..questions.question import Question
from ..summaries import Share
from ..summaries.cohort import HEADLINES


@dataclass(frozen=True)
class LinkedShare:
    """A share with where its patients are listed: those who have it, those in whom it is not
    known. An empty address: nobody, or no list says it.
    """

    share: Share
    rows: str = ""
    not_known: str = ""
    title: str = "The patients behind this number"


def linked_headlines(question: Question, shares: list[Share]) -> list[LinkedShare]:
    """Improved, relapsed and adverse events, each with the patients behind it."""
    parts = {key: (attribute, part) for key, _, attribute, part in HEADLINES}
    linked = []
    for share in shares:
        attribute, (name, value) = parts[share.key]
        having = question.with_part(name, (str(value.value),))
        unknown = question.with_part("missing", (attribute,))
        linked.append(
            LinkedShare(
                share,
                list_url(having, "patients") if share.count else "",
                list_url(unknown, "patients")
                if share.missing and is_listed_as_missing(share, question)
                else "",
            )
        )
    return linked


def is_listed_as_missing(share: Share, question: Question) -> bool:
    """Whether the filter *Not known* finds just those in whom a share is not known: seriousness is
    counted of fewer than it is known of, and an earlier choice of *Not known* would be replaced.
    """
    return share.key != "serious" and "missing" not in question


def linked_domains(question: Question, shares: list[Share]) -> list[LinkedShare]:
    """Improved, by domain: no filter asks for one domain, so the way leads to the patients side by
    side, those with a result in it first.
    """
    url = reverse("matrix", args=[question.collection.slug])
    return [
        LinkedShare(
            share,
            f"{url}?{question.query(sort=f'domain.{share.key}')}" if share.known else "",
            title="The patients side by side, those with a result in this domain first",
        )
        for share in shares
    ]


def list_url(question: Question, noun: str) -> str:
    query = question.query()
    url = reverse("list", args=[question.collection.slug, noun])
    return f"{url}?{query}" if query else url
