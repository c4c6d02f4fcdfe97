"""Addresses of records that have been withdrawn: they are gone (410), and say why and where to."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ..models import Collection, Patient, Study
from ..questions.request_checks import problems_as_text
from ..summaries.withdrawals import Withdrawal, withdrawals_of


class Gone(Exception):
    """A record that readers saw and that has been withdrawn."""

    def __init__(self, collection: Collection, withdrawals: list[Withdrawal]):
        super().__init__(withdrawals[0].sentence)
        self.collection, self.withdrawals = collection, withdrawals

    def page(self, request: HttpRequest) -> HttpResponse:
        context = {"collection": self.collection, "withdrawals": self.withdrawals}
        return render(request, "gone.html", context, status=410)

    def text(self, request: HttpRequest) -> HttpResponse:
        """The same for programs, at the address of a file."""
        lines = []
        for withdrawal in self.withdrawals:
            lines += [withdrawal.sentence, withdrawal.reason]
            if withdrawal.successor is not None:
                url = request.build_absolute_uri(withdrawal.successor.get_absolute_url())
                lines.append(f"See {url} instead.")
        return problems_as_text(lines, 410)


def raise_if_withdrawn(collection: Collection, model: type[Patient | Study], slug: str) -> None:
    """Raises Gone where readers saw the record of this slug before it was withdrawn, by itself or
    with its study.
    """
    if withdrawals := withdrawals_of(collection, model, slug):
        raise Gone(collection, withdrawals)
