"""What a job is: the order it carries out and, at any moment, a snapshot of how it stands. Plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeVar

from nst.config import Settings
from nst.gallery import Input
from nst.result import Change, LayerRow, LossRow, NetworkInfo, Step

MAX_POINTS = 500
"""Points of a loss curve handed out, at most."""

T = TypeVar("T")


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def active(self) -> bool:
        return self in (State.QUEUED, State.PREPARING, State.RUNNING)


@dataclass(frozen=True)
class Order:
    """What is to be painted: inputs already in the gallery, and the settings."""

    content: Input
    styles: tuple[Input, ...]
    settings: Settings
    name: str = ""
    network: str | None = None
    """A weights file, "builtin", or None for the usual search (`nst.weights.find`)."""
    initial: Input | None = None
    """The picture to start from, where `settings.init` is "picture"."""
    parent: str | None = None
    """The entry that this goes on from."""
    state_of: str | None = None
    """The entry whose saved state is gone on from: picture and optimiser."""
    changes: tuple[Change, ...] = ()
    """Of the settings, to be made at their evaluations."""
    variants: tuple[Settings, ...] = ()
    """Not empty: a contact sheet, one small picture a variant, instead of an entry of the gallery."""
    reproduces: str | None = None
    """The entry to paint again and compare with, instead of making a new one."""


class Proof(NamedTuple):
    """One picture of a contact sheet."""

    settings: Settings
    picture: bytes
    """A PNG file."""


@dataclass(frozen=True)
class Snapshot:
    """A job at one moment."""

    id: str
    order: Order
    name: str
    state: State = State.QUEUED
    message: str = "Waiting for its turn."
    network: NetworkInfo | None = None
    cached_targets: int = 0
    """How many styles' targets came from the cache."""
    step: Step | None = None
    history: tuple[LossRow, ...] = ()
    """At most `MAX_POINTS` rows, the last one included."""
    layers: tuple[LayerRow, ...] = ()
    """The same evaluations, layer by layer."""
    changes: tuple[Change, ...] = ()
    """Of the settings, so far."""
    preview: bytes | None = None
    """A JPEG of the picture so far."""
    proofs: tuple[Proof, ...] = ()
    """Of a contact sheet, those that are ready."""
    difference: int | None = None
    """After a reproduction: the largest difference of a pixel's channel, 0 to 255."""
    resumable: bool = False
    """Whether it can go on exactly where it was."""
    entry_id: str | None = None
    """The gallery entry it became."""


def thinned(rows: Sequence[T], most: int = MAX_POINTS) -> tuple[T, ...]:
    """At most `most` rows, evenly spread, the first and the last among them."""
    if len(rows) <= most:
        return tuple(rows)
    return tuple(rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most))
