"""The Studio's settings: a preset or what was recalled, the everyday choices, and what few people need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import streamlit as st

from nst.config import DEFAULT_PRESET, PRESETS, Init, OptimizerName, Padding, Pooling, Settings, preset
from nst.dashboard.order import chosen, recall
from nst.dashboard.order.recall import Base
from nst.dashboard.parts import plain
from nst.errors import NSTError
from nst.gallery import Input

SIZES = (256, 384, 512, 640, 768, 1024, 1536, 2048)
CLASSICS = "Classics"
INITS = {"content": "Photograph", "statistics": "Style colours", "noise": "Noise", "picture": "Another picture"}
PRECISIONS = {"auto": "The quicker one here", "float32": "Full, float32", "mixed": "Mixed, bfloat16"}


def choose_base() -> Base:
    """What the form builds upon: a preset of the user's choice, or what was recalled."""
    st.subheader("Painting", anchor=False)
    recalled = recall.base()
    if not recalled:
        name = _choose_preset()
        return Base(preset(name), name, network=PRESETS[name].network)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.text(f"Settings of {recalled.name!r}")
        st.button("Reset", icon=":material/undo:", key="recall_reset", on_click=recall.release, type="tertiary")
    return recalled


def _choose_preset() -> str:
    everyday = [name for name, found in PRESETS.items() if found.settings.strength is not None]
    choice = st.segmented_control(
        "Preset",
        [*everyday, CLASSICS],
        default=DEFAULT_PRESET,
        required=True,
        key="preset",
        width="stretch",
        format_func=lambda name: PRESETS[name].title if name in PRESETS else name,
        label_visibility="collapsed",
        persist_state="session",
    )
    if choice == CLASSICS:
        classics = [name for name in PRESETS if name not in everyday]
        choice = st.selectbox(
            "Classic program",
            classics,
            format_func=lambda name: PRESETS[name].title,
            key="classic",
            persist_state="session",
        )
    st.caption(PRESETS[choice].description)
    return choice


def size_key(base: Base) -> str:
    """The key of the size's widget."""
    return f"size_{base.key}"


def choose_settings(base: Base, styles: Sequence[Input]) -> dict[str, Any]:
    """The everyday choices: size, strength, and shares where there are several styles."""
    changes: dict[str, Any] = {"size": _choose_size(base)}
    if base.settings.strength is not None:
        changes["strength"] = _choose_strength(base, base.settings.strength)
    weights = _choose_shares(styles) if len(styles) > 1 else ()
    return changes | {"style_weights": weights}


def _choose_size(base: Base) -> int:
    key, size = size_key(base), base.settings.size
    label = "Longest side, pixels" if base.settings.side == "longest" else "Height, pixels"
    options = sorted({*SIZES, size, st.session_state.get(key, size)})
    return st.select_slider(label, options, size, key=key, persist_state="session")


def _choose_strength(base: Base, strength: float) -> float:
    shown = round(strength)
    picked = st.slider(
        "Strength",
        0,
        100,
        shown,
        key=f"strength_{base.key}",
        help="0 stays with the photograph, 100 is all style. It means the same for any pictures and size.",
        persist_state="session",
    )
    return strength if picked == shown else float(picked)


def _choose_shares(styles: Sequence[Input]) -> tuple[float, ...]:
    """The weights of the styles: untouched sliders keep those they have, to the last digit."""
    weights = tuple(float(style.weight) for style in styles)
    even, most = len(set(weights)) == 1, max(weights)
    shown = [50 if even or most <= 0 else round(100 * weight / most) for weight in weights]
    picked = [
        st.slider(
            plain(f"Share of {style.label}"),
            0,
            100,
            value,
            key=f"share_{style.sha256[:12]}_{value}",
            persist_state="session",
        )
        for style, value in zip(styles, shown, strict=True)
    ]
    if picked != shown:
        return tuple(float(share) for share in picked)
    return () if set(weights) == {1.0} else weights


# Expert options --------------------------------------------------------------------------------------------------


