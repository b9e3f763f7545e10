"""The Settings page."""

import json
import re

import pytest
from streamlit.testing.v1 import AppTest

from nst.gallery import Gallery
from nst.jobs import State
from tests.dashboard.pages import HOSTILE, PARSED, ROUTER, check_escaped, paint, said, shown, small, upload, visit
from tests.test_gallery import add

FILE, AUTO, BUILTIN = "A weights file of mine", "Find or download VGG19", "Built-in filters"


def use(at: AppTest, how: str, path: str = "") -> AppTest:
    visit(at, "settings")
    shown(at.segmented_control("network").set_value(how).run())
    if path:
        shown(at.text_input("path").set_value(path).run())
    return shown(at.button("use").click().run())


def remembered(gallery: Gallery) -> object:
    return json.loads(gallery.preferences_path.read_text())


@pytest.mark.parametrize("path", ["/no/such.h5", "streamlit_app.py", ".", "\0", "~nobody/x.h5", HOSTILE, "x" * 5000])
def test_a_wrong_weights_file_is_told_and_not_remembered(studio, gallery, path):
    use(studio, FILE, path)
    assert len(studio.error) == 1
    assert not gallery.preferences_path.exists()
    assert not any(piece in re.sub(r"\\.", "", studio.error[0].value) for piece in PARSED)


def test_without_a_path_nothing_can_be_used(studio):
    visit(studio, "settings")
    shown(studio.segmented_control("network").set_value(FILE).run())
    assert studio.button("use").disabled
    shown(studio.text_input("path").set_value("   ").run())
    assert studio.button("use").disabled


@pytest.mark.weights
def test_a_right_weights_file_is_remembered(studio, gallery, vgg19_path):
    use(studio, FILE, f" {vgg19_path} ")
    assert [error.value for error in studio.error] == []
    assert remembered(gallery) == {"network": str(vgg19_path)}
    assert str(vgg19_path) in said(studio)
    again = visit(shown(AppTest.from_file(ROUTER, default_timeout=30).run()), "settings")
    assert again.segmented_control("network").value == FILE
    assert again.text_input("path").value == str(vgg19_path)


def test_the_builtin_filters_and_the_search_are_remembered(studio, gallery):
    use(studio, BUILTIN)
    assert remembered(gallery) == {"network": "builtin"}
    assert "built-in filters, which come with the program" in said(studio)
    use(studio, AUTO)
    assert remembered(gallery) == {"network": None}


def test_other_preferences_are_kept(studio, gallery):
    gallery.preferences_path.write_text('{"of a later version": 1}')
    use(studio, BUILTIN)
    assert remembered(gallery) == {"of a later version": 1, "network": "builtin"}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "5", '{"network": 5}', '{"network": []}', '{"network": ""}', "\udcff", "[" * 200_000],
    ids=lambda text: repr(text)[:20],
)
def test_damaged_preferences_are_survived(studio, gallery, text):
    gallery.preferences_path.write_bytes(text.encode(errors="surrogateescape"))
    for page in ("studio", "settings"):
        visit(studio, page)
    assert studio.segmented_control("network").value == AUTO
    use(studio, BUILTIN)
    assert remembered(gallery) == {"network": "builtin"}


def test_preferences_that_can_not_be_written_are_told(studio, gallery):
    gallery.preferences_path.mkdir()
    use(studio, BUILTIN)
    assert "could not be saved" in said(studio)


def test_a_remembered_file_that_has_gone_is_told_everywhere(studio, gallery, jobs):
    gallery.preferences_path.write_text(json.dumps({"network": f"/gone/{HOSTILE}.h5"}))
    check_escaped(visit(studio, "studio"))
    visit(studio, "settings")
    assert "does not exist" in said(studio)
    paint(small(upload(visit(studio, "studio"))))
    jobs.run_pending()
    assert jobs.snapshots()[0].state == State.FAILED
    check_escaped(shown(studio.run()))


def test_versions_and_the_gallerys_place_are_told(studio, gallery):
    visit(studio, "settings")
    assert str(gallery.root) in said(studio)
    assert re.search(r"tensorflow \d+\.\d+", said(studio))


def test_the_index_can_be_rebuilt(studio, gallery):
    add(gallery, "one")
    (gallery.root / "index.sqlite").write_bytes(b"no index at all")
    visit(studio, "settings")
    shown(studio.button("rebuild").click().run())
    assert "1 result in the index." in said(studio)
    assert gallery.query().total == 1
