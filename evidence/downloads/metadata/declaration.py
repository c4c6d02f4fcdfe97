"""The one declaration: title, creators, licences, and how a collection is described.

There is no DOI yet, and none is made up: whoever deposits a release is given one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ...models import Collection, Study
from ...models.consistency import cached_per_version
from ...questions.filters import describe_parts_not_asked, describe_question
from ...questions.question import Question
from ...questions.vocabulary import Vocabulary
from ...tables import TABLES
from ..release_status import ReleaseStatus, release_status


@dataclass(frozen=True)
class Licence:
    """A licence by its SPDX identifier, its full name and its address."""

    identifier: str
    name: str
    url: str


NAME = "Casebook"
SUBJECT = "patient-level evidence on JAK inhibitors in systemic sclerosis"
TITLE = f"{NAME}: {SUBJECT}"
CREATOR = "The Casebook authors"  # as in LICENSE
KEYWORDS = (
    "systemic sclerosis",
    "scleroderma",
    "JAK inhibitors",
    "individual patient data",
    "case reports",
)
DATA_LICENCE = Licence(
    "CC-BY-4.0",
    "Creative Commons Attribution 4.0 International",
    "https://creativecommons.org/licenses/by/4.0/",
)
CODE_LICENCE = Licence("MIT", "MIT License", "https://opensource.org/license/mit")
FACTS = "The clinical facts belong to the publications they are cited from; cite those."
LICENCE = (
    f"Casebook's data are under CC BY 4.0 ({DATA_LICENCE.url}). {FACTS} "
    "Casebook's code is under the MIT licence."
)
SIMULATED = "simulated records, not evidence"


@dataclass(frozen=True)
class Source:
    """What a data set was made from; the DOI and the address are empty where none is known."""

    slug: str
    title: str
    doi: str
    address: str


@dataclass(frozen=True)
class DatasetDescription:
    """A collection, or what a question finds in it, as other catalogues want it described.

    `kind` says in a few words what the records are; `page` is its address on this site; `date` is
    that of the release, or of the last change where the data are not those of a release.
    """

    slug: str
    title: str
    description: str
    kind: str
    is_simulated: bool
    version: str
    date: date
    is_released: bool
    page: str
    sources: tuple[Source, ...] = ()

    @property
    def keywords(self) -> tuple[str, ...]:
        return (*KEYWORDS, "simulated data") if self.is_simulated else KEYWORDS


def dataset_title(collection: Collection) -> str:
    """What a collection is called beside data of others; a simulated one says that it is."""
    subject = SIMULATED if collection.is_simulated else SUBJECT
    return f"{NAME}, {collection.name}: {subject}"


def collection_description(collection: Collection) -> str:
    """What a collection holds; of a simulated one first that, and with which caveat."""
    if collection.is_simulated:
        caveat = collection.caveat.removeprefix("simulated: ")
        return f"{SIMULATED.capitalize()}: {caveat}. {collection.description}"
    return f"{collection.description} {FACTS}"


def describe_collection(
    collection: Collection, sources: tuple[Source, ...] = ()
) -> DatasetDescription:
    """A whole collection as it is today."""
    return described(Question(collection), release_status(collection), sources)


def describe_dataset(
    question: Question, vocabulary: Vocabulary, status: ReleaseStatus, studies: Iterable[Study]
) -> DatasetDescription:
    """What a question finds; `studies` are those it finds it in."""
    sources = sources_of(question.collection, studies)
    if not list(question):
        return described(question, status, sources)
    asked = describe_question(question, vocabulary)
    not_asked = describe_parts_not_asked(question, vocabulary)
    limits = f" Only what answers this question: {asked}." + (
        f" Not asked of groups: {'; '.join(not_asked)}." if not_asked else ""
    )
    return described(question, status, sources, f" ({asked})", limits)


def described(
    question: Question,
    status: ReleaseStatus,
    sources: tuple[Source, ...],
    part: str = "",
    limits: str = "",
) -> DatasetDescription:
    collection = question.collection
    return DatasetDescription(
        slug=collection.slug,
        title=dataset_title(collection) + part,
        description=collection_description(collection) + limits,
        kind="Simulated patient-level records"
        if collection.is_simulated
        else "Patient-level and group-level data read from publications",
        is_simulated=collection.is_simulated,
        version=status.label,
        date=status.since.date(),
        is_released=status.is_released,
        page=question.page,
        sources=sources,
    )


def sources_of(
    collection: Collection, studies: Iterable[Study] | None = None
) -> tuple[Source, ...]:
    """What a collection was made from: its studies (all that readers see, unless some are given),
    or the review whose printed figures a simulated one reproduces. Simulated articles are no
    sources.
    """
    if collection.is_simulated:
        review = collection.reconstructs
        if review is None:
            return ()
        address = f"https://doi.org/{review.doi}" if review.doi else ""
        return (Source(review.slug, review.short_name, review.doi, address),)
    if studies is None:
        return cached_per_version(
            ("sources",),
            collection,
            lambda: sources_of(
                collection, TABLES["studies"].records(Question(collection)).order_by("slug")
            ),
        )
    return tuple(
        Source(study.slug, study.title or study.short_name, study.doi, study.link)
        for study in studies
    )
