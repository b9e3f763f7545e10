"""The Studio's left side: choosing pictures and settings, and handing the order to the queue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, get_args

import streamlit as st

from nst import image, samples, weights
from nst.config import DEFAULT_PRESET, MAX_STYLES, PRESETS, Init, OptimizerName, Padding, Pooling, Settings, preset
from nst.dashboard import service
from nst.dashboard.parts import picture, plain
from nst.errors import NSTError
from nst.gallery import Input
from nst.jobs import Order

UPLOAD_TYPES = ["jpg", "jpeg", "png", "webp", "tif", "tiff", "avif"]
OWN, SAMPLES = "Your pictures", "Samples"
SAMPLE_THUMBNAIL = (240, 180)
SIZES = (256, 384, 512, 640, 768, 1024, 1536, 2048)
CLASSICS = "Classics"
THUMBNAIL_WIDTH = 150


# Pictures --------------------------------------------------------------------------------------------------------


def choose_photograph() -> Input | None:
    """The picture to be painted, stored in the gallery, or None while there is none."""
    if _source("Photograph") == SAMPLES:
        keys = [sample.key for sample in samples.photographs()]
        _shelf(keys)
        picked = st.pills(
            "Sample photograph",
            keys,
            key="photograph_sample",
            format_func=_sample_title,
            label_visibility="collapsed",
            wrap=True,
        )
        if picked:
            st.caption(plain(f"Photograph: {samples.SAMPLES[picked].credit}"))
        return _sample(picked) if picked else None
    file = st.file_uploader("Photograph", UPLOAD_TYPES, key="photograph_upload", label_visibility="collapsed")
    stored = _stored(file) if file else None
    if stored:
        _thumbnails([stored])
    return stored


def choose_styles() -> list[Input]:
    """One or more style pictures, stored in the gallery; empty while there are none."""
    if _source("Style") == SAMPLES:
        keys = [sample.key for sample in samples.styles()]
        _shelf(keys)
        picked = st.pills(
            "Sample styles",
            keys,
            selection_mode="multi",
            key="style_sample",
            format_func=_sample_title,
            label_visibility="collapsed",
            wrap=True,
        )
        return [found for key in picked if (found := _sample(key))]
    files = st.file_uploader(
        "Style pictures", UPLOAD_TYPES, accept_multiple_files=True, key="style_upload", label_visibility="collapsed"
    )
    if len(files) > MAX_STYLES:
        st.warning(f"At most {MAX_STYLES} styles are blended; the first {MAX_STYLES} are used.")
    stored = [found for file in files[:MAX_STYLES] if (found := _stored(file))]
    if stored:
        _thumbnails(stored)
    return stored


def _source(what: str) -> str:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader(what, anchor=False, width="content")
        return st.segmented_control(
            f"Where the {what.lower()} comes from",
            [OWN, SAMPLES],
            default=OWN,
            required=True,
            key=f"{what.lower()}_source",
            label_visibility="collapsed",
        )


def _stored(file: Any) -> Input | None:
    """An upload as an input of the gallery; a message on the page where it is no picture."""
    known = st.session_state.setdefault("stored", {})
    if file.file_id not in known or not service.gallery().input_path(known[file.file_id]).is_file():
        try:
            with st.spinner("Reading the picture"):
                known[file.file_id] = service.gallery().add_input(file.getvalue(), file.name)
        except NSTError as error:
            st.error(plain(f"{file.name}: {error}"), icon=":material/broken_image:")
            return None
    return known[file.file_id]


def _thumbnails(inputs: Sequence[Input]) -> None:
    with st.container(horizontal=True, gap="small"):
        for chosen in inputs:
            with st.container(width=THUMBNAIL_WIDTH):
                picture(partial(service.gallery().input_thumbnail, chosen), alt=chosen.label)


def _shelf(keys: Sequence[str]) -> None:
    with st.grid("auto", min_column_width=96, gap="xsmall"):
        for key in keys:
            picture(partial(_sample_thumbnail, key), alt=_sample_title(key))


def _sample_title(key: str) -> str:
    return samples.SAMPLES[key].title


@st.cache_data(show_spinner="Painting the samples", max_entries=32)
def _sample_thumbnail(key: str) -> bytes:
    painted = samples.SAMPLES[key].paint
    rgb = samples.picture(key, *SAMPLE_THUMBNAIL) if painted else image.load(samples.file(key)).rgb
    return image.thumbnail(rgb, None, max(SAMPLE_THUMBNAIL))


@st.cache_data(show_spinner="Painting the sample", max_entries=16)
def _sample_file(key: str) -> bytes:
    return samples.file(key)


def _sample(key: str) -> Input | None:
    """A sample as an input of the gallery; a message on the page where it can't be had."""
    try:
        return sample_input(key)
    except NSTError as error:
        st.error(plain(str(error)), icon=":material/broken_image:")
        return None


def sample_input(key: str) -> Input:
    """A sample, stored in the gallery like any other picture."""
    return service.gallery().add_input(_sample_file(key), samples.SAMPLES[key].title)


# Settings --------------------------------------------------------------------------------------------------------


