"""L-BFGS, Adam and SGD with decay behind one small interface: ask for a point, tell its loss and gradient.

One `tell` is one evaluation, also inside L-BFGS's line search, so a run can be stopped, saved and resumed between any
two evaluations. States are dictionaries of NumPy arrays and restore exactly. Points and gradients are tensors of one
shape and dtype (float32 in the engine, any float in tests) and stay on the device; only losses reach the host.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Any

import numpy as np
import tensorflow as tf

from nst.config import Settings

State = dict[str, Any]


class Optimizer(ABC):
    """Minimises a function that somebody else evaluates."""

    def __init__(self, start: tf.Tensor) -> None:
        self.point = tf.convert_to_tensor(start)
        """Where the loss and the gradient are wanted next."""

    @abstractmethod
    def tell(self, loss: float, gradient: tf.Tensor) -> None:
        """Take the finite loss and gradient at `point`, and move `point` to where to look next."""

    @abstractmethod
    def retreat(self) -> None:
        """Go back to the last good point and halve the step: the loss or gradient at `point` was not finite."""

    @abstractmethod
    def restart(self) -> None:
        """The function has changed: losses told so far are not to be compared with those to come."""

    def state(self) -> State:
        """Everything needed to go on exactly from here: names to NumPy arrays, numbers or lists of arrays."""
        return {name: _to_host(value) for name, value in vars(self).items()}

    def restore(self, state: State) -> None:
        """Take up a state that `state` gave; raises KeyError when it is another optimiser's."""
        if state.keys() != vars(self).keys():
            raise KeyError(f"not a state of {type(self).__name__}: {sorted(state.keys() ^ vars(self).keys())}")
        for name, value in vars(self).items():
            setattr(self, name, _to_device(state[name], like=value))


class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4) with a backtracking line search.

    The unit step nearly always satisfies Armijo's condition once there is curvature to go by, so an iteration costs
    one evaluation; a step that fails is shortened by quadratic interpolation (at most `MAX_BACKTRACKS` times, then the
    memory is dropped). Pairs without positive curvature are skipped, which is what Wolfe's second condition is for.
    `first_step` is the root mean square length of the first move, in the units of the point.
    """

    ARMIJO = 1e-4
    MAX_BACKTRACKS = 8

    def __init__(self, start: tf.Tensor, *, history: int = 20, first_step: float = 1.0) -> None:
        super().__init__(start)
        self.first_step = first_step
        self.steps: deque[tf.Tensor] = deque(maxlen=history)
        self.changes: deque[tf.Tensor] = deque(maxlen=history)
        self.base = self.point
        self.loss = float("inf")
        self.gradient = tf.zeros_like(self.point)
        self.direction = tf.zeros_like(self.point)
        self.slope = 0.0
        self.length = 1.0
        self.backtracks = 0
        self.stale = False

    def tell(self, loss: float, gradient: tf.Tensor) -> None:
        if not self.stale and self._too_high(loss):
            curvature = loss - self.loss - self.length * self.slope
            shorter = -self.slope * self.length**2 / (2 * curvature) if curvature > 0 else 0.0
            self._shorten(min(max(shorter, 0.1 * self.length), 0.5 * self.length))
            return
        self._remember(self.point - self.base, gradient - self.gradient)
        self.base, self.loss, self.gradient, self.stale = self.point, loss, gradient, False
        self._look_along(self._descent())

    def retreat(self) -> None:
        if self.loss == float("inf"):
            return  # nothing good to go back to: the caller gives up
        self._shorten(0.5 * self.length)

    def restart(self) -> None:
        # The curvature remembered is still the best guess: changed weights bend the function, and mostly not by much.
        self.stale = True

    def _too_high(self, loss: float) -> bool:
        # Near the optimum, float32 losses wobble by an ulp or two; that is no reason to backtrack.
        return loss > self.loss + self.ARMIJO * self.length * self.slope + 1e-7 * abs(self.loss)

    def _shorten(self, length: float) -> None:
        self.backtracks += 1
        if self.backtracks > self.MAX_BACKTRACKS and self.steps:
            self.steps.clear()
            self.changes.clear()
            self._look_along(-self.gradient)
            return
        self.length = length
        self.point = self.base + self.length * self.direction

    def _remember(self, step: tf.Tensor, change: tf.Tensor) -> None:
        if self.stale or self.loss == float("inf"):
            return
        if float(_dot(step, change)) > 1e-10 * float(_dot(change, change)):
            self.steps.append(step)
            self.changes.append(change)

    def _descent(self) -> tf.Tensor:
        """Minus the inverse Hessian's estimate times the gradient: the two-loop recursion."""
        direction = -self.gradient
        applied = []
        for step, change in zip(reversed(self.steps), reversed(self.changes), strict=True):
            share = _dot(step, direction) / _dot(step, change)
            direction -= share * change
            applied.append(share)
        if self.steps:
            newest, change = self.steps[-1], self.changes[-1]
            direction *= _dot(newest, change) / _dot(change, change)
        for step, change, share in zip(self.steps, self.changes, reversed(applied), strict=True):
            direction += (share - _dot(change, direction) / _dot(step, change)) * step
        return direction

    def _look_along(self, direction: tf.Tensor) -> None:
        slope = float(_dot(self.gradient, direction))
        if slope >= 0:  # rounding has spoiled the memory
            self.steps.clear()
            self.changes.clear()
            direction, slope = -self.gradient, -float(_dot(self.gradient, self.gradient))
        self.direction, self.slope, self.backtracks = direction, slope, 0
        # Without curvature the gradient says nothing about distance: move by a set length.
        self.length = 1.0 if self.steps else self.first_step * self._size() / max((-slope) ** 0.5, 1e-30)
        self.point = self.base + self.length * direction

    def _size(self) -> float:
        return float(np.prod(self.point.shape)) ** 0.5


class _Descent(Optimizer):
    """What Adam and SGD share: a step after every evaluation, and the last good point to go back to."""

    def __init__(
        self,
        start: tf.Tensor,
        *,
        learning_rate: float,
        decay: float = 1.0,
        decay_steps: int = 100,
        clip: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(start)
        self.learning_rate = learning_rate
        self.decay = decay
        self.decay_steps = decay_steps
        self.clip = clip
        self.taken = 0
        self.base = self.point
        self.move = tf.zeros_like(self.point)

    def tell(self, loss: float, gradient: tf.Tensor) -> None:
        rate = self.learning_rate * self.decay ** (self.taken / self.decay_steps)
        self.taken += 1
        self.base, self.move = self.point, rate * self._direction(gradient)
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
        self, start: tf.Tensor, *, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7, **options: Any
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


def make(settings: Settings, start: tf.Tensor, pixel_range: float) -> Optimizer:
    """The optimiser that `settings` ask for, at `start`, for pixels in [0, pixel_range]."""
    if settings.optimizer == "lbfgs":
        return LBFGS(start, history=settings.history, first_step=settings.learning_rate * pixel_range / 255)
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


def _dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(a * b)


def _to_host(value: Any) -> Any:
    if isinstance(value, deque):
        return [_to_host(item) for item in value]
    return value.numpy() if isinstance(value, tf.Tensor) else value


def _to_device(value: Any, *, like: Any) -> Any:
    if isinstance(like, deque):
        return deque((tf.constant(item) for item in value), maxlen=like.maxlen)
    return tf.constant(value) if isinstance(like, tf.Tensor) else value
