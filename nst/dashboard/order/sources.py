"""Where the pictures of an order come from: uploads, the shelf of styles, the samples. What is taken is `chosen`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from nst import samples
from nst.config import MAX_STYLES
from nst.dashboard import service
from nst.dashboard.components.cards import Card, cards, settle
from nst.dashboard.order import chosen, dropped, samples_shelf, style_shelf
from nst.dashboard.parts import picture, plain
from nst.errors import NSTError
from nst.gallery import Input

MOST_MEGABYTES = 200
"""Of a file; the gallery takes larger zips."""
UPLOAD_TYPES = ["jpg", "jpeg", "png", "webp", "tif", "tiff", "avif"]
OWN, SHELF, SAMPLES = "Your pictures", "Shelf", "Samples"
PHOTOGRAPH, STYLE = "photograph", "style"
THUMBNAIL_WIDTH = 116
TOO_MANY = f"At most {MAX_STYLES} styles are blended; the first {MAX_STYLES} are used."

Told = list[tuple[Callable[..., Any], str]]


def choose_photograph() -> None:
    """Draw what leads to a photograph, and the one that is chosen."""
    source = _source("Photograph", [OWN, SAMPLES], key="photograph_source")
    _take_up(PHOTOGRAPH)
    found = chosen.get().photograph
    _chosen([found] if found else [], chosen.remove_photograph, besides=_on_cards(source, samples.photographs()))
    if source == SAMPLES:
        _samples(samples.photographs(), PHOTOGRAPH)
    else:
        _upload("Photograph", PHOTOGRAPH, types=[*UPLOAD_TYPES, "zip"], several=False)
    _tell(PHOTOGRAPH)


def choose_styles() -> None:
    """Draw what leads to styles, and those that are chosen."""
    source = _source("Style", [OWN, SHELF, SAMPLES], key="style_source")
    _take_up(STYLE)
    _chosen(chosen.get().styles, chosen.remove_style, besides=_on_cards(source, samples.styles()))
    if source == SAMPLES:
        _samples(samples.styles(), STYLE)
    elif source == SHELF:
        style_shelf.draw()
    else:
        _upload("Style pictures", STYLE, types=UPLOAD_TYPES, several=True)
    _tell(STYLE)


def _source(what: str, options: list[str], *, key: str) -> str:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader(what, anchor=False, width="content")
        return st.segmented_control(
            f"Where the {what.lower()} comes from",
            options,
            default=OWN,
            required=True,
            key=key,
            label_visibility="collapsed",
            persist_state="session",
        )


def _take_up(what: str) -> None:
    """Take what was dropped or pressed since the last run."""
    if files := st.session_state.get(_dropped(what)):
        st.session_state[_told(what)] = []
        with st.spinner("Reading the picture"):
            _take(what, files)
        st.session_state[_dropped(what)] = []
    settle(f"{what}_samples", partial(_pick_sample, what))
    if what == STYLE:
        style_shelf.take_up(_pick_from_shelf)


def _on_cards(source: str, shelf: Sequence[samples.Sample]) -> set[str]:
    """The pictures that are on the cards below, which show themselves whether they are chosen."""
    if source == SHELF:
        return {style.picture.sha256 for style in service.gallery().shelf()}
    taken = [samples_shelf.taken(sample.key) for sample in shelf] if source == SAMPLES else []
    return {found.sha256 for found in taken if found}


def _chosen(pictures: Sequence[Input], remove: Callable[[Input], None], *, besides: set[str]) -> None:
    """The chosen pictures, each with its name on a button that takes it away."""
    shown = [found for found in pictures if found.sha256 not in besides]
    if not shown:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        for found in shown:
            with st.container(width=THUMBNAIL_WIDTH, gap="xxsmall"):
                picture(partial(service.gallery().input_thumbnail, found), alt=found.label)
                st.button(
                    plain(found.label),
                    icon=":material/close:",
                    key=f"{remove.__name__}_{found.sha256[:12]}",
                    help="Remove this picture",
                    on_click=remove,
                    args=(found,),
                    type="tertiary",
                    wrap=False,
                )


# Uploads ---------------------------------------------------------------------------------------------------------


def _upload(label: str, what: str, *, types: Sequence[str], several: bool) -> None:
    """A place to drop files; it is empty again after each, since what was taken is shown as a picture."""
    key = f"{what}_upload_{st.session_state.get(_round(what), 0)}"
    st.file_uploader(
        label,
        types,
        accept_multiple_files=several,
        key=key,
        label_visibility="collapsed",
        max_upload_size=MOST_MEGABYTES,
        on_change=_uploaded,
        args=(what, key),
    )


def _round(what: str) -> str:
    return f"{what}_uploads"


def _dropped(what: str) -> str:
    return f"{what}_dropped"


def _uploaded(what: str, key: str) -> None:
    """Note the files; they are read by the run that follows, since the next click cuts a slow callback short."""
    found = st.session_state.get(key)
    files = found if isinstance(found, list) else [found] if found else []
    if files:
        st.session_state[_dropped(what)] = [(file.name, file.getvalue()) for file in files]
        st.session_state[_round(what)] = st.session_state.get(_round(what), 0) + 1


def _take(what: str, files: Iterable[tuple[str, bytes]]) -> None:
    for name, data in files:
        try:
            if what == PHOTOGRAPH and dropped.is_zip(data):
                dropped.take_zip(data)
                continue
            stored = service.gallery().add_input(data, name)
            if what == PHOTOGRAPH:
                chosen.take_photograph(stored)
                dropped.look_inside(data, stored)
            else:
                service.gallery().shelve(stored)
                _add_style(stored)
        except NSTError as error:
            _note(what, st.error, f"{name}: {error}")


def _add_style(stored: Input) -> None:
    if not chosen.add_style(stored):
        _note(STYLE, st.warning, TOO_MANY)


# Samples and the shelf -------------------------------------------------------------------------------------------


def _samples(shelf: Sequence[samples.Sample], what: str) -> None:
    current = chosen.get()
    pressed = {found.sha256 for found in (current.styles if what == STYLE else (current.photograph,)) if found}
    shown = []
    for sample in shelf:
        taken = samples_shelf.taken(sample.key)
        try:
            small = samples_shelf.thumbnail(sample.key)
        except NSTError as error:
            st.error(plain(str(error)), icon=":material/broken_image:")
            continue
        shown.append(Card(sample.key, sample.title, small, taken is not None and taken.sha256 in pressed))
    cards(f"Samples: {what}", shown, key=f"{what}_samples")
    for card in shown:
        if card.pressed and (credit := samples.SAMPLES[card.id].credit):
            st.caption(plain(f"Photograph: {credit}"))


def _pick_sample(what: str, key: str) -> None:
    if key not in samples.SAMPLES:
        return
    st.session_state[_told(what)] = []
    try:
        stored = samples_shelf.take(key)
    except NSTError as error:
        _note(what, st.error, str(error))
        return
    if what == STYLE:
        _toggle_style(stored)
    elif chosen.get().photograph == stored:
        chosen.remove_photograph(stored)
    else:
        chosen.take_photograph(stored)


def _pick_from_shelf(stored: Input) -> None:
    st.session_state[_told(STYLE)] = []
    _toggle_style(stored)


def _toggle_style(stored: Input) -> None:
    if chosen.has_style(stored):
        chosen.remove_style(stored)
    else:
        _add_style(stored)


# What went wrong -------------------------------------------------------------------------------------------------


def _told(what: str) -> str:
    return f"{what}_told"


def _note(what: str, how: Callable[..., Any], text: str) -> None:
    told: Told = st.session_state.setdefault(_told(what), [])
    if (how, text) not in told:
        told.append((how, text))


def _tell(what: str) -> None:
    """What the last upload or choice had to say; it stays until the next one."""
    for how, text in st.session_state.get(_told(what), []):
        how(plain(text), icon=":material/broken_image:" if how is st.error else ":material/info:")
