"""Tests of lists: filters, orders, what there is to filter by, figures for charts, and the index behind them."""

import contextlib
import dataclasses
import sqlite3
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nst import image
from nst.config import preset
from nst.errors import GalleryError
from nst.gallery import ORDERS, Facets, Gallery, StyleUse
from nst.gallery.index import _FACETS, MIGRATIONS
from nst.gallery.query import _CONDITIONS, Filters, conditions
from nst.result import NetworkInfo
from tests.galleries import NETWORK, add, change, names, noise, result

BUILTIN = NetworkInfo("builtin", "b" * 64, "")


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "gallery")


@pytest.fixture
def filled(gallery: Gallery) -> Gallery:
    """Four entries: "sea", "town", "wood" and "Alp", of different days, sizes, networks and ratings."""
    other = gallery.add_input(image.encode_png(noise(seed=7)), "Village.png")
    made = {
        "sea": (result(40, 24, seconds=9.0), {}, {"starred": True, "rating": 5, "tags": ["Blue", "Calm"]}),
        "town": (result(64, 32, network=BUILTIN), {"content": other}, {"rating": 2, "note": "the old\nharbour  wall"}),
        "wood": (result(20, 64, settings=preset("draft")), {}, {"tags": ["calm"], "rating": 2}),
        "Alp": (result(32, 32, seconds=3), {"content": other}, {"starred": True}),
    }
    for day, (name, (painted, options, said)) in enumerate(made.items(), start=1):
        entry = add(gallery, name, painted, **options)
        gallery.annotate(entry.id, **said)
        change(entry.folder, created=f"2026-11-{day:02}T23:59:59.999999+00:00")
    gallery.rebuild()
    return gallery


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "Alp wood town sea"),
        ({"starred": True}, "Alp sea"),
        ({"starred": False}, "wood town"),
        ({"starred": None, "preset": None, "text": "", "rated": None, "tag": None}, "Alp wood town sea"),
        ({"tag": "CALM"}, "wood sea"),
        ({"tag": "blue"}, "sea"),
        ({"tag": "cal"}, ""),
        ({"rated": 0}, "Alp wood town sea"),
        ({"rated": 2}, "wood town sea"),
        ({"rated": 5}, "sea"),
        ({"network": "builtin"}, "town"),
        ({"content": "Village"}, "Alp town"),
        ({"content": "tubingen", "starred": True}, "sea"),
        ({"since": "2026-11-02"}, "Alp wood town"),
        ({"until": "2026-11-02"}, "town sea"),
        ({"since": date(2026, 11, 2), "until": date(2026, 11, 3)}, "wood town"),
        ({"until": "9999-12-31", "since": "0001-01-01"}, "Alp wood town sea"),
        ({"smallest": 64}, "wood town"),
        ({"largest": 40}, "Alp sea"),
        ({"smallest": 33, "largest": 63}, "sea"),
        ({"text": "calm"}, "wood sea"),
        ({"text": "HARBOUR wall"}, "town"),
        ({"text": "old harbour"}, ""),
        ({"text": "village"}, "Alp town"),
        ({"text": "l", "preset": "studio", "rated": 1}, "town sea"),
    ],
)
def test_filters(filled: Gallery, filters: dict, expected: str) -> None:
    assert names(filled, **filters) == expected.split()
    assert filled.query(**filters, limit=0).total == len(expected.split())
    assert filled.ids(**filters) == [entry.id for entry in filled.query(**filters).entries]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("newest", "Alp wood town sea"),
        ("oldest", "sea town wood Alp"),
        ("name", "Alp sea town wood"),
        ("largest", "town wood Alp sea"),
        ("slowest", "sea Alp wood town"),
        ("rating", "sea wood town Alp"),
    ],
)
def test_orders(filled: Gallery, order: str, expected: str) -> None:
    assert names(filled, order=order) == expected.split()
    assert filled.ids(order=order) == [entry.id for entry in filled.query(order=order).entries]
    assert names(filled, order=order, limit=1, offset=2) == expected.split()[2:3]


@pytest.mark.parametrize(
    "filters",
    [
        {"since": "yesterday"},
        {"until": "2026-13-01"},
        {"smallest": -1},
        {"largest": 2**63},
        {"rated": 6},
        {"rated": "5"},
        {"order": "created; DROP TABLE entries"},
    ],
)
def test_impossible_filters_are_refused(filled: Gallery, filters: dict) -> None:
    for call in (filled.query, filled.ids):
        with pytest.raises(GalleryError):
            call(**filters)
    with pytest.raises(TypeError, match="warp"):
        filled.query(warp=9)  # type: ignore[call-arg]


def test_facets(filled: Gallery) -> None:
    facets = filled.facets()
    assert facets.presets == {"studio": StyleUse("Studio", 3), "draft": StyleUse("Draft", 1)}
    assert list(facets.networks.items()) == [("vgg19", StyleUse("vgg19", 3)), ("builtin", StyleUse("builtin", 1))]
    assert [(use.label, use.count) for use in facets.contents.values()] == [("tubingen", 2), ("Village", 2)]
    assert [(use.label, use.count) for use in facets.styles.values()] == [("starry_night", 4)]
    assert list(facets.tags.items()) == [("Blue", StyleUse("Blue", 1)), ("calm", StyleUse("calm", 2))]
    assert list(facets.sizes.items()) == [(side, StyleUse(f"{side} px", n)) for side, n in ((32, 1), (40, 1), (64, 2))]
    for name, uses in (("preset", facets.presets), ("style", facets.styles), ("content", facets.contents)):
        assert [filled.query(**{name: value}).total for value in uses] == [use.count for use in uses.values()]
    assert [filled.query(tag=tag).total for tag in facets.tags] == [1, 2]
    assert [filled.query(smallest=side, largest=side).total for side in facets.sizes] == [1, 1, 2]


