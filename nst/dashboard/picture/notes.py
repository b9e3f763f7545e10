"""What the user says about a result: its name, star, rating, tags and a note; each is kept as soon as it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from nst.dashboard import service
from nst.dashboard.parts import plain
from nst.errors import NSTError
from nst.gallery import Entry

REFUSED = "notes_refused"
"""In the session: why the last change was not kept, until a page has said so."""


def heading(entry: Entry) -> None:
    """The name with the means to change it, and the star; above them why the last change was not kept."""
    if refused := st.session_state.pop(REFUSED, None):
        st.error(plain(refused))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(plain(entry.name), anchor=False, width="content")
        with st.popover("Rename", icon=":material/edit:", type="tertiary"):
            key = f"name_{entry.id}"
            _follow(key, entry.name)
            st.text_input("Name", max_chars=200, key=key, on_change=_keep, args=(entry.id, "name", key))
        st.button(
            "★ Starred" if entry.starred else "☆ Star",
            type="tertiary",
            help="To find it again in the gallery. Deleting many at once leaves starred ones out.",
            key="star",
            on_click=_star,
            args=(entry.id, not entry.starred),
        )


def panel(entry: Entry) -> None:
    """Rating, tags and note."""
    _rating(entry)
    _tags(entry)
    _note(entry)


def _rating(entry: Entry) -> None:
    key = f"rating_{entry.id}"
    _follow(key, entry.rating - 1 if entry.rating else None)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="rating"):
        st.markdown(":small[Rating]", width="content")
        st.feedback(
            "stars",
            key=key,
            on_change=_keep,
            args=(entry.id, "rating", key, lambda stars: 0 if stars is None else stars + 1),
        )


def _tags(entry: Entry) -> None:
    key = f"tags_{entry.id}"
    _follow(key, list(entry.tags))
    st.multiselect(
        "Tags",
        sorted({*service.gallery().facets().tags, *entry.tags}),
        key=key,
        placeholder="Choose or type",
        accept_new_options=True,
        on_change=_keep_tags,
        args=(entry.id, key, entry.tags),
    )


def _note(entry: Entry) -> None:
    key, mine = f"note_{entry.id}", f"unkept_note_{entry.id}"
    _follow(key, entry.note)
    st.text_area("Note", height=80, max_chars=5000, key=key, on_change=_keep_note, args=(entry.id, key, entry.note))
    if mine not in st.session_state:
        return
    st.warning("The note was changed in another tab. Above is what is kept, below what you wrote here.")
    st.text(st.session_state[mine])
    with st.container(horizontal=True, gap="small"):
        st.button("Keep mine instead", key="note_mine", on_click=_settle_note, args=(entry.id, mine, True))
        st.button("Drop mine", key="note_theirs", on_click=_settle_note, args=(entry.id, mine, False))


def _follow(key: str, kept: Any) -> None:
    """Let a widget show what is kept: what it said may have been refused, or changed in another tab since."""
    if key not in st.session_state or st.session_state[key] != kept:
        st.session_state[key] = kept


def _star(entry_id: str, on: bool) -> None:
    _annotate(entry_id, starred=on)


def _keep(entry_id: str, field: str, key: str, read: Callable[[Any], Any] = lambda value: value) -> None:
    """Keep what a widget says now."""
    _annotate(entry_id, **{field: read(st.session_state[key])})


def _keep_tags(entry_id: str, key: str, shown: Sequence[str]) -> None:
    """Add and take what was added and taken here; what another tab did meanwhile stays."""
    chosen = st.session_state[key]
    try:
        kept = service.gallery().get(entry_id).tags
    except NSTError as error:
        st.session_state[REFUSED] = str(error)
        return
    left = [tag for tag in kept if tag in chosen or tag not in shown]
    _annotate(entry_id, tags=[*left, *(tag for tag in chosen if tag not in shown and tag not in left)])


def _keep_note(entry_id: str, key: str, shown: str) -> None:
    """Keep the note, unless the one that it was written over is not the one that was shown."""
    written = st.session_state[key]
    try:
        kept = service.gallery().get(entry_id).note
    except NSTError as error:
        st.session_state[REFUSED] = str(error)
        return
    if kept in (shown, written):
        _annotate(entry_id, note=written)
    else:
        st.session_state[f"unkept_note_{entry_id}"] = written


def _settle_note(entry_id: str, mine: str, keep: bool) -> None:
    written = st.session_state.pop(mine)
    if keep and not _annotate(entry_id, note=written):
        st.session_state[mine] = written


def _annotate(entry_id: str, **changes: Any) -> bool:
    """Change what is said about a result; whether it could be. Why not is told by the page that is drawn next."""
    try:
        service.gallery().annotate(entry_id, **changes)
    except NSTError as error:
        st.session_state[REFUSED] = str(error)
        return False
    return True
