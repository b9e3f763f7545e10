"""The Statistics page: when results were painted, how long it took, with which styles, and which settings are liked.

Not statistics.py: Streamlit puts this folder first on the import path, where it would hide Python's own.
"""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from nst.dashboard import service
from nst.dashboard.parts import duration, plain, tab_title

NEWEST = 1000  # points of a scatter plot: more only cover each other, and all of them travel to the browser
HEIGHT = 320  # pixels
FEWEST_DAYS = 7
MOST_BARS = 60
SHOWN_STYLES = 12
TICKS = [1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600]
IN_WORDS = (
    "datum.value < 60 ? datum.value + ' s' : datum.value < 3600 ? datum.value / 60 + ' min' : datum.value / 3600 + ' h'"
)
PARAMETERS = {  # what the switch calls it, the title of its axis, the width of a group
    "strength": ("Strength", "Strength, 0 to 100", 10),
    "stroke": ("Stroke size", "Stroke size, %", 25),
    "longest": ("Size", "Longest side, px", 128),
}
UNRATED = "none"


def table() -> pd.DataFrame:
    """A row a result, oldest first, with the columns that the charts speak of."""
    rows = pd.DataFrame(service.gallery().statistics())
    if rows.empty:
        return rows
    rows["day"] = pd.to_datetime(rows["created"], utc=True, format="ISO8601").dt.tz_localize(None).dt.normalize()
    rows["longest"] = rows[["width", "height"]].max(axis=1)
    rows["stroke"] = 100 * rows["style_scale"]
    return rows


def figures(rows: pd.DataFrame) -> None:
    """The gallery in a line of numbers."""
    with st.grid("auto", min_column_width=150):
        st.metric("Results", f"{len(rows)}")
        st.metric("Time painted", duration(rows["seconds"].sum()))
        st.metric("Starred", f"{int(rows['starred'].sum())}")
        st.metric("Rated", f"{int((rows['rating'] > 0).sum())}")


def over_time(rows: pd.DataFrame) -> None:
    """Results a day, or a week or month where there would be too many bars."""
    days = (rows["day"].max() - rows["day"].min()).days
    name, code = ("day", "D") if days < MOST_BARS else ("week", "W") if days < 7 * MOST_BARS else ("month", "M")
    periods = rows["day"].dt.to_period(code)
    first = min(periods.min(), periods.max() - (FEWEST_DAYS - 1)) if name == "day" else periods.min()
    counts = periods.value_counts().reindex(pd.period_range(first, periods.max(), freq=code), fill_value=0)
    shown = "%Y-%m" if code == "M" else "%Y-%m-%d"
    frame = pd.DataFrame({"period": counts.index.start_time.strftime(shown), "results": counts.to_numpy()})
    title = {"day": "Day", "week": "Week from", "month": "Month"}[name]
    chart = (
        alt.Chart(frame, height=HEIGHT)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("period:O", title=title, axis=alt.Axis(labelOverlap="greedy", labelAngle=0, labelSeparation=8)),
            y=alt.Y("results:Q", title=f"Results a {name}", axis=_whole()),
            tooltip=[alt.Tooltip("period:O", title=title), alt.Tooltip("results:Q", title="Results")],
        )
    )
    st.subheader("Over time", anchor=False)
    st.altair_chart(chart, key="over_time", alt=f"Bars: results a {name}, {len(rows)} in all")


def _whole() -> alt.Axis:
    return alt.Axis(format="d", tickMinStep=1, tickCount=5)


def _around(values: pd.Series, space: int) -> alt.Scale:
    """From a little less than the least to a little more than the most; one value alone stands in the middle."""
    return alt.Scale(domain=[max(0.0, float(values.min()) - space), float(values.max()) + space], nice=False)


def time_taken(rows: pd.DataFrame) -> None:
    """Painting time against size, with a colour a network."""
    columns = ["name", "longest", "seconds", "network"]
    frame = rows.loc[rows["seconds"] > 0, columns].tail(NEWEST)  # a log scale has no zero
    st.subheader("Time by size", anchor=False)
    if frame.empty:
        st.caption("No result says how long it took.")
        return
    chart = (
        alt.Chart(frame, height=HEIGHT)
        .mark_circle(size=60, opacity=0.7)
        .encode(
            x=alt.X("longest:Q", title="Longest side, px", scale=_around(frame["longest"], 128), axis=_whole()),
            y=alt.Y(
                "seconds:Q",
                title="Time to paint",
                scale=alt.Scale(
                    type="log", domain=[frame["seconds"].min() / 2, frame["seconds"].max() * 2], nice=False
                ),
                axis=alt.Axis(values=TICKS, labelExpr=IN_WORDS, labelOverlap=True),
            ),
            color=alt.Color("network:N", title=None, legend=alt.Legend(orient="top", columns=2, labelLimit=150)),
            tooltip=[
                alt.Tooltip("name:N", title="Result"),
                alt.Tooltip("longest:Q", title="Longest side, px"),
                alt.Tooltip("seconds:Q", title="Time, s", format=".1f"),
            ],
        )
    )
    st.altair_chart(chart, key="time_by_size", alt="Points: time to paint against the longest side, a colour a network")
    if len(rows) > NEWEST:
        st.caption(f"The newest {NEWEST} results.")


