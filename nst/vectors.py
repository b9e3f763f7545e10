"""The newest of a row of long vectors: what L-BFGS remembers, as tensors or in half the room.

What holds them is never changed, only replaced, so that a checkpoint can be written from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

TALLEST = 26_000_000
"""Bytes of a matrix of several vectors, at most: while it is put together, or loses a row, there are two of it."""
PIECE = 4_000_000
"""Numbers that are unfolded from half precision in one go: they take no room to speak of beside the vectors."""


class Vectors:
    """At most `most` tensors of one shape and float type, oldest first, held as a few tall matrices.

    A product of a tall matrix and a vector runs as fast as memory can be read; as many dot products, one by one, take
    three to six times as long.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._matrices: list[tf.Tensor] = []
        """(rows, n) each; the first one loses a row for each new vector, and the last ones wait to be joined."""

    def __len__(self) -> int:
        return sum(matrix.shape[0] for matrix in self._matrices)

    def append(self, vector: tf.Tensor) -> None:
        """Remember a vector, of any shape, and forget the oldest where there is no room for both."""
        if len(self) == self.most:
            oldest = self._matrices.pop(0)
            self._matrices[:0] = [oldest[1:]] if oldest.shape[0] > 1 else []
        self._matrices.append(tf.reshape(vector, [1, -1]))
        height = self._height(self._matrices[-1])
        last = self._matrices[-height:]
        if height > 1 and len(last) == height and all(matrix.shape[0] == 1 for matrix in last):
            self._matrices[-height:] = [tf.concat(last, 0)]

    def _height(self, row: tf.Tensor) -> int:
        """How many such rows make a whole matrix."""
        return max(1, min(math.isqrt(self.most), TALLEST // (row.shape[1] * row.dtype.size)))

    def clear(self) -> None:
        self._matrices = []

    def products(self, *others: tf.Tensor) -> np.ndarray:
        """The dot products of these with each of the vectors: (others, len) float64.

        Of two they take hardly longer than of one: it is reading the vectors that takes time.
        """
        rows = tf.concat([tf.reshape(other, [1, -1]) for other in others], 0)
        found = [tf.matmul(rows, matrix, transpose_b=True).numpy() for matrix in self._matrices]
        return np.concatenate([np.zeros((len(others), 0)), *found], 1)

    def added(self, weights: np.ndarray, to: tf.Tensor) -> tf.Tensor:
        """`to` and the sum of the vectors, each multiplied by its weight."""
        if not self._matrices:
            return to
        parts = tf.split(tf.constant(weights[None], to.dtype), [matrix.shape[0] for matrix in self._matrices], 1)
        sums = [tf.matmul(part, matrix) for part, matrix in zip(parts, self._matrices, strict=True)]  # (1, n) each
        return tf.reshape(tf.add_n([tf.reshape(to, [1, -1]), *sums]), to.shape)

    def state(self) -> dict[str, Any]:
        """Float tensors and numbers, from which `restore` makes the very same matrices."""
        return {"matrices": self._matrices[:], "rows": [matrix.shape[0] for matrix in self._matrices]}

    def restore(self, state: Mapping[str, Any], like: tf.Tensor) -> None:
        """Take up a state of vectors as long as `like`; raises KeyError, TypeError and ValueError where it is none."""
        pairs = zip(state["matrices"], state["rows"], strict=True)
        matrices = [_shaped(tf.convert_to_tensor(matrix, like.dtype), int(rows), like) for matrix, rows in pairs]
        if (count := sum(matrix.shape[0] for matrix in matrices)) > self.most:
            raise ValueError(f"{count} vectors, at most {self.most}")
        self._matrices = matrices


class Halves:
    """The same for float32 NumPy arrays, which are kept as float16 in units of their largest number.

    That costs a rounding by 1 / 2000 and halves the room; products and sums are taken in float32 all the same.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._rows: list[np.ndarray] = []
        """(n,) float16 each."""
        self._units: list[float] = []
        """What each vector is to be multiplied by."""

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, vector: np.ndarray) -> None:
        """Remember a vector, of any shape, and forget the oldest where there is no room for both."""
        if len(self) == self.most:
            del self._rows[0], self._units[0]
        unit = max(float(vector.max()), -float(vector.min())) or 1.0
        row = np.empty(vector.size, np.float16)
        for piece, part in zip(pieces(row), pieces(vector), strict=True):
            np.divide(part, unit, out=piece, casting="same_kind")
        self._rows.append(row)
        self._units.append(unit)

    def clear(self) -> None:
        self._rows, self._units = [], []

    def products(self, *others: np.ndarray) -> np.ndarray:
        """The dot products of these with each of the vectors: (others, len) float64."""
        found = np.zeros((len(others), len(self)))
        for i, (row, unit) in enumerate(zip(self._rows, self._units, strict=True)):
            for piece, *parts in zip(pieces(row), *map(pieces, others), strict=True):
                unfolded = piece.astype(np.float32)
                found[:, i] += [unit * float(np.dot(unfolded, part)) for part in parts]
        return found

    def added(self, weights: np.ndarray, to: np.ndarray) -> np.ndarray:
        """A copy of `to`, and the sum of the vectors, each multiplied by its weight."""
        total = to.copy(order="C")
        for row, weight in zip(self._rows, weights * self._units, strict=True):
            for piece, part in zip(pieces(total), pieces(row), strict=True):
                piece += np.float32(weight) * part.astype(np.float32)
        return total

    def state(self) -> dict[str, Any]:
        """float32 arrays and numbers, from which `restore` makes the very same vectors."""
        return {"matrices": [_packed(row) for row in self._rows], "units": self._units[:]}

    def restore(self, state: Mapping[str, Any], like: np.ndarray) -> None:
        """Take up a state of vectors as long as `like`; raises KeyError, TypeError and ValueError where it is none."""
        rows = [_unpacked(matrix, like.size) for matrix in state["matrices"]]
        units = [float(unit) for unit in state["units"]]
        if len(rows) != len(units) or len(rows) > self.most:
            raise ValueError(f"{len(rows)} vectors and {len(units)} units, at most {self.most}")
        self._rows, self._units = rows, units


def pieces(array: np.ndarray, most: int | None = None) -> Iterator[np.ndarray]:
    """An array's numbers in a row, `most` of them at most, or `PIECE`; views, where they lie in that order."""
    flat, most = array.reshape(-1), most or PIECE
    return (flat[first : first + most] for first in range(0, flat.size, most))


def _packed(row: np.ndarray) -> np.ndarray:
    """float16 numbers two by two as float32, bit for bit, since that is what checkpoints hold."""
    return (np.append(row, np.float16(0)) if row.size % 2 else row).view(np.float32)


def _unpacked(packed: Any, size: int) -> np.ndarray:
    """The reverse of `_packed`; raises ValueError where there are too few numbers, or too many."""
    found = np.asarray(packed, np.float32)
    if found.shape != ((size + 1) // 2,):
        raise ValueError(f"{found.shape} for {size} numbers")
    return found.view(np.float16)[:size]


def _shaped(matrix: tf.Tensor, rows: int, like: tf.Tensor) -> tf.Tensor:
    if matrix.shape != (rows, math.prod(like.shape)):
        raise ValueError(f"{matrix.shape} instead of {rows} rows for {like.shape}")
    return matrix
