"""What the pages share: the gallery, the job manager and the user's preferences, one of each a process.

Streamlit redefines what a page defines on every run, so anything that must outlive a run lives in this module.
"""

from __future__ import annotations

import atexit
import json
import logging
from typing import Any

import streamlit as st

from nst.errors import GalleryError
from nst.files import write_atomically
from nst.gallery import Gallery, default_root
from nst.jobs import JobManager

log = logging.getLogger(__name__)

SHUTDOWN_PATIENCE = 30.0
"""Seconds that a server being stopped waits for the evaluation it is in."""


@st.cache_resource(show_spinner=False)
def gallery() -> Gallery:
    """The gallery on disk; opening it does not load TensorFlow."""
    return Gallery(default_root())


@st.cache_resource(show_spinner=False)
def jobs() -> JobManager:
    """The queue and its one TensorFlow thread, which keeps the loaded extractor and the style targets."""
    manager = JobManager(gallery(), preferred=network_choice)
    atexit.register(manager.close, patience=SHUTDOWN_PATIENCE)  # Ctrl-C keeps the picture that is being painted
    return manager


def preferences() -> dict[str, Any]:
    """What the user chose on the settings page; empty where nothing was, or where the file can't be read."""
    try:
        found = json.loads(gallery().preferences_path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        log.warning("The preferences could not be read: %s", error)
        return {}
    return found if isinstance(found, dict) else {}


def remember(**changes: Any) -> None:
    """Keep preferences for the next visit; raises `GalleryError` when they can't be written."""
    try:
        write_atomically(gallery().preferences_path, json.dumps(preferences() | changes).encode())
    except OSError as error:
        raise GalleryError(f"The settings could not be saved: {error}. Free some space and try again.") from error


def network_choice() -> str | None:
    """A weights file or "builtin", where the user named one on the settings page."""
    chosen = preferences().get("network")
    if not isinstance(chosen, str) or not chosen.isprintable():  # the file may hold anything
        return None
    return chosen or None
