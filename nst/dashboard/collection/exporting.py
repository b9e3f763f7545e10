"""The Gallery's export: the zip is made first, so that the page tells what is not in it before anyone relies on it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import streamlit as st

from nst.dashboard import service
from nst.dashboard.collection.filters import touch
from nst.dashboard.collection.told import reasons_told
from nst.dashboard.parts import counted, plain
from nst.errors import GalleryError
from nst.exchange import Exported, export

_MADE = "exported"


@dataclass(frozen=True)
class _Zip:
    """A zip that waits to be downloaded."""

    file: BinaryIO
    """On the disk, where it is as nameless as it is large; it goes with the session."""
    done: Exported


def button(ids: Sequence[str]) -> None:
    """The button that makes a zip of results."""
    pressed = st.button("Export", icon=":material/folder_zip:", key="export", on_click=touch, disabled=not ids)
    if not pressed:
        return
    forget()
    with st.spinner("Packing"):
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115  # it stays open until it is downloaded
            st.session_state[_MADE] = _Zip(file, export(service.gallery(), ids, file))
        except (GalleryError, OSError) as error:
            st.error(plain(str(error)))


def forget() -> None:
    """Let the zip go: it holds what was selected before."""
    st.session_state.pop(_MADE, None)


def notice() -> None:
    """What is in the zip, what is not and why, and the download."""
    made = st.session_state.get(_MADE)
    if made is None:
        return
    written, missing = made.done.written, made.done.refused
    with st.container(border=True, key="export_notice"):
        if missing:
            st.warning(plain(f"{counted(len(missing))} not in the zip: keep the originals. {reasons_told(missing)}"))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/folder_zip: {counted(len(written))} in the zip.", width="content")
            st.download_button(
                "Download",
                lambda: _read(made.file),
                "nst-results.zip",
                "application/zip",
                type="primary",
                icon=":material/download:",
                key="export_download",
                on_click="ignore",
                disabled=not written,
            )
            st.button("Close", icon=":material/close:", type="tertiary", key="export_close", on_click=_close)


def _read(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _close() -> None:
    touch()
    forget()
