"""The Gallery's import: zips that were exported, here or on another computer."""

from __future__ import annotations

import io
from typing import Any

import streamlit as st

from nst import exchange
from nst.dashboard import service
from nst.dashboard.collection.filters import touch
from nst.dashboard.collection.told import refused, tell, warn
from nst.dashboard.parts import counted
from nst.errors import NSTError

_TURN, _DONE = "import_turn", "import_done"


def popover() -> None:
    """A button, an uploader below it; what was taken in is told by the run that follows."""
    turn = st.session_state.get(_TURN, 0)
    if st.session_state.pop(_DONE, False):
        st.session_state["import"] = False  # closed, so that what was done is seen
    with st.popover("Import", icon=":material/upload:", type="tertiary", key="import", on_change=touch):
        st.caption("Zips that a gallery exported: results come with the pictures they were made from.")
        files = st.file_uploader(
            "Zips of results", "zip", accept_multiple_files=True, key=f"import_{turn}", label_visibility="collapsed"
        )
        if not files:
            return
        with st.spinner("Importing"):
            for file in files:
                _take(file)
    st.session_state[_DONE] = True
    st.session_state[_TURN] = turn + 1  # an uploader is emptied by being another one
    st.rerun()


def _take(file: Any) -> None:
    try:
        done = exchange.import_(service.gallery(), io.BytesIO(file.getbuffer()))
    except NSTError as error:
        return warn(f"{file.name}: {error}")
    words = [f"{counted(len(done.added))} imported"]
    if done.present:
        words.append(f"{len(done.present)} here already")
    tell(f"{', '.join(words)}.")
    refused("could not be imported", done.refused)
