"""L-BFGS, Adam and SGD with decay behind one small interface: ask for a point, tell its loss and gradient.

One `tell` is one evaluation, also inside L-BFGS's line search, so a run can be stopped, saved and resumed between any
two evaluations. States are dictionaries of tensors and numbers and restore exactly. Points and gradients are tensors
of one shape and dtype (float32 in the engine, any float in tests) and stay on the device; only numbers reach the host.
Those of large pictures are NumPy arrays, which give their memory back, as TensorFlow does not (see `nst.segments`).
Neither is ever changed in place: a state, a checkpoint or a preview may hold it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from nst import budget
from nst.config import Settings
from nst.spectrum import Spectrum
from nst.vectors import Halves, Vectors, pieces

State = dict[str, Any]
Array: TypeAlias = tf.Tensor | np.ndarray

SHORT = 10_000
"""Numbers whose dot product NumPy's BLAS takes on one thread. Of more it uses several, which then wait for more to do
for as long as a tenth of an evaluation takes, on the processor that TensorFlow has need of."""


class Optimizer(ABC):
    """Minimises a function that somebody else evaluates."""

    def __init__(self, start: Array) -> None:
        self.point: Array = start
        """Where the loss and the gradient are wanted next."""

    @abstractmethod
    def tell(self, loss: float, gradient: Array) -> None:
        """Take the finite loss and gradient at `point`, and move `point` to where to look next."""

    @abstractmethod
    def retreat(self) -> None:
        """Go back to the last good point and halve the step: the loss or gradient at `point` was not finite."""

    @abstractmethod
    def restart(self) -> None:
        """The function has changed: losses told so far are not to be compared with those to come."""

    def state(self) -> State:
        """Everything needed to go on exactly from here: names to tensors, which never change, numbers, lists of both
        and tables of these. Nothing is copied."""
        return {name: _plain(value) for name, value in vars(self).items() if not isinstance(value, Spectrum)}

    def restore(self, state: State) -> None:
        """Take up a state that `state` gave, with tensors or arrays.

        Raises KeyError when it is another optimiser's, TypeError and ValueError when it is damaged.
        """
        if state.keys() != self.state().keys():
            raise KeyError(f"not a state of {type(self).__name__}: {sorted(state.keys() ^ self.state().keys())}")
        for name, value in state.items():
            setattr(self, name, self._taken_up(value, getattr(self, name)))

    def _held(self, array: Array) -> Array:
        """As the point is held."""
        return np.asarray(array) if isinstance(self.point, np.ndarray) else tf.convert_to_tensor(array)

    def _taken_up(self, value: Any, like: Any) -> Any:
        if isinstance(like, Vectors | Halves):
            like.restore(value, self.point)
            return like
        if isinstance(like, Array):
            convert = np.asarray if isinstance(like, np.ndarray) else tf.convert_to_tensor
            found = convert(value, like.dtype)
            if found.shape != like.shape:
                raise ValueError(f"{found.shape} for {like.shape}")
            return found
        return value if like is None or isinstance(like, tuple) else type(like)(value)


class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4) with a backtracking line search.

    The unit step nearly always satisfies Armijo's condition once there is curvature to go by, so an iteration costs
    one evaluation; a step that fails is shortened by quadratic interpolation (at most `MAX_BACKTRACKS` times, then the
    memory is dropped). Pairs without positive curvature are skipped, which is what Wolfe's second condition is for.

    With a `spectrum` it takes the steps that it would take in the Fourier coefficients of the point's change (see
    `nst.spectrum`): its first estimate of the inverse Hessian is A A instead of the identity, times a number. Changes
    of gradient are remembered as A A makes them: then the memory is read but twice an iteration, once for all its
    products with the gradient and its change, and once for the direction. A A is applied once (`half`: twice).
    `first_step` is the root mean square length of the first move, in the units of the point or of its coefficients.
    With `half` the memory is kept in half precision, points and gradients are arrays, and no more of them are held.
    """

    ARMIJO = 1e-4
    MAX_BACKTRACKS = 8
    _TABLES = ("products", "energies")
    """What it counts about its steps, told as lists in a state."""

    def __init__(
        self,
        start: Array,
        *,
        history: int = 20,
        first_step: float = 1.0,
        spectrum: Spectrum | None = None,
        half: bool = False,
    ) -> None:
        super().__init__(start)
        self.first_step = first_step
        self.spectrum = spectrum or Spectrum(1, 1, exponent=0)
        self.pairs: Vectors | Halves = Halves(2 * history) if half else Vectors(2 * history)
        """Steps and changes of the gradient in turn, the latter times A A."""
        self.products = np.zeros((0, 0))
        """Of step i with change j of the gradient, on and above the diagonal: float64, as much is cancelled in them."""
        self.energies = np.zeros((0, 0))
        """Of change i, times A A, with change j."""
        self.scale = 1.0
        """What the first estimate of the inverse Hessian is multiplied by."""
        self.base = self.point
        """The last good point, where the loss, the gradient and the slope (towards `point`) are known."""
        self.loss = float("inf")
        self.gradient = 0 * self.point
        self.scaled: Array | None = None
        """A A times that gradient; None where it is not held, but computed again."""
        self.slope = 0.0
        self.length = 1.0
        """`point` is `base` and so many times the direction, which is not held: at full size every picture counts."""
        self.backtracks = 0
        self.stale = False

    def tell(self, loss: float, gradient: Array) -> None:
        gradient = self._held(gradient)
        if not self.stale and self._too_high(loss):
            curvature = loss - self.loss - self.length * self.slope
            shorter = -self.slope * self.length**2 / (2 * curvature) if curvature > 0 else 0.0
            self._shorten(min(max(shorter, 0.1 * self.length), 0.5 * self.length))
            return
        moved = None
        if not self.stale and self.loss < float("inf"):
            moved = self.point - self.base, gradient - self.gradient
        # What the last point had is let go of at once: of large pictures each counts.
        before, self.scaled = self.scaled, None if self._sparing else self.spectrum.scaled(gradient, twice=True)
        self.base, self.loss, self.gradient, self.stale = self.point, loss, gradient, False
        if moved and self._remember(*moved, before):
            along, latest = self._along(gradient, moved[1])
            self.products, self.energies = map(_extended, (self.products, self.energies), latest)
            self.scale = float(self.products[-1, -1] / self.energies[-1, -1])
        else:
            (along,) = self._along(gradient)
        del moved, before
        self._look_along(self._descent(*along))

    def retreat(self) -> None:
        if self.loss == float("inf"):
            return  # nothing good to go back to: the caller gives up
        self._shorten(0.5 * self.length)

    def restart(self) -> None:
        # The curvature remembered is still the best guess: changed weights bend the function, and mostly not by much.
        self.stale = True

    def state(self) -> State:
        lists = {name: getattr(self, name).tolist() for name in self._TABLES}
        return {name: value for name, value in super().state().items() if name != "scaled"} | lists

    def restore(self, state: State) -> None:
        for name in self._TABLES:
            setattr(self, name, np.array(state[name], np.float64))
        super().restore(state)
        self.scaled = None if self._sparing else self.spectrum.scaled(self.gradient, twice=True)
        count, odd = divmod(len(self.pairs), 2)
        if odd:
            raise ValueError(f"{count + 1} steps and {count} changes of gradient")
        for name in self._TABLES:
            setattr(self, name, getattr(self, name).reshape(count, count))

    def _too_high(self, loss: float) -> bool:
        # Near the optimum, float32 losses wobble by an ulp or two; that is no reason to backtrack.
        return loss > self.loss + self.ARMIJO * self.length * self.slope + 1e-7 * abs(self.loss)

    def _shorten(self, length: float) -> None:
        self.backtracks += 1
        if self.backtracks > self.MAX_BACKTRACKS and len(self.pairs):
            self._forget()
            self._look_along(-self._scaled())
            return
        self.point = self.base + length / self.length * (self.point - self.base)
        self.length = length

    @property
    def _sparing(self) -> bool:
        """Whether no more pictures are held than have to be."""
        return isinstance(self.pairs, Halves)

    def _remember(self, step: Array, turn: Array, before: Array | None) -> bool:
        """Remember the last step, if the gradient's `turn` on it tells of a curvature.

        `before` is A A times the gradient before it, None where it is not held.
        """
        change = self.spectrum.scaled(turn, twice=True) if before is None else self.scaled - before
        curved = _dot(step, turn) > 1e-10 * _dot(change, turn) > 0
        if curved:
            self.pairs.append(step)
            self.pairs.append(change)
        return curved

    def _along(self, *gradients: Array) -> np.ndarray:
        """The products of each of these with what is remembered: (gradients, 2, pairs), first with the steps."""
        return self.pairs.products(*gradients).reshape(len(gradients), -1, 2).swapaxes(1, 2)

    def _forget(self) -> None:
        self.pairs.clear()
        self.products = self.energies = np.zeros((0, 0))

    def _scaled(self) -> Array:
        """A A times the gradient at `base`."""
        return self.spectrum.scaled(self.gradient, twice=True) if self.scaled is None else self.scaled

    def _descent(self, along_steps: np.ndarray, along_changes: np.ndarray) -> Array:
        """Minus the inverse Hessian's estimate times the gradient, which is told by its products.

        The two-loop recursion, but each loop only counts how much of every change or step to take, by solving a
        triangular system of the dot products between steps and changes (Byrd, Nocedal and Schnabel 1994, theorem 2.2).
        """
        if not len(self.pairs):
            return -self._scaled()
        oldest_first = np.arange(len(along_steps))
        shares = _substituted(self.products, along_steps, oldest_first[::-1])
        # The products of the changes with minus what is left of the gradient, as the first estimate scales it.
        left = self.scale * (self.energies @ shares - along_changes)
        steps = _substituted(self.products.T, self.products.diagonal() * shares + left, oldest_first)
        return self.pairs.added(np.stack([-steps, self.scale * shares], 1).ravel(), -self.scale * self._scaled())

    def _look_along(self, direction: Array) -> None:
        """Look at a point in a direction, an array that is nobody else's."""
        slope = _dot(self.gradient, direction)
        if not slope < 0:  # rounding has spoiled the memory
            self._forget()
            direction = -self._scaled()
            slope = _dot(self.gradient, direction)
        self.slope, self.backtracks = slope, 0
        self.length = 1.0
        if not len(self.pairs):  # without curvature the gradient says nothing about distance: move by a set length
            self.length = self.first_step * self._size() / max((-slope) ** 0.5, 1e-30)
            direction *= self.length
        direction += self.base
        self.point = direction

    def _size(self) -> float:
        return float(np.prod(self.point.shape)) ** 0.5