def test_an_empty_gallery_has_no_facets(gallery: Gallery) -> None:
    assert gallery.facets() == Facets({}, {}, {}, {}, {}, {})
    assert gallery.statistics() == gallery.ids() == []


def test_a_picture_is_called_what_its_newest_entry_calls_it(gallery: Gallery) -> None:
    picture = gallery.add_input(image.encode_png(noise(seed=8)), "IMG_1.png")
    add(gallery, "old", content=picture, styles=[picture, picture])
    better = dataclasses.replace(picture, label="Lake")
    add(gallery, "new", content=better, styles=[better])
    assert gallery.facets().contents == gallery.facets().styles == {picture.sha256: StyleUse("Lake", 2)}


def test_statistics_tell_every_entry_lightly(filled: Gallery) -> None:
    rows = filled.statistics()
    assert [row["name"] for row in rows] == ["sea", "town", "wood", "Alp"]
    entry = filled.query(order="oldest", limit=1).entries[0]
    assert rows[0] == {
        "id": entry.id,
        "name": "sea",
        "created": entry.created,
        "status": "finished",
        "preset": "studio",
        "network": NETWORK.name,
        "width": 40,
        "height": 24,
        "seconds": 9.0,
        "evaluations": 5,
        "strength": 50.0,
        "style_scale": 1.0,
        "optimizer": "lbfgs",
        "rating": 5,
        "starred": True,
        "styles": ["starry_night"],
    }


def test_a_preset_without_strength_has_none_in_the_statistics(gallery: Gallery) -> None:
    two = [gallery.add_input(image.encode_png(noise(seed=s)), f"{s}.png") for s in (9, 8)]
    add(gallery, "", result(settings=preset("keras-example")), styles=two)
    (row,) = gallery.statistics()
    assert (row["strength"], row["optimizer"], row["styles"]) == (None, "sgd", ["9", "8"])


words = st.text(max_size=5) | st.sampled_from(["%", "'", '"', "\\", "a_b", "\ud800", "\x00"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    filters=st.fixed_dictionaries(
        {},
        optional={name: words for name in ("text", "preset", "style", "content", "network", "tag")}
        | {"starred": st.booleans(), "rated": st.integers(0, 5), "smallest": st.integers(0, 10**9)},
    ),
    order=st.sampled_from(sorted(ORDERS)),
)
def test_any_filters_give_a_page_that_agrees_with_itself(tmp_path: Path, filters: dict, order: str) -> None:
    gallery = Gallery(tmp_path / "gallery")
    if not gallery.ids():
        for name in ("%", "a_b"):
            gallery.annotate(add(gallery, name).id, tags=["'"], rating=3)
    page = gallery.query(**filters, order=order)
    assert gallery.ids(**filters, order=order) == [entry.id for entry in page.entries]
    assert page.total == len(page.entries)


# The index -------------------------------------------------------------------------------------------------------


def plan(gallery: Gallery, statement: str, values: tuple = ()) -> str:
    with contextlib.closing(sqlite3.connect(gallery.root / "index.sqlite")) as db:
        return str(db.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())


def test_every_order_reads_an_index_and_sorts_nothing(gallery: Gallery) -> None:
    for order in ORDERS.values():
        found = plan(gallery, f"SELECT id FROM entries WHERE 1 ORDER BY {order} LIMIT 24")
        assert "USING COVERING INDEX" in found
        assert "TEMP B-TREE" not in found


def test_facets_read_indices_alone(gallery: Gallery) -> None:
    for statement in _FACETS.values():
        assert "USING COVERING INDEX" in plan(gallery, statement)


def test_tags_and_styles_are_found_by_index(gallery: Gallery) -> None:
    for filters, index in (({"tag": "x"}, "tags_by_text"), ({"style": "x"}, "styles_by_picture")):
        where, values = conditions(filters)
        assert index in plan(gallery, f"SELECT id FROM entries WHERE {where}", values)


def test_every_filter_has_its_condition() -> None:
    assert list(_CONDITIONS) == list(Filters.__annotations__)


def test_an_index_of_the_first_version_is_made_again(filled: Gallery) -> None:
    before = filled.query(), filled.facets(), filled.statistics()
    path = filled.root / "index.sqlite"
    for companion in ("", "-wal", "-shm"):
        path.with_name(path.name + companion).unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        for statement in MIGRATIONS[0]:
            db.execute(statement)
        db.execute("INSERT INTO entries VALUES ('20260101-000000-000000', '2026', 'a', 'b', 'c')")
        db.execute("PRAGMA user_version = 1")
    reopened = Gallery(filled.root)
    assert (reopened.query(), reopened.facets(), reopened.statistics()) == before
    assert reopened.notices == ()


def test_every_column_comes_back_from_the_folders(filled: Gallery) -> None:
    with contextlib.closing(sqlite3.connect(filled.root / "index.sqlite")) as db:
        before = sorted(db.execute("SELECT * FROM entries")), sorted(db.execute("SELECT * FROM tags"))
    filled.rebuild()
    with contextlib.closing(sqlite3.connect(filled.root / "index.sqlite")) as db:
        assert (sorted(db.execute("SELECT * FROM entries")), sorted(db.execute("SELECT * FROM tags"))) == before
    assert len(before[1]) == 3
