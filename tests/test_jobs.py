"""Tests of nst.jobs: the queue and its one TensorFlow thread, with real jobs on a narrow network in a real gallery.

The weights search is the only thing replaced, because VGG19 is not on every computer and slow at any size. The test of
a killed server kills a real process.
"""

import contextlib
import dataclasses
import gc
import http.server
import io
import json
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst import image, weights
from nst.config import preset
from nst.engine import quicker_precision
from nst.errors import GalleryError
from nst.gallery import Gallery
from nst.jobs import MAX_POINTS, MAX_REMEMBERED, JobManager, Order, State, thinned
from nst.jobs.painter import FRAMES_A_RUN
from nst.precision import settled
from nst.result import LossRow, Status
from tests.conftest import draw

PROJECT = Path(__file__).parents[1]
ENDLESS = 100_000
BRIEF = preset("studio").replace(size=32, scales=1, coarse_iterations=0, early_iterations=0, plateau=0.0, iterations=3)
SOON_INFINITE = BRIEF.replace(
    formula="keras-example",
    strength=None,
    style_weight=1e12,
    optimizer="sgd",
    learning_rate=1e6,
    spectrum=0.0,
    bounds="none",
    iterations=20,
)

SERVER = """
import sys, time
from pathlib import Path
from nst import weights
from nst.gallery import Gallery
from nst.jobs import JobManager
from tests.networks import seeded
from tests.test_jobs import ENDLESS, order, until
weights.find = lambda choice=None, **options: seeded()
gallery = Gallery(Path(sys.argv[1]))
manager = JobManager(gallery)
finished = manager.submit(order(gallery, name="finished"))
until(lambda: not manager.get(finished).state.active)
running = manager.submit(order(gallery, name="job 0", iterations=ENDLESS, size=48, strength=71.0))
for number in range(1, 9):
    manager.submit(order(gallery, name=f"job {number}", seed=number))
until(lambda: (step := manager.get(running).step) and step.iteration > 3)
print(manager.get(finished).entry_id, flush=True)
time.sleep(600)
"""


def order(gallery: Gallery, *, styles: int = 1, name: str = "", network: str | None = None, **changes: object) -> Order:
    """A job that takes a few hundredths of a second, once TensorFlow is loaded."""
    content = gallery.add_input(image.encode_png(draw(40, 30, seed=1)), "tubingen.png")
    others = [gallery.add_input(image.encode_png(draw(30, 30, seed=2 + i)), f"style {i}.png") for i in range(styles)]
    return Order(content, tuple(others), BRIEF.replace(**changes), name, network)


def until(ready, seconds: float = 60.0):
    """What `ready` returns, as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)
    return found


def run(manager: JobManager, wanted: Order):
    """The last snapshot of a job."""
    job_id = manager.submit(wanted)
    if manager._worker is None:
        manager.run_pending()
    return until(lambda: (job := manager.get(job_id)) and not job.state.active and job)


def running(manager: JobManager, job_id: str, steps: int = 2):
    """A snapshot of a job that has made some steps."""
    return until(lambda: (job := manager.get(job_id)).step and job.step.iteration >= steps and job)


def records(gallery: Gallery) -> list[Path]:
    return sorted(gallery.work.glob("job-*"))


def record(gallery: Gallery) -> Path:
    """The record of a job that a process left behind when it was killed."""
    manager = JobManager(gallery, threaded=False)
    manager.submit(order(gallery, name="left behind"))
    manager._records._claim.close()  # as a killed process does
    (found,) = gallery.work.glob("job-*/job.json")
    return found


@pytest.fixture
def gallery(tmp_path):
    return Gallery(tmp_path / "gallery")


@pytest.fixture(autouse=True)
def network(narrow, monkeypatch):
    """The narrow network where no other is asked for; the threads that asked, in order."""
    find, asked = weights.find, []

    def found(choice=None, **options):
        asked.append(threading.current_thread().name)
        return find(choice, **options) if choice not in (None, "builtin") else narrow

    monkeypatch.setattr(weights, "find", found)
    return asked


@pytest.fixture
def open_manager(gallery):
    """Managers of the test's gallery, closed at the end."""
    with contextlib.ExitStack() as stack:

        def opened(where: Gallery = gallery, **options) -> JobManager:
            manager = JobManager(where, **options)
            stack.callback(manager.close)
            return manager

        yield opened


