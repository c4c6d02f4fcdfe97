"""Which courses answer a question, as bits: asked of the filters one value at a time, kept, and put together.

The filters stay the only definition of what a word means. Each value is asked of the database once per version of the
data; the answer to a question is made of these by AND, OR and NOT, since no filter looks at another's value.
"""

from collections import OrderedDict
from threading import Lock
from typing import Any

import numpy as np
from django.db.models import F, QuerySet

from ...models import Treatment
from ...questions.filters import FILTERS, SETS
from ...questions.question import Question
from .bitsets import bits_at
from .bulk_read import key_range, number_column, read_columns
from .snapshot import Snapshot

MAX_CACHE_BYTES = 64 * 1024 * 1024  # bytes of answers kept for each snapshot


class BitsetCache:
    """Answers by what was asked, the ones used last; safe to share among threads."""

    def __init__(self, room: int = MAX_CACHE_BYTES):
        self.room, self.used, self.lock = room, 0, Lock()
        self.kept: OrderedDict[Any, np.ndarray] = OrderedDict()

    def get(self, key) -> np.ndarray | None:
        with self.lock:
            found = self.kept.get(key)
            if found is not None:
                self.kept.move_to_end(key)
            return found

    def put(self, key, bits: np.ndarray) -> np.ndarray:
        bits.setflags(write=False)
        with self.lock:
            if key not in self.kept:
                self.kept[key] = bits
                self.used += bits.nbytes
            while self.used > self.room and len(self.kept) > 1:
                _, dropped = self.kept.popitem(last=False)
                self.used -= dropped.nbytes
        return bits


class QuestionBitsets:
    """The courses of one snapshot that answer a question."""

    def __init__(self, snapshot: Snapshot):
        self.snapshot, self.cache = snapshot, snapshot.memory.setdefault("cache", BitsetCache())

    def matching(self, question: Question) -> np.ndarray:
        """Courses that answer every part."""
        bits = self.snapshot.layout.all_treatments
        for name, value in question:
            bits = bits & self.part_bits(name, value)
        return bits

    def known(self, question: Question) -> np.ndarray:
        """Courses in which every item the question asks about is known."""
        bits = self.snapshot.layout.all_treatments
        for name, value in question:
            bits = bits & self.known_part_bits(name, value)
        return bits

    def part_bits(self, name: str, value) -> np.ndarray:
        key = ("part", name, value)
        found = self.cache.get(key)
        if found is None:
            # Codes that occur; what is looked for beside those of the question can be no other.
            codes = [code for code in self.snapshot.axes[name].values if code] if name in SETS else ()
            found = FILTERS[name].matching_from(value, lambda one: self.value_bits(name, one), codes)
            self.cache.put(key, found)
        return found

    def known_part_bits(self, name: str, value) -> np.ndarray:
        return FILTERS[name].known_from(
            value, lambda one: self.part_bits(name, one), lambda one: self.known_value_bits(name, one)
        )

    def value_bits(self, name: str, value) -> np.ndarray:
        """What the filter answers to one value."""
        key = ("matching", name, value)
        found = self.cache.get(key)
        return (
            found
            if found is not None
            else self.cache.put(key, self.read_bits(FILTERS[name].filter(Treatment.objects.all(), value)))
        )

    def known_value_bits(self, name: str, value) -> np.ndarray:
        key = ("known", name, value)
        found = self.cache.get(key)
        if found is not None:
            return found
        narrowed = FILTERS[name].known(courses := Treatment.objects.all(), value)
        return self.cache.put(
            key, self.snapshot.layout.all_treatments if narrowed is courses else self.read_bits(narrowed)
        )

    def read_bits(self, courses: QuerySet) -> np.ndarray:
        """By a stretch of primary keys, which costs less than by joins; courses of other collections are left out."""
        (keys,) = read_columns(courses, "pk", key_range(self.snapshot.sorted_keys), [number_column(F("pk"))])
        return bits_at(self.snapshot.treatment_positions(keys), self.snapshot.layout.width)
