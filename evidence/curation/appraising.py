"""Entering appraisals: each appraiser alone, then the consensus."""

import hashlib
import json
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from ..models import Appraisal, DataVersion, Study
from ..models.appraisal import APPRAISERS, TOOLS, spelled
from ..models.choices import AppraisalAnswer

CONSENSUS = ""


@dataclass(frozen=True)
class Answer:
    """What is entered for one question; an empty answer is none."""

    answer: str = ""
    reason: str = ""


Answers = dict[int, Answer]


@dataclass(frozen=True)
class Appraising:
    """How far the appraisal of a study by one set of questions is, seen by one person.

    `others` are the answers of others, shown only once one's own are complete; `others_complete`
    is how many others have answered everything.
    """

    tool: str
    own: Answers
    others: dict[str, Answers]
    others_complete: int
    agreed: Answers

    @property
    def is_complete(self) -> bool:
        """Whether this person has answered every question."""
        return is_complete(self.tool, self.own)

    @property
    def is_settled(self) -> bool:
        """Whether one's own answers stay: somebody else has answered everything too, so both can
        be seen.
        """
        return self.is_complete and self.others_complete > 0

    @property
    def can_agree(self) -> bool:
        return self.is_complete and 1 + self.others_complete >= APPRAISERS


def is_complete(tool: str, answers: Answers) -> bool:
    return all(answers.get(item, Answer()).answer for item in TOOLS[tool].items)


def appraising(study: Study, tool: str, username: str) -> Appraising:
    """Reads it. Nothing of others is told before one's own answers are complete."""
    by_person: dict[str, Answers] = {}
    for one in Appraisal.objects.filter(study=study, tool=tool):
        by_person.setdefault(one.appraiser, {})[one.item] = Answer(one.answer, one.reason)
    own, agreed = by_person.pop(spelled(username), {}), by_person.pop(CONSENSUS, {})
    done = {name: found for name, found in by_person.items() if is_complete(tool, found)}
    may_see = is_complete(tool, own)
    return Appraising(tool, own, done if may_see else {}, len(done), agreed if may_see else {})


def save_own(study: Study, tool: str, username: str, answers: Answers) -> None:
    """Writes one person's answers; questions without one stay open. Raises ValidationError once
    others can be seen: after that only the consensus changes.
    """
    with transaction.atomic():
        Study.objects.select_for_update().get(pk=study.pk)
        if appraising(study, tool, username).is_settled:
            raise ValidationError(
                "Somebody else has answered everything too, so your answers stay as they are. "
                "What you agree on is entered below them."
            )
        write(study, tool, spelled(username), answers, "")


def digest_of_answers(answers: Answers) -> str:
    """What tells one state of some answers from another."""
    said = sorted((item, one.answer, one.reason) for item, one in answers.items())
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def save_consensus(
    study: Study, tool: str, username: str, answers: Answers, *, based_on: str
) -> None:
    """Writes what was agreed on; `based_on` is the digest of what was agreed before, as whoever
    writes has seen it. Raises ValidationError before two persons have answered everything, for
    anybody who is not one of them, where somebody has written since, and for an answer that is
    taken away.
    """
    with transaction.atomic():
        Study.objects.select_for_update().get(pk=study.pk)
        now = appraising(study, tool, username)
        if not now.can_agree:
            raise ValidationError("A consensus needs two persons who have answered everything.")
        if digest_of_answers(now.agreed) != based_on:
            theirs = "; ".join(
                f"{item} {AppraisalAnswer(one.answer).label.lower()}"
                for item, one in sorted(now.agreed.items())
                if one != answers.get(item)
            )
            raise ValidationError(
                f"A consensus was saved since this page was opened, with other answers: "
                f"{theirs or 'none'}. Yours is not saved; save again to put it in its place."
            )
        if emptied := [item for item in now.agreed if not answers.get(item, Answer()).answer]:
            raise ValidationError(
                f"Question {emptied[0]} has been agreed on: choose another answer rather than none."
            )
        write(study, tool, CONSENSUS, answers, spelled(username))
        DataVersion.bump(study.collection_id)


def write(study: Study, tool: str, appraiser: str, answers: Answers, decided_by: str) -> None:
    """Raises ValidationError for what is no answer."""
    given = {item: one for item, one in answers.items() if one.answer}
    rows = [
        Appraisal(
            study=study,
            tool=tool,
            item=item,
            appraiser=appraiser,
            answer=one.answer,
            reason=one.reason.strip(),
            decided_by=decided_by,
        )
        for item, one in given.items()
    ]
    for row in rows:
        row.full_clean(validate_unique=False, validate_constraints=False)
    kept = Appraisal.objects.filter(study=study, tool=tool, appraiser=appraiser)
    kept.exclude(item__in=given).delete()
    # What one person says is not public, so it makes no version of the data.
    Appraisal.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["study", "tool", "item", "appraiser"],
        update_fields=["answer", "reason", "decided_by"],
    )