@pytest.fixture
def manager(open_manager):
    return open_manager()


@pytest.fixture
def still(open_manager):
    """A manager that runs nothing before `run_pending`."""
    return open_manager(threaded=False)


# A job's life ----------------------------------------------------------------------------------------------------


def test_a_job_becomes_a_gallery_entry_with_its_inputs_settings_and_losses(manager, gallery, narrow):
    wanted = order(gallery, styles=2, iterations=5, style_weights=(1.0, 3.0))
    job = run(manager, wanted)
    assert (job.state, job.message) == (State.FINISHED, "All steps were taken.")
    entry = gallery.get(job.entry_id)
    assert entry.name == job.name == "tubingen × style 0 + style 1"
    assert entry.settings == settled(wanted.settings, quicker_precision())
    assert entry.content.sha256 == wanted.content.sha256
    assert [(style.sha256, style.weight) for style in entry.styles] == [
        (wanted.styles[0].sha256, 1.0),
        (wanted.styles[1].sha256, 3.0),
    ]
    assert entry.network == job.network == narrow.info
    assert tuple(gallery.history(entry.id)) == job.history
    assert [row.evaluation for row in job.history] == [1, 2, 3, 4, 5]


def test_a_given_name_becomes_the_entrys(manager, gallery):
    job = run(manager, order(gallery, name="Anna's picture"))
    assert job.name == gallery.get(job.entry_id).name == "Anna's picture"


def test_progress_grows_and_ends_at_one(manager, gallery):
    job_id = manager.submit(order(gallery, iterations=60))
    seen = []
    while manager.get(job_id).state.active:
        if step := manager.get(job_id).step:
            seen.append((step.progress, step.iteration))
        time.sleep(0.001)
    assert seen == sorted(seen)
    assert len(set(seen)) > 5
    last = manager.get(job_id).step
    assert (last.progress, last.iteration, last.iterations) == (1.0, 60, 60)


def test_states_follow_one_another(still, gallery, monkeypatch):
    job_id = still.submit(order(gallery))
    seen = [still.get(job_id).state]
    update = still._update

    def told(job_id, **changes):
        update(job_id, **changes)
        seen.append(still.get(job_id).state)

    monkeypatch.setattr(still, "_update", told)
    still.run_pending()
    steps = [state for state, before in zip(seen, [None, *seen], strict=False) if state != before]
    assert steps == [State.QUEUED, State.PREPARING, State.RUNNING, State.FINISHED]


def test_a_running_job_shows_a_jpeg_of_its_picture(manager, gallery):
    job_id = manager.submit(order(gallery, iterations=ENDLESS))
    preview = until(lambda: manager.get(job_id).preview)
    shown = Image.open(io.BytesIO(preview))
    assert (shown.format, shown.size) == ("JPEG", (32, 24))


def test_all_jobs_run_on_one_thread_and_not_the_callers(manager, gallery, network):
    for _ in range(3):
        run(manager, order(gallery))
    assert network == ["tensorflow"] * 3


