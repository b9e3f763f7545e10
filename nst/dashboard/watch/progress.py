"""The Studio's right side: what is being painted, live, the queue behind it, and what has ended."""

from __future__ import annotations

import streamlit as st

from nst.dashboard import first, service
from nst.dashboard.parts import tab_title
from nst.dashboard.watch import ended, running
from nst.dashboard.watch.waiting import paused, queue

REFRESH_SECONDS = 1.0
SHOWN_ENDED = 3
ANCHOR = "watch"


def shortcut() -> None:
    """What stands beside the title: the way to the picture, or to a first one, which lie below the form on a phone."""
    jobs = service.jobs().snapshots()
    if any(job.state.active for job in jobs):
        st.markdown(f":small[[Watch the picture](#{ANCHOR})]", width="content")
    elif not jobs and first.button(key="first", prominent=False):
        st.rerun()


def panel() -> None:
    """Draw the jobs and keep drawing them while one is active.

    The state lives in the server: a reload, a second tab or another page changes nothing.
    """
    active = any(job.state.active for job in service.jobs().snapshots())
    st.fragment(_draw, run_every=REFRESH_SECONDS if active else None, key="progress")(refreshing=active)


def _draw(*, refreshing: bool) -> None:
    jobs = service.jobs().snapshots()
    active = sorted((job for job in jobs if job.state.active), key=lambda job: service.jobs().position(job.id))
    if refreshing != bool(active):
        st.rerun()  # the timer starts and stops with a run of the whole page
    if not jobs:
        _invite()
        return
    if active:
        tab_title(f"{running.percent(active[0])} %")
        running.draw(active[0], anchor=ANCHOR)
        queue(active[1:])
    paused(jobs)
    for place, job in enumerate([job for job in jobs if job.state in ended.STATES][:SHOWN_ENDED]):
        ended.draw(job, large=place == 0 and not active)


def _invite() -> None:
    with st.container(border=True, height=420, horizontal_alignment="center", vertical_alignment="center"):
        st.subheader("Your picture appears here", anchor=False, text_alignment="center")
        st.caption(
            "Drop in a photograph and a painting and press Paint, or let one be painted from samples. "
            "You can watch, leave and come back: the work goes on.",
            text_alignment="center",
        )