def styles_used(rows: pd.DataFrame) -> None:
    """The styles painted with most often."""
    counts = rows["styles"].explode().dropna().value_counts()
    st.subheader("Styles", anchor=False)
    if counts.empty:
        st.caption("No result has a style.")
        return
    frame = counts.head(SHOWN_STYLES).rename_axis("style").reset_index(name="results")
    chart = (
        alt.Chart(frame, height=max(120, 34 * len(frame) + 60))
        .mark_bar(cornerRadiusEnd=2, height={"band": 0.7})
        .encode(
            x=alt.X("results:Q", title="Results", axis=_whole()),
            y=alt.Y("style:N", title=None, sort="-x", axis=alt.Axis(labelLimit=140)),
            tooltip=[alt.Tooltip("style:N", title="Style"), alt.Tooltip("results:Q", title="Results")],
        )
    )
    st.altair_chart(chart, key="styles_used", alt="Bars: the styles used most, by number of results")
    if len(counts) > SHOWN_STYLES:
        st.caption(f"The {SHOWN_STYLES} used most, of {len(counts)}.")


def liked(rows: pd.DataFrame) -> None:
    """Ratings and stars against a parameter, so that one sees which settings please."""
    st.subheader("What you like", anchor=False)
    chosen = rows[(rows["rating"] > 0) | rows["starred"]]
    if chosen.empty:
        st.caption("Rate or star results: this then shows which strength, stroke size and size they have in common.")
        return
    name = st.segmented_control(
        "Against",
        list(PARAMETERS),
        default="strength",
        required=True,
        format_func=lambda name: PARAMETERS[name][0],
        key="against",
        label_visibility="collapsed",
    )
    _, title, step = PARAMETERS[name]
    frame = chosen.dropna(subset=[name])
    if frame.empty:
        st.caption(plain(f"None of the {len(chosen)} rated or starred results has this setting."))
        return
    st.altair_chart(_bubbles(_grouped(frame, name, step), title, step), key=f"liked_{name}", alt=_liked_alt(title))


def _liked_alt(title: str) -> str:
    return f"Bubbles: how many results have which rating, against {title.lower()}; starred ones in another colour"


def _grouped(frame: pd.DataFrame, name: str, step: int) -> pd.DataFrame:
    """How many results a group of the parameter, rating and star."""
    keys = pd.DataFrame(
        {
            "value": (frame[name] / step).round() * step,
            "rating": frame["rating"].map(lambda stars: str(stars) if stars else UNRATED),
            "star": frame["starred"].map({True: "Starred", False: "Not starred"}),
        }
    )
    return keys.value_counts().reset_index(name="results")


def _bubbles(frame: pd.DataFrame, title: str, step: int) -> alt.Chart:
    ratings = [
        rating for rating in ("5", "4", "3", "2", "1", UNRATED) if rating != UNRATED or UNRATED in set(frame["rating"])
    ]
    stars = ["Starred", "Not starred"]
    return (
        alt.Chart(frame, height=HEIGHT)
        .mark_circle(opacity=0.75)
        .encode(
            x=alt.X("value:Q", title=title, scale=_around(frame["value"], step), axis=_whole()),
            y=alt.Y("rating:O", title="Rating, of 5", scale=alt.Scale(domain=ratings), axis=alt.Axis(grid=True)),
            size=alt.Size(
                "results:Q",
                legend=None,
                scale=alt.Scale(type="sqrt", range=[40, 600], domain=[0, max(10, int(frame["results"].max()))]),
            ),
            color=alt.Color(
                "star:N",
                title=None,
                sort=stars,
                scale=alt.Scale(domain=stars),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=[
                alt.Tooltip("value:Q", title=title),
                alt.Tooltip("rating:O", title="Rating"),
                alt.Tooltip("star:N", title="Star"),
                alt.Tooltip("results:Q", title="Results"),
            ],
        )
    )


tab_title("Statistics")
st.title("Statistics", anchor=False)
rows = table()
if rows.empty:
    with st.container(border=True, height=260, horizontal_alignment="center", vertical_alignment="center"):
        st.subheader("Nothing to count yet", anchor=False, text_alignment="center")
        st.caption("Paint a few pictures: this page then shows what they have in common.", text_alignment="center")
        st.page_link("studio.py", label="To the Studio")
    st.stop()

figures(rows)
left, right = st.columns(2, gap="large")
with left:
    over_time(rows)
    styles_used(rows)
with right:
    time_taken(rows)
    liked(rows)
