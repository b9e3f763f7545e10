"""Tests of nst.cli: the argument errors in this process, real runs in processes of their own, with signals and a tty.

Runs that only have to show what an option does take the narrow network, in this process; the others take the built-in
filters, as a user would without a network.
"""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nst
from nst import cli, image, weights
from nst.config import PRESETS, Settings
from nst.engine import quicker_precision
from nst.gallery import Gallery
from nst.precision import settled
from nst.result import Status
from tests.conftest import draw
from tests.networks import seeded

PROJECT = Path(__file__).parents[1]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("NST_")} | {
    "PYTHONPATH": str(PROJECT),
    "NST_OFFLINE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
COMMAND = [sys.executable, "-m", "nst"]
QUICK = ["--size", "48", "--iterations", "3", "--early-iterations", "0"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder: a photograph, two styles, and a file that is no picture."""
    for seed, name in enumerate(("photo.png", "first.png", "second.png"), start=1):
        (tmp_path / name).write_bytes(image.encode_png(draw(60, 40, seed=seed)))
    (tmp_path / "notes.jpg").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NST_GALLERY", str(tmp_path / "gallery"))
    monkeypatch.setenv(weights.ENV_OFFLINE, "1")
    monkeypatch.delenv(weights.ENV_WEIGHTS, raising=False)
    return tmp_path


@pytest.fixture
def quick(folder, narrow, monkeypatch, capsys):
    """Runs `nst stylize photo.png …` here with the narrow network; returns its exit code and what --json told."""
    find = weights.find
    monkeypatch.setattr(weights, "find", lambda choice=None, **options: find(choice, **options) if choice else narrow)

    def run(*arguments: str, styles: tuple[str, ...] = ("first.png",)):
        code = cli.main(["stylize", "photo.png", *styles, "-o", "out.png", "--json", *QUICK, *arguments])
        printed = capsys.readouterr()
        assert printed.err == ""
        return code, json.loads(printed.out)

    return run


def call(folder: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess:
    """A real `python -m nst …`; `changes` are of its environment."""
    environment = ENVIRONMENT | {"NST_GALLERY": str(folder / "gallery")} | changes
    return subprocess.run([*COMMAND, *arguments], cwd=folder, env=environment, capture_output=True, timeout=120)


def start(folder: Path, *arguments: str, **options) -> subprocess.Popen:
    environment = ENVIRONMENT | {"NST_GALLERY": str(folder / "gallery")}
    return subprocess.Popen([*COMMAND, *arguments], cwd=folder, env=environment, **options)


def refused(capsys, *arguments: str) -> tuple[int, str]:
    """The exit code of a command that must say in one line why it won't."""
    try:
        code = cli.main(list(arguments))
    except SystemExit as left:
        code = left.code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    *usage, line = printed.err.splitlines()
    assert not usage or usage[0].startswith("usage: nst")  # which argparse prints before its line
    assert line.startswith("nst")
    return code, line


# Wrong usage and wrong files -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["missing.png", "first.png", "-o", "out.png"], 1, "missing.png"),
        (["photo.png", "missing.png", "-o", "out.png"], 1, "missing.png"),
        (["photo.png", "first.png", "notes.jpg", "-o", "out.png"], 1, "notes.jpg"),
        (["photo.png", ".", "-o", "out.png"], 1, "folder"),
        (["photo.png", "first.png", "-o", "out.png", "--init", "missing.png"], 1, "missing.png"),
        (["photo.png", "first.png", "-o", "missing/out.png"], 1, "missing/out.png"),
        (["photo.png", "first.png", "-o", "out.png", "--gallery", "notes.jpg"], 1, "notes.jpg"),
        (["photo.png", "first.png", "-o", "out.gif"], 2, "out.gif"),
        (["photo.png", "first.png", "-o", "out"], 2, ".png"),
        (["photo.png", "first.png", "-o", "out.png", "--preset", "fancy"], 2, "fancy"),
        (["photo.png", "first.png", "-o", "out.png", "--preset", "neural-style", "--strength", "50"], 2, "strength"),
        (["photo.png", "first.png", "-o", "out.png", "--strength", "101"], 2, "101"),
        (["photo.png", "first.png", "-o", "out.png", "--strength", "nan"], 2, "nan"),
        (["photo.png", "first.png", "-o", "out.png", "--size", "31"], 2, "31"),
        (["photo.png", "first.png", "-o", "out.png", "--size", "large"], 2, "large"),
        (["photo.png", "first.png", "-o", "out.png", "--iterations", "0"], 2, "iterations"),
        (["photo.png", "first.png", "-o", "out.png", "--style-weights", "1,2"], 2, "2 for 1"),
        (["photo.png", "first.png", "-o", "out.png", "--style-weights", "a"], 2, "numbers"),
        (["photo.png", "first.png", "-o", "out.png", "--style-weights", "nan"], 2, "nan"),
        (["photo.png", "first.png", "-o", "out.png", "--optimizer", "best"], 2, "best"),
        (["photo.png", "first.png", "-o", "out.png", "--gallery", "g", "--no-gallery"], 2, "not allowed"),
        (["photo.png", "first.png"], 2, "--output"),
        (["photo.png", "-o", "out.png"], 2, "STYLE"),
    ],
    ids=lambda value: " ".join(value[-4:]) if isinstance(value, list) else None,
)
def test_what_can_not_be_done_is_told_in_a_line(folder, capsys, arguments, code, told):
    returned, line = refused(capsys, "stylize", *arguments)
    assert (returned, told in line) == (code, True), line
    assert not (folder / "out.png").exists()


