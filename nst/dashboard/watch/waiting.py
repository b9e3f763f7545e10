"""Jobs that wait: the queue, whose order may be changed, and those that were set aside."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from nst.dashboard import service
from nst.dashboard.parts import plain
from nst.errors import NSTError
from nst.jobs import Snapshot, State

SMALL = 220
"""Pixels of the pictures that are not the page's subject."""


def queue(jobs: list[Snapshot]) -> None:
    """The jobs behind the running one, in the order they will run."""
    manager = service.jobs()
    for place, job in enumerate(jobs, start=1):
        with st.container(border=True, horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.text(f"{place}. {_name(job)}", width="stretch")
            for by, icon, label in ((-1, "arrow_upward", "Earlier"), (1, "arrow_downward", "Later")):
                st.button(
                    label,
                    icon=f":material/{icon}:",
                    key=f"{label.lower()}_{job.id}",
                    on_click=manager.move,
                    args=(job.id, by),
                    type="tertiary",
                    disabled=place == (1 if by < 0 else len(jobs)),
                )
            st.button("Cancel", key=f"cancel_{job.id}", on_click=manager.cancel, args=(job.id,))


def paused(jobs: list[Snapshot]) -> None:
    """The jobs that were set aside."""
    for job in [job for job in jobs if job.state == State.PAUSED]:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.badge("Paused", color="blue", icon=":material/pause_circle:")
                st.text(_name(job))
            if job.preview:
                st.image(job.preview, width=SMALL, alt="The picture so far")
            st.caption(plain(job.message))
            with st.container(horizontal=True):
                if st.button("Resume", icon=":material/play_arrow:", key=f"resume_{job.id}"):
                    attempt(partial(service.jobs().resume, job.id))
                st.button(
                    "Cancel",
                    icon=":material/close:",
                    key=f"cancel_{job.id}",
                    on_click=service.jobs().cancel,
                    args=(job.id,),
                )


def attempt(order: Callable[[], object]) -> None:
    """Ask something of the queue; a word on the page where that can't be."""
    try:
        order()
    except KeyError:
        st.error("This job is gone: another tab has taken it up or dismissed it. Reload the page.")
    except NSTError as error:
        st.error(plain(str(error)))
    else:
        st.rerun()  # the whole page, so that the timer starts


def _name(job: Snapshot) -> str:
    return f"{job.name}, {len(job.order.variants)} proofs" if job.order.variants else job.name
