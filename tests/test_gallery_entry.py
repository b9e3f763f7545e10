"""Tests of what an entry's record may say: the user's words, the look, changes of settings; written and read back."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nst import image
from nst.colour import Look
from nst.config import preset
from nst.errors import GalleryError, NSTError
from nst.gallery import Entry, Gallery
from nst.gallery.entry import MAX_CHANGES, changes_of
from nst.gallery.text import MAX_NOTE, clean_note, clean_tags, clean_text, fold, label_of
from nst.result import Change, LayerRow, layer_names, settings_at_start
from tests.galleries import add, change, names, noise, result

NEW = ("starred", "rating", "tags", "note", "look", "initial", "parent", "changes", "advice")
OTHER = "20261121-075541-3fa9c2"
CHANGES = (
    Change(4, 0, {"strength": 40.0, "tv_weight": 0.0}, {"strength": 70.0, "tv_weight": 0.5}),
    Change(9, 1, {"strength": 70.0, "size": 384}, {"strength": 50.0, "size": 512}),
)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "gallery")


def test_where_a_result_comes_from_and_how_it_changed_are_kept(gallery: Gallery) -> None:
    initial = gallery.add_input(image.encode_png(noise(seed=9)), "sketch.png")
    made = result(changes=CHANGES, settings=preset("studio").replace(tv_weight=0.5))
    entry = add(gallery, "", made, initial=initial, parent=OTHER, advice=["Try a larger\nsize.", ""])
    assert gallery.get(entry.id) == gallery.query().entries[0] == entry
    assert (entry.initial, entry.parent, entry.changes) == (initial, OTHER, CHANGES)
    assert entry.advice == ("Try a larger size.",)
    start = settings_at_start(entry.settings, entry.changes)
    assert (start.strength, start.size, start.tv_weight) == (40.0, 384, 0.0)
    assert names(gallery, text="sketch") == [entry.name]


def test_a_start_picture_that_is_not_kept_is_refused(gallery: Gallery) -> None:
    initial = gallery.add_input(image.encode_png(noise(seed=9)), "sketch.png")
    gallery.input_path(initial).unlink()
    with pytest.raises(GalleryError, match="'sketch' is not in the gallery"):
        add(gallery, initial=initial)
    assert not list((gallery.root / "results").iterdir())


def test_layer_losses_are_read_back_to_the_last_digit(gallery: Gallery) -> None:
    made = result()
    columns = layer_names(made.settings)
    layers = tuple(LayerRow(i, tuple(float(i) / 7 ** (k + 1) for k in range(len(columns)))) for i in (1, 2, 3))
    entry = add(gallery, "", result(layers=layers))
    assert gallery.layer_history(entry.id) == (columns, list(layers))
    assert gallery.layer_history(add(gallery).id) == ((), [])
    for text in ("", "x\n1", "evaluation,a\n1,2,3", "evaluation,a\n1,x", "evaluation\n0", "evaluation" + ",a" * 99):
        (entry.folder / "layers.csv").write_text(text)
        with pytest.raises(GalleryError, match=r"layers\.csv is damaged"):
            gallery.layer_history(entry.id)


def test_the_deep_picture_has_sixteen_bits(gallery: Gallery) -> None:
    ramp = np.linspace(0, 1, 24 * 40 * 3, dtype=np.float32).reshape(24, 40, 3)
    entry = add(gallery, "", result(picture=ramp))
    jpeg, looked = gallery.picture(entry.id, "jpeg"), gallery.picture(entry.id, "tiff", look=Look(blend=1 - 1e-9))
    tifffile = pytest.importorskip("tifffile")
    kept, rendered = (tifffile.imread(path) for path in (entry.deep_path, _file(gallery, looked)))
    np.testing.assert_array_equal(kept, np.rint(ramp * 65535).astype(np.uint16), strict=True)
    assert np.abs(kept.astype(int) - rendered).max() <= 1  # 8 bits on the way would be 257 apart
    assert jpeg.startswith(b"\xff\xd8")


def _file(gallery: Gallery, data: bytes) -> Path:
    path = gallery.work / "picture"
    path.write_bytes(data)
    return path


def test_entries_from_before_are_read_with_defaults(gallery: Gallery) -> None:
    entry = add(gallery, "old")
    record = json.loads((entry.folder / "metadata.json").read_text())
    (entry.folder / "metadata.json").write_text(json.dumps({k: v for k, v in record.items() if k not in NEW}))
    entry.deep_path.unlink()
    gallery.rebuild()
    old = gallery.get(entry.id)
    assert old == entry == gallery.query().entries[0]
    assert (old.starred, old.rating, old.tags, old.note, old.look) == (False, 0, (), "", Look())
    assert (old.initial, old.parent, old.changes, old.advice) == (None, None, (), ())
    assert gallery.layer_history(entry.id) == ((), [])
    assert gallery.state(entry.id) is None
    assert gallery.annotate(entry.id, starred=True).starred
    for format_ in ("jpeg", "webp", "tiff"):
        assert len(gallery.picture(entry.id, format_)) > 100


def test_the_png_tells_nothing_that_a_user_said(gallery: Gallery) -> None:
    initial = gallery.add_input(image.encode_png(noise(seed=9)), "grandmother.png")
    entry = add(gallery, "", result(changes=CHANGES), initial=initial, parent=OTHER, advice=["advised"])
    gallery.annotate(entry.id, tags=["wedding"], note="for Anna", starred=True, rating=4, look=Look("matched", 0.5))
    for look in (Look(), Look("photograph")):
        told = image.read_png_text(gallery.picture(entry.id, "png", look=look))["nst"]
        for private in ("grandmother", "wedding", "Anna", "matched", "advised", OTHER, "tubingen"):
            assert private not in told
        record = json.loads(told)
        assert not set(record) & {"name", "tags", "note", "starred", "rating", "look", "parent", "advice"}
        assert record["initial"]["sha256"] == initial.sha256
        assert changes_of(record) == CHANGES


# Any words, and hostile ones -------------------------------------------------------------------------------------

anything = st.text(st.characters(exclude_categories=()), max_size=45)
numbers = st.floats(0, 100)
steps = st.fixed_dictionaries({}, optional={"strength": numbers, "tv_weight": numbers, "plateau": st.floats(0, 0.5)})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tags=st.lists(st.text(st.characters(exclude_categories=()), max_size=40), max_size=20),
    note=st.text(st.characters(exclude_categories=()), max_size=200),
    starred=st.booleans(),
    rating=st.integers(0, 5),
    advice=st.lists(anything, max_size=30),
    changed=st.lists(st.tuples(steps.filter(bool), numbers), max_size=4),
)
def test_whatever_is_said_is_read_back(tmp_path: Path, tags, note, starred, rating, advice, changed) -> None:
    gallery = Gallery(tmp_path / "gallery")
    changes = tuple(Change(i, 0, before, dict.fromkeys(before, 0.25)) for i, (before, _) in enumerate(changed, start=1))
    entry = add(gallery, "", result(changes=changes), advice=advice)
    said = gallery.annotate(entry.id, tags=tags, note=note, starred=starred, rating=rating)
    assert gallery.get(entry.id) == said == gallery.query(text=said.name, limit=1).entries[0]
    assert (said.starred, said.rating, said.changes) == (starred, rating, changes)
    assert (said.tags, said.note) == (clean_tags(tags), clean_note(note))
    assert Entry.from_dict(json.loads(json.dumps(said.to_dict())), gallery.root) == said
    for tag in said.tags:
        assert entry.id in gallery.ids(tag=tag.upper())


@given(anything)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    note = clean_note(text)
    assert clean_note(note) == note
    tags = clean_tags([text[:40]])
    assert clean_tags(tags) == tags


def test_tags_are_kept_once_and_in_order() -> None:
    assert clean_tags(["  Blue \n sky", "", "a", "BLUE SKY", "A", "b"]) == ("Blue sky", "a", "b")
    assert clean_tags(["x" * 40]) == ("x" * 40,)
    with pytest.raises(GalleryError, match="40 characters"):
        clean_tags(["x" * 41])
    assert len(clean_tags(map(str, range(20)))) == 20
    with pytest.raises(GalleryError, match="20 tags"):
        clean_tags(map(str, range(21)))
    assert fold("Ärger") == fold("A\u0308RGER")


def test_notes_keep_their_lines() -> None:
    assert clean_note(" one\r\ntwo\rthree\u2028\n\x00\x1bfour\tfive \ud800\n") == "one\ntwo\nthree\n\nfour five"
    assert len(clean_note("x" * MAX_NOTE)) == MAX_NOTE
    with pytest.raises(GalleryError, match="5,001 characters"):
        clean_note("x" * (MAX_NOTE + 1))


HOSTILE = [
    ("starred", 1),
    ("starred", None),
    ("rating", 6),
    ("rating", -1),
    ("rating", True),
    ("rating", 2.5),
    ("tags", "blue"),
    ("tags", [1]),
    ("tags", ["x" * 41]),
    ("tags", [str(i) for i in range(21)]),
    ("note", None),
    ("note", "x" * 5001),
    ("look", None),
    ("look", {"colours": "../../x"}),
    ("look", {"colours": ["own"]}),
    ("look", {"blend": 2}),
    ("look", {"warp": 1}),
    ("initial", {"sha256": "../x", "ext": "png", "label": "x"}),
    ("initial", "x"),
    ("parent", "../../etc"),
    ("parent", 7),
    ("changes", {}),
    ("changes", [[]]),
    ("changes", [{"evaluation": 1, "scale": 0, "before": {}, "after": {}}]),
    ("changes", [{"evaluation": 1, "scale": 0, "before": {"seed": 1}, "after": {"seed": 2}}]),
    ("changes", [{"evaluation": 1, "scale": 0, "before": {"strength": 1}, "after": {"plateau": 0.1}}]),
    ("changes", [{"evaluation": 1, "scale": 0, "before": {"strength": 101}, "after": {"strength": 2}}]),
    ("changes", [{"evaluation": 1, "scale": 0, "before": {"strength": 1}, "after": {"strength": "2"}}]),
    ("changes", [{"evaluation": 1, "scale": 0, "before": {"strength": None}, "after": {"strength": 2}}]),
    ("changes", [{"evaluation": -1, "scale": 0, "before": {"strength": 1}, "after": {"strength": 2}}]),
    ("changes", [{"evaluation": 1, "scale": 0, "before": {"strength": 1}, "after": {"strength": 2}}] * 1001),
    ("advice", "x"),
    ("advice", ["x"] * 21),
    ("width", -1),
    ("width", 0),
    ("height", 0),
    ("width", 10**12),
    ("evaluations", 10**19),
]


@pytest.mark.parametrize(("key", "value"), HOSTILE)
def test_impossible_records_are_told_and_harm_nothing(gallery: Gallery, key: str, value: object) -> None:
    add(gallery, "good")
    bad = add(gallery, "bad")
    change(bad.folder, **{key: value})
    assert gallery.rebuild().damaged.keys() == {bad.id}
    assert names(gallery) == ["good"]
    with pytest.raises(GalleryError):
        gallery.get(bad.id)


def test_halves_of_surrogate_pairs_in_a_record_do_no_harm(gallery: Gallery) -> None:
    entry = add(gallery, "one")
    half = "a\ud800b"
    network = {"name": half, "sha256": half, "source": half}
    settings = entry.settings.to_dict() | {"preset": half}
    change(entry.folder, message=half, versions={half: half}, network=network, settings=settings, name=half, note=half)
    (found,) = gallery.query().entries
    assert (found.message, found.versions, found.network) == ("ab", {"ab": "ab"}, ("ab", "ab", "ab"))
    assert found.settings.preset == "ab"
    json.dumps(found.to_dict(), ensure_ascii=False).encode()
    assert gallery.rename(entry.id, "two") == gallery.query().entries[0]


@pytest.mark.parametrize("turn", [*"\u202a\u202b\u202c\u202d\u202e", *"\u2066\u2067\u2068\u2069"])
def test_names_labels_and_tags_cannot_turn_the_direction_of_text(turn: str) -> None:
    assert clean_text(f"cat{turn}gpj.exe") == label_of(f"cat{turn}gpj.exe.png") == "catgpj.exe"
    assert clean_tags([f"a{turn}b", "ab"]) == ("ab",)
    assert clean_text("שלום") == "שלום"


def test_a_run_with_very_many_changes_can_be_saved(gallery: Gallery) -> None:
    many = tuple(Change(i, 0, {"strength": 50.0}, {"strength": 50.0}) for i in range(1, MAX_CHANGES + 50))
    entry = add(gallery, "", result(changes=many), advice=["x" * 900] * 50)
    assert gallery.get(entry.id).changes == many[-MAX_CHANGES:]


def test_changes_alone_are_checked_against_the_settings() -> None:
    record = {"settings": preset("studio").to_dict()}
    assert changes_of(record) == ()
    one = {"evaluation": 1, "scale": 0, "before": {"size": 9}, "after": {"size": 512}}
    with pytest.raises(NSTError, match="size"):
        changes_of(record | {"changes": [one]})