def test_too_many_styles_are_told_before_a_network_is_looked_for(folder, capsys):
    code, line = refused(capsys, "stylize", "photo.png", *["first.png"] * 9, "-o", "out.png")
    assert code == 2
    assert "9" in line


@pytest.mark.parametrize("file", ["missing.h5", "notes.jpg"])
def test_wrong_weights_are_told_in_a_line(folder, capsys, file):
    arguments = ("stylize", "photo.png", "first.png", "-o", "out.png", "--json", "--weights", file)
    code, line = refused(capsys, *arguments)
    assert code == 1
    assert file in line
    assert Gallery(folder / "gallery").query().total == 0


def test_an_output_that_is_a_folder_is_told_before_painting(folder, capsys, quick):
    (folder / "out.png").mkdir()
    begun = []
    code = cli.main(["stylize", "photo.png", "first.png", "-o", "out.png", "--json", *QUICK, "--save-every", "1"])
    begun = list(folder.glob("out_*.png"))
    assert code in (1, 2)
    assert "out.png" in capsys.readouterr().err
    assert begun == []


@pytest.mark.parametrize("arguments", [[], ["paint"], ["gallery"], ["gallery", "burn"], ["stylize"]])
def test_wrong_commands_end_with_2(arguments, capsys):
    assert refused(capsys, *arguments)[0] == 2


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"nst {nst.__version__}\n"


def test_a_real_process_tells_an_error_in_one_line_and_without_tensorflow(folder):
    ended = call(folder, "stylize", "missing.png", "first.png", "-o", "out.png")
    assert (ended.returncode, ended.stdout) == (1, b"")
    (line,) = ended.stderr.decode().splitlines()
    assert line.startswith("nst: ")
    assert "missing.png" in line


# What options do -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--size", "40"], {"size": 40}),
        (["--iterations", "5"], {"iterations": 5}),
        (["--early-iterations", "2"], {"early_iterations": 2}),
        (["--strength", "80"], {"strength": 80.0}),
        (["--content-weight", "2.5"], {"content_weight": 2.5}),
        (["--style-weight", "7"], {"style_weight": 7.0}),
        (["--tv-weight", "0.5"], {"tv_weight": 0.5}),
        (["--style-scale", "0.5"], {"style_scale": 0.5}),
        (["--optimizer", "adam"], {"optimizer": "adam", "bounds": "clip", "spectrum": 0.0}),
        (["--optimizer", "sgd"], {"optimizer": "sgd", "bounds": "clip", "spectrum": 0.0}),
        (["--optimizer", "lbfgs"], {}),
        (["--init", "noise"], {"init": "noise"}),
        (["--init", "statistics"], {"init": "statistics"}),
        (["--init", "content"], {}),
        (["--init", "second.png"], {"init": "picture"}),
        (["--init", "noise", "--seed", "3"], {"init": "noise", "seed": 3}),
        (["--save-every", "2"], {"save_every": 2}),
    ],
    ids=" ".join,
)
def test_an_option_changes_its_setting_and_no_other(quick, arguments, expected):
    code, told = quick(*arguments)
    assert code == 0
    plain = settled(PRESETS["studio"].settings.replace(size=48, iterations=3, early_iterations=0), quicker_precision())
    changed = {name: value for name, value in told["settings"].items() if value != plain.to_dict()[name]}
    if expected.get("optimizer"):
        changed = {name: changed[name] for name in expected}  # and the rates that go with it
    assert changed == expected


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_preset_brings_its_settings(quick, preset):
    code, told = quick("--preset", preset)
    assert code == 0
    wanted = PRESETS[preset].settings.replace(size=48, iterations=3, early_iterations=0)
    assert Settings.from_dict(told["settings"]) == settled(wanted, quicker_precision())


