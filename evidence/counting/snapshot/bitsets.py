"""Sets of treatments and of patients as packed bits, in one layout.

Patients are numbered so that those with most treatments come first. First treatments fill plane 0
(one bit per patient), second treatments plane 1, and so on; since whoever has a second treatment
stands before whoever has not, every plane is a beginning of the one before it. So “patients with
any of these treatments” is plane 0 OR plane 1 OR ..., with no look-up.
"""

from functools import cached_property

import numpy as np

WORD = 64


class Layout:
    """Where the bit of each treatment stands. `sizes[j]` patients have more than j treatments;
    sizes never rise.
    """

    def __init__(self, sizes: list[int]):
        self.sizes = list(sizes) or [0]
        self.words = [-(-size // WORD) for size in self.sizes]
        self.starts = [sum(self.words[:plane]) for plane in range(len(self.words))]
        self.width = sum(self.words)

    @property
    def patients(self) -> int:
        return self.sizes[0]

    @cached_property
    def all_treatments(self) -> np.ndarray:
        """All treatments."""
        flags = np.zeros(self.width * WORD, dtype=bool)
        for start, size in zip(self.starts, self.sizes, strict=True):
            flags[start * WORD : start * WORD + size] = True
        return pack_bits(flags)

    @cached_property
    def no_treatments(self) -> np.ndarray:
        """No treatment."""
        return np.zeros(self.width, dtype=np.uint64)

    def positions(self, patients: np.ndarray, planes: np.ndarray) -> np.ndarray:
        """Bit positions of treatments, given the patient's number and the treatment's place among
        the patient's treatments.
        """
        return np.asarray(self.starts, dtype=np.int64)[planes] * WORD + patients

    def patients_at(self, positions: np.ndarray) -> np.ndarray:
        """The patient's number of each of these bit positions, which have to be in rising order."""
        patients = positions.copy()
        for start in self.starts[1:]:
            first = int(np.searchsorted(positions, start * WORD))
            patients[first:] = positions[first:] - start * WORD
        return patients

    def treatments_to_patients(self, bits: np.ndarray) -> np.ndarray:
        """(..., width) treatments -> (..., words[0]) patients with any of them."""
        if len(self.words) == 1:
            return bits
        patients = bits[..., : self.words[0]].copy()
        for start, words in zip(self.starts[1:], self.words[1:], strict=True):
            patients[..., :words] |= bits[..., start : start + words]
        return patients

    def last_of_patients(self, bits: np.ndarray) -> np.ndarray:
        """(..., width) treatments -> those of them that are the last of their patient among
        these.
        """
        if len(self.words) == 1:
            return bits
        last = bits.copy()
        later = np.zeros((*bits.shape[:-1], self.words[0]), dtype=np.uint64)
        for start, words in reversed(list(zip(self.starts, self.words, strict=True))):
            last[..., start : start + words] &= ~later[..., :words]
            later[..., :words] |= bits[..., start : start + words]
        return last

    def patients_to_treatments(self, patients: np.ndarray) -> np.ndarray:
        """(..., words[0]) patients -> (..., width) all their treatments."""
        treatments = np.concatenate([patients[..., :words] for words in self.words], axis=-1)
        treatments &= self.all_treatments
        return treatments


def pack_bits(flags: np.ndarray) -> np.ndarray:
    """Truth values, a multiple of 64 of them in the last axis, as 64-bit words."""
    return np.packbits(flags, axis=-1, bitorder="little").view(np.uint64)


def unpack_bits(bits: np.ndarray) -> np.ndarray:
    """One row of words as zeros and ones, a byte for each bit."""
    return np.unpackbits(bits.view(np.uint8), bitorder="little")


def bits_at(positions: np.ndarray, words: int) -> np.ndarray:
    """Words whose bits are set at these places."""
    flags = np.zeros(words * WORD, dtype=bool)
    flags[positions] = True
    return pack_bits(flags)


def bit_positions(bits: np.ndarray) -> np.ndarray:
    """The positions of the bits that are set, in rising order."""
    return np.flatnonzero(unpack_bits(bits).view(bool))


def popcount(bits: np.ndarray) -> np.ndarray:
    """How many bits are set along the last axis."""
    return np.bitwise_count(bits).sum(axis=-1, dtype=np.int64)


# words; wider rows are counted one by one in a buffer that stays in the processor's cache
BLOCK = 512


def intersection_counts(
    bits: np.ndarray, mask: np.ndarray, layout: Layout | None = None
) -> np.ndarray:
    """How many bits of `mask` each row of `bits` shares: (rows, words), (words,) -> (rows,).

    With a layout, the bits are of treatments, and their patients are counted.
    """
    if bits.shape[-1] <= BLOCK:
        return popcount(layout.treatments_to_patients(bits & mask) if layout else bits & mask)
    words = layout.words[0] if layout else len(mask)
    planes = list(zip(layout.starts[1:], layout.words[1:], strict=True)) if layout else []
    shared, word_counts = np.empty_like(mask), np.empty(words, dtype=np.uint8)
    counts = np.empty(len(bits), dtype=np.int64)
    for row in range(len(bits)):
        np.bitwise_and(bits[row], mask, out=shared)
        for start, length in planes:
            np.bitwise_or(shared[:length], shared[start : start + length], out=shared[:length])
        np.bitwise_count(shared[:words], out=word_counts)
        counts[row] = word_counts.sum(dtype=np.uint32)
    return counts
