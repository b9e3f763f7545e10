"""The Compare page: two to four results under one zoom, the settings in which they differ, their losses overlaid."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from nst.dashboard import service
from nst.dashboard.collection.filters import ADDRESS
from nst.dashboard.components.viewer import Shown, before_after, side_by_side
from nst.dashboard.parts import MOST_POINTS, TALL, plain, tab_title, told_settings
from nst.dashboard.picture.look import address
from nst.errors import GalleryError
from nst.gallery import Entry
from nst.jobs import thinned

LEAST, MOST = 2, 4
FORM_TOLERANCE = 0.02
SLIDER, PANES = "Slider", "Side by side"


def asked_for() -> list[Entry]:
    """The results that the address names; raises `GalleryError` where too few are there, or too many are named.

    An id that comes twice counts once. One that leads nowhere (any more) is told, and costs the others nothing.
    """
    named = (name.strip() for name in st.query_params.get("ids", "")[:400].split(","))
    ids = list(dict.fromkeys(filter(None, named)))
    if not LEAST <= len(ids) <= MOST:
        raise _number(len(ids))
    found, missing = [], []
    for entry_id in ids:
        try:
            found.append(service.gallery().get(entry_id))
        except GalleryError as error:
            missing.append(str(error))
    if missing and len(found) < LEAST:
        raise GalleryError(missing[0])
    for reason in missing:
        st.warning(plain(f"One result is left out. {reason}"))
    return found


def _number(received: int) -> GalleryError:
    return GalleryError(
        f"From {LEAST} to {MOST} results can be compared. Received: {received}. "
        "Choose some in the gallery, or press Compare on the page of a result."
    )


def numbered(entries: Sequence[Entry]) -> list[str]:
    """What to call each: names alone may be the same."""
    return [f"{number}. {entry.name}" for number, entry in enumerate(entries, start=1)]


def pictures(entries: Sequence[Entry]) -> None:
    """The results with the looks they keep."""
    how = PANES
    if len(entries) == 2 and same_form(*entries):
        how = st.segmented_control("View", [SLIDER, PANES], default=SLIDER, required=True, key="view")
    shown = [
        Shown(address(entry, entry.look), f"The result: {entry.name}", label)
        for entry, label in zip(entries, numbered(entries), strict=True)
    ]
    width, height = entries[0].width, entries[0].height
    if how == SLIDER:
        before_after(*shown, width=width, height=height, key="slider")
    else:
        side_by_side(shown, width=width, height=height, key="panes")


def same_form(one: Entry, other: Entry) -> bool:
    """Whether one can lie over the other: sizes may differ, and forms by what rounding to whole pixels does."""
    return abs(one.width / one.height / (other.width / other.height) - 1) < FORM_TOLERANCE


def facts(entry: Entry) -> dict[str, str]:
    """Everything that two results may differ in, by name."""
    return {
        "photograph": entry.content.label,
        "styles": ", ".join(style.label for style in entry.styles),
        **told_settings(entry.settings),
        "network": entry.network.name,
        "colours": entry.look.colours,
        "blend": f"{entry.look.blend:g}",
    }


def differences(entries: Sequence[Entry]) -> pd.DataFrame:
    """A row for each thing in which not all are the same."""
    columns = [facts(entry) for entry in entries]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, *(column.get(name, "–") for column in columns)) for name in names]
    return pd.DataFrame([row for row in rows if len({*row[1:]}) > 1], columns=["Setting", *numbered(entries)])


def losses(entries: Sequence[Entry]) -> pd.DataFrame:
    """The total loss of every evaluation as a share of the first one's; runs without losses have no rows."""
    rows: list[tuple[str, int, float]] = []
    for entry, name in zip(entries, numbered(entries), strict=True):
        history = [row for row in service.gallery().history(entry.id) if row.total > 0]
        rows += [(name, row.evaluation, row.total / history[0].total) for row in thinned(history, MOST_POINTS)]
    return pd.DataFrame(rows, columns=["run", "evaluation", "share"])


def loss_curves(entries: Sequence[Entry]) -> None:
    """The runs' losses in one chart, on a log scale."""
    try:
        table = losses(entries)
    except GalleryError as error:
        st.caption(plain(f"The losses can't be shown. {error}"))
        return
    chart = (
        alt.Chart(table, height=TALL)
        .mark_line(interpolate="monotone", strokeWidth=2)
        .encode(
            x=alt.X("evaluation:Q", title="Evaluations"),
            y=alt.Y("share:Q", title=None, scale=alt.Scale(type="log", nice=False), axis=alt.Axis(format="~g")),
            color=alt.Color(
                "run:N", title=None, sort=numbered(entries), legend=alt.Legend(orient="top", columns=1, labelLimit=300)
            ),
        )
    )
    st.altair_chart(chart, key="compared_losses", alt="The total loss of each run as a share of its first")
    st.caption(
        "Total loss as a share of the run's first: different settings weigh the losses differently, "
        "so the courses can be compared, the heights can not. A step up is a change to a larger size."
    )


if st.button("Gallery", icon=":material/arrow_back:", type="tertiary"):
    st.switch_page("gallery.py", query_params=st.session_state.get(ADDRESS, {}))
tab_title("Compare")
st.title("Compare", anchor=False)
try:
    entries = asked_for()
except GalleryError as error:
    st.error(plain(str(error)))
    st.stop()

pictures(entries)
with st.container(horizontal=True):
    for number, entry in enumerate(entries, start=1):  # the names stand on the pictures
        st.page_link(
            "result.py",
            label=f"Open {number}",
            icon=":material/open_in_full:",
            help=plain(entry.name),
            query_params={"id": entry.id},
        )

st.subheader("What differs", anchor=False)
table = differences(entries)
if table.empty:
    st.caption("Nothing: they were made from the same pictures with the same settings.")
else:
    st.dataframe(table, hide_index=True, alt="The settings in which the results differ")
st.subheader("Losses", anchor=False)
loss_curves(entries)