def test_threads_may_submit_at_the_same_time(manager, gallery):
    wanted = order(gallery, iterations=1)
    threads = [threading.Thread(target=manager.submit, args=(wanted,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: not any(job.state.active for job in manager.snapshots()))
    assert [job.state for job in manager.snapshots()] == [State.FINISHED] * 8
    assert gallery.query().total == 8


def test_kept_frames_land_in_the_entry(manager, gallery):
    job = run(manager, order(gallery, iterations=6, save_every=2))
    frames = gallery.get(job.entry_id).frame_paths
    assert [path.name for path in frames] == ["000002.jpg", "000004.jpg", "000006.jpg"]
    assert {Image.open(path).size for path in frames} == {(32, 24)}


def test_a_short_run_leaves_a_frame_of_every_evaluation_for_its_timeline(manager, gallery):
    job = run(manager, order(gallery, iterations=6))
    assert [path.name for path in gallery.get(job.entry_id).frame_paths] == [f"{n:06d}.jpg" for n in range(1, 7)]


def test_the_photographs_transparency_is_kept(manager, gallery):
    alpha = np.linspace(0.2, 1, 40 * 30, dtype=np.float32).reshape(30, 40)
    content = gallery.add_input(image.encode_png(draw(40, 30), alpha), "cut out.png")
    wanted = dataclasses.replace(order(gallery), content=content)
    entry = gallery.get(run(manager, wanted).entry_id)
    assert entry.transparent
    kept = image.load(entry.picture_path).alpha
    assert np.allclose(kept, image.resize(alpha, (32, 24)), atol=1 / 128)


def test_the_second_job_with_a_style_says_that_its_targets_were_cached(manager, gallery):
    assert run(manager, order(gallery, styles=2)).cached_targets == 0
    assert run(manager, order(gallery, styles=2)).cached_targets == 2
    assert run(manager, order(gallery, styles=3)).cached_targets == 2


# What is handed out ----------------------------------------------------------------------------------------------


def test_snapshots_do_not_change(manager, gallery):
    job_id = manager.submit(order(gallery, iterations=ENDLESS))
    before = running(manager, job_id)
    step, history = before.step, before.history
    running(manager, job_id, step.iteration + 3)
    assert before.step is step
    assert before.history == history
    assert isinstance(history, tuple)
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.state = State.FAILED


def reachable(start: object) -> list[object]:
    """Everything that `start` keeps alive, but for modules, classes and functions' globals."""
    seen, ahead = {}, [start]
    while ahead:
        thing = ahead.pop()
        if id(thing) in seen or isinstance(thing, types.ModuleType | type):
            continue
        seen[id(thing)] = thing
        if isinstance(thing, types.FunctionType):
            ahead += [cell.cell_contents for cell in thing.__closure__ or ()]
        else:
            ahead += gc.get_referents(thing)
    return list(seen.values())


@pytest.mark.parametrize("ended", [False, True])
def test_snapshots_hold_no_tensors(manager, gallery, ended):
    import tensorflow as tf

    if ended:
        job = run(manager, order(gallery))
    else:
        job = running(manager, manager.submit(order(gallery, iterations=ENDLESS)))
    held = [type(thing).__name__ for thing in reachable(job) if isinstance(thing, tf.Tensor | tf.Variable)]
    assert held == []


def row(number: int) -> LossRow:
    return LossRow(number, 0, 32, 24, number / 10, 1.0, 0.5, 0.5, 0.0)


@pytest.mark.parametrize("count", [0, 1, 2, MAX_POINTS - 1, MAX_POINTS, MAX_POINTS + 1, 1234, 100_000])
def test_a_curve_has_few_points_in_order_with_the_first_and_the_last(count):
    rows = [row(number) for number in range(count)]
    points = thinned(rows)
    assert len(points) == min(count, MAX_POINTS)
    assert points[:1] == tuple(rows[:1])
    assert points[-1:] == tuple(rows[-1:])
    numbers = [point.evaluation for point in points]
    assert numbers == sorted(set(numbers))
    gaps = np.diff(numbers)
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


def test_a_long_job_hands_out_at_most_500_points_and_keeps_them_all_but_few_frames(manager, gallery):
    quick = {"optimizer": "adam", "bounds": "clip", "spectrum": 0.0}
    job = run(manager, order(gallery, iterations=MAX_POINTS + 40, **quick))
    assert len(job.history) == MAX_POINTS
    assert job.history[-1].evaluation == MAX_POINTS + 40
    assert len(gallery.history(job.entry_id)) == MAX_POINTS + 40
    frames = gallery.get(job.entry_id).frame_paths
    assert FRAMES_A_RUN / 2 < len(frames) <= FRAMES_A_RUN
    assert frames[-1].name == f"{MAX_POINTS + 40:06d}.jpg"


# The order of jobs -----------------------------------------------------------------------------------------------


def test_jobs_of_the_same_second_keep_their_order(still, gallery):
    wanted = order(gallery, iterations=1)
    ids = [still.submit(dataclasses.replace(wanted, name=f"job {i}")) for i in range(10)]
    assert [still.position(job_id) for job_id in ids] == list(range(10))
    assert [job.id for job in still.snapshots()] == ids[::-1]
    still.run_pending()
    assert [entry.name for entry in gallery.query(order="oldest").entries] == [f"job {i}" for i in range(10)]


def test_the_position_counts_only_jobs_that_are_not_over(still, gallery):
    ids = [still.submit(order(gallery)) for _ in range(3)]
    assert {still.position(job_id) for job_id in ids} == {0, 1, 2}
    still.cancel(ids[0])
    assert {still.position(job_id) for job_id in ids[1:]} == {0, 1}


def test_a_waiting_job_starts_when_the_one_before_it_ends(manager, gallery):
    first = manager.submit(order(gallery, iterations=ENDLESS))
    second = manager.submit(order(gallery))
    running(manager, first)
    assert manager.get(second).state == State.QUEUED
    manager.cancel(first)
    assert until(lambda: (job := manager.get(second)).state == State.FINISHED and job)


# Cancelling ------------------------------------------------------------------------------------------------------


def test_cancelling_stops_within_a_step_and_keeps_the_picture(manager, gallery):
    job_id = manager.submit(order(gallery, iterations=ENDLESS))
    before = running(manager, job_id, 5).step.losses.evaluation
    manager.cancel(job_id)
    job = until(lambda: (job := manager.get(job_id)).state == State.CANCELLED and job)
    assert job.step.losses.evaluation <= before + 2  # the one under way when it was read, and when it was cancelled
    entry = gallery.get(job.entry_id)
    assert entry.status == Status.CANCELLED
    assert entry.evaluations == job.step.losses.evaluation
    assert image.load(entry.picture_path).rgb.shape == (24, 32, 3)


def test_the_picture_kept_is_the_best_not_the_last(manager, gallery):
    worse = {"optimizer": "adam", "bounds": "clip", "spectrum": 0.0, "learning_rate": 90.0, "save_every": 1}
    job_id = manager.submit(order(gallery, iterations=ENDLESS, strength=10.0, **worse))
    running(manager, job_id, 6)
    manager.cancel(job_id)
    job = until(lambda: (job := manager.get(job_id)).state == State.CANCELLED and job)
    rows = gallery.history(job.entry_id)
    best = min(rows, key=lambda row: row.total)
    assert best != rows[-1], "this test needs a run whose last picture is not the best"
    entry = gallery.get(job.entry_id)
    frames = {int(path.stem): image.load(path).rgb for path in entry.frame_paths}
    kept = image.load(entry.picture_path).rgb
    assert np.abs(kept - frames[best.evaluation]).mean() < 0.02 < np.abs(kept - frames[rows[-1].evaluation]).mean()


def test_a_queued_job_is_cancelled_at_once_and_never_runs(still, gallery):
    job_id = still.submit(order(gallery))
    still.cancel(job_id)
    job = still.get(job_id)
    assert (job.state, job.message) == (State.CANCELLED, "Cancelled before it began.")
    still.run_pending()
    assert still.get(job_id).state == State.CANCELLED
    assert gallery.query().total == 0
    assert records(gallery) == []


def test_a_job_cancelled_before_its_first_step_leaves_no_entry(still, gallery, narrow, monkeypatch):
    job_id = still.submit(order(gallery))

    def found(choice=None, **options):
        still.cancel(job_id)
        return narrow

    monkeypatch.setattr(weights, "find", found)
    still.run_pending()
    assert still.get(job_id).state == State.CANCELLED
    assert gallery.query().total == 0
    assert records(gallery) == []


def test_the_worker_survives_a_queued_job_that_was_cancelled_and_dismissed(manager, gallery):
    first = manager.submit(order(gallery, iterations=ENDLESS))
    second = manager.submit(order(gallery))
    running(manager, first)
    manager.cancel(second)
    manager.dismiss(second)
    manager.cancel(first)
    assert run_within(manager, order(gallery), 10).state == State.FINISHED


def test_the_worker_survives_more_cancelled_jobs_than_the_list_keeps(still, gallery):
    wanted = order(gallery)
    for job_id in [still.submit(wanted) for _ in range(MAX_REMEMBERED + 5)]:
        still.cancel(job_id)
    assert len(still.snapshots()) <= MAX_REMEMBERED
    assert run(still, wanted).state == State.FINISHED


def run_within(manager: JobManager, wanted: Order, seconds: float):
    job_id = manager.submit(wanted)
    return until(lambda: not (job := manager.get(job_id)).state.active and job, seconds)


def test_cancelling_what_is_over_or_unknown_changes_nothing(still, gallery):
    job = run(still, order(gallery))
    still.cancel(job.id)
    still.cancel("20261121-075541-3fa9c2")
    assert still.get(job.id) == job
    assert still.get("20261121-075541-3fa9c2") is None


@pytest.fixture
def slow_download(monkeypatch, tmp_path):
    """A server that takes ever so long for VGG19; the real search finds nothing else."""
    monkeypatch.undo()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "80000000")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(600):
                    self.wfile.write(bytes(100_000))
                    time.sleep(0.02)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(weights, "_keras_url", lambda: f"http://127.0.0.1:{server.server_port}/vgg19.h5")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for name in (weights.ENV_WEIGHTS, weights.ENV_OFFLINE):
        monkeypatch.delenv(name, raising=False)
    weights.forget_failure()
    yield tmp_path / "keras"
    weights.forget_failure()
    server.shutdown()
    server.server_close()


def test_a_download_tells_how_far_it_is_and_can_be_cancelled(slow_download, manager, gallery):
    job_id = manager.submit(order(gallery))
    first = until(lambda: (job := manager.get(job_id)).message.startswith("Downloading") and job)
    assert first.state == State.PREPARING
    assert first.message.endswith("of 80 MB.")
    until(lambda: manager.get(job_id).message != first.message)
    manager.cancel(job_id)
    job = until(lambda: not (job := manager.get(job_id)).state.active and job, 5)
    assert (job.state, job.message) == (State.CANCELLED, "Cancelled before the first picture.")
    assert job.entry_id is None
    assert [path for path in slow_download.rglob("*") if path.is_file()] == []


# What goes wrong -------------------------------------------------------------------------------------------------


def lose_the_photograph(gallery, wanted):
    gallery.input_path(wanted.content).unlink()
    return wanted


def lose_a_style(gallery, wanted):
    gallery.input_path(wanted.styles[0]).unlink()
    return wanted


def damage_the_photograph(gallery, wanted):
    gallery.input_path(wanted.content).write_bytes(b"no picture any more")
    return wanted


def name_a_missing_file(gallery, wanted):
    return dataclasses.replace(wanted, network=str(gallery.root / "missing.h5"))


def name_a_wrong_file(gallery, wanted):
    (gallery.root / "wrong.h5").write_bytes(b"no weights")
    return dataclasses.replace(wanted, network=str(gallery.root / "wrong.h5"))


def miscount_the_shares(gallery, wanted):
    return dataclasses.replace(wanted, settings=wanted.settings.replace(style_weights=(1.0, 2.0)))


def take_no_style(gallery, wanted):
    return dataclasses.replace(wanted, styles=())


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lose_the_photograph, "no longer in the gallery"),
        (lose_a_style, "no longer in the gallery"),
        (damage_the_photograph, "picture"),
        (name_a_missing_file, "missing.h5"),
        (name_a_wrong_file, "wrong.h5"),
        (miscount_the_shares, "one weight a style"),
        (take_no_style, "style pictures"),
    ],
)
def test_a_job_that_can_not_be_done_fails_with_a_message_and_the_next_one_runs(manager, gallery, spoil, told):
    bad = run(manager, spoil(gallery, order(gallery)))
    assert bad.state == State.FAILED
    assert told in bad.message
    assert "unexpected" not in bad.message.lower()
    assert bad.entry_id is None
    assert gallery.query().total == 0
    assert run(manager, order(gallery)).state == State.FINISHED
    until(lambda: not records(gallery))


