"""Proofs: many small pictures of different settings to choose from, and the full picture of the one chosen."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from nst import weights
from nst.config import BUILTIN, PRESETS, Settings
from nst.dashboard import service
from nst.dashboard.order import variants
from nst.dashboard.order.chosen import Chosen
from nst.dashboard.parts import plain
from nst.errors import NSTError
from nst.jobs import Order, Proof, Snapshot

STROKES, SEEDS = "Strength and strokes", "Seeds"
DIFFER = {STROKES: "strength and stroke size", SEEDS: "the seed"}
COLUMN = 130


def button(pictures: Chosen, settings: Settings | None) -> str | None:
    """Draw the button with its choice of what to vary; returns what went wrong when the order was handed over."""
    kinds = _kinds(settings)
    ready = bool(settings and pictures.photograph and pictures.styles and kinds)
    with st.popover("Proofs", icon=":material/grid_view:", disabled=not ready, help=_why_not(settings, kinds)):
        if not ready or settings is None or pictures.photograph is None:
            return None
        kind = kinds[0]
        if len(kinds) > 1:
            kind = st.segmented_control(
                "Vary", kinds, default=kind, required=True, key="proofs_kind", label_visibility="collapsed"
            )
        sheet = variants.seeds(settings) if kind == SEEDS else variants.strengths_and_strokes(settings)
        st.caption(f"{len(sheet)} small pictures that differ in {DIFFER[kind]}. Paint the one you like in full.")
        if not st.button("Make proofs", type="primary", icon=":material/grid_view:", key="proofs"):
            return None
        # the order keeps the settings of the full picture; the proofs are painted with the quicker filters
        order = Order(pictures.photograph, pictures.styles, settings, network=BUILTIN, variants=sheet)
        try:
            service.jobs().submit(order)
        except NSTError as error:
            return str(error)
    return None


def _kinds(settings: Settings | None) -> list[str]:
    if settings is None:
        return []
    strength = [STROKES] if variants.can_vary_strength(settings) else []
    return strength + ([SEEDS] if variants.can_vary_seed(settings) else [])


def _why_not(settings: Settings | None, kinds: list[str]) -> str | None:
    if settings is None or kinds:
        return None
    return "Proofs vary the strength and the stroke size. These settings have a style weight of their own instead."


def sheet(job: Snapshot) -> None:
    """The proofs made so far, each with the way to its full picture."""
    made = job.order.variants
    with st.grid(3, min_column_width=COLUMN):
        for number, proof in enumerate(job.proofs):
            with st.container(gap="xsmall"):
                told = variants.caption(proof.settings, made)
                st.image(proof.picture, width="stretch", alt=told)
                st.caption(plain(told))
                st.button(
                    "Paint this",
                    icon=":material/brush:",
                    key=f"proof_{job.id}_{number}",
                    on_click=_paint,
                    args=(job, proof),
                    width="stretch",
                )


def _paint(job: Snapshot, proof: Proof) -> None:
    try:
        start = service.gallery().add_input(proof.picture, f"proof of {job.name}")
        service.jobs().submit(
            replace(
                job.order,
                settings=variants.painted_from(job.order.settings, proof.settings),
                network=network_for(job.order.settings.preset),
                initial=start,
                variants=(),
            )
        )
    except NSTError as error:
        st.toast(plain(str(error)), icon=":material/error:")
    else:
        st.toast("The full picture is in the queue.", icon=":material/brush:")


def network_for(preset: str) -> str | None:
    """The network to ask for: what the user chose, else what the preset prefers."""
    return weights.choose(service.network_choice(), PRESETS[preset].network if preset in PRESETS else None)
