"""Settings of a stylisation, the presets and their validation: the one place where defaults live.

Nothing here imports TensorFlow or Streamlit. `Settings` is immutable, comparable, hashable and JSON-able, so it can
key caches, be stored beside a result and travel inside a PNG.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from nst.errors import SettingsError

Formula = Literal["balanced", "neural-style", "keras-example", "tensorflow-tutorial"]
OptimizerName = Literal["lbfgs", "adam", "sgd"]
Init = Literal["content", "statistics", "noise", "picture"]
Pooling = Literal["max", "average"]
Padding = Literal["zero", "edge"]
Bounds = Literal["none", "penalty", "clip"]
Side = Literal["longest", "height"]
Precision = Literal["float32", "mixed", "auto"]

MIN_SIZE, MAX_SIZE = 32, 8192
"""Pixels of the side that `size` names. Below 32 px the deepest VGG19 layers see less than 2 x 2 positions."""

CONVOLUTIONS = tuple(
    f"block{block}_conv{i}" for block, count in enumerate((2, 2, 4, 4, 4), start=1) for i in range(1, count + 1)
)
"""The 16 convolution layers of VGG19, in order of depth; their activations are what losses may ask for."""

FIRST_OF_EACH_BLOCK = tuple((f"block{block}_conv1", 1.0) for block in range(1, 6))

BALANCED_STYLE_LAYERS = (
    ("block1_conv1", 30.0),
    ("block2_conv1", 3.0),
    ("block3_conv1", 6.0),
    ("block4_conv1", 1.0),
    ("block5_conv1", 30.0),
)
"""Layer weights of draft and studio. With equal weights nine tenths of the style loss come from block4_conv1; these
give strokes, colours and large forms a say as well. Chosen by looking at pictures."""

STYLE_WEIGHT_AT_50 = 45.0
"""What the middle of the strength slider stands for."""

BUILTIN = "builtin"
"""The name of the network that ships with the program; drafts are painted with it, in two fifths of the time."""

AUTO = "auto"
"""The precision that is settled where a run begins."""

PLATEAU_WINDOW = 10
"""Evaluations over which the loss must have fallen for a scale to go on (see `Settings.plateau`)."""

MAX_STYLES = 8
MAX_WEIGHT = 1e12

Layers = tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides how a picture comes out, besides the pictures themselves and the network.

    Raises `SettingsError` when a value is outside its range; nothing is silently repaired.
    """

    preset: str = "studio"
    """The preset these settings started from; shown and filtered by, never computed with."""

    size: int = 512
    """Length in pixels of the side of the result that `side` names; the aspect ratio is the photograph's."""
    side: Side = "longest"

    formula: Formula = "balanced"
    """Which normalisation of the losses applies: `nst.losses.FORMULAS`."""
    strength: float | None = 50.0
    """0 (photograph) to 100 (style); only with the balanced formula, where it sets the style weight."""
    content_weight: float = 1.0
    style_weight: float | None = None
    """None: follows from `strength` (see `effective_style_weight`)."""
    tv_weight: float = 0.0
    content_layers: Layers = (("block4_conv2", 1.0),)
    style_layers: Layers = FIRST_OF_EACH_BLOCK
    style_weights: tuple[float, ...] = ()
    """Relative weight of each style picture; empty: all equal."""
    style_scale: float = 1.0
    """Longest side of the style picture, as a fraction of the result's longest side: small values, small strokes."""
    pooling: Pooling = "max"
    padding: Padding = "zero"
    precision: Precision = "float32"
    """What the network computes in: "mixed" is bfloat16 for the network and float32 for losses and pixels. "auto" is
    the quicker of the two on the computer it is painted on; results tell which that was."""

    optimizer: OptimizerName = "lbfgs"
    learning_rate: float = 1.0
    learning_rate_decay: float = 1.0
    """Factor applied to the learning rate every `decay_steps` steps, continuously (SGD)."""
    decay_steps: int = 100
    beta_1: float = 0.9
    epsilon: float = 1e-8
    history: int = 20
    """How many steps L-BFGS remembers."""
    spectrum: float = 0.0
    """Optimise Fourier coefficients scaled by 1 / frequency ** spectrum instead of pixels; 0: plain pixels."""
    bounds: Bounds = "none"
    """How pixels are kept in range while optimising: not at all, by a soft penalty, or clipped after each step."""

    iterations: int = 100
    """Evaluations of loss and gradient at full size, at most."""
    scales: int = 1
    """Coarse-to-fine: how many sizes, each half the next one, ending at full size."""
    coarse_iterations: int = 0
    """Evaluations at each of the coarser sizes, at most."""
    early_iterations: int = 0
    """Evaluations at full size, at most, with the built-in filters before those with the network itself: at a quarter
    of the cost they go most of the way."""
    plateau: float = 0.0
    """Stop a scale when the loss fell by less than this fraction over the last ten evaluations; 0: never."""
    init: Init = "content"
    seed: int = 0
    save_every: int = 0
    """Keep the picture every so many iterations as a frame; 0: never."""

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        for name, (low, high, whole) in _RANGES.items():
            _check_number(name, getattr(self, name), low, high, whole)
        for name in ("content_layers", "style_layers"):
            object.__setattr__(self, name, _checked_layers(name, getattr(self, name)))
        object.__setattr__(self, "style_weights", _checked_weights(self.style_weights))
        self._check_strength()
        if self.bounds == "clip" and (self.spectrum or self.optimizer == "lbfgs"):
            raise SettingsError(
                'bounds="clip" works on plain pixels with adam or sgd. '
                f'Received: optimizer={self.optimizer!r}, spectrum={self.spectrum:g}. Use bounds="penalty" instead.'
            )

    def _check_strength(self) -> None:
        if self.formula == "balanced":
            if self.strength is None and self.style_weight is None:
                raise SettingsError("strength and style_weight are both missing. Give one of them.")
        elif self.strength is not None:
            raise SettingsError(
                f"strength does not apply to the formula {self.formula!r}. Received: strength={self.strength}. "
                "Set style_weight instead, or choose the preset draft or studio."
            )
        elif self.style_weight is None:
            raise SettingsError(f"The formula {self.formula!r} needs a style_weight. Received: None.")

    @property
    def effective_style_weight(self) -> float:
        """The style weight in force: `style_weight` where it is given, else the one that `strength` stands for.

        It grows tenfold every 30 steps around `STYLE_WEIGHT_AT_50`, so that 0 leaves the photograph nearly alone and
        at 100 little of it is left. It has the same meaning for any pair and size, because the balanced formula
        divides each loss by its magnitude for the pictures at hand (`nst.losses.balance`).
        """
        if self.style_weight is not None:
            return self.style_weight
        assert self.strength is not None
        return STYLE_WEIGHT_AT_50 * 10 ** ((self.strength - 50) / 30)

    def replace(self, **changes: Any) -> Settings:
        """A copy with some settings changed; raises `SettingsError` on unknown names and bad values."""
        return _construct({f.name: getattr(self, f.name) for f in dataclasses.fields(self)} | changes)

    def with_optimizer(self, name: OptimizerName) -> Settings:
        """The same settings for another optimiser, with the rates that suit it; unchanged where it is the same."""
        if name == self.optimizer:
            return self
        _check_choice("optimizer", name, get_args(OptimizerName))
        changes = dict(OPTIMIZER_DEFAULTS[name])
        if name in LEARNING_RATES:
            changes["learning_rate"] = LEARNING_RATES[name][self.formula]
        return self.replace(optimizer=name, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON types (tuples become lists)."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    @classmethod
    def from_dict(cls, data: Any) -> Settings:
        """The reverse of `to_dict`, for data that may come from anywhere: validated, bounded, never executed.

        Settings missing from `data` take their defaults; unknown ones raise `SettingsError`.
        """
        if not isinstance(data, dict):
            raise SettingsError(f"Settings must be a table of names and values. Received: {type(data).__name__}.")
        return _construct(data)


_CHOICES: dict[str, tuple[str, ...]] = {
    "side": get_args(Side),
    "formula": get_args(Formula),
    "pooling": get_args(Pooling),
    "padding": get_args(Padding),
    "precision": get_args(Precision),
    "optimizer": get_args(OptimizerName),
    "bounds": get_args(Bounds),
    "init": get_args(Init),
}

_RANGES: dict[str, tuple[float, float, bool]] = {  # name: lowest, highest, whole number?
    "size": (MIN_SIZE, MAX_SIZE, True),
    "strength": (0, 100, False),
    "content_weight": (0, MAX_WEIGHT, False),
    "style_weight": (0, MAX_WEIGHT, False),
    "tv_weight": (0, MAX_WEIGHT, False),
    "style_scale": (0.1, 4, False),
    "learning_rate": (1e-9, 1e6, False),
    "learning_rate_decay": (1e-6, 1, False),
    "decay_steps": (1, 10**9, True),
    "beta_1": (0, 0.9999, False),
    "epsilon": (1e-12, 1e3, False),
    "history": (1, 200, True),
    "spectrum": (0, 2, False),
    "iterations": (1, 100_000, True),
    "scales": (1, 6, True),
    "coarse_iterations": (0, 100_000, True),
    "early_iterations": (0, 100_000, True),
    "plateau": (0, 0.5, False),
    "seed": (0, 2**31 - 1, True),
    "save_every": (0, 100_000, True),
}
_OPTIONAL = {"strength", "style_weight"}


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise SettingsError(f"{name} is not known. Received: {value!r}. Choose one of: {', '.join(choices)}.")


def _check_number(name: str, value: Any, low: float, high: float, whole: bool) -> None:
    if value is None and name in _OPTIONAL:
        return
    kind = "a whole number" if whole else "a number"
    right_type = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not right_type or not low <= value <= high:  # which also refuses NaN
        raise SettingsError(f"{name} must be {kind} from {low:g} to {high:g}. Received: {value!r}.")


def _checked_layers(name: str, layers: Any) -> Layers:
    pairs = layers if isinstance(layers, (list, tuple)) else ()
    if not pairs or any(not isinstance(pair, (list, tuple)) or len(pair) != 2 for pair in pairs):
        raise SettingsError(f"{name} must be pairs of a layer and a weight, one at least. Received: {layers!r:.200}.")
    for layer, weight in pairs:
        _check_choice(f"A layer of {name}", layer, CONVOLUTIONS)
        _check_number(f"The weight of {layer} in {name}", weight, 0, MAX_WEIGHT, False)
    if len({layer for layer, _ in pairs}) != len(pairs):
        raise SettingsError(f"{name} must not name a layer twice. Received: {layers!r:.200}.")
    return tuple((layer, float(weight)) for layer, weight in pairs)


def _checked_weights(weights: Any) -> tuple[float, ...]:
    if not isinstance(weights, (list, tuple)):
        raise SettingsError(f"style_weights must be a list of numbers, one a style. Received: {weights!r:.200}.")
    if len(weights) > MAX_STYLES:
        raise SettingsError(f"At most {MAX_STYLES} styles can be blended. Received: {len(weights)} weights.")
    for weight in weights:
        _check_number("A weight of style_weights", weight, 0, MAX_WEIGHT, False)
    if weights and not any(weights):
        raise SettingsError(f"One of style_weights must be above 0. Received: {weights!r}.")
    return tuple(float(weight) for weight in weights)


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _construct(data: dict[str, Any]) -> Settings:
    known = {f.name for f in dataclasses.fields(Settings)}
    if unknown := sorted(str(name) for name in data if name not in known):
        raise SettingsError(f"Unknown settings. Received: {', '.join(unknown)}. Known are: {', '.join(sorted(known))}.")
    if not isinstance(data.get("preset", DEFAULT_PRESET), str):
        raise SettingsError(f"preset must be a name. Received: {data['preset']!r}.")
    return Settings(**data)


OPTIMIZER_DEFAULTS: dict[str, dict[str, Any]] = {
    "lbfgs": {"learning_rate": 1.0, "learning_rate_decay": 1.0, "bounds": "penalty", "spectrum": 0.4},
    "adam": {"beta_1": 0.9, "epsilon": 1e-8, "spectrum": 0.0, "bounds": "clip"},
    "sgd": {"learning_rate_decay": 0.96, "spectrum": 0.0, "bounds": "clip"},
}
"""What else changes with the optimiser."""

LEARNING_RATES: dict[str, dict[str, float]] = {
    "adam": {"balanced": 5.1, "neural-style": 5.1, "keras-example": 5.1, "tensorflow-tutorial": 0.02},
    "sgd": {"balanced": 1e5, "neural-style": 0.02, "keras-example": 100.0, "tensorflow-tutorial": 5e-8},
}
"""By optimiser and formula, whose losses differ by many orders of magnitude; SGD's hold from 256 px on."""


@dataclass(frozen=True)
class Preset:
    """A named starting point: what it is called on screen, what it is for, and its settings."""

    title: str
    description: str
    settings: Settings
    network: str | None = None
    """The network it prefers where the user has chosen none: `BUILTIN`, or None for VGG19."""


def _preset(name: str, **changes: Any) -> Settings:
    return Settings(preset=name, **changes)


NEURAL_STYLE: dict[str, Any] = {
    "formula": "neural-style",
    "strength": None,
    "content_weight": 5.0,
    "style_weight": 100.0,
    "tv_weight": 1e-3,
    "spectrum": 0.4,
}
"""The objective of the classic programs, and the variables in which L-BFGS meets it soonest."""

PRESETS: dict[str, Preset] = {
    "draft": Preset(
        "Draft",
        "A quick look at a small size, to try pictures and strengths.",
        _preset(
            "draft",
            size=256,
            iterations=25,
            scales=3,
            coarse_iterations=40,
            plateau=0.01,
            precision=AUTO,
            style_layers=BALANCED_STYLE_LAYERS,
            spectrum=0.4,
            bounds="penalty",
        ),
        network=BUILTIN,
    ),
    "studio": Preset(
        "Studio",
        "The best-looking picture in reasonable time: the default.",
        _preset(
            "studio",
            early_iterations=40,
            iterations=32,
            scales=3,
            coarse_iterations=45,
            plateau=0.003,
            precision=AUTO,
            style_layers=BALANCED_STYLE_LAYERS,
            spectrum=0.4,
            bounds="penalty",
        ),
    ),
    "neural-style": Preset(
        "neural-style",
        "The objective of the classic Lua and PyTorch programs, exactly; L-BFGS in frequencies gets there sooner.",
        _preset(
            "neural-style",
            **NEURAL_STYLE,
            history=100,
            iterations=500,
        ),
    ),
    "neural-style-fast": Preset(
        "neural-style, fast",
        "The same objective by our best way: the classic picture of 500 steps for the work of less than 50.",
        _preset(
            "neural-style-fast",
            **NEURAL_STYLE,
            bounds="penalty",
            early_iterations=50,
            iterations=32,
            precision=AUTO,
        ),
    ),
    "keras-example": Preset(
        "Keras example",
        "The example on keras.io, exactly for a style of the photograph's shape (others are not squashed); 4000 steps.",
        _preset(
            "keras-example",
            formula="keras-example",
            strength=None,
            size=400,
            side="height",
            content_weight=2.5e-8,
            style_weight=1e-6,
            tv_weight=1e-6,
            content_layers=(("block5_conv2", 1.0),),
            optimizer="sgd",
            learning_rate=100.0,
            learning_rate_decay=0.96,
            iterations=4000,
            save_every=100,
        ),
    ),
    "tensorflow-tutorial": Preset(
        "TensorFlow tutorial",
        "The tutorial on tensorflow.org, exactly: Adam on pixels in [0, 1], clipped each step, 1000 steps.",
        _preset(
            "tensorflow-tutorial",
            formula="tensorflow-tutorial",
            strength=None,
            content_weight=1e4,
            style_weight=1e-2,
            tv_weight=30.0,
            content_layers=(("block5_conv2", 1.0),),
            optimizer="adam",
            learning_rate=0.02,
            beta_1=0.99,
            epsilon=0.1,
            bounds="clip",
            iterations=1000,
        ),
    ),
}
DEFAULT_PRESET = "studio"


def preset(name: str) -> Settings:
    """The settings of the preset called `name`; raises `SettingsError` where there is none."""
    _check_choice("preset", name, tuple(PRESETS))
    return PRESETS[name].settings
