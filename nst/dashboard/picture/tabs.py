"""How a result came to be: its losses, the pictures on the way, every setting, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from nst import timelapse
from nst.colour import Look
from nst.dashboard import service
from nst.dashboard.components.viewer import Shown, single
from nst.dashboard.parts import TALL, layer_chart, loss_chart, parameter_table, picture, plain
from nst.dashboard.picture import look
from nst.dashboard.picture.look import address
from nst.errors import GalleryError, NSTError
from nst.gallery import Entry
from nst.gallery.files import load

FINAL = "final"


def panel(entry: Entry) -> None:
    """The tabs."""
    losses, timeline, settings, origin = st.tabs(["Losses", "Timeline", "Settings", "Origin"])
    with losses:
        _losses(entry)
    with timeline:
        _timeline(entry)
    with settings:
        parameter_table(entry.settings)
    with origin:
        _origin(entry)


# Losses ------------------------------------------------------------------------------------------------------------


def _losses(entry: Entry) -> None:
    try:
        rows = service.gallery().history(entry.id)
        names, layers = service.gallery().layer_history(entry.id)
        evaluations = max(row.evaluation for row in rows)
    except (GalleryError, ValueError) as error:  # no rows at all, too
        st.caption(plain(f"The losses can't be shown. {error}"))
        return
    if layers and st.toggle("Layer by layer", key="by_layer"):
        layer_chart(names, layers, evaluations=evaluations, changes=entry.changes, key="layer_losses")
    else:
        loss_chart(rows, evaluations=evaluations, changes=entry.changes, key="losses", height=TALL)


# Timeline ----------------------------------------------------------------------------------------------------------


@st.fragment
def _timeline(entry: Entry) -> None:
    look.check(entry)
    frames = {int(path.stem): path for path in entry.frame_paths if path.stem.isdecimal()}
    if not frames:
        st.caption("No pictures were kept on the way. Ask for some in the Studio's expert options before you paint.")
        return
    scrubber, films = st.columns([7, 3], gap="large")
    with scrubber:
        steps: list[int | str] = [*sorted(frames), FINAL]
        step = st.select_slider("After evaluation", steps, steps[0], key=f"step_{entry.id}")
        # the last one in its own colours, like those before it
        src = address(entry, Look()) if step == FINAL else f"/files/frame/{entry.id}/{step}"
        told = "The finished picture" if step == FINAL else f"The picture after evaluation {step}"
        single(Shown(src, told), width=entry.width, height=entry.height, key="frame")
    with films:
        _timelapses(entry, [frames[number] for number in sorted(frames)])


def _timelapses(entry: Entry, frames: Sequence[Path]) -> None:
    kinds: tuple[tuple[str, Callable[..., bytes], str, str], ...] = (
        ("MP4", timelapse.mp4, "mp4", "video/mp4"),
        ("GIF", timelapse.gif, "gif", "image/gif"),
        ("WebP", timelapse.webp, "webp", "image/webp"),
    )
    st.caption("All of them as a film")
    with st.container(horizontal=True, gap="small"):
        for label, make, ending, mime in kinds:
            st.download_button(
                label,
                partial(_film, make, frames, entry),
                f"nst-{entry.id}.{ending}",
                mime,
                icon=":material/movie:",
                key=f"timelapse_{ending}",
            )


def _film(make: Callable[..., bytes], frames: Sequence[Path], entry: Entry) -> bytes:
    return make(frames, load(entry.picture_path).rgb)


# Origin ------------------------------------------------------------------------------------------------------------


def _origin(entry: Entry) -> None:
    if entry.parent:
        _parent(entry.parent)
    if entry.initial:
        st.text(f"Started from the picture {entry.initial.label}")
        with st.container(width=150):
            picture(partial(service.gallery().input_thumbnail, entry.initial), alt="The picture it was started from")
    st.text(f"Network: {entry.network.name}, {entry.network.source}\nsha256 {entry.network.sha256}")
    st.text("\n".join(f"{name} {version}" for name, version in entry.versions.items()))
    st.text(f"Made {entry.created}, id {entry.id}")


def _parent(entry_id: str) -> None:
    try:
        parent = service.gallery().get(entry_id)
    except NSTError:
        st.text(f"Continues a result that is no longer here, id {entry_id}")
    else:
        st.page_link("result.py", label=plain(f"Continues {parent.name}"), query_params={"id": entry_id})