def test_a_job_whose_losses_are_never_finite_fails_without_an_entry(still, gallery, narrow, monkeypatch):
    huge = {name: (kernel * np.float32(1e6), bias) for name, (kernel, bias) in narrow.filters.items()}
    info = narrow.info._replace(sha256="f" * 64)
    monkeypatch.setattr(weights, "find", lambda choice=None, **options: weights.Network(info, huge))
    job = run(still, order(gallery))
    assert (job.state, job.entry_id) == (State.FAILED, None)
    assert "not finite" in job.message
    assert gallery.query().total == 0


def test_a_job_whose_losses_become_infinite_fails_and_keeps_its_best_picture(still, gallery):
    job = run(still, dataclasses.replace(order(gallery), settings=SOON_INFINITE))
    assert job.state == State.FAILED
    assert "not finite" in job.message
    entry = gallery.get(job.entry_id)
    assert entry.status == Status.FAILED
    kept, photograph = image.load(entry.picture_path).rgb, image.resize(draw(40, 30, seed=1), (32, 24), soft=True)
    assert np.abs(kept - photograph).max() < 0.1  # where it started: nothing better was seen


def test_a_step_back_adds_no_point_to_the_curve(still, gallery):
    job = run(still, dataclasses.replace(order(gallery), settings=SOON_INFINITE))
    assert job.step.note  # it did go back
    assert job.history == tuple(gallery.history(job.entry_id))