def test_a_draft_is_painted_with_the_builtin_filters_unless_others_are_named(quick, narrow, monkeypatch):
    assert quick("--preset", "draft")[1]["network"]["sha256"] == weights.builtin().info.sha256
    monkeypatch.setenv(weights.ENV_WEIGHTS, "named.h5")
    assert quick("--preset", "draft")[1]["network"]["sha256"] == narrow.info.sha256


@pytest.mark.parametrize(
    "arguments",
    [
        ["--strength", "95"],
        ["--content-weight", "30"],
        ["--style-weight", "5000"],
        ["--tv-weight", "100"],
        ["--style-scale", "0.4"],
        ["--optimizer", "adam"],
        ["--init", "noise"],
        ["--init", "statistics"],
        ["--init", "second.png"],
        ["--weights", "builtin"],
    ],
    ids=" ".join,
)
def test_an_option_changes_the_picture(quick, folder, arguments):
    quick()
    before = (folder / "out.png").read_bytes()
    quick(*arguments)
    assert not np.array_equal(image.load(before).rgb, image.load(folder / "out.png").rgb)


def test_the_seed_changes_noise_and_only_the_seed(quick, folder):
    pictures = []
    for seed in ("1", "1", "2"):
        quick("--init", "noise", "--seed", seed, "--iterations", "1")
        pictures.append(image.load(folder / "out.png").rgb)
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_shares_of_several_styles_change_the_picture_and_are_kept(quick, folder):
    both = ("first.png", "second.png")
    pictures = []
    for shares in ("1,0", "0,1"):
        code, told = quick("--style-weights", shares, styles=both)
        assert code == 0
        pictures.append(image.load(folder / "out.png").rgb)
    assert not np.array_equal(*pictures)
    assert told["settings"]["style_weights"] == [0.0, 1.0]
    assert [style.weight for style in Gallery(folder / "gallery").get(told["gallery_id"]).styles] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("out.png", "PNG"), ("out.JPG", "JPEG"), ("out.jpeg", "JPEG"), ("o.webp", "WEBP"), ("o.tif", "TIFF")],
)
def test_the_ending_of_the_output_decides_its_format(quick, folder, name, kind):
    assert quick("-o", name)[0] == 0
    written = Image.open(folder / name)
    assert (written.format, written.size) == (kind, (48, 32))


def test_transparency_is_kept(quick, folder):
    alpha = np.linspace(0.2, 1, 60 * 40, dtype=np.float32).reshape(40, 60)
    (folder / "photo.png").write_bytes(image.encode_png(draw(60, 40, seed=1), alpha))
    _, told = quick()
    entry = Gallery(folder / "gallery").get(told["gallery_id"])
    for path in (folder / "out.png", entry.picture_path):
        assert np.allclose(image.load(path).alpha, image.resize(alpha, (48, 32)), atol=1 / 128)


