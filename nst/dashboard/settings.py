"""The Settings page: which network is in use, where the gallery lies, which versions run."""

from __future__ import annotations

import platform
from importlib.metadata import version

import streamlit as st

import nst
from nst import weights
from nst.dashboard import service
from nst.dashboard.parts import plain
from nst.errors import NSTError

AUTO, FILE, BUILTIN = "Find or download VGG19", "A weights file of mine", "Built-in filters"

st.title("Settings", anchor=False)
st.subheader("Network", anchor=False)
st.caption(
    "VGG19 sees pictures best. It is looked for on this computer and downloaded once; without a network the built-in "
    "filters take its place. They also paint drafts, in less than half the time, unless you name a file here."
)
chosen = service.network_choice()
current = AUTO if chosen is None else BUILTIN if chosen == weights.BUILTIN else FILE
how = st.segmented_control(
    "Network", [AUTO, FILE, BUILTIN], default=current, required=True, label_visibility="collapsed", key="network"
)
path = ""
if how == FILE:
    path = st.text_input(
        "Path of the weights file (.h5)", value=chosen if current == FILE and chosen else "", key="path"
    )
with st.container(horizontal=True):
    if st.button("Use this", type="primary", key="use", disabled=how == FILE and not path.strip()):
        wanted = {AUTO: None, FILE: path.strip(), BUILTIN: weights.BUILTIN}[how]
        try:
            if how == FILE:
                with st.spinner("Checking the file"):
                    weights.read(path.strip())  # so that a wrong file is told here, not by the next job
            service.remember(network=wanted)
            weights.forget_failure()
            st.toast("Saved. The next picture uses it.", icon=":material/check:")
        except NSTError as error:
            st.error(plain(str(error)))
    if how == AUTO and st.button("Try the download again", icon=":material/refresh:", key="retry"):
        weights.forget_failure()
        st.toast("The next picture tries the download again.")

described = weights.describe(service.network_choice())
st.text(f"In use: {described.text}")

st.subheader("Gallery", anchor=False)
st.text(str(service.gallery().root))
if st.button(
    "Rebuild the index",
    icon=":material/refresh:",
    key="rebuild",
    help="Reads every result from its folder anew, should a list and the folders ever disagree.",
):
    try:
        with st.spinner("Reading the folders"):
            rebuilt = service.gallery().rebuild()
    except NSTError as error:
        st.error(plain(str(error)))
    else:
        count = f"{rebuilt.entries} result{'' if rebuilt.entries == 1 else 's'} in the index"
        damaged = f"; {len(rebuilt.damaged)} can't be shown, see the Gallery" if rebuilt.damaged else ""
        st.toast(f"{count}{damaged}.", icon=":material/check:")

st.subheader("Versions", anchor=False)
packages = ("streamlit", "tensorflow", "keras", "numpy", "pillow", "pandas", "altair")
st.text(
    ", ".join(
        [
            f"nst {nst.__version__}",
            f"Python {platform.python_version()}",
            *(f"{name} {version(name)}" for name in packages),
        ]
    )
)
