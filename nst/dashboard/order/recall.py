"""Recall: the Studio's form filled from a result, or from what a picture says about itself.

A page asks with `st.session_state["recall"] = {"entry": id, "what": "all" | "all but the seed" | "style"}`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from nst.config import BUILTIN, Settings
from nst.dashboard import service
from nst.dashboard.order import chosen
from nst.dashboard.parts import plain
from nst.errors import NSTError
from nst.gallery import Input
from nst.precision import reopened
from nst.result import NetworkInfo

ASKED, BASE, TOLD = "recall", "base", "recall_told"
ALL, ALL_BUT_THE_SEED, STYLE = "all", "all but the seed", "style"
MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class Base:
    """Settings that the form builds upon, those that it does not show included."""

    settings: Settings
    key: str
    """What the form's widgets are named after, so that each base has its own values."""
    name: str = ""
    """Of what was recalled; empty for a preset."""
    network: str | None = None
    """The network it prefers: "builtin", or None for the usual search."""


def base() -> Base | None:
    """What was recalled, as long as it is not let go."""
    found = st.session_state.get(BASE)
    return found if isinstance(found, Base) else None


def take_up() -> None:
    """Fill the form where another page asked for it; what is missing is told by `tell`."""
    asked = st.session_state.pop(ASKED, None)
    if not isinstance(asked, dict):
        return
    try:
        entry = service.gallery().get(asked.get("entry", ""))
    except NSTError as error:
        st.session_state[TOLD] = [str(error)]
        return
    if asked.get("what") == STYLE:
        take_pictures(photograph=chosen.get().photograph, styles=entry.styles, initial=chosen.get().initial)
        return
    take_pictures(photograph=entry.content, styles=entry.styles, initial=chosen.present(entry.initial))
    settings = entry.settings
    if asked.get("what") == ALL_BUT_THE_SEED:
        settings = reopened(settings.replace(seed=secrets.randbelow(MAX_SEED)))
    use(settings, name=entry.name, network=entry.network)


def use(settings: Settings, *, name: str, network: NetworkInfo | None) -> None:
    """Build the form upon these settings; the weights of the styles go with the styles."""
    if settings.init == "picture" and chosen.get().initial is None:
        settings = settings.replace(init="content")
        _tell_also("The picture it started from is not in this gallery: the form says Photograph instead.")
    number = st.session_state.get("recalled", 0) + 1
    st.session_state["recalled"] = number
    preferred = BUILTIN if network and network.name == BUILTIN else None
    st.session_state[BASE] = Base(settings.replace(style_weights=()), f"recalled-{number}", name, preferred)


def release() -> None:
    """Back to the presets; the pictures stay."""
    st.session_state.pop(BASE, None)
    chosen.put(replace(chosen.get(), initial=None))


def take_pictures(*, photograph: Input | None, styles: Sequence[Input], initial: Input | None) -> None:
    """Choose the pictures of something recalled, with the weights that its styles had."""
    chosen.put(chosen.Chosen(photograph, tuple(styles), initial))
    if gone := chosen.drop_missing():
        names = ", ".join(picture.label for picture in gone)
        _tell_also(f"No longer in the gallery: {names}. Choose another in its place.")


def _tell_also(text: str) -> None:
    st.session_state[TOLD] = [*st.session_state.get(TOLD, []), text]


def tell() -> None:
    """What could not be filled in, once."""
    for text in st.session_state.pop(TOLD, []):
        st.warning(plain(text))
