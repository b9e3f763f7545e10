"""Files dropped on the Studio that are more than a photograph: pictures made here, and exported results."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from nst import exchange
from nst.dashboard import service
from nst.dashboard.order import chosen, recall
from nst.dashboard.parts import counted, plain
from nst.errors import NSTError
from nst.exchange import Imported, Offer
from nst.gallery import Input

OFFERED, IMPORTED = "offered", "imported"
SHOWN_LINKS = 5


@dataclass(frozen=True)
class Offered:
    """A picture that tells how it was made."""

    offer: Offer
    picture: Input


def is_zip(data: bytes) -> bool:
    return data[:4] == b"PK\x03\x04"


def take_zip(data: bytes) -> None:
    """Add the results in a zip to the gallery, to be told by `draw`; raises `GalleryError`."""
    st.session_state[IMPORTED] = exchange.import_(service.gallery(), data)


def look_inside(data: bytes, stored: Input) -> None:
    """Note what a photograph tells about how it was made, to be offered by `draw`."""
    st.session_state.pop(OFFERED, None)
    try:
        offer = exchange.offered(data)
    except NSTError:  # it says something, but nothing of use: it is a photograph like any other
        return
    if offer:
        st.session_state[OFFERED] = Offered(offer, stored)


def draw() -> None:
    """What was imported, and what a picture offers."""
    imported = st.session_state.get(IMPORTED)
    if isinstance(imported, Imported):
        _tell(imported)
    offered = st.session_state.get(OFFERED)
    if isinstance(offered, Offered) and chosen.get().photograph == offered.picture:
        _offer(offered)


def _offer(offered: Offered) -> None:
    content, styles = exchange.matching(service.gallery(), offered.offer)
    with st.container(border=True):
        st.markdown("This picture was made here: use its settings?")
        st.caption(plain(_known(offered.offer, content, [style for style in styles if style])))
        with st.container(horizontal=True):
            st.button(
                "Use its settings", icon=":material/replay:", key="offer_use", on_click=_use, args=(offered.offer,)
            )
            st.button("Only as a photograph", key="offer_pass", on_click=_pass)


def _known(offer: Offer, content: Input | None, styles: list[Input]) -> str:
    """Which of the pictures it was made from are in this gallery."""
    there = [f"the photograph {content.label!r}"] if content else []
    there += [f"the style {style.label!r}" for style in styles]
    missing = bool(offer.content and not content) + len(offer.styles) - len(styles)
    told = f"In this gallery: {', '.join(there)}." if there else "None of its pictures is in this gallery."
    return f"{told} {missing} missing." if there and missing else told


def _use(offer: Offer) -> None:
    content, styles = exchange.matching(service.gallery(), offer)
    current = chosen.get()
    found = [style for style in styles if style]
    recall.take_pictures(
        photograph=content or current.photograph, styles=found or current.styles, initial=chosen.present(offer.initial)
    )
    recall.use(offer.settings, name="the dropped picture", network=offer.network)
    st.session_state.pop(OFFERED, None)


def _pass() -> None:
    st.session_state.pop(OFFERED, None)


def _tell(imported: Imported) -> None:
    """What came out of a zip, with the way to it."""
    with st.container(border=True):
        words = [f"{counted(len(imported.added))} added to the gallery."]
        if imported.present:
            words.append(f"{counted(len(imported.present))} there already.")
        st.markdown(" ".join(words))
        for entry_id in [*imported.added, *imported.present][:SHOWN_LINKS]:
            try:
                name = service.gallery().get(entry_id).name
            except NSTError:  # deleted since
                continue
            st.page_link("result.py", label=plain(name), icon=":material/image:", query_params={"id": entry_id})
        for name, reason in imported.refused.items():
            st.caption(plain(f"{name}: {reason}"))
        st.button("Dismiss", icon=":material/close:", key="imported_dismiss", on_click=_dismiss_imported)


def _dismiss_imported() -> None:
    st.session_state.pop(IMPORTED, None)
