"""Advice in words: what is off with an order or a result, and what to change. Silent where nothing is.

Every rule looks at what is there, never guesses from settings alone, and prefers silence to a false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nst import image
from nst.config import MIN_SIZE, STYLE_WEIGHT_AT_50, Settings
from nst.result import LossRow, Result, Status

ENLARGED = 1.25
"""A style shown at more than this times its own size looks soft."""
SMALLEST_STROKES = 0.25
"""The least stroke size that is advised; smaller ones show a style's colours only."""

HARDLY_FELL = 0.2
"""A style loss that fell by less than this fraction has hardly fallen."""
IN_STYLE = 0.2
"""At less than this fraction of the photograph's own style loss, a picture needs to come no closer to the style."""
LITTLE_STYLE_WEIGHT = STYLE_WEIGHT_AT_50 / 10
"""Strength 20; below it, a picture near the photograph is what was asked for."""
FEW_ITERATIONS = 40

GREY_SIDE, PATCH = 192, 12
"""Pixels of the longest side at which grey patches are looked for, and of a patch."""
GREY_CHROMA, GREY_SPREAD = 0.08, 0.03
"""A patch is grey and flat when its pixels' mean chroma and the spread of its luminance stay below these."""
GREY_LIGHTS = (0.15, 0.85)
"""Darker or lighter is shadow or paper, not grey."""
LIVELY_CHROMA, LIVELY_SPREAD = 0.15, 0.06
"""A patch of the photograph has colour or detail when its chroma or spread is above one of these."""
GREY_SHARE = 0.05
"""Of the picture; less is an accident of the motif."""
GREY_STYLE_SHARE = 0.01
"""A style with more grey of its own than this may well bring grey into the picture."""


# Before ----------------------------------------------------------------------------------------------------------