def test_a_gallery_that_takes_nothing_more_fails_the_job_and_not_the_worker(manager, gallery):
    results = gallery.root / "results"
    wanted = order(gallery)
    results.rmdir()
    results.write_text("a file in the way")
    assert run(manager, wanted).state == State.FAILED
    results.unlink()
    results.mkdir()
    assert run(manager, wanted).state == State.FINISHED


def test_a_job_that_can_not_be_written_down_is_refused(still, gallery):
    wanted = order(gallery)
    for path in gallery.work.iterdir():
        path.unlink()
    gallery.work.rmdir()
    gallery.work.write_text("a file in the way")
    with pytest.raises(GalleryError, match="could not be queued"):
        still.submit(wanted)
    assert still.snapshots() == []


# The list --------------------------------------------------------------------------------------------------------


def test_again_queues_the_same_order_and_replaces_the_old_job(still, gallery):
    wanted = order(gallery, iterations=2, name="once more")
    first = run(still, wanted)
    second = still.again(first.id)
    assert [job.id for job in still.snapshots()] == [second]
    assert still.get(second).order == wanted
    still.run_pending()
    names = [entry.name for entry in gallery.query().entries]
    assert names == ["once more", "once more"]


def test_again_knows_only_jobs_of_the_list(still):
    with pytest.raises(KeyError):
        still.again("20261121-075541-3fa9c2")


