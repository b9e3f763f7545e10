"""Weights files good and bad, the built-in filters, the order in which networks are looked for, and the download.

Downloads come from a server on 127.0.0.1; no test here reaches the network.
"""

from __future__ import annotations

import errno
import hashlib
import http.server
import importlib.util
import math
import os
import re
import socket
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from nst import weights
from nst.config import CONVOLUTIONS
from nst.errors import WeightsError
from tests.networks import seeded

ROOT = Path(__file__).parents[1]
REAL = Path(os.environ.get("NST_TEST_WEIGHTS") or ROOT.parent / "shared" / "weights" / "vgg19_notop.h5")
needs_real = pytest.mark.skipif(not REAL.is_file(), reason=f"{REAL} is not there")
ask_keras_for_its_url = weights._keras_url

SHAPES = {}
_received = 3
for _name, _channels in weights.CHANNELS.items():
    SHAPES[_name] = (3, 3, _received, _channels), (_channels,)
    _received = _channels


def write_h5(path, *, names="{0}/{0}_W_1:0 {0}/{0}_b_1:0", dtype="f4", change=None):
    """A file of full shapes and a few KB: each array is one value, kept as HDF5's fill value.

    The kernel of layer i is all i + 1 and its bias -(i + 1); `change(name)` may return other (shapes, fills), or None
    to leave the layer out.
    """
    with h5py.File(path, "w") as file:
        for index, name in enumerate(CONVOLUTIONS):
            shapes, fills = SHAPES[name], (index + 1, -index - 1)
            if change and (changed := change(name, shapes, fills)) != "keep":
                if changed is None:
                    continue
                shapes, fills = changed
            numbered = f"conv2d_{index}" if index else "conv2d"
            for where, shape, fill in zip(names.split(), shapes, fills, strict=True):
                at = where.format(name, numbered)
                file.create_dataset(at, shape, dtype, chunks=shape, fillvalue=fill)
        file.create_group("block1_pool")
        file.create_dataset("fc1/fc1_W_1:0", (4, 4), "f4")
    return path


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    return write_h5(tmp_path_factory.mktemp("weights") / "whole.h5")


