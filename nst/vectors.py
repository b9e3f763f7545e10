"""The newest of a row of long vectors, held as a few tall matrices: what L-BFGS remembers.

A product of a tall matrix and a vector runs as fast as memory can be read; as many dot products, one by one, take
three to six times as long. Matrices are never changed, only replaced, so that a checkpoint can be written from them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

PIECE = 4_000_000
"""Numbers that are unfolded from half precision in one go: they take no room to speak of beside the vectors."""


class Vectors:
    """At most `most` vectors of one length and one float type, oldest first.

    With `half` they are kept as float16 in units of their largest number, which costs a rounding by 1 / 2000 and halves
    the room; products and sums are taken in the vectors' own type all the same.
    """

    def __init__(self, most: int, *, half: bool = False) -> None:
        self.most, self.half = most, half
        self._height = 1 if half else math.isqrt(most)
        """Rows of a whole matrix. In half precision one, as each is unfolded to be used."""
        self._matrices: list[tf.Tensor] = []
        """(rows, n) each; the first one loses a row for each new vector, and the last ones wait to be joined."""
        self._units: list[float] = []
        """What each vector is to be multiplied by."""

    def __len__(self) -> int:
        return len(self._units)

    def append(self, vector: tf.Tensor) -> None:
        """Remember a vector, of any shape, and forget the oldest where there is no room for both."""
        if len(self) == self.most:
            self._forget_oldest()
        row, unit = tf.reshape(vector, [1, -1]), 1.0
        if self.half:
            unit = max(float(tf.reduce_max(row)), -float(tf.reduce_min(row))) or 1.0
            row = tf.concat([tf.cast(piece / unit, tf.float16) for piece in self._pieces(row)], 1)
        self._matrices.append(row)
        self._units.append(unit)
        self._join()

    def clear(self) -> None:
        self._matrices, self._units = [], []

    def products(self, vector: tf.Tensor) -> np.ndarray:
        """The dot product of each of the vectors with this one: (len,) float64."""
        if not self._matrices:
            return np.zeros(0)
        row = tf.reshape(vector, [1, -1])
        return np.concatenate([self._product(matrix, row) for matrix in self._matrices]) * self._units

    def combination(self, weights: np.ndarray, like: tf.Tensor) -> tf.Tensor:
        """The sum of the vectors, each multiplied by its weight; of the shape and type of `like`."""
        if not self._matrices:
            return tf.zeros_like(like)
        rows = np.cumsum([matrix.shape[0] for matrix in self._matrices])[:-1]
        parts = [tf.constant(part[None], like.dtype) for part in np.split(weights * self._units, rows)]  # (1, rows)
        pieces = [_sum(parts, pieces) for pieces in zip(*map(self._pieces, self._matrices), strict=True)]
        return tf.reshape(tf.concat(pieces, 1) if len(pieces) > 1 else pieces[0], like.shape)

    def state(self) -> dict[str, Any]:
        """Float tensors and numbers, from which `restore` makes the very same matrices."""
        matrices = [_packed(matrix) for matrix in self._matrices] if self.half else list(self._matrices)
        return {"matrices": matrices, "rows": [matrix.shape[0] for matrix in self._matrices], "units": self._units[:]}

    def restore(self, state: Mapping[str, Any], like: tf.Tensor) -> None:
        """Take up a state of vectors as long as `like`; raises KeyError, TypeError and ValueError where it is none."""
        matrices = []
        for matrix, rows in zip(state["matrices"], state["rows"], strict=True):
            shape = (int(rows), math.prod(like.shape))
            matrices.append(_unpacked(matrix, shape) if self.half else _shaped(matrix, shape, like.dtype))
        if sum(matrix.shape[0] for matrix in matrices) != len(state["units"]) or len(state["units"]) > self.most:
            raise ValueError(f"{len(state['units'])} vectors in {len(matrices)} matrices, at most {self.most}")
        self._matrices, self._units = matrices, [float(unit) for unit in state["units"]]

    def _product(self, matrix: tf.Tensor, row: tf.Tensor) -> np.ndarray:
        pieces = zip(self._pieces(row), self._pieces(matrix), strict=True)
        found = [tf.matmul(part, _as(piece, row.dtype), transpose_b=True).numpy()[0] for part, piece in pieces]
        return np.stack(found).sum(0, dtype=np.float64)

    def _pieces(self, matrix: tf.Tensor) -> Iterator[tf.Tensor]:
        """(rows, n) cut up along n, where it is unfolded to be used."""
        if not self.half:
            return iter([matrix])
        return (matrix[:, first : first + PIECE] for first in range(0, matrix.shape[1], PIECE))

    def _forget_oldest(self) -> None:
        oldest = self._matrices.pop(0)
        if oldest.shape[0] > 1:
            self._matrices.insert(0, oldest[1:])
        del self._units[0]

    def _join(self) -> None:
        """Make one matrix of the last ones as soon as there are enough single rows."""
        last = self._matrices[-self._height :]
        if self._height > 1 and len(last) == self._height and all(matrix.shape[0] == 1 for matrix in last):
            self._matrices[-self._height :] = [tf.concat(last, 0)]


def _sum(parts: Sequence[tf.Tensor], matrices: Sequence[tf.Tensor]) -> tf.Tensor:
    """Of all rows, each multiplied by its part; one after the other, so that there are never more than two sums."""
    total = None
    for part, matrix in zip(parts, matrices, strict=True):
        product = tf.matmul(part, _as(matrix, part.dtype))
        total = product if total is None else total + product
    return total


def _as(matrix: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return matrix if matrix.dtype == dtype else tf.cast(matrix, dtype)


def _packed(matrix: tf.Tensor) -> tf.Tensor:
    """float16 numbers two by two as float32, bit for bit, since that is what checkpoints hold."""
    flat = tf.reshape(matrix, [-1])
    if flat.shape[0] % 2:
        flat = tf.pad(flat, [[0, 1]])
    return tf.bitcast(tf.reshape(flat, [-1, 2]), tf.float32)  # (numbers / 2,)


def _unpacked(packed: Any, shape: tuple[int, int]) -> tf.Tensor:
    """The reverse of `_packed`; raises ValueError where there are too few numbers, or too many."""
    size = math.prod(shape)
    flat = tf.bitcast(_shaped(packed, ((size + 1) // 2,), tf.float32), tf.float16)
    return tf.reshape(tf.reshape(flat, [-1])[:size], shape)


def _shaped(array: Any, shape: tuple[int, ...], dtype: tf.DType) -> tf.Tensor:
    found = tf.convert_to_tensor(array, dtype)
    if found.shape != shape:
        raise ValueError(f"{found.shape} instead of {shape}")
    return found