def test_dismissing_takes_a_job_off_the_list_and_leaves_its_entry(still, gallery):
    job = run(still, order(gallery))
    still.dismiss(job.id)
    still.dismiss(job.id)
    assert still.snapshots() == []
    assert gallery.get(job.entry_id).name == job.name


def test_an_active_job_can_not_be_dismissed(still, gallery):
    job_id = still.submit(order(gallery))
    still.dismiss(job_id)
    assert still.get(job_id).state == State.QUEUED
    assert len(records(gallery)) == 1


def test_only_so_many_ended_jobs_are_remembered(still, gallery):
    for _ in range(MAX_REMEMBERED + 3):
        still.cancel(still.submit(order(gallery)))
    waiting = still.submit(order(gallery))
    jobs = still.snapshots()
    assert len(jobs) == MAX_REMEMBERED + 1
    assert still.get(waiting).state == State.QUEUED


# Ends of processes -----------------------------------------------------------------------------------------------


def test_a_job_is_on_disk_from_queueing_to_its_end(still, gallery):
    job_id = still.submit(order(gallery, size=48, seed=7, name="noted"))
    (folder,) = records(gallery)
    noted = json.loads((folder / "job.json").read_text())
    assert (noted["id"], noted["name"]) == (job_id, "noted")
    assert (noted["settings"]["size"], noted["settings"]["seed"]) == (48, 7)
    still.run_pending()
    assert records(gallery) == []


