"""Two people at one study: sending it to be checked, sending it back, signing it as checked.

The database holds the same rules by triggers (`models/signing_guards.py`); here they are said
before they are broken.
"""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ..models import Meaning, Signature, StudyDraft
from ..models.signature import is_author, newest_signature
from ..models.signing_guards import AUTHOR_SIGNS, NEWEST_ONLY, NO_AUTHOR, TURN
from ..summaries.shares import pluralize
from .documents import digest_of
from .drafts import content_of, held_at

# After which last word on a version each other can be said of it.
AFTER = {
    Meaning.SUBMITTED: ("", Meaning.SENT_BACK),
    Meaning.SENT_BACK: (Meaning.SUBMITTED, Meaning.CHECKED),
    Meaning.CHECKED: (Meaning.SUBMITTED,),
}
WHAT_TO_MEND = "Say what has to be mended."
UNDECIDED = "{} between the two entries wait to be decided, so it cannot be signed yet."
CHANGED_DIGEST = "The content of this version is not what its digest was made of."


def last_word(draft: StudyDraft) -> str:
    """What was last said of the newest version of a draft, a `Meaning`; empty where nothing was, or
    where readers see it already.
    """
    signature = newest_signature(draft.head) if draft.is_open else None
    return signature.meaning if signature else ""


def words_to_act_on(drafts: Iterable[StudyDraft]) -> dict[int, Signature]:
    """What was last said of each study in work, by its key, where something follows from it: that
    its newest version waits to be checked or to be published, or that a version since the last one
    readers saw was sent back. What was sent back is to be mended until it is sent again. One query.
    """
    by_key = {draft.pk: draft for draft in drafts if draft.is_open}
    said = (
        Signature.objects.filter(version__draft__in=by_key)
        .select_related("version")
        .defer("version__content")
        .order_by("pk")
    )
    words = {}
    for word in said:
        draft = by_key[word.version.draft_id]
        seen = draft.published.number if draft.published_id else 0
        is_to_mend = word.meaning == Meaning.SENT_BACK and word.version.number > seen
        if is_to_mend or word.version_id == draft.head_id:
            words[draft.pk] = word
        else:
            words.pop(draft.pk, None)
    return words


def undecided_differences(draft: StudyDraft) -> int:
    """How many values of courses that are still there differ between the first and a second entry,
    without anybody having said which holds.
    """
    courses = {
        f"{record['fields']['patient'][0]} / {record['fields']['number']}"
        for record in content_of(draft.head)
        if record["model"] == "evidence.treatment"
    }
    count = 0
    for entry in draft.second_entries.filter(finished_at__isnull=False):
        decided = set(entry.judgements.values_list("row", "field"))
        count += sum(
            one["row"] in courses and (one["row"], one["field"]) not in decided
            for one in entry.differences
        )
    return count


def why_not(draft: StudyDraft, meaning: Meaning, user) -> str:
    """Why somebody cannot say this of a draft's newest version, as a sentence; empty if they
    can.
    """
    if draft.head is None or not draft.is_open or draft.head.is_published:
        return NEWEST_ONLY
    if meaning == Meaning.CHECKED:
        if is_author(user, draft):
            return AUTHOR_SIGNS
        if draft.head.author_id is None:
            return NO_AUTHOR
        if count := undecided_differences(draft):
            return UNDECIDED.format(pluralize(count, "differences"))
    return "" if last_word(draft) in AFTER[meaning] else TURN


def sign(
    draft: StudyDraft, meaning: Meaning, *, based_on: int, user, remark: str = ""
) -> Signature:
    """Signs the newest version of a draft. Raises Conflict where another was written meanwhile, and
    ValidationError where this cannot be said of it, or not by this person.
    """
    remark = remark.strip()
    with transaction.atomic():
        held = held_at(draft, based_on)
        if reason := why_not(held, meaning, user):
            raise ValidationError(reason)
        if meaning == Meaning.SENT_BACK and not remark:
            raise ValidationError(WHAT_TO_MEND)
        if held.head.digest != digest_of(held.head.content):
            raise ValidationError(CHANGED_DIGEST)
        return Signature.objects.create(
            version=held.head,
            digest=held.head.digest,
            meaning=meaning,
            user=user,
            user_name=user.get_username(),
            at=timezone.now(),
            remark=remark,
        )