def choose_expert(base: Base, changes: dict[str, Any]) -> Settings | None:
    """The settings to paint with: the base, what was chosen, and the options that few people need.

    None, with a message on the page, where they contradict each other.
    """
    with st.expander("Expert options", icon=":material/tune:"):
        left, right = st.columns(2)
        with left:
            steps = _choose_steps(base)
        with right:
            weights = _choose_weights(base)
        optimizer = st.segmented_control(
            "Optimiser",
            get_args(OptimizerName),
            default=base.settings.optimizer,
            required=True,
            format_func={"lbfgs": "L-BFGS", "adam": "Adam", "sgd": "SGD"}.__getitem__,
            key=f"optimizer_{base.key}",
            persist_state="session",
        )
    try:
        return base.settings.with_optimizer(optimizer).replace(**changes, **steps, **weights)
    except NSTError as error:
        st.error(plain(str(error)))
        return None


def _choose_steps(base: Base) -> dict[str, Any]:
    """Where to start and how long to go on."""
    before, key = base.settings, base.key
    iterations = st.number_input(
        "Iterations, at most", 1, 100_000, before.iterations, key=f"iterations_{key}", persist_state="session"
    )
    early = st.number_input(
        "Early iterations",
        0,
        100_000,
        before.early_iterations,
        key=f"early_{key}",
        persist_state="session",
        help="Before the others, with the built-in filters: at a quarter of the cost they go most of the way.",
    )
    scales = st.number_input(
        "Scales, coarse to fine", 1, 6, before.scales, key=f"scales_{key}", persist_state="session"
    )
    coarse = before.coarse_iterations
    if scales != before.scales and not coarse and scales > 1:
        coarse = before.iterations
    return {
        "iterations": iterations,
        "early_iterations": early,
        "scales": scales,
        "coarse_iterations": coarse,
        "init": _choose_init(base),
        "seed": st.number_input("Seed", 0, 2**31 - 1, before.seed, key=f"seed_{key}", persist_state="session"),
        "style_scale": _choose_stroke(base),
    }


def _choose_init(base: Base) -> str:
    options = [word for word in get_args(Init) if word != "picture" or chosen.get().initial]
    init = st.selectbox(
        "Start from",
        options,
        options.index(base.settings.init) if base.settings.init in options else 0,
        format_func=INITS.__getitem__,
        key=f"init_{base.key}",
        persist_state="session",
    )
    if init == "picture" and (initial := chosen.get().initial):
        st.caption(plain(f"Starts from {initial.label}."))
    return init


def _choose_stroke(base: Base) -> float:
    """The stroke size; one that no step of the slider stands for stays as it is until the slider is moved."""
    before = base.settings.style_scale
    shown = round(100 * before)
    step = 1 if shown % 5 else 5
    picked = st.slider(
        "Stroke size, %",
        min(25, shown),
        max(200, shown),
        shown,
        step,
        key=f"scale_{base.key}",
        persist_state="session",
    )
    return before if picked == shown else picked / 100


def _choose_weights(base: Base) -> dict[str, Any]:
    """The weights of the losses, and how the network looks at the pictures."""
    before, key = base.settings, base.key
    return {
        "content_weight": _weight("Content weight", before.content_weight, key=f"content_weight_{key}"),
        "style_weight": st.number_input(
            "Style weight",
            0.0,
            1e12,
            before.style_weight,
            format="%g",
            placeholder="From the strength",
            help="Overrides the strength when set.",
            key=f"style_weight_{key}",
            persist_state="session",
        ),
        "tv_weight": _weight("Variation weight", before.tv_weight, key=f"tv_{key}"),
        "pooling": st.selectbox(
            "Pooling",
            get_args(Pooling),
            get_args(Pooling).index(before.pooling),
            format_func=str.capitalize,
            key=f"pooling_{key}",
            persist_state="session",
        ),
        "padding": st.selectbox(
            "Borders",
            get_args(Padding),
            get_args(Padding).index(before.padding),
            format_func={"zero": "Classic, zeros", "edge": "Repeat the edge"}.__getitem__,
            key=f"padding_{key}",
            persist_state="session",
        ),
        "precision": st.selectbox(
            "Precision",
            list(PRECISIONS),
            list(PRECISIONS).index(before.precision),
            format_func=PRECISIONS.__getitem__,
            help="Mixed (bfloat16) is quicker on processors and graphics cards made for it, and much slower on others. "
            "Losses differ by less than 1 %.",
            key=f"precision_{key}",
            persist_state="session",
        ),
    }


def _weight(label: str, value: float, *, key: str) -> float:
    return st.number_input(label, 0.0, 1e12, value, format="%g", key=key, persist_state="session")