def md5_of(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path, unused_port):
    """No environment, cache, memory or network of this computer: Keras' address is one that refuses."""
    for name in (weights.ENV_WEIGHTS, weights.ENV_OFFLINE, "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(weights, "_keras_url", lambda: f"http://127.0.0.1:{unused_port}/{weights.FILE_NAME}")
    weights.forget_failure()
    weights._read.cache_clear()
    yield
    weights.forget_failure()
    weights._read.cache_clear()


# Reading a file


@pytest.mark.parametrize(
    "names",
    [
        "{0}/{0}_W_1:0 {0}/{0}_b_1:0",  # Keras' own file
        "{0}/{0}/kernel:0 {0}/{0}/bias:0",  # saved again by tf.keras
        "model_weights/{0}/{0}/kernel model_weights/{0}/{0}/bias",  # a whole model saved as .h5
        "layers/{1}/vars/0 layers/{1}/vars/1",  # Keras 3, .weights.h5
    ],
)
def test_layouts(tmp_path, names):
    network = weights.read(write_h5(tmp_path / "w.h5", names=names))
    assert network.info.name == "vgg19"
    assert list(network.filters) == list(CONVOLUTIONS)
    for index, (name, (kernel, bias)) in enumerate(network.filters.items()):
        assert (kernel.shape, bias.shape) == SHAPES[name]
        assert kernel.dtype == bias.dtype == np.float32
        assert kernel.min() == kernel.max() == index + 1
        assert bias.min() == bias.max() == -index - 1


def test_identity_is_of_the_filters_not_of_the_file(whole, tmp_path, monkeypatch):
    first = weights.read(whole)
    other = weights.read(write_h5(tmp_path / "double.h5", dtype="f8"))
    assert md5_of(whole) != md5_of(tmp_path / "double.h5")
    assert other == first
    assert len({first, other}) == 1
    assert first != weights.builtin()
    assert "not the file that Keras publishes" in first.warning
    assert "whole.h5" in first.warning
    assert str(whole.parent) not in first.info.source, "folders bear people's names"
    with pytest.raises(ValueError, match="read-only"):
        first.filters["block1_conv1"][0][:] = 0


def test_keras_own_file_gives_no_warning(whole, monkeypatch):
    monkeypatch.setattr(weights, "MD5", md5_of(whole))
    assert weights.read(whole).warning == ""


def test_file_is_read_again_when_it_changed(whole, tmp_path):
    path = tmp_path / "w.h5"
    path.write_bytes(whole.read_bytes())
    assert weights.read(path) is weights.read(path)
    path.write_text("gone")
    with pytest.raises(WeightsError, match="not an HDF5 file"):
        weights.read(path)


def assert_refused(path, *parts):
    with pytest.raises(WeightsError) as caught:
        weights.read(path)
    message = str(caught.value)
    for part in (str(path), *parts):
        assert part in message
    assert re.search(r"Download it again|Name the .h5|Check the path", message), "says what to do"


def test_truncated_at_any_byte(whole, tmp_path):
    content, path = whole.read_bytes(), tmp_path / "cut.h5"
    for length in [*range(1, 1024, 61), *range(1024, len(content) - 1, len(content) // 60), len(content) - 1]:
        path.write_bytes(content[:length])
        assert_refused(path, "cut short or damaged" if length >= 8 else "is not an HDF5 file")


@pytest.mark.weights
@needs_real
def test_real_file_and_its_truncations(tmp_path):
    network = weights.read(REAL)
    assert network.info.name == "vgg19"
    kernel, bias = network.filters["block1_conv1"]
    assert (kernel.shape, bias.shape) == ((3, 3, 3, 64), (64,))
    assert 0.1 < kernel.std() < 0.5
    path = tmp_path / "cut.h5"
    path.write_bytes(REAL.read_bytes())
    size = path.stat().st_size
    for length in (size - 1, size - 4096, size // 2, size // 3, 1 << 20, 4096, 100):
        os.truncate(path, length)
        assert_refused(path, "cut short or damaged")


def test_flipped_bytes_never_escape_as_another_error(whole, tmp_path):
    content, path, generator = bytearray(whole.read_bytes()), tmp_path / "flipped.h5", np.random.default_rng(5)
    refused = 0
    for position in generator.integers(8, 4096, 25):
        damaged = content.copy()
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            weights.read(path)
        except WeightsError:
            refused += 1
    assert refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html><title>Sign in</title></html>" * 50, "a web page saved as an HDF5 file"),
        (b"PK\x03\x04" * 500, "not an HDF5 file"),
        (b"\x89HDF\r\n\x1a\n", "cut short or damaged"),
        (b"\x89HDF\r\n\x1a\n" + bytes(5000), "cut short or damaged"),
    ],
)
def test_no_hdf5(tmp_path, content, said):
    path = tmp_path / "vgg19.h5"
    path.write_bytes(content)
    assert_refused(path)
    with pytest.raises(WeightsError, match=said):
        weights.read(path)


def test_no_file(tmp_path):
    assert_refused(tmp_path / "missing.h5", "No such file")
    assert_refused(tmp_path, "is a folder")
    assert_refused(tmp_path / ("x" * 300), "too long")
    with pytest.raises(WeightsError, match="null byte"):
        weights.read("bad\0name.h5")
    os.mkfifo(tmp_path / "pipe")
    assert_refused(tmp_path / "pipe", "no plain file")


def test_no_permission(whole, tmp_path):
    path = tmp_path / "private.h5"
    path.write_bytes(whole.read_bytes())
    path.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        assert_refused(path, "Permission denied")
    finally:
        if root:
            os.seteuid(0)


def at(layer, result):
    return lambda name, shapes, fills: result(shapes, fills) if name == layer else "keep"


@pytest.mark.parametrize(
    ("layer", "result", "said"),
    [
        ("block3_conv4", lambda shapes, fills: None, ["block3_conv4"]),
        (
            "block1_conv1",
            lambda shapes, fills: (((3, 3, 4, 64), (64,)), fills),
            ["kernel of block1_conv1", "(3, 3, 3, 64)", "(3, 3, 4, 64)"],
        ),
        (
            "block2_conv1",
            lambda shapes, fills: ((shapes[0], (64,)), fills),
            ["bias of block2_conv1", "(128,)", "(64,)"],
        ),
        ("block1_conv2", lambda shapes, fills: (shapes, (math.nan, 0)), ["kernel of block1_conv2", "not finite"]),
        ("block5_conv4", lambda shapes, fills: (shapes, (1, -math.inf)), ["bias of block5_conv4", "not finite"]),
    ],
    ids=["missing", "kernel", "bias", "nan", "infinity"],
)
def test_wrong_layer(tmp_path, layer, result, said):
    assert_refused(write_h5(tmp_path / "w.h5", change=at(layer, result)), *said)


def test_wrong_types(tmp_path):
    assert_refused(write_h5(tmp_path / "whole_numbers.h5", dtype="i4"), "int32")
    too_large = at("block1_conv1", lambda shapes, fills: (shapes, (1e300, 0)))
    assert_refused(write_h5(tmp_path / "doubles.h5", dtype="f8", change=too_large), "not finite")


# The built-in filters


def test_builtin_is_half_of_vgg19_and_whole():
    network = weights.builtin()
    assert network.info.name == "builtin"
    assert network.warning == ""
    assert list(network.filters) == list(CONVOLUTIONS)
    for name, (kernel, bias) in network.filters.items():
        full = SHAPES[name][0]
        assert kernel.shape == (3, 3, full[2] if full[2] == 3 else full[2] // 2, full[3] // 2)
        assert bias.shape == (full[3] // 2,)
        assert kernel.dtype == bias.dtype == np.float32
        assert np.isfinite(kernel).all()
        assert kernel.std() > 0
    assert weights.BUILTIN_FILE.stat().st_size < 8e6


def test_what_the_program_needs_is_packed_with_it():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["nst"]
    packed = {path for pattern in patterns for path in (ROOT / "nst").glob(pattern)}
    shipped = {path for path in (ROOT / "nst" / "data").rglob("*") if path.is_file()}
    assert weights.BUILTIN_FILE in shipped
    assert shipped <= packed


def test_builtin_is_refused_when_its_file_is_damaged_or_missing(tmp_path, monkeypatch):
    weights.builtin.cache_clear()
    data = bytearray(weights.BUILTIN_FILE.read_bytes())
    monkeypatch.setattr(weights, "BUILTIN_FILE", tmp_path / "builtin.npz")
    with pytest.raises(WeightsError, match=r"builtin\.npz.*can't be read.*Install the program again"):
        weights.builtin()
    assert not weights.describe("builtin").ready
    assert "file is missing. Install the program again" in weights.describe("builtin").text
    data[len(data) // 2] ^= 1
    weights.BUILTIN_FILE.write_bytes(data)
    with pytest.raises(WeightsError, match=r"builtin\.npz.*damaged.*Install the program again"):
        weights.builtin()


def test_packing_rounds_to_8_bits_a_channel_and_is_repeatable():
    filters = {name: (kernel, bias + np.float32(0.3)) for name, (kernel, bias) in list(seeded().filters.items())[:3]}
    packed = weights.pack(filters)
    assert weights.pack(filters) == packed
    again = weights.unpack(packed)
    assert list(again) == list(filters)
    for name, (kernel, bias) in again.items():
        assert kernel.dtype == bias.dtype == np.float32
        step = np.abs(filters[name][0]).max((0, 1, 2)) / 127
        assert (np.abs(kernel - filters[name][0]) <= 0.5001 * step).all()
        assert (kernel == weights.rounded(filters[name][0])).all()
        assert (bias == filters[name][1]).all()
    silent = {"block1_conv1": (np.zeros((3, 3, 3, 2), np.float32), np.zeros(2, np.float32))}
    assert not weights.unpack(weights.pack(silent))["block1_conv1"][0].any()


def test_nothing_imports_keras_or_tensorflow(whole):
    code = (
        "import sys; from nst import weights; weights.read(sys.argv[1]); weights.builtin(); "
        "weights.describe(); print([m for m in sys.modules if m.split('.')[0] in ('keras', 'tensorflow')])"
    )
    done = subprocess.run([sys.executable, "-c", code, whole], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Which network is found


@pytest.fixture
def cached(whole, monkeypatch):
    """Keras' cache with a whole file in it."""
    monkeypatch.setattr(weights, "MD5", md5_of(whole))
    path = weights.cache_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(whole.read_bytes())
    return path


def test_order(cached, whole, tmp_path, monkeypatch):
    network = weights.find()
    assert network.info.name == "vgg19"
    assert "Keras' copy" in network.info.source
    assert "Keras' copy" in weights.describe().text
    monkeypatch.setenv(weights.ENV_WEIGHTS, "builtin")
    assert weights.find().info.name == weights.describe().name == "builtin"
    assert weights.find(whole).info.source == "VGG19, the file whole.h5"
    assert weights.describe(whole).path == whole
    monkeypatch.setenv(weights.ENV_WEIGHTS, str(tmp_path / "missing.h5"))
    assert weights.find("builtin").info.name == weights.describe("builtin").name == "builtin"
    assert not weights.describe().ready
    with pytest.raises(WeightsError, match=r"missing\.h5"):
        weights.find()


def test_a_preset_may_prefer_a_network_but_never_over_a_choice(monkeypatch):
    monkeypatch.delenv(weights.ENV_WEIGHTS, raising=False)
    assert weights.choose(None, "builtin") == "builtin"
    assert weights.choose("mine.h5", "builtin") == "mine.h5"
    assert weights.choose(None, None) is None
    monkeypatch.setenv(weights.ENV_WEIGHTS, "theirs.h5")
    assert weights.choose(None, "builtin") is None, "find asks the environment"
    assert weights.choose("builtin", None) == "builtin"


def test_home_of_the_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert weights.cache_path() == tmp_path / ".keras" / "models" / weights.FILE_NAME


def test_builtin_says_why_when_nothing_is_found():
    assert not weights.describe().ready
    network = weights.find()
    assert network.info.name == "builtin"
    assert network.info.source.startswith(
        "built-in filters, because VGG19 is not on this computer and could not be downloaded: Connection refused"
    )
    assert weights.ENV_WEIGHTS in network.warning
    assert "Connection refused" in weights.describe().text
    assert weights.builtin().warning == "", "the memory of the built-in filters is not touched"


def test_failed_download_is_remembered(monkeypatch):
    tries = []

    def fail(*args, **kwargs):
        tries.append(args)
        raise weights.DownloadError("no such luck")

    monkeypatch.setattr(weights, "download", fail)
    assert "no such luck" in weights.find().info.source
    assert "no such luck" in weights.find().info.source
    assert len(tries) == 1
    weights.forget_failure()
    weights.find()
    assert len(tries) == 2
    later = time.monotonic() + weights.RETRY_AFTER
    monkeypatch.setattr(weights, "time", SimpleNamespace(monotonic=lambda: later))
    weights.find()
    assert len(tries) == 3


def test_offline_does_not_try(monkeypatch):
    monkeypatch.setattr(weights, "download", lambda *args, **kwargs: pytest.fail("tried to download"))
    assert "working offline" in weights.find(offline=True).info.source
    assert "working offline" in weights.describe(offline=True).text
    monkeypatch.setenv(weights.ENV_OFFLINE, "1")
    assert "working offline" in weights.find().info.source
    assert weights.describe().name == "builtin"


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content + b"x"], ids=["cut", "other"])
def test_damaged_cache_is_reported_and_left_alone(cached, damage):
    """`other` is a file that can be read well, but not the one that Keras publishes."""
    damaged = damage(cached.read_bytes())
    cached.write_bytes(damaged)
    network = weights.find()
    assert network.info.name == "builtin"
    assert "damaged" in network.info.source
    assert cached.read_bytes() == damaged


def test_damaged_cache_is_replaced_by_a_download(cached, server, whole, monkeypatch):
    cached.write_bytes(b"<html>")
    monkeypatch.setattr(weights, "_keras_url", lambda: f"{server}/good")
    seen = []
    network = weights.find(progress=lambda received, total: seen.append((received, total)))
    assert network.info.name == "vgg19"
    assert "replaced a damaged file" in network.info.source
    assert seen[-1] == (whole.stat().st_size,) * 2
    assert cached.read_bytes() == whole.read_bytes()
    assert "Keras' copy" in weights.find().info.source


# Downloading


@pytest.fixture(scope="module")
def server(whole):
    """Serves `whole` well and badly; returns its address."""
    content, closing = whole.read_bytes(), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/missing":
                return self.send_error(404)
            if self.path == "/silent":
                closing.wait(20)
                return None
            self.send_response(200)
            if self.path != "/unsized":
                self.send_header("Content-Length", str(len(content) + (self.path == "/short")))
            self.end_headers()
            self.wfile.write(content[:1000])
            if self.path == "/stall":
                closing.wait(20)
                return None
            self.wfile.write(content[1000:])

        def log_message(self, *args):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    threading.Thread(target=running.serve_forever, args=[0.05], daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    closing.set()
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize("kind", ["good", "unsized"])
def test_download(server, whole, tmp_path, kind):
    seen, size = [], whole.stat().st_size
    target = tmp_path / "new" / "folder" / "w.h5"
    weights.download(target, url=f"{server}/{kind}", md5=md5_of(whole), progress=lambda *now: seen.append(now))
    assert target.read_bytes() == whole.read_bytes()
    assert list(target.parent.iterdir()) == [target]
    assert seen[-1] == (size, size if kind == "good" else None)
    assert [received for received, _ in seen] == sorted({received for received, _ in seen})


@pytest.mark.parametrize(
    ("kind", "md5", "said"),
    [
        ("good", "0" * 32, "not the right file"),
        ("short", None, "the connection ended after"),
        ("missing", None, "404 Not Found"),
        ("silent", None, "no answer within 0.3 seconds"),
        ("stall", None, "no answer within 0.3 seconds"),
    ],
)
def test_failed_download_leaves_what_was_there(server, whole, tmp_path, kind, md5, said):
    target = tmp_path / "w.h5"
    target.write_text("older")
    start = time.monotonic()
    with pytest.raises(WeightsError, match=said) as caught:
        weights.download(target, url=f"{server}/{kind}", md5=md5 or md5_of(whole), timeout=0.3)
    assert time.monotonic() - start < 3
    assert weights.ENV_WEIGHTS in str(caught.value), "says what to do"
    assert target.read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.h5"]


def test_refused_connection(unused_port, tmp_path):
    with pytest.raises(WeightsError, match="Connection refused"):
        weights.download(tmp_path / "w.h5", url=f"http://127.0.0.1:{unused_port}/")
    assert not list(tmp_path.iterdir())


def test_slow_name_lookup_is_bounded(monkeypatch, tmp_path):
    monkeypatch.setattr(weights.urllib.request, "urlopen", lambda *args, **kwargs: time.sleep(5))
    start = time.monotonic()
    with pytest.raises(WeightsError, match="no answer"):
        weights.download(tmp_path / "w.h5", timeout=0.2)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("raised", [RuntimeError("cancelled"), ValueError("cancelled"), KeyboardInterrupt()])
def test_cancelled_by_progress(server, whole, tmp_path, raised):
    parts = []

    def cancel(received, total):
        parts.extend(path.name for path in tmp_path.iterdir())
        raise raised

    with pytest.raises(type(raised)):
        weights.download(tmp_path / "w.h5", url=f"{server}/good", md5=md5_of(whole), progress=cancel)
    assert parts == [f"w.h5.{os.getpid()}.part"]
    assert not list(tmp_path.iterdir())


def test_progress_does_not_wait_for_a_slow_server(server, tmp_path):
    def cancel(received, total):
        raise RuntimeError(f"cancelled after {received}")

    with pytest.raises(RuntimeError, match="cancelled after 1000"):
        weights.download(tmp_path / "w.h5", url=f"{server}/stall", progress=cancel, timeout=1)


def test_full_disk(server, whole, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(weights.os, "fsync", full)
    with pytest.raises(WeightsError, match="No space left"):
        weights.download(tmp_path / "w.h5", url=f"{server}/good", md5=md5_of(whole))
    assert not list(tmp_path.iterdir())


def test_unwritable_folder(server, whole, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match="could not be downloaded"):
        weights.download(tmp_path / "file" / "w.h5", url=f"{server}/good", md5=md5_of(whole))


def test_killed_download_is_cleaned_up_by_the_next(server, whole, tmp_path):
    target = tmp_path / "w.h5"
    code = "import sys; from nst import weights; weights.download(sys.argv[1], url=sys.argv[2], timeout=20)"
    process = subprocess.Popen([sys.executable, "-c", code, target, f"{server}/stall"], cwd=ROOT)
    part = tmp_path / f"w.h5.{process.pid}.part"
    deadline = time.monotonic() + 15
    while not part.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert part.exists()
    alive = tmp_path / f"w.h5.{os.getppid()}.part"
    others = tmp_path / f"other.h5.{process.pid}.part"
    mine = tmp_path / f"w.h5.{os.getpid()}.part"
    for path in (alive, others, mine):
        path.touch()
    weights.download(target, url=f"{server}/good", md5=md5_of(whole))
    assert set(tmp_path.iterdir()) == {target, alive, others}
    assert target.read_bytes() == whole.read_bytes()


def test_only_one_of_two_callers_downloads(server, whole, monkeypatch):
    monkeypatch.setattr(weights, "MD5", md5_of(whole))
    monkeypatch.setattr(weights, "_keras_url", lambda: f"{server}/good")
    first, sources = [], []

    def call():
        sources.append(weights.find(progress=lambda *now: first.append(now)).info.source)

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted("Keras' copy" in source for source in sources) == [False, True]
    assert [received for received, _ in first] == sorted({received for received, _ in first})


def test_keras_is_asked_for_its_address(monkeypatch, tmp_path):
    source = Path(importlib.util.find_spec("keras").origin).parent / "src" / "applications" / "vgg19.py"
    for constant in (weights.MD5, weights.FILE_NAME, "WEIGHTS_PATH_NO_TOP"):
        assert constant in source.read_text()
    module = "keras.src.applications.vgg19"
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(WEIGHTS_PATH_NO_TOP="address"))
    assert ask_keras_for_its_url() == "address"
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(weights, "_keras_url", ask_keras_for_its_url)
    with pytest.raises(WeightsError, match="could not be downloaded"):
        weights.download(tmp_path / "w.h5")
