"""The page of one result: before and after, parameters, losses, downloads, delete."""

from __future__ import annotations

from functools import partial

import streamlit as st

from nst.dashboard import service
from nst.dashboard.parts import duration, loss_chart, parameter_table, picture, plain, preset_title
from nst.errors import GalleryError
from nst.gallery import Entry

GALLERY_PAGE = "gallery.py"


@st.dialog("Delete this result?")
def confirm_delete(entry: Entry) -> None:
    st.text(entry.name)
    st.caption("It is moved to the trash folder of the gallery; the pictures it was made from stay.")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep it", key="keep"):
            st.rerun()
        if st.button("Delete", type="primary", icon=":material/delete:", key="delete_confirmed"):
            try:
                service.gallery().delete(entry.id)
            except GalleryError as error:
                st.error(plain(str(error)))
            else:
                st.switch_page(GALLERY_PAGE)


def pictures(entry: Entry) -> None:
    """The result with its downloads, then what it was made from: in this order on a narrow screen, too."""
    after, before = st.columns([7, 3], gap="medium")
    gallery = service.gallery()
    with after:
        picture(entry.preview, alt="The result")
        downloads(entry)
    with before:
        picture(partial(gallery.input_thumbnail, entry.content), alt="The photograph")
        st.caption(plain(entry.content.label))
        for style in entry.styles:
            picture(partial(gallery.input_thumbnail, style), alt="The style")
            st.caption(plain(style.label))


def downloads(entry: Entry) -> None:
    gallery, stem = service.gallery(), f"nst-{entry.id}"
    with st.container(horizontal=True):
        st.download_button(
            "PNG",
            lambda: gallery.png(entry.id),
            f"{stem}.png",
            "image/png",
            on_click="ignore",
            icon=":material/download:",
            help="Lossless, with all settings embedded.",
        )
        st.download_button(
            "JPEG",
            lambda: gallery.jpeg(entry.id),
            f"{stem}.jpg",
            "image/jpeg",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Everything",
            lambda: gallery.export(entry.id),
            f"{stem}.zip",
            "application/zip",
            on_click="ignore",
            icon=":material/folder_zip:",
            help="Result, photograph, styles, settings and losses in one zip.",
        )
        st.space("stretch")
        if st.button("Delete", icon=":material/delete:", key="delete"):
            confirm_delete(entry)


def facts(entry: Entry) -> None:
    """What it took, in a line of figures."""
    with st.grid("auto", min_column_width=150):
        st.metric("Size", f"{entry.width} × {entry.height}")
        st.metric("Preset", plain(preset_title(entry.preset)))
        st.metric("Time", duration(entry.seconds))
        st.metric("Evaluations", entry.evaluations, help=f"{entry.full_size_evaluations:.1f} at full size")


if st.button("Gallery", icon=":material/arrow_back:", type="tertiary"):
    st.switch_page(GALLERY_PAGE)

try:
    entry = service.gallery().get(st.query_params.get("id", ""))
except GalleryError as error:
    st.title("Result")
    st.error(plain(str(error)))
    st.stop()

st.title(plain(entry.name), anchor=False)
st.caption(plain(f"{entry.status.capitalize()}. {entry.message}"))
pictures(entry)
facts(entry)
losses, settings, origin = st.tabs(["Losses", "Settings", "Origin"])
with losses:
    try:
        rows = service.gallery().history(entry.id)
        loss_chart(rows, evaluations=max(row.evaluation for row in rows), key="losses")
    except (GalleryError, ValueError) as error:  # no rows at all, too
        st.caption(plain(f"The losses can't be shown. {error}"))
with settings:
    parameter_table(entry.settings)
with origin:
    st.text(f"Network: {entry.network.name}, {entry.network.source}\nsha256 {entry.network.sha256}")
    st.text("\n".join(f"{name} {version}" for name, version in entry.versions.items()))
    st.text(f"Made {entry.created}, id {entry.id}")
