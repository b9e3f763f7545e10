"""The job that is being painted: how far it is, the picture so far, its losses, and what may be changed meanwhile."""

from __future__ import annotations

import math
from functools import partial

import streamlit as st

from nst.dashboard import service
from nst.dashboard.parts import duration, layer_chart, loss_chart, picture, plain
from nst.dashboard.watch import proofs
from nst.errors import NSTError
from nst.jobs import Snapshot, State, settings_now
from nst.result import layer_names
from nst.scales import planned_evaluations

PARTS, LAYERS = "Losses", "By layer"
VARIATIONS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
FACTORS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def draw(job: Snapshot, *, anchor: str) -> None:
    """Everything about the job that is being worked on."""
    with st.container(border=True):
        st.subheader(plain(job.name), anchor=anchor)
        st.progress(percent(job) / 100, text=_told(job))
        if job.order.variants:
            _buttons(job)  # above the sheet, which grows
            proofs.sheet(job)
        else:
            _picture(job)
            _losses(job)
            if job.step:
                _steer(job)
            _buttons(job)
        st.caption(plain(network(job)))


def percent(job: Snapshot) -> int:
    """How much of the work is done."""
    return round(100 * job.step.progress) if job.step else 0


def network(job: Snapshot) -> str:
    """Which network looks at the pictures, in words."""
    if job.network is None:
        return ""
    told = f"Network: {job.network.source}."
    if job.cached_targets:
        told += " Style targets came from the cache."
    return told


def _told(job: Snapshot) -> str:
    """Where the job is, in one line."""
    if job.state in (State.QUEUED, State.PREPARING) or job.step is None:
        return plain(job.message)
    step = job.step
    if job.order.variants:
        return plain(job.message)
    words = [f"{step.losses.width} × {step.losses.height} px"]
    if step.scales > 1:
        words.append(f"stage {step.losses.scale + 1} of {step.scales}")
    words.append(f"step {step.iteration} of at most {step.iterations}")
    if step.remaining is not None:
        words.append(f"about {duration(step.remaining)} left")
    if step.note:
        words.append(plain(step.note))
    return " · ".join(words)


def _picture(job: Snapshot) -> None:
    """The picture so far; before the first one the photograph holds its place, in the same form."""
    if job.preview:
        st.image(job.preview, width="stretch", alt="The picture so far")
    else:
        picture(partial(service.gallery().input_thumbnail, job.order.content), alt="The photograph")


def _losses(job: Snapshot) -> None:
    settings, evaluations = job.order.settings, _evaluations(job)
    kind = st.segmented_control(
        "Which losses",
        [PARTS, LAYERS],
        default=PARTS,
        required=True,
        key="live_kind",
        label_visibility="collapsed",
    )
    if kind == LAYERS:
        names = layer_names(settings)
        layer_chart(names, job.layers, evaluations=evaluations, key="live_layers", changes=job.changes)
    else:
        loss_chart(job.history, evaluations=evaluations, key="live_losses", changes=job.changes)


def _evaluations(job: Snapshot) -> int:
    """How far the chart reaches: what is planned, or in round steps what it has come to."""
    settings = job.order.settings
    for change in job.order.changes:
        settings = settings.replace(**change.after)
    done = job.history[-1].evaluation if job.history else 0
    return max(planned_evaluations(settings), math.ceil(done / 50) * 50)


# Changing things while it runs -----------------------------------------------------------------------------------


def _steer(job: Snapshot) -> None:
    """Sliders that act upon the running job, from its next evaluation on."""
    began, now = job.order.settings, settings_now(job)
    left, right = st.columns(2)
    with left:
        if began.strength is not None and began.style_weight is None:
            label, key, shown = "Strength, from here on", f"steer_strength_{job.id}", round(now.strength or 0)
            st.slider(label, 0, 100, shown, key=key, on_change=_change, args=(job.id, "strength", key))
        else:
            weights = [began.effective_style_weight * factor for factor in FACTORS]
            _choose(job, "style_weight", "Style weight, from here on", weights, now.effective_style_weight)
    with right:
        _choose(job, "tv_weight", "Variation weight, from here on", [*VARIATIONS, began.tv_weight], now.tv_weight)


def _choose(job: Snapshot, name: str, label: str, options: list[float], start: float) -> None:
    key = f"steer_{name}_{job.id}"
    arguments, options = (job.id, name, key), sorted({*options, start})
    st.select_slider(label, options, start, key=key, format_func="{:g}".format, on_change=_change, args=arguments)


def _change(job_id: str, name: str, key: str) -> None:
    try:
        service.jobs().steer(job_id, **{name: float(st.session_state[key])})
    except NSTError as error:
        st.toast(plain(str(error)), icon=":material/error:")


def _buttons(job: Snapshot) -> None:
    manager = service.jobs()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Pause",
            icon=":material/pause_circle:",
            key=f"pause_{job.id}",
            on_click=manager.pause,
            args=(job.id,),
            help="Set aside, to go on later exactly where it was; the next in the queue begins.",
            disabled=job.step is None,
        )
        if job.order.variants:
            label = "Stop and keep the proofs"
        else:
            label = "Stop and keep the picture" if job.step else "Cancel"
        st.button(label, icon=":material/stop_circle:", key=f"cancel_{job.id}", on_click=manager.cancel, args=(job.id,))
