"""What a collection holds already of the studies a workbook speaks of, in work or in the tables."""

from dataclasses import dataclass, field
from functools import cached_property

from ...models import Collection, Patient, Study, StudyDraft
from ..documents import Document, by_key, read_document

IDENTIFIERS = ("doi", "pmid", "pmcid", "nct")
TELLING = (*IDENTIFIERS, "extraction")  # which studies are one


@dataclass
class Held:
    """The records of one study that rows of a workbook may name."""

    patients: set[str] = field(default_factory=set)
    courses: dict[str, set[int]] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)


class InWork:
    """Studies of a collection, read one at a time, so that memory does not grow with them."""

    def __init__(self, collection: Collection):
        self.collection = collection
        self.held: dict[str, Held] = {}

    @cached_property
    def studies(self) -> dict[str, dict]:
        """Identifiers of every study, by its slug, and what was read of it."""
        in_tables, names = Study.objects.filter(collection=self.collection), TELLING
        studies = {row.pop("slug"): row for row in in_tables.values("slug", *names)}
        path = "head__content__0__fields__"  # the study comes first in a document
        drafts = StudyDraft.objects.filter(collection=self.collection, head__isnull=False)
        for row in drafts.values("slug", *(path + name for name in names)):
            studies[row["slug"]] = {name: str(row[path + name] or "") for name in names}
        return studies

    def document(self, slug: str) -> Document:
        """The newest document of a study; an empty one where there is none."""
        if slug not in self.studies:
            return []
        draft = (
            StudyDraft.objects.filter(collection=self.collection, slug=slug)
            .select_related("head", "published")
            .first()
        )
        study = Study.objects.filter(collection=self.collection, slug=slug).first()
        if study is not None and (draft is None or not draft.is_open):
            return read_document(
                study, draft.published.content if draft and draft.published else []
            )
        return draft.head.content if draft and draft.head else []

    def records(self, slug: str) -> dict[tuple, dict]:
        """The same by their keys."""
        return by_key(self.document(slug))

    def held_of(self, slug: str) -> Held:
        """What rows may name of a study."""
        if slug not in self.held:
            self.held[slug] = held = Held()
            for record in self.document(slug):
                fields = record["fields"]
                if record["model"] == "evidence.patient":
                    held.patients.add(fields["slug"])
                elif record["model"] == "evidence.treatment":
                    courses = held.courses.setdefault(fields["patient"][0], set())
                    courses.add(fields["number"])
                elif record["model"] == "evidence.studygroup":
                    held.groups.add(fields["slug"])
        return self.held[slug]

    def study_of_patient(self, patient: str) -> str | None:
        """The study of a patient: one in the tables, or one in work whose study's address its id
        begins with.
        """
        in_tables = Patient.objects.filter(slug=patient, study__collection=self.collection)
        slug = in_tables.values_list("study__slug", flat=True).first()
        if slug:
            return slug
        begun = patient.removeprefix("SIM-")
        return next(
            (
                slug
                for slug in self.studies
                if begun.startswith(f"{slug}-") and patient in self.held_of(slug).patients
            ),
            None,
        )
