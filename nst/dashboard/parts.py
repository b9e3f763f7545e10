"""Pieces that several pages show: plain text, the loss charts, durations, the table of parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from nst.config import PRESETS, Settings
from nst.errors import NSTError
from nst.jobs import thinned
from nst.precision import settled
from nst.result import Change, LayerRow, LossRow

TITLE = "Style studio"
LOSSES = {"total": "Total", "content": "Content", "style": "Style", "tv": "Variation"}
CHART_HEIGHT = 260
TALL = 340
"""Of charts that have the width of a page."""
MOST_POINTS = 2000
"""Of a curve: more than a screen has columns only take time, to travel and to draw."""
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


def counted(number: int, noun: str = "result") -> str:
    """1 result, 12 results."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}".replace(",", " ")


def tab_title(name: str) -> None:
    """What the browser's tab and its history call this page."""
    st.set_page_config(page_title=f"{name} · {TITLE}")


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


def loss_chart(
    rows: Sequence[LossRow],
    *,
    evaluations: int,
    key: str,
    changes: Sequence[Change] = (),
    height: int = CHART_HEIGHT,
) -> None:
    """Total, content, style and variation loss on a log scale, over all the evaluations planned.

    `changes` are marked where they were made. The specification depends on `evaluations` alone, and on whether there
    are changes, so that while a job runs only the rows change in place.
    """
    table = [
        (row.evaluation, name, getattr(row, field))
        for row in thinned(rows, MOST_POINTS)
        for field, name in LOSSES.items()
    ]
    chart = _marked(_lines(table, list(LOSSES.values()), evaluations, height), changes)
    st.altair_chart(chart, key=key, alt="Total, content, style and variation loss over the evaluations")


def layer_chart(
    names: Sequence[str], rows: Sequence[LayerRow], *, evaluations: int, key: str, changes: Sequence[Change] = ()
) -> None:
    """The weighted loss of every layer in the same way; `names` are those of `nst.result.layer_names`."""
    table = [
        (row.evaluation, name, loss)
        for row in thinned(rows, MOST_POINTS)
        for name, loss in zip(names, row.losses, strict=False)
    ]
    chart = _lines(table, names, evaluations, TALL, scheme="tableau10")  # the theme has too few colours
    st.altair_chart(_marked(chart, changes), key=key, alt="The loss of each layer over the evaluations")


def _lines(
    table: Sequence[tuple[int, str, float]],
    names: Sequence[str],
    evaluations: int,
    height: int,
    scheme: str | None = None,
) -> alt.Chart:
    columns = ["evaluation", "loss", "value"]
    frame = pd.DataFrame([row for row in table if row[2] > 0], columns=columns)  # a log scale has no zero
    colours = {"domain": list(names)} | ({"scheme": scheme} if scheme else {})
    return (
        alt.Chart(frame, height=height)
        .mark_line(interpolate="monotone", strokeWidth=2)
        .encode(
            x=alt.X("evaluation:Q", title="Evaluations", scale=alt.Scale(domain=[0, evaluations], nice=False)),
            y=alt.Y(
                "value:Q",
                title=None,
                scale=alt.Scale(type="log", nice=False),
                axis=alt.Axis(format="~g", tickCount=5),
            ),
            color=alt.Color(
                "loss:N",
                title=None,
                sort=list(names),
                scale=alt.Scale(**colours),
                legend=alt.Legend(orient="top", columns=4 if len(names) <= 4 else 2),
            ),
        )
    )


def _marked(chart: alt.Chart, changes: Sequence[Change]) -> alt.Chart | alt.LayerChart:
    """The chart with a line wherever settings were changed."""
    if not changes:
        return chart
    told = [(change.evaluation, told_change(change)) for change in changes]
    marks = (
        alt.Chart(pd.DataFrame(told, columns=["evaluation", "change"]))
        .mark_rule(strokeDash=[4, 3], strokeWidth=1.5, color="#8a8f98")
        .encode(x="evaluation:Q", tooltip=[alt.Tooltip("change:N", title="Changed")])
    )
    return alt.layer(chart, marks)


def told_change(change: Change) -> str:
    """A change of settings in words: "strength 50 → 70"."""
    return ", ".join(
        f"{name.replace('_', ' ')} {_told(change.before.get(name))} → {_told(value)}"
        for name, value in change.after.items()
    )


def preset_title(name: str) -> str:
    """A preset's title, or its name where it is of another version."""
    return PRESETS[name].title if name in PRESETS else name


def parameter_table(settings: Settings) -> None:
    """Every setting of a run by name: first those that are not as the preset has them, with what it has.

    What the preset leaves open is nobody's change.
    """
    values = told_settings(settings)
    preset = PRESETS.get(settings.preset)
    usual = told_settings(settled(preset.settings, settings.precision)) if preset else values
    rows = [(name, value, "" if value == usual.get(name) else usual.get(name, "–")) for name, value in values.items()]
    rows.sort(key=lambda row: not row[2])
    table = pd.DataFrame(rows, columns=["Setting", "Value", "Preset has"])
    st.dataframe(table, hide_index=True, alt="Every setting of this result")


def told_settings(settings: Settings) -> dict[str, str]:
    """Every setting by name, as text."""
    told = {name.replace("_", " "): _told(value) for name, value in settings.to_dict().items()}
    if settings.style_weight is None:
        told["style weight in force"] = f"{settings.effective_style_weight:g}"
    return told


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(" × ".join(map(str, item)) if isinstance(item, list) else str(item) for item in value) or "–"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
