"""The Studio's right side: the job being painted, live, the queue behind it, and what has just ended."""

from __future__ import annotations

from functools import partial
from typing import Literal

import streamlit as st

from nst.dashboard import first, service
from nst.dashboard.parts import duration, loss_chart, picture, plain, planned_evaluations
from nst.errors import NSTError
from nst.jobs import Snapshot, State

REFRESH_SECONDS = 1.0
SHOWN_ENDED = 3


def panel() -> None:
    """Draw the jobs and keep drawing them while one is active.

    The state lives in the server: a reload, a second tab or another page changes nothing.
    """
    active = any(job.state.active for job in service.jobs().snapshots())
    st.fragment(_draw, run_every=REFRESH_SECONDS if active else None, key="progress")(refreshing=active)


def _draw(*, refreshing: bool) -> None:
    jobs = service.jobs().snapshots()
    active = [job for job in reversed(jobs) if job.state.active]  # oldest first: the order they run in
    if refreshing and not active:
        st.rerun()  # the timer stops with the next run of the whole page
    if not jobs:
        _invite()
        return
    if active:
        _running(active[0])
        _queue(active[1:])
    for job in [job for job in jobs if not job.state.active][:SHOWN_ENDED]:
        _ended(job)


def _invite() -> None:
    with st.container(border=True, height=420, horizontal_alignment="center", vertical_alignment="center"):
        st.subheader("Your picture appears here", anchor=False, text_alignment="center")
        st.caption(
            "Drop in a photograph and a painting, or take two samples, and press Paint. "
            "You can watch, leave and come back: the work goes on.",
            text_alignment="center",
        )
        if first.button(key="first"):
            st.rerun()


def _running(job: Snapshot) -> None:
    with st.container(border=True):
        st.subheader(plain(job.name), anchor=False)
        step = job.step
        st.progress(step.progress if step else 0.0, text=_told(job))
        if job.preview:
            st.image(job.preview, width="stretch", alt="The picture so far")
        else:
            picture(partial(service.gallery().input_thumbnail, job.order.content), alt="The photograph")
        loss_chart(job.history, evaluations=planned_evaluations(job.order.settings), key="live_losses")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Stop and keep the picture" if step else "Cancel",
                icon=":material/stop_circle:",
                key=f"cancel_{job.id}",
                on_click=service.jobs().cancel,
                args=(job.id,),
            )
            st.caption(plain(_network(job)))


def _told(job: Snapshot) -> str:
    """Where the job is, in one line."""
    if job.state == State.QUEUED or job.step is None:
        return plain(job.message)
    step = job.step
    words = [f"{step.losses.width} × {step.losses.height} px"]
    if step.scales > 1:
        words.append(f"size {step.losses.scale + 1} of {step.scales}")
    words.append(f"step {step.iteration} of at most {step.iterations}")
    if step.remaining is not None:
        words.append(f"about {duration(step.remaining)} left")
    if step.note:
        words.append(plain(step.note))
    return " · ".join(words)


def _network(job: Snapshot) -> str:
    if job.network is None:
        return ""
    told = f"Network: {job.network.source}."
    if job.cached_targets:
        told += " Style targets came from the cache."
    return told


def _queue(jobs: list[Snapshot]) -> None:
    for place, job in enumerate(jobs, start=1):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.text(f"{place}. {job.name}", width="stretch")
            st.button("Cancel", key=f"cancel_{job.id}", on_click=service.jobs().cancel, args=(job.id,))


_BADGES: dict[State, tuple[str, Literal["green", "orange", "red"], str]] = {
    State.FINISHED: ("Finished", "green", ":material/check_circle:"),
    State.CANCELLED: ("Stopped", "orange", ":material/stop_circle:"),
    State.FAILED: ("Failed", "red", ":material/error:"),
    State.INTERRUPTED: ("Interrupted", "orange", ":material/power_off:"),
}


def _ended(job: Snapshot) -> None:
    label, colour, icon = _BADGES[job.state]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(label, color=colour, icon=icon)
            st.text(job.name)
        if job.preview:
            st.image(job.preview, width="stretch", alt="The picture")
        st.caption(plain(f"{job.message} {_network(job)}"))
        with st.container(horizontal=True):
            if job.entry_id and st.button("Open", icon=":material/open_in_full:", key=f"open_{job.id}"):
                st.switch_page("result.py", query_params={"id": job.entry_id})
            if st.button("Paint again", icon=":material/replay:", key=f"again_{job.id}"):
                _again(job)
            st.button(
                "Dismiss",
                icon=":material/close:",
                key=f"dismiss_{job.id}",
                on_click=service.jobs().dismiss,
                args=(job.id,),
            )


def _again(job: Snapshot) -> None:
    try:
        service.jobs().again(job.id)
    except KeyError:
        st.error("This job is gone: another tab has painted it again or dismissed it. Reload the page.")
    except NSTError as error:
        st.error(plain(str(error)))
    else:
        st.rerun()  # the whole page, so that the timer starts
