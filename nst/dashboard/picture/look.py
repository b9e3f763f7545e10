"""How a result looks: beside its photograph under a slider, in colours that can be changed at once, and as files."""

from __future__ import annotations

import io
from functools import partial

import streamlit as st

from nst import exchange
from nst.colour import Colours, Look
from nst.dashboard import service
from nst.dashboard.components.viewer import Shown, before_after, single
from nst.dashboard.parts import picture, plain
from nst.errors import GalleryError, NSTError
from nst.gallery import Entry, Format

COLOURS: dict[Colours, str] = {"own": "Its own", "photograph": "The photograph's", "matched": "Matched"}

FORMATS: tuple[tuple[str, Format, str, str], ...] = (
    ("PNG", "png", "png", "image/png"),
    ("JPEG", "jpeg", "jpg", "image/jpeg"),
    ("WebP", "webp", "webp", "image/webp"),
    ("TIFF", "tiff", "tif", "image/tiff"),
)


@st.fragment
def panel(entry: Entry) -> None:
    """Viewer, colours and downloads; a change of colours draws no more of the page than this."""
    check(entry)
    place = st.container()
    look = _choose(entry) if entry.content_path.is_file() else Look()
    with place:
        _viewer(entry, look)
    _downloads(entry, look)


def check(entry: Entry) -> None:
    """Draw the whole page anew where another tab has deleted the result: it says so, a failed download does not."""
    try:
        service.gallery().get(entry.id)
    except GalleryError:
        st.rerun()


def address(entry: Entry, look: Look) -> str:
    """Where the result with this look is served."""
    return f"/files/picture/{entry.id}?colours={look.colours}&blend={look.blend:g}"


def _viewer(entry: Entry, look: Look) -> None:
    result = Shown(address(entry, look), f"The result: {entry.name}", "Result")
    if not entry.content_path.is_file():
        single(result, width=entry.width, height=entry.height, key="viewer")
        st.caption(":material/broken_image: The photograph is missing: the result is shown alone, in its own colours.")
        return
    source = f"/files/input/{entry.content.sha256}?size=screen"
    photograph = Shown(source, f"The photograph: {entry.content.label}", "Photograph")
    before_after(photograph, result, width=entry.width, height=entry.height, key="viewer")


def _choose(entry: Entry) -> Look:
    """The look that is chosen now, and the means to choose and to keep it."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):  # one row, so that nothing moves
        colours = st.segmented_control(
            "Colours",
            list(COLOURS),
            default=entry.look.colours,
            required=True,
            format_func=COLOURS.__getitem__,
            key=f"colours_{entry.id}",
            help="The photograph's: its colours under the painted light and shade. Matched: the picture's own, "
            "moved to the photograph's palette. Nothing is painted anew.",
        )
        percent = st.slider(
            "Photograph to picture",
            0,
            100,
            round(100 * entry.look.blend),
            format="%d %%",
            key=f"blend_{entry.id}",
            help="0 % is the photograph, 100 % the picture.",
        )
        look = Look(colours, percent / 100)
        kept = look == entry.look
        if st.button("Keep these colours", icon=":material/palette:", key="keep_look", disabled=kept):
            _keep(entry, look)
    return look


def _keep(entry: Entry, look: Look) -> None:
    try:
        service.gallery().annotate(entry.id, look=look)
    except NSTError as error:
        st.error(plain(str(error)))
    else:
        st.rerun()


def _downloads(entry: Entry, look: Look) -> None:
    """What is shown, as files; each is made when it is asked for."""
    stem = f"nst-{entry.id}"
    missing = [picture.label for picture in entry.inputs if not service.gallery().input_path(picture).is_file()]
    deep = "16 bits a channel, for further editing."
    told = {
        "png": "Lossless, with all settings embedded.",
        "tiff": deep if entry.deep_path.is_file() else f"{deep} This result was kept with 8 bits: it has no more.",
    }
    with st.container(horizontal=True, gap="small"):
        for label, format_, ending, mime in FORMATS:
            st.download_button(
                label,
                partial(service.gallery().picture, entry.id, format_, look=look),
                f"{stem}.{ending}",
                mime,
                icon=":material/download:",
                help=told.get(format_),
                key=f"download_{format_}",
            )
        st.download_button(
            "Everything",
            partial(_everything, entry),
            f"{stem}.zip",
            "application/zip",
            icon=":material/folder_zip:",
            help=plain(f"Missing: {', '.join(missing)}. Put it back to have everything.")
            if missing
            else "Result, photograph, styles, settings and losses in one zip, which any gallery can import.",
            key="download_everything",
            disabled=bool(missing),
        )


def _everything(entry: Entry) -> bytes:
    file = io.BytesIO()
    for reason in exchange.export(service.gallery(), [entry.id], file, deep=True).refused.values():
        raise GalleryError(reason)
    return file.getvalue()


def styles(entry: Entry) -> None:
    """The pictures it took its style from."""
    with st.container(horizontal=True, gap="small"):
        for style in entry.styles:
            with st.container(width=150, gap="xsmall"):
                picture(partial(service.gallery().input_thumbnail, style), alt="The style")
                st.caption(plain(style.label))
