"""The treatments that answer a question, as bits; cached for each part of a question.

What a filter means is defined by the filters alone, and how yes, no and open are combined by
`questions.three_answers` alone; this module supplies the facts that both use. The snapshot already
holds what is known and what is on a list; for other values the database is queried once per version
of the data.
"""

from collections.abc import Iterable
from threading import Lock
from typing import Any

import numpy as np
from cachetools import LRUCache
from django.db.models import F, QuerySet

from ... import time_bound
from ...models import ATTRIBUTES, LISTS, TermTree, Treatment
from ...models.choices import YesNo
from ...questions.filters import FILTERS
from ...questions.filters.facts import allowed_beside
from ...questions.filters.treatment import part_answer
from ...questions.question import Question
from ...questions.three_answers import ThreeAnswers, all_of
from .bitsets import bits_at
from .bulk_read import key_range, number_column, read_columns
from .results import results_in_windows
from .snapshot import Snapshot

MAX_CACHE_BYTES = 64 * 1024 * 1024  # bytes of answers kept for each snapshot


class BitsetCache:
    """Answers by what was asked, the ones used last; safe to share among threads."""

    def __init__(self, max_bytes: int = MAX_CACHE_BYTES):
        self.answers: LRUCache[Any, np.ndarray] = LRUCache(
            max_bytes, getsizeof=lambda bits: bits.nbytes
        )
        self.lock = Lock()

    def get(self, key) -> np.ndarray | None:
        with self.lock:
            return self.answers.get(key)

    def put(self, key, bits: np.ndarray) -> np.ndarray:
        """Keeps an answer, unless it alone is larger than the cache."""
        bits.setflags(write=False)
        with self.lock:
            if bits.nbytes <= self.answers.maxsize:
                self.answers[key] = bits
        return bits


class BitFacts:
    """What the filter of this name makes its answers of, as bits: see `questions.filters.facts`."""

    def __init__(self, bitsets: "QuestionBitsets", name: str):
        self.bitsets, self.name = bitsets, name

    def matching(self, url_filter, value) -> np.ndarray:
        return url_filter.matching_from(
            value, lambda single_value: self.bitsets.matching_value(self.name, single_value)
        )

    def settled(self, attribute: str | None) -> np.ndarray:
        if attribute is None:
            return self.bitsets.all_treatments
        kind = "settled" if ATTRIBUTES[attribute].settled else "known"
        return self.bitsets.axis_bits(f"{kind}:{attribute}", YesNo.YES.value)

    def listed(self, name: str) -> "ListBits":
        return ListBits(self.bitsets, name)


class ListBits:
    """What is known of one list, as bits of treatments."""

    def __init__(self, bitsets: "QuestionBitsets", name: str):
        self.bitsets, self.name, self.layout = bitsets, name, bitsets.snapshot.layout
        self.whole = bitsets.axis_bits(f"whole:{name}", YesNo.YES.value)

    def present(self, code: str) -> np.ndarray:
        return self.bitsets.axis_bits(self.name, code)

    def absent(self, code: str) -> np.ndarray:
        if not LISTS[self.name].looked_for:
            return self.layout.no_treatments
        return self.bitsets.axis_bits(f"{self.name}_absent", code)

    def others(self, codes: Iterable[str]) -> np.ndarray:
        axis = self.bitsets.snapshot.axes[self.name]
        allowed = {None, *allowed_beside(codes, TermTree(axis.wider))}
        rows = [
            bits for value, bits in zip(axis.values, axis.bits, strict=True) if value not in allowed
        ]
        if not rows:
            return self.layout.no_treatments
        other_bits = np.bitwise_or.reduce(rows)
        return self.layout.patients_to_treatments(other_bits) if axis.of_patient else other_bits


class QuestionBitsets:
    """The treatments of one snapshot that answer a question with yes, with no, or leave it open."""

    def __init__(self, snapshot: Snapshot):
        self.snapshot, self.cache = snapshot, snapshot.memory.setdefault("cache", BitsetCache())

    def matching(self, question: Question) -> np.ndarray:
        """Treatments that answer every part with yes."""
        bits = self.all_treatments
        for name, value in question:
            bits = bits & self.part_answer(name, value).yes
        return bits

    def settled(self, question: Question) -> np.ndarray:
        """Treatments that answer the question with yes or no."""
        if not question.parts:
            return self.all_treatments
        return all_of(self.part_answer(name, value) for name, value in question).settled

    def open(self, question: Question, part: str = "") -> np.ndarray:
        """Treatments that leave the question open, of patients none of whose treatments answers it
        with yes.

        With the name of a part, those in which that part is open too.
        """
        layout = self.snapshot.layout
        open_bits = self.all_treatments & ~self.settled(question)
        if part:
            open_bits = open_bits & ~self.settled(question.only(part))
        return open_bits & ~layout.patients_to_treatments(
            layout.treatments_to_patients(self.matching(question))
        )

    def counted_treatments(
        self, question: Question, is_open: bool, open_part: str, open_in: str
    ) -> np.ndarray:
        """The treatments that count in a tally: see there."""
        bits = self.open(question, open_part) if is_open else self.matching(question)
        if not open_in:
            return bits
        layout = self.snapshot.layout
        not_counted = layout.treatments_to_patients(
            bits & ~self.axis_bits(open_in, YesNo.YES.value)
        )
        return bits & layout.patients_to_treatments(not_counted)

    def results(self, question: Question, *, best: bool) -> np.ndarray:
        """The result of each treatment in each domain, in the months the question asks for; cached.
        See `results.results_in_windows`.
        """
        windows = tuple(sorted(question.outcome_months))
        key = ("results", best, windows)
        results = self.cache.get(key)
        if results is None:
            results = self.cache.put(
                key,
                results_in_windows(self.snapshot.axes, self.snapshot.layout, windows, best=best),
            )
        return results

    @property
    def all_treatments(self) -> np.ndarray:
        return self.snapshot.layout.all_treatments

    def part_answer(self, name: str, value) -> ThreeAnswers:
        """One part's answer, kept as yes and no."""
        time_bound.check()
        keys = [("yes", name, value), ("no", name, value)]
        yes, no = map(self.cache.get, keys)
        if yes is None or no is None:
            answers = part_answer(name, value, BitFacts(self, name))
            yes, no = (
                self.cache.put(key, bits)
                for key, bits in zip(keys, (answers.yes, answers.no), strict=True)
            )
        return ThreeAnswers(yes, no)

    def matching_value(self, name: str, value) -> np.ndarray:
        """What a filter answers to one single value, asked of the database once."""
        key = ("value", name, value)
        bits = self.cache.get(key)
        if bits is None:
            bits = self.cache.put(
                key, self.read_bits(FILTERS[name].filter(Treatment.objects.all(), value))
            )
        return bits

    def axis_bits(self, name: str, value: str) -> np.ndarray:
        """The treatments with this value of a dimension; nobody where the value does not occur."""
        axis = self.snapshot.axes[name]
        if value not in axis.values:
            return self.snapshot.layout.no_treatments
        bits = axis.bits[axis.values.index(value)]
        return self.snapshot.layout.patients_to_treatments(bits) if axis.of_patient else bits

    def read_bits(self, treatments: QuerySet) -> np.ndarray:
        """By a stretch of primary keys, which costs less than by joins; treatments of other
        collections are left out.
        """
        (keys,) = read_columns(
            treatments, "pk", key_range(self.snapshot.sorted_keys), [number_column(F("pk"))]
        )
        return bits_at(self.snapshot.treatment_positions(keys), self.snapshot.layout.width)
