"""The Statistics page."""

import json
from datetime import datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from nst.config import preset
from tests.dashboard.pages import HOSTILE, hostile_entry, shown, texts, visit
from tests.galleries import add, change, result


def charts(at: AppTest) -> dict[str, dict]:
    """The specification of each chart, by what those are told who do not see it."""
    return {node.proto.alt: json.loads(node.proto.spec) for node in at.get("vega_lite_chart")}


def chart(at: AppTest, told: str) -> dict:
    return next(found for alt, found in charts(at).items() if alt.startswith(told))


def rows(at: AppTest, chart: str) -> list[dict]:
    """What a chart draws."""
    found = next(node for node in at.get("vega_lite_chart") if node.proto.alt.startswith(chart))
    return frame_of(found).to_dict("records")


def frame_of(node):
    from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df

    (data,) = [found.data for found in node.proto.datasets] or [node.proto.data]
    return convert_arrow_bytes_to_pandas_df(data.data)


def metrics(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def test_an_empty_gallery_has_nothing_to_count(studio):
    visit(studio, "stats")
    assert "Nothing to count yet" in texts(studio)
    assert not studio.get("vega_lite_chart")


def test_one_result_fills_the_page(studio, gallery):
    add(gallery, "alone")
    visit(studio, "stats")
    assert metrics(studio) == {"Results": "1", "Time painted": "1 s", "Starred": "0", "Rated": "0"}
    assert [heading.value for heading in studio.subheader] == ["Over time", "Styles", "Time by size", "What you like"]
    assert "Rate or star results" in texts(studio)
    days = rows(studio, "Bars: results a day")
    assert len(days) == 7, "one bar alone would be as wide as the page"
    assert [day["results"] for day in days] == [0] * 6 + [1]
    for axis, value in (("x", 40), ("y", 1.25)):
        low, high = chart(studio, "Points")["encoding"][axis]["scale"]["domain"]
        assert 0 <= low < value < high, "one value alone has room around it"
    assert rows(studio, "Bars: the styles") == [{"style": "starry_night", "results": 1}]


@pytest.mark.parametrize(
    ("apart", "period", "bars"), [(3, "day", 7), (20, "day", 21), (100, "week", 15), (2000, "month", 67)]
)
def test_bars_are_days_weeks_or_months(studio, gallery, apart, period, bars):
    first = add(gallery, "first")
    add(gallery, "last")
    created = datetime.fromisoformat(first.created) - timedelta(days=apart)
    change(first.folder, created=created.isoformat(timespec="microseconds"))
    gallery.rebuild()
    visit(studio, "stats")
    drawn = rows(studio, f"Bars: results a {period}")
    assert sum(bar["results"] for bar in drawn) == 2
    assert abs(len(drawn) - bars) <= 1
    assert drawn[-1]["results"] == 1


def test_what_is_liked_is_counted_by_a_setting(studio, gallery):
    for strength, rating, starred in ((30, 5, True), (33, 5, True), (70, 1, False), (50, 0, True), (50, 0, False)):
        made = result(settings=preset("studio").replace(strength=float(strength), style_scale=1.5))
        gallery.annotate(add(gallery, "", made).id, rating=rating, starred=starred)
    visit(studio, "stats")
    assert metrics(studio)["Starred"] == "3"
    assert metrics(studio)["Rated"] == "3"
    found = {(row["value"], row["rating"], row["star"]): row["results"] for row in rows(studio, "Bubbles")}
    assert found == {(30, "5", "Starred"): 2, (70, "1", "Not starred"): 1, (50, "none", "Starred"): 1}
    shown(studio.segmented_control("against").set_value("stroke").run())
    assert {row["value"] for row in rows(studio, "Bubbles")} == {150}
    assert chart(studio, "Bubbles")["encoding"]["x"]["title"] == "Stroke size, %"


def test_results_without_a_strength_are_told(studio, gallery):
    gallery.annotate(add(gallery, "classic", result(settings=preset("neural-style"))).id, rating=5)
    visit(studio, "stats")
    assert "has this setting" in texts(studio)
    shown(studio.segmented_control("against").set_value("longest").run())
    assert [row["results"] for row in rows(studio, "Bubbles")] == [1]


def test_every_chart_is_described_and_its_axes_are_titled(studio, gallery):
    gallery.annotate(add(gallery, "one").id, rating=3)
    visit(studio, "stats")
    found = charts(studio)
    assert [alt.split(":")[0] for alt in found] == ["Bars", "Bars", "Points", "Bubbles"]
    for drawn in found.values():
        titles = [(drawn["encoding"][axis]["title"], drawn["encoding"][axis]["field"]) for axis in ("x", "y")]
        assert all(title or field == "style" for title, field in titles)


def test_hostile_names_are_data_and_never_markdown(studio, gallery):
    entry = hostile_entry(gallery, preset_name=HOSTILE)
    gallery.annotate(entry, rating=5)
    visit(studio, "stats")
    assert "bold" not in texts(studio)
    assert rows(studio, "Bars: the styles")[0]["style"] == HOSTILE
