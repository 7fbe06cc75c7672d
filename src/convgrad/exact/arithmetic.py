"""The two kinds of numbers that never round: integers, and integers modulo a 61-bit prime."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]

PRIME = 2**61 - 1
"""A Mersenne prime: multiplying by a power of two rotates the 61 bits of a residue."""


class Arithmetic(Protocol):
    """What the evaluation of an equation needs of its numbers."""

    def enter(self, array: Array) -> Array:
        """An array of integers as numbers of this kind."""
        ...

    def matmul(self, left: Array, right: Array) -> Array:
        """Products of stacks of matrices (..., rows, inner) @ (..., inner, columns)."""
        ...

    def add(self, left: Array, right: Array) -> Array:
        """The sum of two arrays."""
        ...

    def scale(self, array: Array, numerator: int, denominator: int) -> Array:
        """The array times a rational number."""
        ...


@dataclass(frozen=True)
class Integers:
    """Python integers and Fractions, or int64 where the largest possible sum fits.

    Attributes:
        dtype: object or int64.
        doubles: whether every sum is below 2^53, so that float64, whose matrix product is the
            fast one, does not round.
    """

    dtype: np.dtype[Any]
    doubles: bool = False

    @staticmethod
    def holding(bound: int, *, fractions: bool) -> Integers:
        """The fastest kind in which nothing up to `bound` overflows."""
        fits = not fractions and bound < 2**63
        return Integers(np.dtype(np.int64 if fits else object), fits and bound < 2**53)

    def enter(self, array: Array) -> Array:
        """See `Arithmetic`."""
        return array.astype(self.dtype)

    def matmul(self, left: Array, right: Array) -> Array:
        """See `Arithmetic`."""
        if self.doubles:
            return (left.astype(np.float64) @ right.astype(np.float64)).astype(np.int64)
        return left @ right

    def add(self, left: Array, right: Array) -> Array:
        """See `Arithmetic`."""
        return left + right

    def scale(self, array: Array, numerator: int, denominator: int) -> Array:
        """See `Arithmetic`."""
        if denominator == 1:
            return array * numerator
        return array * Fraction(numerator, denominator)


@dataclass(frozen=True)
class PrimeField:
    """Integers modulo 2^61 - 1, with matrix products at the speed of float64.

    A residue is cut into limbs of 21, 21 and 19 bits. Products of limbs stay below 2^42, so a
    float64 matrix product over up to 2^11 of them is exact, and nine of those make one product of
    residues [after Dumas, Giorgi & Pernet 2008, "Dense linear algebra over word-size prime
    fields"].
    """

    limb: int = 21
    terms: int = 2**11

    def enter(self, array: Array) -> Array:
        """See `Arithmetic`."""
        wide = array if array.dtype in {np.uint64, object} else array.astype(np.int64)
        return np.asarray(np.mod(wide, wide.dtype.type(PRIME))).astype(np.uint64)

    def random(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent uniform residues."""
        return generator.integers(0, PRIME, size=shape, dtype=np.uint64)

    def matmul(self, left: Array, right: Array) -> Array:
        """See `Arithmetic`."""
        shape = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        total = np.zeros((*shape, left.shape[-2], right.shape[-1]), np.uint64)
        for start in range(0, left.shape[-1], self.terms):
            inner = slice(start, start + self.terms)
            lefts = self._limbs(left[..., :, inner])
            rights = self._limbs(right[..., inner, :])
            for i, a in enumerate(lefts):
                for j, b in enumerate(rights):
                    part = _reduced((a @ b).astype(np.uint64))
                    total = _reduced(total + _rotated(part, self.limb * (i + j)))
        return total

    def add(self, left: Array, right: Array) -> Array:
        """See `Arithmetic`."""
        return _reduced(left + right)

    def scale(self, array: Array, numerator: int, denominator: int) -> Array:
        """See `Arithmetic`."""
        factor = numerator * pow(denominator, -1, PRIME) % PRIME
        column = np.full((1, 1), factor, np.uint64)
        return self.matmul(array.reshape(-1, 1), column).reshape(array.shape)

    def _limbs(self, array: Array) -> list[Array]:
        mask = np.uint64(2**self.limb - 1)
        shifts = (np.uint64(self.limb * place) for place in range(3))
        return [((array >> shift) & mask).astype(np.float64) for shift in shifts]


def _reduced(array: Array) -> Array:
    """Values below 2^63 modulo the prime: the high bits count once more [Mersenne]."""
    folded = (array & np.uint64(PRIME)) + (array >> np.uint64(61))
    return np.where(folded >= PRIME, folded - np.uint64(PRIME), folded)


def _rotated(array: Array, bits: int) -> Array:
    """`array * 2^bits` modulo the prime, for reduced values."""
    shift = bits % 61
    if not shift:
        return array
    low = (array << np.uint64(shift)) & np.uint64(PRIME)
    return low | (array >> np.uint64(61 - shift))