def test_a_killed_server_loses_nothing(gallery, open_manager):
    command = [sys.executable, "-c", SERVER, str(gallery.root)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as server:
        try:
            finished = server.stdout.readline().strip()
            assert open_manager(threaded=False).snapshots() == []  # the server lives: its jobs are not interrupted
        finally:
            server.send_signal(signal.SIGKILL)
    assert server.returncode == -signal.SIGKILL

    after = open_manager(threaded=False)
    jobs = after.snapshots()[::-1]  # as they were submitted
    assert {job.state for job in jobs} == {State.INTERRUPTED}
    assert [job.name for job in jobs] == [f"job {number}" for number in range(9)]
    settings = jobs[0].order.settings
    assert (settings.iterations, settings.size, settings.strength) == (ENDLESS, 48, 71.0)
    assert [job.order.settings.seed for job in jobs[1:]] == list(range(1, 9))
    assert Image.open(io.BytesIO(jobs[0].preview)).format == "JPEG"  # how far it was
    assert [entry.id for entry in gallery.query().entries] == [finished]
    assert gallery.notices == ()
    assert gallery.picture(finished, "png").startswith(b"\x89PNG")

    second = next(job for job in jobs if job.name == "job 1")
    again = after.again(second.id)
    after.run_pending()
    assert after.get(again).state == State.FINISHED
    assert gallery.get(after.get(again).entry_id).settings == settled(second.order.settings, quicker_precision())
    assert len(records(gallery)) == 8  # the others are still there to be run


def test_an_interrupted_job_stays_until_it_is_dismissed(gallery, open_manager):
    record(gallery)
    with contextlib.closing(JobManager(gallery, threaded=False)) as second:
        (job,) = second.snapshots()
        assert (job.state, job.name) == (State.INTERRUPTED, "left behind")
    with contextlib.closing(JobManager(gallery, threaded=False)) as third:
        assert [kept.id for kept in third.snapshots()] == [job.id]
        third.dismiss(job.id)
    assert open_manager().snapshots() == []


def test_a_third_manager_does_not_call_the_seconds_jobs_interrupted(gallery, open_manager):
    first = JobManager(gallery, threaded=False)
    second = open_manager(threaded=False)
    job_id = second.submit(order(gallery))
    first.close()
    assert open_manager(threaded=False).snapshots() == []
    assert second.get(job_id).state == State.QUEUED


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"{}",
        b"[" * 200_000,
        {"content": None},
        {"content": {"sha256": "../../etc/passwd", "ext": "png", "label": "x"}},
        {"styles": None},
        {"styles": 5},
        {"styles": ["x"]},
        {"settings": []},
        {"settings": {"size": "large"}},
        {"settings": {"size": 10**400}},
        {"settings": {"no such": 1}},
        {"content": {"sha256": "a" * 64, "ext": "png", "label": "x", "weight": 10**400}},
    ],
    ids=lambda damage: str(damage)[:40],
)
def test_a_damaged_record_is_passed_over(gallery, open_manager, damage):
    bad = record(gallery)
    good = bad.read_bytes()
    if isinstance(damage, dict):
        damage = json.dumps(json.loads(good) | damage).encode()
    bad.write_bytes(damage)
    intact = gallery.work / "job-20261121-075541-3fa9c2" / "job.json"
    intact.parent.mkdir()
    intact.write_bytes(good)
    jobs = open_manager(threaded=False).snapshots()
    assert [(job.id, job.name) for job in jobs] == [("20261121-075541-3fa9c2", "left behind")]


def test_a_damaged_lock_does_not_keep_the_studio_from_opening(gallery, open_manager):
    (gallery.work / "jobs.lock").write_bytes(b"no database at all, but a long enough text to be taken for one" * 20)
    still = open_manager(threaded=False)
    assert run(still, order(gallery)).state == State.FINISHED


def test_closing_keeps_the_best_picture_leaves_the_queue_on_disk_and_joins(gallery, open_manager):
    manager = JobManager(gallery)
    first = manager.submit(order(gallery, iterations=ENDLESS))
    second = manager.submit(order(gallery))
    running(manager, first)
    manager.close()
    assert not manager._worker.is_alive()
    assert manager.get(first).state == State.CANCELLED
    assert gallery.get(manager.get(first).entry_id).status == Status.CANCELLED
    (left,) = open_manager(threaded=False).snapshots()
    assert (left.id, left.state) == (second, State.INTERRUPTED)


def test_inputs_removed_while_painting_come_back_with_the_result(manager, gallery):
    job_id = manager.submit(order(gallery, iterations=ENDLESS))
    running(manager, job_id)
    for path in (gallery.root / "inputs").iterdir():
        path.unlink()
    manager.cancel(job_id)
    until(lambda: not manager.get(job_id).state.active)
    assert gallery.get(manager.get(job_id).entry_id).content_path.is_file()


def test_after_closing_another_manager_takes_over(gallery, open_manager):
    JobManager(gallery, threaded=False).close()
    left = record(gallery)
    (job,) = open_manager(threaded=False).snapshots()
    assert left.parent.name == f"job-{job.id}"