def choose_settings(*, styles: int) -> dict[str, Any]:
    """The everyday choices: preset, size, strength, and shares where there are several styles."""
    st.subheader("Painting", anchor=False)
    name = _choose_preset()
    base = preset(name)
    chosen: dict[str, Any] = {"preset": name, "size": _choose_size(name, base)}
    if base.strength is not None:
        chosen["strength"] = float(_choose_strength(name, base.strength))
    if styles > 1:
        chosen["style_weights"] = _choose_shares(styles)
    return chosen


def _choose_strength(name: str, default: float) -> int:
    return st.slider(
        "Strength",
        0,
        100,
        int(default),
        key=f"strength_{name}",
        help="0 stays with the photograph, 100 is all style. It means the same for any pictures and size.",
    )


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
    )
    if choice == CLASSICS:
        classics = [name for name in PRESETS if name not in everyday]
        choice = st.selectbox("Classic program", classics, format_func=lambda name: PRESETS[name].title, key="classic")
    st.caption(PRESETS[choice].description)
    return choice


def _choose_size(name: str, base: Settings) -> int:
    label = "Longest side, pixels" if base.side == "longest" else "Height, pixels"
    options = sorted({*SIZES, base.size})
    return st.select_slider(label, options, base.size, key=f"size_{name}")


def _choose_shares(styles: int) -> tuple[float, ...]:
    shares = [st.slider(f"Share of style {i + 1}", 0, 100, 50, key=f"share_{i}") for i in range(styles)]
    return tuple(float(share) for share in shares)


def choose_expert(chosen: dict[str, Any]) -> Settings | None:
    """The settings to paint with: the preset, what was chosen, and the options that few people need.

    None, with a message on the page, where they contradict each other.
    """
    base = preset(chosen["preset"])
    with st.expander("Expert options", icon=":material/tune:"):
        left, right = st.columns(2)
        with left:
            steps = _choose_steps(base)
        with right:
            weights = _choose_weights(base)
        optimizer = st.segmented_control(
            "Optimiser",
            get_args(OptimizerName),
            default=base.optimizer,
            required=True,
            format_func={"lbfgs": "L-BFGS", "adam": "Adam", "sgd": "SGD"}.__getitem__,
            key=f"optimizer_{base.preset}",
        )
    try:
        return base.with_optimizer(optimizer).replace(**chosen, **steps, **weights)
    except NSTError as error:
        st.error(plain(str(error)))
        return None


def _choose_steps(base: Settings) -> dict[str, Any]:
    """Where to start and how long to go on; widgets are named after the preset: each has its own values."""
    name = base.preset
    iterations = st.number_input("Iterations, at most", 1, 100_000, base.iterations, key=f"iterations_{name}")
    scales = st.number_input("Scales, coarse to fine", 1, 6, base.scales, key=f"scales_{name}")
    init = st.selectbox(
        "Start from",
        [word for word in get_args(Init) if word != "picture"],
        format_func={"content": "Photograph", "statistics": "Style colours", "noise": "Noise"}.__getitem__,
        key=f"init_{name}",
    )
    seed = st.number_input("Seed", 0, 2**31 - 1, base.seed, key=f"seed_{name}")
    percent = st.slider("Stroke size, %", 25, 200, round(100 * base.style_scale), 5, key=f"scale_{name}")
    return {
        "iterations": iterations,
        "scales": scales,
        "coarse_iterations": base.coarse_iterations or (base.iterations if scales > 1 else 0),
        "init": init,
        "seed": seed,
        "style_scale": percent / 100,
    }


def _choose_weights(base: Settings) -> dict[str, Any]:
    """The weights of the losses, and how the network looks at the pictures."""
    name = base.preset
    return {
        "content_weight": _weight("Content weight", base.content_weight, key=f"content_weight_{name}"),
        "style_weight": st.number_input(
            "Style weight",
            0.0,
            1e12,
            base.style_weight,
            format="%g",
            placeholder="From the strength",
            help="Overrides the strength when set.",
            key=f"style_weight_{name}",
        ),
        "tv_weight": _weight("Variation weight", base.tv_weight, key=f"tv_{name}"),
        "pooling": st.selectbox(
            "Pooling",
            get_args(Pooling),
            get_args(Pooling).index(base.pooling),
            format_func=str.capitalize,
            key=f"pooling_{name}",
        ),
        "padding": st.selectbox(
            "Borders",
            get_args(Padding),
            get_args(Padding).index(base.padding),
            format_func={"zero": "Classic, zeros", "edge": "Repeat the edge"}.__getitem__,
            key=f"padding_{name}",
        ),
    }


def _weight(label: str, value: float, *, key: str) -> float:
    return st.number_input(label, 0.0, 1e12, value, format="%g", key=key)


def paint_button(content: Input | None, styles: Sequence[Input], settings: Settings | None) -> None:
    """Queue the order when pressed; what is missing, or went wrong, is said below it."""
    ready = content is not None and bool(styles) and settings is not None
    name = settings.preset if settings else DEFAULT_PRESET
    network = weights.choose(service.network_choice(), PRESETS[name].network)
    pressed = st.button(
        "Paint", type="primary", icon=":material/brush:", width="stretch", disabled=not ready, key="paint"
    )
    if content is None or not styles or settings is None:
        st.caption("Choose a photograph and at least one style to begin.")
    elif pressed:
        try:
            service.jobs().submit(Order(content, tuple(styles), settings, network=network))
        except NSTError as error:
            st.error(plain(str(error)))
    st.caption(plain(f"Network: {weights.describe(network).text}."))