class _Descent(Optimizer):
    """What Adam and SGD share: a step after every evaluation, and the last good point to go back to."""

    def __init__(
        self,
        start: Array,
        *,
        learning_rate: float,
        decay: float = 1.0,
        decay_steps: int = 100,
        clip: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(tf.convert_to_tensor(start))
        self.learning_rate = learning_rate
        self.decay = decay
        self.decay_steps = decay_steps
        self.clip = clip
        self.taken = 0
        self.base = self.point
        self.move = tf.zeros_like(self.point)

    def tell(self, loss: float, gradient: Array) -> None:
        rate = self.learning_rate * self.decay ** (self.taken / self.decay_steps)
        self.taken += 1
        self.base, self.move = self.point, rate * self._direction(self._held(gradient))
        self._go()

    def retreat(self) -> None:
        self.learning_rate *= 0.5
        self.move *= 0.5
        self._go()

    def restart(self) -> None:
        return  # steps follow the gradient, whatever the losses were

    def _go(self) -> None:
        point = self.base + self.move
        self.point = tf.clip_by_value(point, *self.clip) if self.clip else point

    @abstractmethod
    def _direction(self, gradient: tf.Tensor) -> tf.Tensor:
        """Where to go, before the learning rate."""


class SGD(_Descent):
    """Steepest descent; the rate decays continuously: learning_rate * decay ** (step / decay_steps)."""

    def _direction(self, gradient: tf.Tensor) -> tf.Tensor:
        return -gradient


class Adam(_Descent):
    """Adam (Kingma and Ba 2015) as Keras has it: epsilon is added after the bias correction is moved to the rate."""

    def __init__(
        self, start: Array, *, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7, **options: Any
    ) -> None:
        super().__init__(start, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.mean = tf.zeros_like(self.point)
        self.square = tf.zeros_like(self.point)

    def _direction(self, gradient: tf.Tensor) -> tf.Tensor:
        self.mean += (1 - self.beta_1) * (gradient - self.mean)
        self.square += (1 - self.beta_2) * (gradient**2 - self.square)
        correction = (1 - self.beta_2**self.taken) ** 0.5 / (1 - self.beta_1**self.taken)
        return -correction * self.mean / (tf.sqrt(self.square) + self.epsilon)


def make(settings: Settings, start: Array, pixel_range: float) -> Optimizer:
    """The optimiser that `settings` ask for, at `start` (1, h, w, 3) float32, for pixels in [0, pixel_range].

    L-BFGS starts from pixels, an array, the others from the coefficients that `nst.spectrum.Coefficients` gives. Of
    pictures of more than `budget.LARGE` pixels L-BFGS remembers in half precision, and as many steps as `budget`
    affords.
    """
    if settings.optimizer == "lbfgs":
        height, width = start.shape[1:3]
        large = budget.is_large(height, width)
        return LBFGS(
            start if large else tf.convert_to_tensor(start),
            history=budget.affordable_history(height, width, settings.history),
            first_step=settings.learning_rate * pixel_range / 255,
            spectrum=Spectrum(height, width, settings.spectrum),
            half=large,
        )
    clip = (0.0, pixel_range) if settings.bounds == "clip" else None
    rate: dict[str, Any] = {
        "learning_rate": settings.learning_rate,
        "clip": clip,
        "decay": settings.learning_rate_decay,
        "decay_steps": settings.decay_steps,
    }
    if settings.optimizer == "sgd":
        return SGD(start, **rate)
    return Adam(start, beta_1=settings.beta_1, epsilon=settings.epsilon, **rate)


def _extended(table: np.ndarray, column: np.ndarray) -> np.ndarray:
    """A symmetric table with one more column, which is its last row as well, and as large as that is long."""
    found = np.pad(table, (0, 1))[-len(column) :, -len(column) :]
    found[-1] = found[:, -1] = column
    return found


def _substituted(triangle: np.ndarray, wanted: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The x of `triangle` @ x = `wanted`, row by row in an order in which each holds but one number not yet known."""
    found = np.zeros_like(wanted)
    for row in order:
        found[row] = (wanted[row] - triangle[row] @ found) / triangle[row, row]
    return found


def _dot(a: Array, b: Array) -> float:
    """Without room for a * b; in main memory NumPy takes a quarter of the time that TensorFlow does."""
    if isinstance(a, tf.Tensor) and "GPU" in a.device:
        return float(tf.matmul(tf.reshape(a, [1, -1]), tf.reshape(b, [1, -1]), transpose_b=True).numpy()[0, 0])
    parts = (pieces(np.asarray(array), SHORT) for array in (a, b))
    return sum(float(np.dot(*pair)) for pair in zip(*parts, strict=True))


def _plain(value: Any) -> Any:
    return value.state() if isinstance(value, Vectors | Halves) else value