def test_the_json_tells_everything_and_the_gallery_keeps_it(quick, folder, narrow):
    code, told = quick()
    assert (code, told["status"], told["output"]) == (0, "finished", "out.png")
    assert told["network"]["sha256"] == narrow.info.sha256
    assert told["versions"]["nst"] == nst.__version__
    assert told["seconds"] > 0
    entry = Gallery(folder / "gallery").get(told["gallery_id"])
    assert told["evaluations"] == entry.evaluations == 3
    assert told["losses"] == {name: getattr(entry.losses, name) for name in ("total", "content", "style", "tv")}
    assert entry.name == "photo × first"
    assert np.array_equal(image.load(entry.picture_path).rgb, image.load(folder / "out.png").rgb)


def test_the_png_carries_its_settings(quick, folder):
    _, told = quick("--seed", "9")
    inside = json.loads(image.read_png_text(folder / "out.png")["nst"])
    assert inside["settings"] == told["settings"]


def test_the_picture_started_from_is_kept_in_the_gallery(quick, folder):
    _, told = quick("--init", "second.png", "--iterations", "1")
    gallery = Gallery(folder / "gallery")
    entry = gallery.get(told["gallery_id"])
    assert entry.initial.label == "second"
    assert gallery.input_path(entry.initial).read_bytes() == (folder / "second.png").read_bytes()
    _, told = quick("--iterations", "1")
    assert gallery.get(told["gallery_id"]).initial is None


def test_no_gallery_means_no_gallery(quick, folder):
    _, told = quick("--no-gallery")
    assert told["gallery_id"] is None
    assert not (folder / "gallery").exists()


def test_another_gallery_can_be_named(quick, folder):
    quick("--gallery", "elsewhere")
    assert Gallery(folder / "elsewhere").query().total == 1
    assert not (folder / "gallery").exists()


def test_frames_lie_beside_the_output(quick, folder):
    quick("--save-every", "2", "--iterations", "5")
    assert sorted(path.name for path in folder.glob("out_*")) == ["out_000002.png", "out_000004.png"]
    assert Image.open(folder / "out_000002.png").size == (48, 32)


def test_an_output_over_the_photograph_does_not_change_what_the_gallery_keeps(quick, folder):
    photograph = (folder / "photo.png").read_bytes()
    _, told = quick("-o", "photo.png")
    assert Gallery(folder / "gallery").get(told["gallery_id"]).content_path.read_bytes() == photograph


def test_ctrl_c_ends_a_download(quick, folder, monkeypatch, capsys):
    told = []

    def find(choice=None, *, progress, **options):
        for megabytes in range(100):
            told.append(megabytes)
            progress(megabytes * 10**6, 10**8)
            if megabytes == 3:
                signal.raise_signal(signal.SIGINT)
        return seeded()

    monkeypatch.setattr(weights, "find", find)
    code = cli.main(["stylize", "photo.png", "first.png", "-o", "out.png", *QUICK])
    assert code == 130
    assert told[-1] <= 5
    assert capsys.readouterr().err.splitlines()[-1].startswith("nst: Interrupted")


# The gallery's commands ------------------------------------------------------------------------------------------


@pytest.fixture
def entries(folder):
    """The ids of three results, oldest first."""
    from tests.test_gallery import add, result

    gallery = Gallery(folder / "gallery")
    names = ("harbour", "hills × dots", "<b>*bold*</b>")
    return [add(gallery, name, result(seed=i, status=Status.FINISHED)).id for i, name in enumerate(names)]


def test_list_and_show_need_no_tensorflow(folder, entries):
    script = (
        "import sys; from nst.cli import main; "
        "code = main(['gallery', 'list']) or main(['gallery', 'show', sys.argv[1]]) or main(['gallery', 'rebuild']); "
        "sys.exit(code or 50 * any(name in sys.modules for name in ('tensorflow', 'keras', 'streamlit')))"
    )
    environment = ENVIRONMENT | {"NST_GALLERY": str(folder / "gallery")}
    ended = subprocess.run([sys.executable, "-c", script, entries[0]], env=environment, capture_output=True)
    assert ended.returncode == 0, ended.stderr.decode()


def test_list_shows_every_result_once(folder, entries, capsys):
    assert cli.main(["gallery", "list"]) == 0
    printed = capsys.readouterr()
    assert sorted(line.split()[0] for line in printed.out.splitlines()) == sorted(entries)
    assert "hills × dots" in printed.out
    assert "3 of 3" in printed.err


