"""Draws a synthetic collection of any size: simulated, realistic in shape only, the same for the
same seed.

Nothing here is medical knowledge. Terms come from the loaded vocabulary; how often each occurs
follows from its place in its list (the k-th in proportion to 1/k), and every other number is drawn
evenly from a plain range. What is meant to be realistic is what software feels: studies of 1 to 500
patients, missing values, several treatments, several indications, outcomes by month, events that
repeat.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from django.db import models, transaction

from ..models import (
    SIMULATED_PREFIX,
    AdverseEvent,
    AdverseEventCategory,
    Autoantibody,
    Collection,
    DataVersion,
    Indication,
    JAKInhibitor,
    LoadedRecord,
    Manifestation,
    Measure,
    Outcome,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Provenance,
    Study,
    StudyGroup,
    Therapy,
    Treatment,
    set_key,
    term_tree,
)
from ..models.choices import (
    Ascertainment,
    CollectionKind,
    Design,
    Domain,
    Extraction,
    KnownMeasure,
    ListCompleteness,
    Presence,
    Response,
    Sex,
    State,
    Subset,
    YesNo,
)
from .bulk import bulk_write, keys_written, next_key, update_statistics

LARGEST_STUDY = 500
BATCH = 20_000  # patients drawn and written at a time
MOST_INDICATIONS = 3
MONTHS = [3, 6, 12, 24]
# The first of each vocabulary that are drawn: a longer one makes no larger collection.
DRAWN = {Autoantibody: 4, Therapy: 10, AdverseEventCategory: 5}
# Of each domain the measure and the highest value that is drawn.
MEASURES = {
    Domain.SKIN: (KnownMeasure.MRSS.label, 51),
    Domain.LUNG: (KnownMeasure.FVC_PERCENT.label, 120),
}
SYNTHETIC_SCORE = ("synthetic score", 100)
SYNTHETIC_MEASURE = {
    "code": "synthetic-score",
    "description": "Of synthetic collections; it means nothing.",
    "position": 100,
    "in_use": False,
}
# Of a study read in full, more is known.
KNOWN = {Extraction.FULL_TEXT: 0.9, Extraction.ABSTRACT: 0.6, Extraction.SECONDARY: 0.4}
PRIOR, ALONG = Patient.prior_therapies.through, Treatment.concomitant_therapies.through
INDICATED = Treatment.indications.through


class CannotGenerate(Exception):
    """Why no collection can be drawn, for whoever asked for it."""


def simulated_caveat(patients: int, seed: int) -> str:
    return (
        f"simulated collection of {patients:,} patients drawn at random (seed {seed}) to show "
        "and measure Casebook; its frequencies mean nothing"
    )


def harmonic_weights(count: int) -> np.ndarray:
    """1, 1/2, 1/3, ... as probabilities."""
    falling = 1 / np.arange(1, count + 1)
    return falling / falling.sum()


def study_sizes(patients: int, rng: np.random.Generator) -> list[int]:
    """Sizes from 1 to 500 that add up; small studies are as frequent per order of magnitude as
    large ones.
    """
    sizes = []
    while (remaining := patients - sum(sizes)) > 0 and len(sizes) < 32:
        sizes.append(min(remaining, int(LARGEST_STUDY ** rng.random())))
    if (remaining := patients - sum(sizes)) > 0:
        batch = (LARGEST_STUDY ** rng.random(remaining // 20 + 64)).astype(int)
        enough = int(np.searchsorted(np.cumsum(batch), remaining)) + 1
        sizes += batch[:enough].tolist()
        sizes[-1] -= sum(sizes) - patients
    return sizes


@dataclass
class Terms:
    """Primary keys of the vocabulary's terms that are drawn, in its order."""

    inhibitors: np.ndarray
    indications: list[Indication]
    manifestations: np.ndarray
    autoantibodies: np.ndarray
    therapies: np.ndarray
    categories: np.ndarray
    parts: list[tuple[int, int]]  # places of manifestations, and of one that each is part of

    @classmethod
    def from_database(cls) -> "Terms":
        """Raises CannotGenerate where no vocabulary is loaded."""

        def keys_of(model) -> np.ndarray:
            keys_found = np.array(list(model.objects.values_list("pk", flat=True)), dtype=np.int64)
            if not len(keys_found):
                raise CannotGenerate(
                    f"No {model._meta.verbose_name} is loaded; run load_evidence first."
                )
            return keys_found[: DRAWN.get(model)]

        inhibitors = np.array(
            list(JAKInhibitor.objects.order_by("pk").values_list("pk", flat=True)), dtype=np.int64
        )
        if not len(inhibitors):
            raise CannotGenerate("No inhibitor is loaded; run load_evidence first.")
        keys_of(Indication)
        keys_of(Measure)
        return cls(
            inhibitors,
            list(Indication.objects.all()),
            keys_of(Manifestation),
            keys_of(Autoantibody),
            keys_of(Therapy),
            keys_of(AdverseEventCategory),
            cls.parts_of_others(),
        )

    @staticmethod
    def parts_of_others() -> list[tuple[int, int]]:
        codes, tree = (
            list(Manifestation.objects.values_list("code", flat=True)),
            term_tree(Manifestation),
        )
        return [
            (codes.index(code), codes.index(wider_code))
            for code, wider in tree.wider.items()
            for wider_code in wider
        ]


