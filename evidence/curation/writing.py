"""One study's document written to the evidence tables, whole, or refused with everything that is
wrong.
"""

from django.apps import apps
from django.db import DatabaseError

from ..models import Patient, Study, StudyDraft
from ..models.choices import Extraction, State
from ..models.study_parts import PARTS
from .cell_states import is_rest_looked_at, patients_looked_at
from .documents import Document, in_order, key_of, study_record
from .fixture_files import FixtureRecord
from .integrity import RECORD_RULES, broken_rules
from .loading import NoSuchRecord, RecordError, build_candidate, save_candidate


class NotPublishable(Exception):
    """Why a draft cannot be published; `problems` are sentences that name record and field."""

    def __init__(self, problems: list[str]):
        self.problems = problems
        super().__init__("\n".join(problems))


def find_study(draft: StudyDraft) -> Study | None:
    """The study in the evidence tables, if it stands there."""
    return Study.objects.filter(collection=draft.collection_id, slug=draft.slug).first()


def write_document(draft: StudyDraft, said: Document, shown: Document) -> None:
    """A document into the evidence tables, published. `shown` is what readers have seen so far.
    Raises NotPublishable.
    """
    content = ready_for_readers(said)
    problems = removed_though_published(draft, content)
    if problems:
        raise NotPublishable(problems)
    study = find_study(draft)
    if study is not None:
        remove_leftovers(study, content)
    refused = set()
    for position, record in enumerate(content, start=1):
        try:
            write_record(FixtureRecord("the draft", position, record["model"], record["fields"]))
        except (RecordError, DatabaseError) as error:
            # What names a refused record is wrong only in following it.
            if getattr(error, "wanted", None) not in refused:
                problems.append(refusal_in_words(draft, record, error))
            refused.add((record["model"], key_of(record)[1:]))
            if isinstance(error, DatabaseError):  # after it the transaction is of no more use
                break
    if not problems:
        settle_extraction(draft, said, shown)
        own = {key_of(record) for record in content}
        problems = [
            f"{issue.model} {' / '.join(map(str, issue.key))}: {issue.problem}"
            for issue in broken_rules(RECORD_RULES, find_study(draft))
            if (issue.model, *issue.key) in own
        ]
    if problems:
        raise NotPublishable(problems)


def ready_for_readers(content: Document) -> Document:
    """The document as it is written to the tables: published unless withdrawn, with what was looked
    for said of each patient, and read in part until that has been settled.
    """
    looked_at, ready = patients_looked_at(content), []
    for record in content:
        fields = dict(record["fields"])
        has_state = record["model"] in ("evidence.study", "evidence.patient")
        if has_state and fields.get("state") != State.WITHDRAWN:
            fields["state"] = State.PUBLISHED.value
        if record["model"] == "evidence.patient":
            fields["looked_for"] = fields.get("slug") in looked_at
        if record["model"] == "evidence.study" and fields.get("extraction") == Extraction.FULL_TEXT:
            fields["extraction"] = Extraction.IN_PART.value
        ready.append({"model": record["model"], "fields": fields})
    return in_order(ready)


def settle_extraction(draft: StudyDraft, content: Document, shown: Document) -> None:
    """A study that is said to have been read in full counts as that where every core cell, its own
    and those of its groups and patients, is stated; otherwise it is left as read in part. `shown`
    is what readers have seen so far.
    """
    is_said = study_record(content)["fields"].get("extraction") == Extraction.FULL_TEXT
    if is_said and is_rest_looked_at(content, shown):
        find_study(draft).settle_extraction(read_in_full=True)


def removed_though_published(draft: StudyDraft, content: Document) -> list[str]:
    """Patients that readers have seen and that the document no longer has."""
    kept = {
        record["fields"].get("slug") for record in content if record["model"] == "evidence.patient"
    }
    seen = Patient.objects.filter(
        study__collection=draft.collection_id, study__slug=draft.slug
    ).exclude(state=State.DRAFT)
    return [
        f"patient {slug}: readers have seen this patient. Withdraw it, with a reason, instead of "
        "removing it"
        for slug in seen.exclude(slug__in=kept).values_list("slug", flat=True)
    ]


def remove_leftovers(study: Study, content: Document) -> None:
    """Deletes what the tables hold of a study and the document does not, the last parts first."""
    kept = {key_of(record) for record in content}
    for model, path in reversed(PARTS.items()):
        for instance in model._default_manager.filter(**{path: study.pk}):
            if (model._meta.label_lower, *instance.natural_key()) not in kept:
                instance.delete()


def write_record(record: FixtureRecord) -> None:
    """Creates or overwrites one record: fields that are not named get their default. Raises
    RecordError, naming the field.
    """
    candidate = build_candidate(record)
    instance, model = candidate.record, type(candidate.record)
    existing = model._default_manager.filter(
        **dict(zip(model.KEY, candidate.key, strict=True))
    ).first()
    if existing is not None:
        instance.pk = existing.pk
        instance._state.adding = False
    save_candidate(candidate, instance, instance._meta.many_to_many)


def refusal_in_words(draft: StudyDraft, record: dict, error: RecordError | DatabaseError) -> str:
    """Why a record cannot be written; a study in work that it names may come to be."""
    if isinstance(error, NoSuchRecord) and is_in_work_elsewhere(draft, *error.wanted):
        return (
            f"{words_of(record)}: it names the study {error.wanted[1][-1]}, which is in work and "
            "not published yet. Publish that one first, or leave it out here until then"
        )
    return f"{words_of(record)}: {error}"


def is_in_work_elsewhere(draft: StudyDraft, model: str, key: tuple) -> bool:
    """Whether this is another study that is in work."""
    if model != "evidence.study":
        return False
    in_work = StudyDraft.objects.filter(collection__slug=key[0], slug=key[-1], head__isnull=False)
    return in_work.exclude(pk=draft.pk).exists()


def words_of(record: dict) -> str:
    """Which record of a document it is, in words."""
    key = key_of(record)
    return f"{apps.get_model(key[0])._meta.verbose_name} {' / '.join(map(str, key[1:]))}"
