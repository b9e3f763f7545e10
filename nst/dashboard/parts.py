"""Pieces that several pages show: plain text, the loss chart, durations, the table of parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from nst.config import PRESETS, Settings
from nst.errors import NSTError
from nst.result import LossRow

LOSSES = {"total": "Total", "content": "Content", "style": "Style", "tv": "Variation"}
CHART_HEIGHT = 260
PUNCTUATION = r"[!-/:-@\[-`{-~]"
WORD_JOINER = "\u2060"


def plain(text: str) -> str:
    """Text for a place that renders Markdown (labels, captions, alerts), so that it shows as typed.

    Backslashes stop Markdown. What is found in the text afterwards (bare links, arrows, dashes) only an invisible
    word joiner keeps apart.
    """
    escaped = re.sub(f"({PUNCTUATION})", r"\\\1", " ".join(text.split()))
    apart = re.sub(rf"(?<={PUNCTUATION})(?<!\\)(?=\\)", WORD_JOINER, escaped)
    return re.sub(r"(?i)(www|@)", rf"\1{WORD_JOINER}", apart)


def duration(seconds: float) -> str:
    """Seconds in words that fit a line: 8 s, 2 min 05 s, 1 h 12 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def picture(load: Callable[[], bytes], *, alt: str) -> None:
    """A picture as wide as its place, or a word on why it can't be shown: files may have been removed by hand."""
    try:
        st.image(load(), width="stretch", alt=alt)
    except (NSTError, OSError):
        st.caption(f":material/broken_image: {plain(alt)}: the file is missing or damaged.")


def loss_chart(rows: Sequence[LossRow], *, evaluations: int, key: str) -> None:
    """Total, content, style and variation loss on a log scale, over all the evaluations planned.

    The specification depends on `evaluations` alone, so that while a job runs only the rows change in place.
    """
    table = pd.DataFrame(
        [
            (row.evaluation, name, value)
            for row in rows
            for field, name in LOSSES.items()
            if (value := getattr(row, field)) > 0
        ],  # a log scale has no zero
        columns=["evaluation", "loss", "value"],
    )
    axis = alt.Axis(format="~g", tickCount=5)
    chart = (
        alt.Chart(table, height=CHART_HEIGHT)
        .mark_line(interpolate="monotone", strokeWidth=2)
        .encode(
            x=alt.X("evaluation:Q", title="Evaluations", scale=alt.Scale(domain=[0, evaluations], nice=False)),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(type="log", nice=False), axis=axis),
            color=alt.Color(
                "loss:N",
                title=None,
                sort=list(LOSSES.values()),
                scale=alt.Scale(domain=list(LOSSES.values())),
                legend=alt.Legend(orient="top"),
            ),
        )
    )
    st.altair_chart(chart, key=key, alt="Total, content, style and variation loss over the evaluations")


def planned_evaluations(settings: Settings) -> int:
    """The most evaluations that these settings can take, over all scales."""
    return settings.iterations + (settings.scales - 1) * settings.coarse_iterations


def preset_title(name: str) -> str:
    """A preset's title, or its name where it is of another version."""
    return PRESETS[name].title if name in PRESETS else name


def parameter_table(settings: Settings) -> None:
    """Every setting of a run, by name."""
    rows = [(name.replace("_", " "), _told(value)) for name, value in settings.to_dict().items()]
    if settings.style_weight is None:
        rows.append(("style weight in force", f"{settings.effective_style_weight:g}"))
    st.dataframe(pd.DataFrame(rows, columns=["Setting", "Value"]), hide_index=True, alt="Every setting of this result")


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(" × ".join(map(str, item)) if isinstance(item, list) else str(item) for item in value) or "–"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
