"""The page of one result: before and after, its colours, downloads, ways to go on, and how it came to be."""

from __future__ import annotations

import streamlit as st

from nst.dashboard import service
from nst.dashboard.collection.filters import ADDRESS
from nst.dashboard.parts import duration, plain, preset_title, tab_title
from nst.dashboard.picture import actions, look, notes, tabs
from nst.errors import GalleryError
from nst.gallery import Entry


def facts(entry: Entry) -> str:
    """How it ended and what it took, in a line."""
    figures = (
        f"{entry.width} × {entry.height}",
        preset_title(entry.preset),
        duration(entry.seconds),
        f"{entry.evaluations} evaluation{'' if entry.evaluations == 1 else 's'}",
    )
    return f"{entry.status.capitalize()}. {entry.message} {' · '.join(figures)}"


if st.button("Gallery", icon=":material/arrow_back:", type="tertiary"):
    st.switch_page("gallery.py", query_params=st.session_state.get(ADDRESS, {}))

try:
    entry = service.gallery().get(st.query_params.get("id", ""))
except GalleryError as error:
    st.session_state.pop(notes.REFUSED, None)  # it would say the same
    tab_title("Result")
    st.title("Result")
    st.error(plain(str(error)))
    st.stop()

tab_title(entry.name)
notes.heading(entry)
st.caption(plain(facts(entry)))
picture, beside = st.columns([7, 3], gap="large")
with picture:
    look.panel(entry)
    if entry.advice:
        st.info("\n\n".join(map(plain, entry.advice)), icon=":material/lightbulb:")
with beside:
    actions.panel(entry)
    notes.panel(entry)
    look.styles(entry)
tabs.panel(entry)
