"""What is chosen in the Studio: pictures of the gallery, kept for as long as the visit, wherever they came from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from nst.config import MAX_STYLES
from nst.dashboard import service
from nst.gallery import Input

KEY = "chosen"


@dataclass(frozen=True)
class Chosen:
    """The pictures of the next order."""

    photograph: Input | None = None
    styles: tuple[Input, ...] = ()
    """At most `MAX_STYLES`, each once; the weights are those that a recalled result had, else 1."""
    initial: Input | None = None
    """The picture to start from, where the settings say "picture"."""


def get() -> Chosen:
    """What is chosen now."""
    found = st.session_state.get(KEY)
    return found if isinstance(found, Chosen) else Chosen()


def put(chosen: Chosen) -> None:
    st.session_state[KEY] = chosen


def take_photograph(picture: Input) -> None:
    put(replace(get(), photograph=picture))


def add_style(picture: Input) -> bool:
    """Choose one more style; False where there are as many as can be blended."""
    styles = get().styles
    if has_style(picture):
        return True
    if len(styles) >= MAX_STYLES:
        return False
    put(replace(get(), styles=(*styles, picture)))
    return True


def remove_photograph(picture: Input) -> None:
    if get().photograph == picture:
        put(replace(get(), photograph=None))


def remove_style(picture: Input) -> None:
    put(replace(get(), styles=tuple(style for style in get().styles if style.sha256 != picture.sha256)))


def has_style(picture: Input) -> bool:
    return any(style.sha256 == picture.sha256 for style in get().styles)


def drop_missing() -> list[Input]:
    """Let go of pictures whose files somebody has removed from the gallery, and return them."""
    chosen = get()
    pictures = [picture for picture in (chosen.photograph, *chosen.styles) if picture]
    missing = [picture for picture in pictures if not service.gallery().input_path(picture).is_file()]
    if missing:
        kept = tuple(style for style in chosen.styles if style not in missing)
        put(replace(chosen, styles=kept, photograph=None if chosen.photograph in missing else chosen.photograph))
    return missing


def present(picture: Input | None) -> Input | None:
    """The picture, where its file is in the gallery."""
    return picture if picture and service.gallery().input_path(picture).is_file() else None
