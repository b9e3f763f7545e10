"""What a sheet of proofs varies: the settings of each small picture, and those of the picture painted from one."""

from __future__ import annotations

from nst.config import Settings, preset

PROOF_SIZE = 160
"""Pixels of a proof's side: nine take about as long as one draft."""
COARSE_ITERATIONS, ITERATIONS = 25, 15
STRENGTH_STEP = 20
STROKES = (0.6, 1.0, 1.6)
STROKE_RANGE = (0.4, 1.25)
"""Of the middle stroke size: smaller strokes than a quarter can't be told apart in a proof."""
SEEDS = 6
LOOK = (
    "side",
    "strength",
    "content_weight",
    "style_weight",
    "tv_weight",
    "content_layers",
    "style_layers",
    "style_weights",
    "style_scale",
    "pooling",
    "padding",
    "precision",
    "seed",
)
"""What a proof has in common with the full picture; how long and by which optimiser is the draft's."""


def can_vary_strength(settings: Settings) -> bool:
    """Whether strength means anything to these settings: classic programs and a style weight of one's own know none."""
    return settings.strength is not None and settings.style_weight is None


def can_vary_seed(settings: Settings) -> bool:
    """Whether the seed makes a difference: only where painting starts from chance."""
    return settings.init in ("noise", "statistics")


def strengths_and_strokes(settings: Settings) -> tuple[Settings, ...]:
    """Nine small pictures around the current strength and stroke size, row by row of growing strength."""
    assert settings.strength is not None
    middle = min(max(settings.strength, STRENGTH_STEP), 100 - STRENGTH_STEP)
    low, high = STROKE_RANGE
    stroke = min(max(settings.style_scale, low), high)
    small = _small(settings)
    return tuple(
        small.replace(strength=float(middle + step), style_scale=round(20 * stroke * factor) / 20)
        for step in (-STRENGTH_STEP, 0, STRENGTH_STEP)
        for factor in STROKES
    )


def seeds(settings: Settings) -> tuple[Settings, ...]:
    """Six small pictures with seeds from the current one on."""
    first = min(settings.seed, 2**31 - SEEDS)
    small = _small(settings)
    return tuple(small.replace(seed=first + number) for number in range(SEEDS))


def _small(settings: Settings) -> Settings:
    """A quick, small version of these settings: as a draft is painted, with what decides the look kept."""
    size = min(PROOF_SIZE, settings.size)
    init = "content" if settings.init == "picture" else settings.init
    draft = preset("draft")
    if settings.formula != draft.formula:  # its rates and bounds belong together
        return settings.replace(size=size, iterations=min(settings.iterations, 60), scales=1, save_every=0, init=init)
    look = {name: getattr(settings, name) for name in LOOK} | {"init": init}
    return draft.replace(**look, size=size, scales=2, coarse_iterations=COARSE_ITERATIONS, iterations=ITERATIONS)


def painted_from(settings: Settings, proof: Settings) -> Settings:
    """The full picture of a proof: it starts from the proof, so no scale is smaller than the proof was."""
    scales = settings.scales
    while scales > 1 and settings.size / 2 ** (scales - 1) < proof.size:
        scales -= 1
    return settings.replace(
        strength=proof.strength, style_scale=proof.style_scale, seed=proof.seed, init="picture", scales=scales
    )


def caption(proof: Settings, sheet: tuple[Settings, ...]) -> str:
    """What a proof has of its own: "Strength 30 · strokes 60 %", or "Seed 5"."""
    if len({other.seed for other in sheet}) > 1:
        return f"Seed {proof.seed}"
    return f"Strength {proof.strength:g} · strokes {100 * proof.style_scale:g} %"