class Pen:
    """Writes rows of one model after another, numbering them on."""

    def __init__(self):
        self.next: dict[type[models.Model], int] = {}

    def write(self, model: type[models.Model], count: int, **columns) -> np.ndarray:
        """Writes `count` rows; arrays and lists are columns, anything else is the same in every
        row. Their keys.
        """
        first = self.next.setdefault(model, next_key(model))
        keys = np.arange(first, first + count)
        self.next[model] += count
        if count:
            plain_columns = {
                name: self.as_column(values, count) for name, values in columns.items()
            }
            bulk_write(model, {model._meta.pk.attname: keys.tolist()} | plain_columns)
        return keys

    @staticmethod
    def as_column(values, count: int) -> list:
        if isinstance(values, np.ndarray):
            return values.tolist()
        return values if isinstance(values, list) else [values] * count


class Drawing:
    """One collection being drawn."""

    def __init__(self, collection: Collection, patients: int, seed: int):
        self.collection, self.patients, self.seed = collection, patients, seed
        self.rng = np.random.default_rng(seed)
        self.terms = Terms.from_database()
        self.pen = Pen()

    def draw_choice(self, values, count: int, p=None) -> np.ndarray:
        # Plain texts: a member of an enumeration costs the database driver ten times as much.
        values = np.array([str(value) if isinstance(value, str) else value for value in values])
        return values[self.rng.choice(len(values), count, p=p)]

    def draw_coded(self, values: list[str], unknown_code: str, is_known: np.ndarray) -> np.ndarray:
        """One of `values` where known, else the code for not known."""
        return np.where(
            is_known,
            self.draw_choice(values, len(is_known), harmonic_weights(len(values))),
            str(unknown_code),
        )

    def draw_chance(self, probability, count: int) -> np.ndarray:
        return self.rng.random(count) < probability

    def none_where_unknown(self, values: np.ndarray, are_known: np.ndarray) -> list:
        """The values, None where not known."""
        return [
            value if is_known else None
            for value, is_known in zip(values.tolist(), are_known.tolist(), strict=True)
        ]

    def draw_batches(self) -> Iterator[int]:
        """Writes everything; yields the number of patients written so far, batch by batch."""
        sizes = study_sizes(self.patients, self.rng)
        written, batch, first = 0, [], 1
        for size in sizes:
            batch.append(size)
            if sum(batch) >= BATCH:
                self.write_studies(batch, first, written)
                first, written, batch = first + len(batch), written + sum(batch), []
                yield written
        if batch:
            self.write_studies(batch, first, written)
            yield written + sum(batch)
        keys_written(model for model in self.pen.next)

    def write_studies(self, sizes: list[int], first: int, written: int) -> None:
        """Some studies with everything in them."""
        count, numbers = len(sizes), range(first, first + len(sizes))
        extractions = self.draw_choice(
            [str(extraction) for extraction in KNOWN], count, [0.6, 0.3, 0.1]
        )
        designs = self.draw_choice(
            [Design.CASE_SERIES, Design.RETROSPECTIVE_COHORT, Design.OPEN_LABEL_TRIAL], count
        )
        keys = self.pen.write(
            Study,
            count,
            collection_id=self.collection.pk,
            slug=[f"synthetic-{number}" for number in numbers],
            short_name=[f"Synthetic study {number}" for number in numbers],
            title=[f"Synthetic study {number}, drawn at random" for number in numbers],
            year=self.rng.integers(2012, 2027, count),
            design=[
                str(Design.CASE_REPORT) if size == 1 else design
                for size, design in zip(sizes, designs.tolist(), strict=True)
            ],
            extraction=extractions.tolist(),
            state=str(State.PUBLISHED),
        )
        of_study = np.repeat(np.arange(count), sizes)
        share = np.array([KNOWN[Extraction(extraction)] for extraction in extractions])[of_study]
        looked_for = (extractions == Extraction.FULL_TEXT)[of_study]
        self.write_patients(keys[of_study], share, looked_for, written)

    def write_patients(
        self, studies: np.ndarray, known_share: np.ndarray, looked_for: np.ndarray, written: int
    ) -> None:
        """Patients of these studies; `known_share` is the chance that any one item is known,
        `looked_for` whether the study counts as read in full.
        """
        count, numbers = len(studies), range(written + 1, written + len(studies) + 1)
        terms = self.terms
        prior = self.draw_chance(known_share, count)
        therapy_counts = np.where(prior, self.rng.integers(0, 4, count), 0)
        signs, with_signs = self.draw_presence(
            len(terms.manifestations), 0.4 * known_share, terms.parts
        )
        antibodies, with_antibodies = self.draw_presence(
            len(terms.autoantibodies), 0.6 * known_share
        )
        never = np.zeros(count, dtype=bool)
        keys = self.pen.write(
            Patient,
            count,
            study_id=studies,
            slug=[f"{SIMULATED_PREFIX}{self.collection.slug}-{number:07d}" for number in numbers],
            label=[f"Synthetic patient {number}" for number in numbers],
            sex=self.draw_coded(
                [Sex.FEMALE, Sex.MALE], Sex.UNKNOWN, self.draw_chance(known_share, count)
            ),
            age_years=self.none_where_unknown(
                self.rng.integers(18, 86, count), self.draw_chance(known_share, count)
            ),
            disease_duration_months=self.none_where_unknown(
                self.rng.integers(0, 361, count), self.draw_chance(known_share, count)
            ),
            subset=self.draw_coded(
                [subset for subset in Subset if subset != Subset.UNKNOWN],
                Subset.UNKNOWN,
                self.draw_chance(known_share, count),
            ),
            prior_therapies_completeness=self.draw_completeness(therapy_counts > 0, prior),
            manifestations_completeness=self.draw_completeness(with_signs.any(axis=1), never),
            autoantibodies_completeness=self.draw_completeness(
                with_antibodies.any(axis=1), self.draw_chance(0.2, count)
            ),
            looked_for=looked_for,
            state=str(State.PUBLISHED),
        )
        self.write_links(PRIOR, "patient_id", keys, "therapy_id", terms.therapies, therapy_counts)
        self.write_statuses(
            PatientManifestation, "manifestation_id", terms.manifestations, keys, signs, with_signs
        )
        self.write_statuses(
            PatientAutoantibody,
            "autoantibody_id",
            terms.autoantibodies,
            keys,
            antibodies,
            with_antibodies,
        )
        treatment_counts = (
            1 + self.draw_chance(0.1, count).astype(int) + self.draw_chance(0.02, count).astype(int)
        )
        self.write_treatments(
            np.repeat(keys, treatment_counts),
            place_in_row(treatment_counts),
            np.repeat(known_share, treatment_counts),
        )

    def write_links(
        self,
        model,
        owner: str,
        owners: np.ndarray,
        term: str,
        terms: np.ndarray,
        counts: np.ndarray,
    ) -> None:
        """`counts` different terms for each owner."""
        ranks = np.argsort(
            self.rng.random((len(owners), len(terms))) / harmonic_weights(len(terms)), axis=1
        )
        rows, ranks_used = np.nonzero(
            np.arange(len(terms)) < np.minimum(counts, len(terms))[:, None]
        )
        self.pen.write(
            model, len(rows), **{owner: owners[rows], term: terms[ranks[rows, ranks_used]]}
        )

    def draw_completeness(self, has_items: np.ndarray, is_empty: np.ndarray) -> np.ndarray:
        """How whole the lists are that have items; those without are stated to be empty where
        `is_empty`.
        """
        draws = self.rng.random(len(has_items))
        partial = np.where(
            draws < 0.9, str(ListCompleteness.PARTIAL), str(ListCompleteness.NOT_STATED)
        )
        stated = np.where(draws < 0.7, str(ListCompleteness.COMPLETE), partial)
        empty = np.where(is_empty, str(ListCompleteness.NONE), str(ListCompleteness.NOT_STATED))
        return np.where(has_items, stated, empty)

    def draw_presence(
        self, terms: int, chance: np.ndarray, parts: Iterable[tuple[int, int]] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """(patients, terms) which terms are recorded, by chance, and which of these as present.

        `parts` are places of terms and of a term each is part of, which is then not recorded as
        absent.
        """
        recorded = self.rng.random((len(chance), terms)) < chance[:, None]
        present = recorded & (
            self.rng.random((len(chance), terms)) < 0.3 + 0.6 / (1 + np.arange(terms))
        )
        for narrower, wider in parts:
            present[:, wider] |= recorded[:, wider] & present[:, narrower]
        return recorded, present

    def write_statuses(
        self,
        model,
        term: str,
        terms: np.ndarray,
        patients: np.ndarray,
        recorded: np.ndarray,
        present: np.ndarray,
    ) -> None:
        rows, columns = np.nonzero(recorded)
        status = np.where(present[rows, columns], str(Presence.PRESENT), str(Presence.ABSENT))
        self.pen.write(
            model, len(rows), patient_id=patients[rows], **{term: terms[columns]}, status=status
        )

    def write_treatments(
        self, patients: np.ndarray, numbers: np.ndarray, known_share: np.ndarray
    ) -> None:
        count, terms = len(patients), self.terms
        indicated, indication_sets = self.draw_indications(
            count, self.draw_chance(known_share, count)
        )
        ascertained = self.draw_chance(known_share, count)
        eventful = ascertained & self.draw_chance(0.45, count)
        stated = np.where(eventful, str(Ascertainment.EVENTS), str(Ascertainment.EXPLICITLY_NONE))
        has_listed_events = eventful & self.draw_chance(0.95, count)
        concomitant_counts = np.where(
            self.draw_chance(0.5 * known_share, count), self.rng.integers(1, 3, count), 0
        )
        stopped = self.draw_coded(
            [YesNo.NO, YesNo.YES], YesNo.UNKNOWN, self.draw_chance(known_share, count)
        )
        responses = [Response.IMPROVED, Response.STABLE, Response.WORSENED]
        keys = self.pen.write(
            Treatment,
            count,
            patient_id=patients,
            number=numbers,
            inhibitor_id=self.draw_choice(
                terms.inhibitors, count, harmonic_weights(len(terms.inhibitors))
            ),
            dose=self.draw_coded(
                ["synthetic dose A", "synthetic dose B", "synthetic dose C"],
                "",
                self.draw_chance(known_share, count),
            ),
            duration_months=self.none_where_unknown(
                self.rng.integers(1, 61, count), self.draw_chance(known_share, count)
            ),
            indication_set=indication_sets,
            indications_completeness=self.draw_completeness(
                indicated.any(axis=1), np.zeros(count, dtype=bool)
            ),
            concomitant_therapies_completeness=self.draw_completeness(
                concomitant_counts > 0, self.draw_chance(0.3 * known_share, count)
            ),
            response=self.draw_coded(
                responses, Response.UNKNOWN, self.draw_chance(known_share, count)
            ),
            relapsed=self.draw_coded(
                [YesNo.NO, YesNo.YES], YesNo.UNKNOWN, self.draw_chance(0.6 * known_share, count)
            ),
            adverse_events=np.where(ascertained, stated, str(Ascertainment.NOT_STATED)),
            adverse_event_categories_completeness=self.draw_completeness(
                has_listed_events, np.zeros(count, dtype=bool)
            ),
            stopped=stopped,
            stop_reason=np.where(stopped == YesNo.YES, "synthetic reason", ""),
        )
        rows, columns = np.nonzero(indicated)
        indication_keys = np.array([indication.pk for indication in terms.indications])[columns]
        self.pen.write(INDICATED, len(rows), treatment_id=keys[rows], indication_id=indication_keys)
        self.write_links(
            ALONG, "treatment_id", keys, "therapy_id", terms.therapies, concomitant_counts
        )
        self.write_outcomes(keys, known_share)
        self.write_events(keys[has_listed_events])

    def draw_indications(self, count: int, is_known: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """(count, terms) truth values, and the key of each row's set."""
        terms = self.terms.indications
        counts = np.where(
            is_known, self.rng.integers(1, min(MOST_INDICATIONS, len(terms)) + 1, count), 0
        )
        ranks = np.argsort(
            np.argsort(self.rng.random((count, len(terms))) / harmonic_weights(len(terms)), axis=1),
            axis=1,
        )
        indicated = ranks < counts[:, None]
        bits = indicated @ (1 << np.arange(len(terms)))
        names = {
            bit: set_key(terms[i].code for i in range(len(terms)) if bit >> i & 1)
            for bit in set(bits.tolist())
        }
        return indicated, [names[bit] for bit in bits.tolist()]

    def write_outcomes(self, treatments: np.ndarray, known_share: np.ndarray) -> None:
        counts = self.rng.integers(0, 6, len(treatments))
        owners, count = np.repeat(treatments, counts), int(counts.sum())
        known_share = np.repeat(known_share, counts)
        domains = [str(domain) for domain in Domain]
        domain_numbers = self.rng.choice(len(domains), count, p=harmonic_weights(len(domains)))
        measures = [MEASURES.get(Domain(domain), SYNTHETIC_SCORE) for domain in domains]
        maxima = np.array([maximum for _, maximum in measures])[domain_numbers]
        has_numbers = self.draw_chance(known_share, count)
        responses = [Response.IMPROVED, Response.STABLE, Response.WORSENED]
        self.pen.write(
            Outcome,
            count,
            treatment_id=owners,
            number=place_in_row(counts),
            domain=np.array(domains)[domain_numbers],
            measure_id=np.array([name for name, _ in measures])[domain_numbers],
            baseline=self.none_where_unknown(self.rng.integers(0, maxima + 1), has_numbers),
            followup=self.none_where_unknown(self.rng.integers(0, maxima + 1), has_numbers),
            baseline_month=self.none_where_unknown(np.zeros(count, dtype=int), has_numbers),
            at_months=self.none_where_unknown(self.draw_choice(MONTHS, count), has_numbers),
            result=self.draw_coded(
                responses, Response.UNKNOWN, self.draw_chance(known_share, count)
            ),
        )

    def write_events(self, treatments: np.ndarray) -> None:
        counts = 1 + self.draw_chance(0.3, len(treatments)).astype(int)
        owners, count = np.repeat(treatments, counts), int(counts.sum())
        categories = self.terms.categories
        self.pen.write(
            AdverseEvent,
            count,
            treatment_id=owners,
            number=place_in_row(counts),
            category_id=self.draw_choice(categories, count, harmonic_weights(len(categories))),
            description="synthetic event",
            grade=self.none_where_unknown(
                self.rng.integers(1, 5, count), self.draw_chance(0.5, count)
            ),
            serious=self.draw_coded(
                [YesNo.NO, YesNo.YES], YesNo.UNKNOWN, self.draw_chance(0.6, count)
            ),
            onset_months=self.none_where_unknown(
                self.draw_choice(MONTHS, count), self.draw_chance(0.5, count)
            ),
        )


def place_in_row(times: np.ndarray) -> np.ndarray:
    """1, 2, ... within each owner's rows: [2, 0, 3] -> [1, 2, 1, 2, 3]."""
    ends = np.cumsum(times)
    return np.arange(1, int(ends[-1]) + 1 if len(ends) else 1) - np.repeat(ends - times, times)


def generate_collection(
    slug: str, patients: int, seed: int, *, replace: bool = False
) -> Iterator[int]:
    """Draws the collection in one transaction; yields the patients written so far. All or nothing.

    Raises CannotGenerate for a collection that is there already and is not to be (or must not be)
    replaced.
    """
    if patients < 1:
        raise CannotGenerate("A collection has at least one patient.")
    with transaction.atomic():
        existing = Collection.objects.filter(slug=slug).first()
        if existing is not None:
            if not is_generated(existing):
                raise CannotGenerate(
                    f"“{slug}” holds records that were not drawn by this command; it is left alone."
                )
            if not replace:
                raise CannotGenerate(
                    f"There is a collection “{slug}” already. Say --replace to draw it anew."
                )
            remove_collection(existing)
        name = "Synthetic" if slug == "synthetic" else f"Synthetic ({slug})"
        collection = Collection.objects.create(
            slug=slug,
            name=name,
            kind=CollectionKind.SIMULATED,
            description=f"A {simulated_caveat(patients, seed)}. Every record in it is simulated.",
            caveat=simulated_caveat(patients, seed),
            position=100,
        )
        Measure.objects.get_or_create(label=SYNTHETIC_SCORE[0], defaults=SYNTHETIC_MEASURE)
        yield from Drawing(collection, patients, seed).draw_batches()
        DataVersion.bump()
        update_statistics()


def is_generated(collection: Collection) -> bool:
    """Whether this command drew the collection: simulated, in no fixture, and every study named as
    it names them.
    """
    in_fixtures = LoadedRecord.objects.filter(
        model="evidence.collection", key=f'["{collection.slug}"]'
    ).exists()
    has_other_studies = collection.studies.exclude(slug__startswith="synthetic-").exists()
    return collection.is_simulated and not in_fixtures and not has_other_studies


def remove_collection(collection: Collection) -> None:
    """Deletes a generated collection with all its records, table by table, the innermost first."""
    studies = Study.objects.filter(collection=collection)
    patients = Patient.objects.filter(study__in=studies)
    treatments = Treatment.objects.filter(patient__in=patients)
    for model, condition in [
        (Provenance, {"study__in": studies}),
        (StudyGroup, {"study__in": studies}),
        (AdverseEvent, {"treatment__in": treatments}),
        (Outcome, {"treatment__in": treatments}),
        (ALONG, {"treatment__in": treatments}),
        (INDICATED, {"treatment__in": treatments}),
        (Treatment, {"patient__in": patients}),
        (PatientManifestation, {"patient__in": patients}),
        (PatientAutoantibody, {"patient__in": patients}),
        (PRIOR, {"patient__in": patients}),
        (Patient, {"study__in": studies}),
        (Study, {"collection": collection}),
    ]:
        rows = model.objects.filter(**condition)
        if model in (Provenance, StudyGroup):
            rows.delete()  # few, and other records hang on them
        else:
            rows._raw_delete(rows.db)
    collection.delete()
