"""A job that has ended: what became of it, and what can be done next."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from nst.dashboard import service
from nst.dashboard.order.painting import SIZES
from nst.dashboard.parts import plain
from nst.dashboard.watch import proofs, running
from nst.dashboard.watch.waiting import SMALL, attempt
from nst.jobs import MORE, Snapshot, State, settings_now

STATES: dict[State, tuple[str, Literal["green", "orange", "red"], str]] = {
    State.FINISHED: ("Finished", "green", ":material/check_circle:"),
    State.CANCELLED: ("Stopped", "orange", ":material/stop_circle:"),
    State.FAILED: ("Failed", "red", ":material/error:"),
    State.INTERRUPTED: ("Interrupted", "orange", ":material/power_off:"),
}


def draw(job: Snapshot, *, large: bool) -> None:
    """The job's card; `large` where nothing else is the page's subject."""
    label, colour, icon = STATES[job.state]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(label, color=colour, icon=icon)
            st.text(job.name)
        if job.order.variants:
            proofs.sheet(job)
        elif job.preview:
            st.image(job.preview, width="stretch" if large else SMALL, alt="The picture")
        if job.difference is not None:  # whether it came out the same is the news
            st.markdown(plain(job.message))
            st.caption(plain(running.network(job)))
        else:
            st.caption(plain(f"{job.message} {running.network(job)}"))
        _next(job)


def _next(job: Snapshot) -> None:
    manager = service.jobs()
    with st.container(horizontal=True):
        if job.entry_id:
            if st.button("Open", icon=":material/open_in_full:", key=f"open_{job.id}"):
                st.switch_page("result.py", query_params={"id": job.entry_id})
            if not job.order.reproduces:
                _onwards(job, job.entry_id)
        elif job.resumable and st.button(
            "Go on", icon=":material/play_arrow:", key=f"go_on_{job.id}", help="Continues exactly where it was."
        ):
            attempt(lambda: manager.resume(job.id))
        if st.button("Paint again", icon=":material/replay:", key=f"again_{job.id}"):
            attempt(lambda: manager.again(job.id))
        st.button("Dismiss", icon=":material/close:", key=f"dismiss_{job.id}", on_click=manager.dismiss, args=(job.id,))


def _onwards(job: Snapshot, entry_id: str) -> None:
    """What leads on from a picture in the gallery."""
    manager, size = service.jobs(), settings_now(job).size
    if job.state == State.CANCELLED:
        if st.button(
            "Go on", icon=":material/play_arrow:", key=f"go_on_{job.id}", help="To the end, as if never stopped."
        ):
            attempt(lambda: manager.finish(entry_id))
    elif st.button(f"{MORE} more steps", icon=":material/add:", key=f"more_{job.id}"):
        attempt(lambda: manager.more(entry_id))
    larger = next((option for option in SIZES if option >= 1.25 * size), None)
    if larger and st.button(f"Larger, {larger} px", icon=":material/zoom_out_map:", key=f"larger_{job.id}"):
        attempt(lambda: manager.larger(entry_id, larger))
