"""What the Gallery says about what was done: a callback notes it, the run that follows shows it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from nst.dashboard.parts import plain

_TOLD = "gallery_told"
_MOST_REASONS = 3


def tell(text: str) -> None:
    """A word that goes away by itself."""
    _note("toast", text)


def warn(text: str) -> None:
    """A word that stays until the next action."""
    _note("warning", text)


def refused(what: str, reasons: Mapping[str, str]) -> None:
    """Why some could not be done; nothing where all were. `reasons` are by id or name."""
    if not reasons:
        return
    warn(f"{len(reasons)} {what}. {reasons_told(reasons)}")


def reasons_told(reasons: Mapping[str, str]) -> str:
    """The first few reasons, each once."""
    distinct = list(dict.fromkeys(reasons.values()))
    return " ".join(distinct[:_MOST_REASONS]) + (" And more." if len(distinct) > _MOST_REASONS else "")


def show() -> None:
    """Draw what was noted, once."""
    for kind, text in st.session_state.pop(_TOLD, ()):
        if kind == "toast":
            st.toast(plain(text), icon=":material/check:")
        else:
            st.warning(plain(text))


def _note(kind: str, text: str) -> None:
    st.session_state.setdefault(_TOLD, []).append((kind, text))