def before(*, settings: Settings, size: tuple[int, int], styles: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """What an order should change before it is painted, a sentence or two each; empty where nothing is off.

    `size` is the result's (width, height) in pixels, `styles` the (width, height) of the style pictures.
    """
    told = (_soft_style(settings, max(size), style) for style in styles)
    names = ["The style picture"] if len(styles) == 1 else [f"Style picture {n}" for n in range(1, len(styles) + 1)]
    return tuple(f"{name} {words}" for name, words in zip(names, told, strict=True) if words)


def _soft_style(settings: Settings, longest: int, style: tuple[int, int]) -> str:
    shown = longest * settings.style_scale
    factor = shown / max(style)
    if factor <= ENLARGED:
        return ""
    size, strokes = int(settings.size / factor), int(100 * settings.style_scale / factor)
    ways = ["take a larger copy of it"]
    ways += [f"choose a size of at most {size} px"] if size >= MIN_SIZE else []
    ways += [f"a stroke size of at most {strokes} %"] if strokes >= 100 * SMALLEST_STROKES else []
    return (
        f"is small and will be enlarged {factor:.1f} times, so its strokes get soft: it has {style[0]} × {style[1]} "
        f"pixels and is shown {round(shown)} px wide or high. {_sentence(ways)}"
    )


# After -----------------------------------------------------------------------------------------------------------


def after(*, result: Result, content: np.ndarray, styles: Sequence[np.ndarray]) -> tuple[str, ...]:
    """What is off with a result and what to change, a sentence or two each; empty where nothing is.

    `content` and `styles` are the pictures it was painted from, (h, w, 3) float32 sRGB in [0, 1] of any size.
    """
    found = (_recovered(result), _flat_style(result), _grey_patches(result, content, styles))
    return tuple(words for words in found if words)


def _recovered(result: Result) -> str:
    told_already = "not finite" in result.message
    if told_already or not any("not finite" in note for note in result.notes):
        return ""
    return (
        "The losses stopped being numbers on the way: the run went back to the last good picture and halved the step. "
        "If the result looks off, lower the learning rate or the weights."
    )


def _flat_style(result: Result) -> str:
    if not _style_hardly_fell(result):
        return ""
    settings = result.settings
    by_strength = settings.strength is not None and settings.style_weight is None
    ways = ["raise the strength" if by_strength else "raise the style weight"]
    if len(_last_scale(result)) < FEW_ITERATIONS:
        ways.insert(0, "allow more iterations")
    if settings.formula == "balanced" and settings.content_weight > 1:
        ways.append("lower the content weight")
    if settings.optimizer != "lbfgs":
        ways.append("choose L-BFGS as the optimiser")
    return f"The picture hardly took on the style: its style loss hardly fell at full size. {_sentence(ways)}"


def _style_hardly_fell(result: Result) -> bool:
    """Also False where the losses can't tell: the run was cut short, or its weights changed meanwhile."""
    if result.status not in (Status.FINISHED, Status.CONVERGED) or not result.history:
        return False
    settings, first, kept = result.settings, _last_scale(result)[0], result.losses
    weights = {"strength", "style_weight"}
    if any(weights & set(change.after) and change.evaluation >= first.evaluation for change in result.changes):
        return False
    # A run from a picture may begin where another one ended; there is nothing left to fall.
    fell = settings.init == "picture" or kept.style < (1 - HARDLY_FELL) * first.style or first.style == 0
    if settings.formula != "balanced":
        return settings.effective_style_weight > 0 and not fell
    # The balanced formula counts in style losses of the photograph at the same size: without its weight, that is 1.
    weight = settings.effective_style_weight
    if weight <= LITTLE_STYLE_WEIGHT or kept.style < IN_STYLE * weight:
        return False
    return not fell or kept.style > (1 - HARDLY_FELL) * weight


def _last_scale(result: Result) -> list[LossRow]:
    return [row for row in result.history if row.scale == result.history[-1].scale]


def _grey_patches(result: Result, content: np.ndarray, styles: Sequence[np.ndarray]) -> str:
    if any(_grey(_patches(style)).mean() > GREY_STYLE_SHARE for style in styles):
        return ""
    height, width = result.picture.shape[:2]
    patches = _patches(result.picture)
    lively = _lively(_patches(image.resize(content, (width, height))))
    if (_grey(patches) & lively).mean() <= GREY_SHARE:
        return ""
    settings = result.settings
    ways = []
    if settings.tv_weight > 0:
        ways.append("lower the variation weight")
    if settings.init == "noise":
        ways.append("start from the photograph instead of noise")
    if settings.optimizer == "adam":
        ways.append("raise epsilon")  # https://github.com/jcjohnson/neural-style/issues/428
    ways += ["allow more iterations", "raise the content weight"]
    return f"Parts of the picture are grey and flat where the photograph has colour or detail. {_sentence(ways[:3])}"


def _sentence(ways: Sequence[str]) -> str:
    text = ", or ".join(ways)
    return f"{text[0].upper()}{text[1:]}."


# Grey patches ----------------------------------------------------------------------------------------------------


def _patches(picture: np.ndarray) -> np.ndarray:
    """The picture cut into patches at `GREY_SIDE`: (rows, columns, PATCH * PATCH, 3); what is left over is left out."""
    height, width = picture.shape[:2]
    scale = min(1, GREY_SIDE / max(width, height))
    size = tuple(max(PATCH, round(length * scale)) for length in (width, height))
    small = image.resize(picture, size)
    rows, columns = size[1] // PATCH, size[0] // PATCH
    cut = small[: rows * PATCH, : columns * PATCH].reshape(rows, PATCH, columns, PATCH, 3)
    return cut.transpose(0, 2, 1, 3, 4).reshape(rows, columns, PATCH * PATCH, 3)


def _measured(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean chroma, spread of the luminance, and mean luminance, each (rows, columns)."""
    luminance = patches @ np.array([0.299, 0.587, 0.114], np.float32)
    chroma = (patches.max(axis=-1) - patches.min(axis=-1)).mean(axis=-1)
    return chroma, luminance.std(axis=-1), luminance.mean(axis=-1)


def _grey(patches: np.ndarray) -> np.ndarray:
    chroma, spread, light = _measured(patches)
    low, high = GREY_LIGHTS
    return (chroma < GREY_CHROMA) & (spread < GREY_SPREAD) & (light > low) & (light < high)


def _lively(patches: np.ndarray) -> np.ndarray:
    chroma, spread, _ = _measured(patches)
    return (chroma > LIVELY_CHROMA) | (spread > LIVELY_SPREAD)
