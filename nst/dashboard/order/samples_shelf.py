"""The samples as the pages need them: small for the shelf, and stored in the gallery once one is taken."""

from __future__ import annotations

import streamlit as st

from nst import image, samples
from nst.dashboard import service
from nst.gallery import Input

THUMBNAIL = (240, 180)
TAKEN = "samples_taken"


def taken(key: str) -> Input | None:
    """What a sample became in the gallery, where it was taken during this visit."""
    found: Input | None = st.session_state.get(TAKEN, {}).get(key)
    return found


def take(key: str) -> Input:
    """A sample, stored in the gallery like any other picture; raises `NSTError` where it can't be had."""
    stored = service.gallery().add_input(_file(key), samples.SAMPLES[key].title)
    st.session_state.setdefault(TAKEN, {})[key] = stored
    return stored


@st.cache_data(show_spinner="Painting the samples", max_entries=32)
def thumbnail(key: str) -> bytes:
    """A small JPEG of a sample; raises `NSTError` where it can't be had."""
    painted = samples.SAMPLES[key].paint
    rgb = samples.picture(key, *THUMBNAIL) if painted else image.load(samples.file(key)).rgb
    return image.thumbnail(rgb, None, max(THUMBNAIL))


@st.cache_data(show_spinner="Painting the sample", max_entries=16)
def _file(key: str) -> bytes:
    return samples.file(key)
