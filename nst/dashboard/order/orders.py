"""The Studio's end of the form: what a picture will take, what to know before, and the buttons that order it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from nst import advice, estimate, image, weights
from nst.config import Settings
from nst.dashboard import service
from nst.dashboard.order import chosen, painting
from nst.dashboard.order.chosen import Chosen
from nst.dashboard.order.recall import Base
from nst.dashboard.parts import duration, plain
from nst.dashboard.watch import proofs
from nst.errors import NSTError
from nst.estimate import Estimate, Machine
from nst.jobs import Order

MISSING = "Choose a photograph and at least one style to begin."


def actions(base: Base, settings: Settings | None) -> None:
    """Paint and Proofs, with what to expect of them."""
    pictures, network = chosen.get(), weights.choose(service.network_choice(), base.network)
    with st.container(horizontal=True):
        pressed = st.button(
            "Paint",
            type="primary",
            icon=":material/brush:",
            width="stretch",
            disabled=not (pictures.photograph and pictures.styles and settings),
            key="paint",
        )
        trouble = proofs.button(pictures, settings)
    described = weights.describe(network)
    if settings is None or pictures.photograph is None or not pictures.styles:
        st.caption(MISSING)
    else:
        _expect(base, pictures, settings, described.name)
        if pressed:
            trouble = _submit(pictures, settings, network)
    if trouble:
        st.error(plain(trouble))
    st.caption(plain(f"Network: {described.text}."))


def _submit(pictures: Chosen, settings: Settings, network: str | None) -> str | None:
    """Queue the order; returns what went wrong."""
    assert pictures.photograph
    initial = pictures.initial if settings.init == "picture" else None
    styles = tuple(replace(style, weight=1.0) for style in pictures.styles)  # the settings have the weights
    try:
        service.jobs().submit(Order(pictures.photograph, styles, settings, network=network, initial=initial))
    except NSTError as error:
        return str(error)
    return None


# What to expect --------------------------------------------------------------------------------------------------


def _expect(base: Base, pictures: Chosen, settings: Settings, network: str) -> None:
    """How long it takes and how much memory, whether that fits, and what is worth knowing before."""
    assert pictures.photograph
    gallery = service.gallery()
    try:
        width, height = gallery.input_size(pictures.photograph)
        styles = [gallery.input_size(style) for style in pictures.styles]
        expected = estimate.estimate(
            settings,
            (width, height),
            network=network,
            styles=len(styles),
            machine=Machine.load(gallery.machine_path),
        )
        told = advice.before(
            settings=settings, size=image.fitted_size(width, height, settings.size, settings.side), styles=styles
        )
    except NSTError as error:  # such as a photograph too thin for this size
        st.warning(plain(str(error)))
        return
    words = f"About {duration(expected.seconds)} and {_gigabytes(expected.peak_bytes)} on this computer."
    st.caption(plain(words), help=plain(expected.basis))
    if not expected.fits:
        _too_large(base, expected)
    for sentence in told:
        st.caption(f":material/lightbulb: {plain(sentence)}")


def _too_large(base: Base, expected: Estimate) -> None:
    needed, there = _gigabytes(expected.peak_bytes), _gigabytes(expected.available_bytes)
    st.warning(plain(f"This needs about {needed} of memory; {there} are free."), icon=":material/memory:")
    if not expected.largest_size:
        return
    st.button(
        f"Use {expected.largest_size} px instead",
        icon=":material/photo_size_select_small:",
        key="use_fitting",
        on_click=_use_size,
        args=(painting.size_key(base), expected.largest_size),
    )


def _use_size(key: str, size: int) -> None:
    st.session_state[key] = size


def _gigabytes(amount: float) -> str:
    """Bytes in words: 0.4 GB, 1.6 GB, 23 GB."""
    billions = amount / 1e9
    return f"{max(billions, 0.1):.1f} GB" if billions < 10 else f"{billions:.0f} GB"