def test_list_can_search_and_stop(folder, entries, capsys):
    cli.main(["gallery", "list", "--search", "HILLS"])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [entries[1]]
    cli.main(["gallery", "list", "--limit", "2"])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_list_of_an_empty_gallery(folder, capsys):
    assert cli.main(["gallery", "list", "--gallery", "new"]) == 0
    assert capsys.readouterr().out == ""


def test_list_survives_a_pipe_that_closes_early(folder, entries):
    with start(folder, "gallery", "list", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        listing.stdout.close()
        told = listing.stderr.read().decode()
        listing.wait(60)
    assert "Traceback" not in told
    assert "Exception" not in told


def test_list_can_be_written_where_only_ascii_is_known(folder, entries):
    ended = call(folder, "gallery", "list", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0, ended.stderr.decode()
    assert len(ended.stdout.splitlines()) == 3


def test_show_prints_the_whole_record(folder, entries, capsys):
    assert cli.main(["gallery", "show", entries[1]]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["id"], shown["name"]) == (entries[1], "hills × dots")
    assert Settings.from_dict(shown["settings"]).preset == "studio"


def test_export_writes_a_zip_that_another_gallery_takes_in(folder, entries, capsys):
    assert cli.main(["gallery", "export", entries[0]]) == 0
    assert capsys.readouterr().out == f"nst-{entries[0]}.zip\n"
    assert f"results/{entries[0]}/result.png" in zipfile.ZipFile(folder / f"nst-{entries[0]}.zip").namelist()
    assert cli.main(["gallery", "export", *entries, "-o", "mine.zip"]) == 0
    capsys.readouterr()
    for told in (f"{len(entries)} added, 0 there already.\n", f"0 added, {len(entries)} there already.\n"):
        assert cli.main(["gallery", "import", "mine.zip", "--gallery", "other"]) == 0
        assert capsys.readouterr().out == told
    assert set(Gallery(folder / "other").ids()) == set(entries)


def test_what_an_export_leaves_out_is_told(folder, entries, capsys):
    gone = "20260101-000000-abcdef"
    assert cli.main(["gallery", "export", entries[0], gone, "-o", "mine.zip"]) == 1
    assert gone in capsys.readouterr().err
    assert zipfile.ZipFile(folder / "mine.zip").testzip() is None
    assert cli.main(["gallery", "export", gone, "-o", "none.zip"]) == 1
    assert not (folder / "none.zip").exists()


@pytest.mark.parametrize("name", ["notes.jpg", "missing.zip"])
def test_what_is_no_zip_is_told_in_a_line(folder, capsys, name):
    code, told = refused(capsys, "gallery", "import", name)
    assert code == 1
    assert told


def test_rebuild_counts_the_results_and_tells_the_damaged(folder, entries, capsys):
    (folder / "gallery" / "index.sqlite").unlink()
    assert cli.main(["gallery", "rebuild"]) == 0
    assert "3 results" in capsys.readouterr().out
    (folder / "gallery" / "results" / entries[0] / "metadata.json").write_text("{")
    assert cli.main(["gallery", "rebuild"]) == 1
    printed = capsys.readouterr()
    assert "2 results" in printed.out
    assert entries[0] in printed.err


@pytest.mark.parametrize("hostile", ["20261121-075541-3fa9c2", "../../etc/passwd", "", "x" * 5000, "%s\x1b[31m"])
@pytest.mark.parametrize("action", ["show", "export"])
def test_an_unknown_id_is_told_in_a_line(folder, capsys, action, hostile):
    code, line = refused(capsys, "gallery", action, hostile)
    assert code == 1
    assert len(line) < 300
    assert "\x1b" not in line


def test_an_export_that_can_not_be_written_is_told_in_a_line(folder, entries, capsys):
    code, line = refused(capsys, "gallery", "export", entries[0], "-o", "photo.png/x.zip")
    assert code == 1
    assert "photo.png" in line


def test_info_tells_versions_device_weights_and_gallery(folder, capsys):
    assert cli.main(["info", "--weights", "builtin"]) == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert told["nst"] == nst.__version__
    assert {"python", "tensorflow", "keras", "numpy", "device", "platform", "precision"} <= told.keys()
    assert told["network"] == "built-in filters, which come with the program"
    assert told["gallery"] == str(folder / "gallery")


def test_info_tells_of_a_file_that_is_not_there(folder, capsys):
    cli.main(["info", "--weights", "missing.h5"])
    assert "missing.h5, which does not exist" in capsys.readouterr().out


# Real processes --------------------------------------------------------------------------------------------------

REAL = ["stylize", "photo.png", "first.png", "--weights", "builtin", "--preset", "draft", "--size", "32"]
LONG = [*REAL, "--iterations", "100000", "--optimizer", "adam", "-o", "out.png"]


def test_the_same_inputs_and_seed_give_the_same_pixels_in_another_process(folder, capfd):
    same = ["--json", "--iterations", "4", "--init", "noise", "--seed", "5"]
    ended = call(folder, *REAL, "-o", "one.png", *same)
    assert (ended.returncode, ended.stderr) == (0, b"")
    told = json.loads(ended.stdout)  # one object, and nothing else
    assert told["network"]["name"] == "builtin"
    assert cli.main([*REAL, "-o", "two.png", *same]) == 0
    assert json.loads(capfd.readouterr().out)["losses"] == told["losses"]
    assert Image.open(folder / "one.png").tobytes() == Image.open(folder / "two.png").tobytes()


def test_a_pipe_gets_plain_lines(folder):
    ended = call(folder, *REAL, "-o", "out.png", "--iterations", "2", "--no-gallery")
    assert ended.returncode == 0
    log = ended.stderr.decode()
    assert "\r" not in log
    assert "\x1b" not in log
    assert re.search(r"^Network: built-in filters", log, re.MULTILINE)
    assert re.search(r"^100%  32 × 21, step 2/2, loss \S+", log, re.MULTILINE)
    assert "W0000" not in log
    assert "I0000" not in log
    assert re.fullmatch(r"All steps were taken\. Wrote out\.png in [\d.]+ s\.\n", ended.stdout.decode())


def until_painting(process: subprocess.Popen) -> str:
    """What a process has told on its stderr up to its first line of progress."""
    told = ""
    while "step" not in told:
        line = process.stderr.readline()
        assert line, told
        told += line
    return told


def test_ctrl_c_keeps_the_best_picture_here_and_in_the_gallery(folder):
    with start(folder, *LONG, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until_painting(process)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "best picture so far" in out
    (entry,) = Gallery(folder / "gallery").query().entries
    assert entry.status == Status.CANCELLED
    assert entry.id in out
    assert np.array_equal(image.load(entry.picture_path).rgb, image.load(folder / "out.png").rgb)


def test_ctrl_c_while_tensorflow_loads_is_told_in_a_line(folder):
    with start(folder, *LONG, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(0.9)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("nst: Interrupted")
    assert "Traceback" not in err


def test_a_second_ctrl_c_ends_at_once(folder):
    # At this size an evaluation takes far longer than the two signals are apart.
    arguments = [argument if argument != "32" else "1024" for argument in LONG]
    with start(folder, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while "Network" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "nst: Interrupted."
    assert "Traceback" not in err
    assert time.monotonic() - began < 20
    assert not (folder / "out.png").exists()


def test_a_terminal_gets_a_bar_with_loss_and_time_left(folder):
    ours, theirs = pty.openpty()
    arguments = [*REAL, "--iterations", "60", "--optimizer", "adam", "-o", "out.png", "--no-gallery"]
    with start(folder, *arguments, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        screen = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                screen += os.read(ours, 65536)
            except OSError:  # Linux' way to tell that nobody writes any more
                break
    os.close(ours)
    assert process.returncode == 0
    lines = screen.decode().split("\r\x1b[K")
    bars = [line for line in lines if line.startswith(("█", "░"))]
    assert len(bars) > 2
    assert all(re.match(r"[█░]{24} +\d+%  32 × 21, step \d+/60, loss \S+", bar) for bar in bars), bars
    assert any(re.search(r", \d+ s left", bar) for bar in bars)
    assert bars[-1].startswith("█" * 24 + " 100%")
    shares = [int(re.search(r"(\d+)%", bar)[1]) for bar in bars]
    assert shares == sorted(shares)
