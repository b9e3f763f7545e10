"""What the user says about a result: its name, star, rating, tags and a note; each is kept as soon as it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from nst.dashboard import service
from nst.dashboard.parts import plain
from nst.errors import NSTError
from nst.gallery import Entry


def heading(entry: Entry) -> None:
    """The name with the means to change it, and the star."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(plain(entry.name), anchor=False, width="content")
        with st.popover("Rename", icon=":material/edit:", type="tertiary"):
            key = f"name_{entry.id}"
            st.text_input("Name", entry.name, max_chars=200, key=key, on_change=_keep, args=(entry.id, "name", key))
        st.button(
            "★ Starred" if entry.starred else "☆ Star",
            type="tertiary",
            help="To find it again in the gallery, and to keep it when many are deleted.",
            key="star",
            on_click=_annotate,
            args=(entry.id,),
            kwargs={"starred": not entry.starred},
        )


def panel(entry: Entry) -> None:
    """Rating, tags and note."""
    key = f"rating_{entry.id}"
    st.feedback(
        "stars",
        key=key,
        default=entry.rating - 1 if entry.rating else None,
        on_change=_keep,
        args=(entry.id, "rating", key, lambda stars: 0 if stars is None else stars + 1),
    )
    key = f"tags_{entry.id}"
    st.multiselect(
        "Tags",
        sorted({*service.gallery().facets().tags, *entry.tags}),
        entry.tags,
        key=key,
        placeholder="Choose or type",
        accept_new_options=True,
        on_change=_keep,
        args=(entry.id, "tags", key),
    )
    key = f"note_{entry.id}"
    st.text_area("Note", entry.note, height=80, max_chars=5000, key=key, on_change=_keep, args=(entry.id, "note", key))


def _keep(entry_id: str, field: str, key: str, read: Callable[[Any], Any] = lambda value: value) -> None:
    """Keep what a widget says now."""
    _annotate(entry_id, **{field: read(st.session_state[key])})


def _annotate(entry_id: str, **changes: Any) -> None:
    try:
        service.gallery().annotate(entry_id, **changes)
    except NSTError as error:  # a callback draws above the page
        st.error(plain(str(error)))
