"""Tests of nst.dashboard.files: the gallery's pictures over HTTP, through the app's own routes and middleware."""

import contextlib
import io
import threading
import time
from email.message import Message
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import quote, urlencode

import numpy as np
import pytest
import streamlit
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.applications import Starlette

from nst import colour, image
from nst.colour import Look
from nst.dashboard import files
from nst.gallery import Gallery
from tests.galleries import add, noise, result


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    monkeypatch.setenv("NST_GALLERY", str(tmp_path / "gallery"))
    streamlit.cache_resource.clear()
    yield Gallery(tmp_path / "gallery")
    streamlit.cache_resource.clear()


class Answer(NamedTuple):
    status_code: int
    headers: Message
    content: bytes

    @property
    def text(self):
        return self.content.decode()


class Client:
    """Asks a real server on this computer."""

    def __init__(self, port):
        self.port = port

    def get(self, path, params=None, headers=None):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", path + (f"?{urlencode(params)}" if params else ""), headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())


@pytest.fixture(scope="module")
def server():
    app = Starlette(routes=files.ROUTES, middleware=files.MIDDLEWARE)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def client(gallery, server):
    return Client(server)


def smooth(width, height, tint):
    """(h, w, 3) float32 of ramps, which JPEG keeps well."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    return np.stack([x * tint, y * tint, 0.5 + 0 * x], axis=-1).astype(np.float32)


def painted(gallery, width=64, height=48, **options):
    content = gallery.add_input(image.encode_png(smooth(width, height, 0.9)), "ramp.png")
    return add(gallery, "", result(picture=smooth(width, height, 0.3)), content=content, **options)


def pixels(response):
    assert response.status_code == 200, response.text
    return image.load(response.content).rgb


# What is served ----------------------------------------------------------------------------------------------------


def test_a_thumbnail_is_served_as_it_lies(client, gallery):
    entry = painted(gallery)
    answer = client.get(f"/files/thumbnail/{entry.id}")
    assert answer.content == entry.thumbnail_path.read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"


def test_a_picture_is_served_with_the_look_asked_for(client, gallery):
    entry = painted(gallery)
    result_, photograph = image.load(entry.picture_path).rgb, image.load(entry.content_path).rgb
    for look in (Look(), Look("photograph"), Look("matched", 0.5), Look("own", 0)):
        shown = pixels(client.get(f"/files/picture/{entry.id}?colours={look.colours}&blend={look.blend:g}"))
        np.testing.assert_allclose(shown, colour.apply(result_, photograph, look), atol=0.04)


def test_a_picture_is_served_with_the_look_it_keeps_where_none_is_asked_for(client, gallery):
    entry = painted(gallery)
    gallery.annotate(entry.id, look=Look("photograph", 0.25))
    kept = client.get(f"/files/picture/{entry.id}").content
    assert kept == client.get(f"/files/picture/{entry.id}?colours=photograph&blend=0.25").content
    assert kept != client.get(f"/files/picture/{entry.id}?blend=1").content


def test_large_pictures_are_made_to_fit_a_screen(client, gallery):
    entry = painted(gallery, 1600, 40)
    assert pixels(client.get(f"/files/picture/{entry.id}?colours=matched")).shape == (36, 1440, 3)
    assert pixels(client.get(f"/files/input/{entry.content.sha256}?size=screen")).shape == (36, 1440, 3)


def test_transparent_pictures_stay_transparent(client, gallery):
    alpha = np.zeros((48, 64), np.float32)
    alpha[:, 32:] = 1
    entry = painted(gallery, alpha=alpha)
    answer = client.get(f"/files/picture/{entry.id}?colours=photograph")
    assert answer.headers["content-type"] == "image/webp"
    opacity = np.asarray(Image.open(io.BytesIO(answer.content)))[..., 3]
    assert (opacity[:, 0].max(), opacity[:, -1].min()) == (0, 255)


def test_inputs_are_served_small_and_for_the_screen(client, gallery):
    found = gallery.add_input(image.encode_png(smooth(600, 300, 0.9)), "ramp.png")
    assert client.get(f"/files/input/{found.sha256}").content == gallery.input_thumbnail(found)
    assert pixels(client.get(f"/files/input/{found.sha256}?size=screen")).shape == (300, 600, 3)


def test_frames_are_served_by_their_evaluation(client, gallery, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "000025.jpg").write_bytes(image.encode_jpeg(noise()))
    entry = painted(gallery, frames=folder)
    assert client.get(f"/files/frame/{entry.id}/25").content == (folder / "000025.jpg").read_bytes()
    for number in ("26", "-25", "2_5", "%C2%B2", "25.0", "x", "9" * 30, "..", "%2e%2e"):
        assert client.get(f"/files/frame/{entry.id}/{number}").status_code == 404


# Asking again ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/files/thumbnail/{}", "/files/picture/{}"])
def test_a_browser_asks_again_and_hears_when_the_look_has_changed(client, gallery, address):
    entry = painted(gallery)
    first = client.get(address.format(entry.id))
    assert "no-cache" in first.headers["cache-control"]
    known = {"If-None-Match": first.headers["etag"]}
    again = client.get(address.format(entry.id), headers=known)
    assert (again.status_code, again.content) == (304, b"")
    gallery.annotate(entry.id, look=Look("photograph", 0.5))
    changed = client.get(address.format(entry.id), headers=known)
    assert changed.status_code == 200
    assert changed.content != first.content


def test_a_picture_put_in_anothers_place_is_seen(client, gallery):
    entry = painted(gallery)
    before = client.get(f"/files/picture/{entry.id}")
    entry.picture_path.write_bytes(image.encode_png(smooth(64, 48, 0.8)))
    after = client.get(f"/files/picture/{entry.id}")
    assert after.headers["etag"] != before.headers["etag"]
    assert after.content != before.content


def test_inputs_are_kept_for_good(client, gallery):
    entry = painted(gallery)
    assert "immutable" in client.get(f"/files/input/{entry.content.sha256}").headers["cache-control"]


# What may come in --------------------------------------------------------------------------------------------------

SHA = "a" * 64
LOST = ["", ".", "..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "x" * 3000, "20261121-075541-3fa9c2", SHA, SHA.upper(), "%00"]


@pytest.mark.parametrize("path", ["thumbnail/{}", "picture/{}", "frame/{}/1", "input/{}"])
@pytest.mark.parametrize("name", LOST)
def test_what_is_not_there_is_told_in_words(client, gallery, path, name):
    painted(gallery)
    answer = client.get(f"/files/{path.format(name)}")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "query",
    [
        "colours=",
        "colours=red",
        "blend=2",
        "blend=-1",
        "blend=nan",
        "blend=",
        "blend=0.12345",
        "blend=1e-1",
        "blend=%C2%BD",
    ],
)
def test_an_impossible_look_is_told_in_words(client, gallery, query):
    answer = client.get(f"/files/picture/{painted(gallery).id}?{query}")
    assert answer.status_code == 400
    assert "Received: " in answer.text


def test_an_unknown_size_is_told_in_words(client, gallery):
    assert client.get(f"/files/input/{painted(gallery).content.sha256}?size=huge").status_code == 400


def test_a_missing_photograph_is_told_in_words(client, gallery):
    entry = painted(gallery)
    entry.content_path.unlink()
    assert client.get(f"/files/picture/{entry.id}").status_code == 200
    answer = client.get(f"/files/picture/{entry.id}?colours=photograph")
    assert (answer.status_code, "missing" in answer.text) == (404, True)


def test_answers_are_never_sniffed_and_foreign_hosts_get_none(client, gallery):
    entry = painted(gallery)
    for path in (f"picture/{entry.id}", f"input/{entry.content.sha256}", "thumbnail/x", f"picture/{entry.id}?blend=9"):
        assert client.get(f"/files/{path}").headers["x-content-type-options"] == "nosniff"
    assert client.get(f"/files/picture/{entry.id}", headers={"Host": "evil.example"}).status_code == 400


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=20))
def test_no_request_breaks_the_server(client, gallery, name, colours, blend):
    for path in ("thumbnail", "picture", "input"):
        assert client.get(f"/files/{path}/{quote(name, safe='')}").status_code == 404
    entry = next(iter(gallery.query().entries), None) or painted(gallery)
    answer = client.get(f"/files/picture/{entry.id}", params={"colours": colours, "blend": blend, "size": name})
    assert answer.status_code in (200, 400)


# Keeping what was made ---------------------------------------------------------------------------------------------


def test_the_cache_keeps_what_was_used_last_within_its_bound():
    cache, made = files.Cache[bytes](10, len), []

    def make(key):
        return cache.get(key, lambda: made.append(key) or bytes(4))

    for key in "abab":
        make(key)
    assert made == ["a", "b"]
    make("c")  # a is the one used longest ago
    make("b")
    assert made == ["a", "b", "c"]
    make("a")
    assert made == ["a", "b", "c", "a"]
    assert cache.used == 8
    cache.get("huge", lambda: bytes(11))
    assert cache.used == 0


def at_once(*works):
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def test_one_thread_makes_what_several_want_and_all_get_it():
    cache, gate, made, got = files.Cache[bytes](100, len), threading.Event(), [], []

    def make():
        made.append(1)
        gate.wait(30)
        return bytes(30)

    def late():
        while len(cache._making) == 0:  # until the first is at it
            time.sleep(0.001)
        threading.Timer(0.05, gate.set).start()
        got.append(cache.get("same", make))

    at_once(lambda: got.append(cache.get("same", make)), late, late, late)
    assert (got, len(made), cache.used) == ([bytes(30)] * 4, 1, 30)


def test_what_can_not_be_made_is_told_to_all_who_want_it_and_tried_again():
    cache, gate, told = files.Cache[bytes](100, len), threading.Event(), []

    def fail():
        gate.wait(30)
        raise ValueError("damaged")

    def ask():
        try:
            cache.get("same", fail)
        except ValueError as error:
            told.append(str(error))

    threading.Timer(0.05, gate.set).start()
    at_once(ask, ask, ask)
    assert told == ["damaged"] * 3
    assert cache.get("same", lambda: bytes(3)) == bytes(3)


def test_two_pictures_at_most_are_rendered_at_once(client, gallery, monkeypatch):
    entries = [painted(gallery, 64, 48 + number) for number in range(6)]
    load, now, most = files.load, [], []

    def slow(path):
        now.append(path)
        most.append(len(now))
        time.sleep(0.05)
        now.remove(path)
        return load(path)

    monkeypatch.setattr(files, "load", slow)
    at_once(*[lambda entry=entry: client.get(f"/files/picture/{entry.id}") for entry in entries])
    assert len(most) == 6
    assert max(most) == 2
