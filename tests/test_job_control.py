"""Tests of what people do with jobs: pause, reorder, steer, go on, reproduce, proofs; and of what a crash leaves."""

# ruff: noqa: F811 - the fixtures of test_jobs

import contextlib
import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from nst import image
from nst.errors import GalleryError, SettingsError
from nst.jobs import JobManager, State, painter
from nst.result import settings_at_start
from tests.test_jobs import (  # noqa: F401
    ENDLESS,
    PROJECT,
    gallery,
    manager,
    network,
    open_manager,
    order,
    records,
    run,
    running,
    still,
    until,
)

LONG = {"iterations": 60, "size": 48}

SERVER = """
import sys, time
from pathlib import Path
from nst import weights
from nst.jobs import painter
from nst.gallery import Gallery
from nst.jobs import JobManager
from tests.networks import seeded
from tests.test_jobs import order, until
weights.find = lambda choice=None, **options: seeded()
painter.CHECKPOINT_EVERY = 0.0
gallery = Gallery(Path(sys.argv[1]))
manager = JobManager(gallery)
job = manager.submit(order(gallery, name="crashed", iterations=int(sys.argv[2]), size=48))
until(lambda: (step := manager.get(job).step) and step.iteration > 10)
print(job, flush=True)
time.sleep(600)
"""


def ended(manager, job_id):
    return until(lambda: (job := manager.get(job_id)) and not job.state.active and job)


def picture(gallery, job):
    return image.load(gallery.get(job.entry_id).picture_path).rgb


# Pause and resume ------------------------------------------------------------------------------------------------


def test_a_paused_job_resumes_to_the_same_picture(manager, gallery):
    whole = run(manager, order(gallery, **LONG))
    job_id = manager.submit(order(gallery, **LONG))
    running(manager, job_id, steps=5)
    manager.pause(job_id)
    paused = ended(manager, job_id)
    assert (paused.state, paused.resumable, paused.entry_id) == (State.PAUSED, True, None)
    assert 5 <= paused.step.iteration < 60
    assert paused.preview
    manager.resume(job_id)
    finished = ended(manager, job_id)
    assert finished.state == State.FINISHED
    np.testing.assert_array_equal(picture(gallery, finished), picture(gallery, whole))
    assert len(gallery.history(finished.entry_id)) == 60
    assert [row.evaluation for row in finished.history] == list(range(1, 61))
    assert records(gallery) == []


def test_the_next_job_begins_when_one_is_paused(manager, gallery):
    first = manager.submit(order(gallery, iterations=ENDLESS))
    second = manager.submit(order(gallery))
    running(manager, first)
    manager.pause(first)
    assert ended(manager, second).state == State.FINISHED
    assert manager.get(first).state == State.PAUSED


def test_a_waiting_job_is_paused_at_once_and_keeps_its_record(still, gallery):
    job_id = still.submit(order(gallery))
    still.pause(job_id)
    assert still.get(job_id).state == State.PAUSED
    still.run_pending()
    assert gallery.query().total == 0
    assert len(records(gallery)) == 1
    still.resume(job_id)
    still.run_pending()
    assert still.get(job_id).state == State.FINISHED


def test_a_paused_job_survives_the_server(gallery, open_manager):
    first = JobManager(gallery)
    job_id = first.submit(order(gallery, iterations=ENDLESS, size=48))
    running(first, job_id, steps=3)
    first.pause(job_id)
    steps = ended(first, job_id).step.iteration
    first.close()
    second = open_manager()
    (job,) = second.snapshots()
    assert (job.id, job.state, job.resumable) == (job_id, State.PAUSED, True)
    second.resume(job_id)
    assert running(second, job_id, steps=steps + 1).step.iteration > steps
    second.cancel(job_id)
    assert len(gallery.history(ended(second, job_id).entry_id)) > steps


def test_cancelling_a_paused_job_keeps_its_picture(manager, gallery):
    job_id = manager.submit(order(gallery, iterations=ENDLESS, size=48))
    running(manager, job_id, steps=3)
    manager.pause(job_id)
    steps = ended(manager, job_id).step.iteration
    manager.cancel(job_id)
    job = ended(manager, job_id)
    assert job.state == State.CANCELLED
    assert len(gallery.history(job.entry_id)) == steps
    assert records(gallery) == []


def test_pausing_and_resuming_what_is_over_or_unknown_changes_nothing(still, gallery):
    job = run(still, order(gallery))
    for job_id in (job.id, "20261121-075541-3fa9c2"):
        still.pause(job_id)
        still.resume(job_id)
        still.move(job_id, 1)
        still.steer(job_id, strength=3.0)
    assert still.get(job.id) == job


def test_a_full_disk_turns_a_pause_into_a_stop(manager, gallery, monkeypatch):
    def full(self, path):
        raise OSError(28, "No space left on device")

    job_id = manager.submit(order(gallery, iterations=ENDLESS))
    running(manager, job_id)
    monkeypatch.setattr("nst.checkpoint.Checkpoint.save", full)
    manager.pause(job_id)
    job = ended(manager, job_id)
    assert (job.state, gallery.get(job.entry_id).evaluations > 1) == (State.CANCELLED, True)


# Crashes ---------------------------------------------------------------------------------------------------------


def test_a_killed_server_goes_on_from_its_checkpoint_to_the_same_picture(gallery, open_manager):
    iterations = 4000
    command = [sys.executable, "-c", SERVER, str(gallery.root), str(iterations)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as server:
        job_id = server.stdout.readline().strip()
        server.send_signal(signal.SIGKILL)
    after = open_manager(threaded=False)
    (job,) = after.snapshots()
    assert (job.id, job.state, job.resumable) == (job_id, State.INTERRUPTED, True)
    assert "go on where it was" in job.message
    # The rest would take long: the run is cut short, in its record and in its checkpoint, at the same evaluation.
    path = gallery.work / f"job-{job_id}" / "checkpoint.npz"
    from nst.checkpoint import Checkpoint

    checkpoint = Checkpoint.load(path)
    done = checkpoint.evaluations
    assert 0 < done < iterations
    short = job.order.settings.replace(iterations=done + 7)
    checkpoint.facts["settings"]["iterations"] = done + 7
    checkpoint.save(path)
    after._jobs[job_id] = replace(job, order=replace(job.order, settings=short))
    after.resume(job_id)
    after.run_pending()
    resumed = after.get(job_id)
    assert resumed.state == State.FINISHED, resumed.message
    whole = run(after, replace(job.order, settings=short))
    np.testing.assert_array_equal(picture(gallery, resumed), picture(gallery, whole))


def test_checkpoints_are_written_while_painting_and_gone_at_the_end(manager, gallery, monkeypatch):
    monkeypatch.setattr(painter, "CHECKPOINT_EVERY", 0.0)
    job_id = manager.submit(order(gallery, iterations=ENDLESS))
    path = gallery.work / f"job-{job_id}" / "checkpoint.npz"
    until(path.is_file)
    manager.cancel(job_id)
    ended(manager, job_id)
    assert not path.parent.exists()


def test_a_damaged_checkpoint_fails_the_job_in_words(gallery, open_manager):
    first = JobManager(gallery)
    job_id = first.submit(order(gallery, iterations=ENDLESS))
    running(first, job_id)
    first.pause(job_id)
    ended(first, job_id)
    first.close()
    path = gallery.work / f"job-{job_id}" / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:1000])
    second = open_manager(threaded=False)
    second.resume(job_id)
    second.run_pending()
    job = second.get(job_id)
    assert job.state == State.FAILED
    assert "damaged" in job.message
    assert "Paint it again" in job.message
    second.again(job_id)


# The queue -------------------------------------------------------------------------------------------------------


def names(manager):
    return [job.name for job in reversed(manager.snapshots())]


def test_waiting_jobs_can_be_moved(still, gallery):
    ids = {name: still.submit(order(gallery, name=name)) for name in "abcd"}
    still.move(ids["d"], -1)
    assert names(still) == ["a", "b", "d", "c"]
    still.move(ids["a"], 1)
    assert names(still) == ["b", "a", "d", "c"]
    still.move(ids["b"], -1)  # it is the first already
    still.move(ids["c"], 1)
    assert names(still) == ["b", "a", "d", "c"]
    still.move(ids["c"], -10)
    assert names(still) == ["c", "b", "a", "d"]
    assert [still.position(ids[name]) for name in "cbad"] == [0, 1, 2, 3]
    still.run_pending()
    assert [entry.name for entry in gallery.query(order="oldest").entries] == ["c", "b", "a", "d"]


def test_the_running_job_stays_where_it_is(manager, gallery):
    first = manager.submit(order(gallery, name="first", iterations=ENDLESS))
    second = manager.submit(order(gallery, name="second"))
    running(manager, first)
    manager.move(first, 1)
    manager.move(second, -1)
    assert [manager.position(job_id) for job_id in (first, second)] == [0, 1]


def test_the_order_of_the_queue_survives_the_server(gallery, open_manager):
    first = JobManager(gallery, threaded=False)
    ids = {name: first.submit(order(gallery, name=name)) for name in "abc"}
    first.move(ids["c"], -2)
    first.close()
    assert names(open_manager(threaded=False)) == ["c", "a", "b"]


# Steering --------------------------------------------------------------------------------------------------------


def test_strength_and_variation_can_be_changed_while_painting(manager, gallery):
    job_id = manager.submit(order(gallery, iterations=ENDLESS, strength=40.0))
    running(manager, job_id, steps=3)
    manager.steer(job_id, strength=80.0, tv_weight=0.5)
    job = until(lambda: (job := manager.get(job_id)).changes and job)
    (change,) = job.changes
    assert change.before == {"strength": 40.0, "tv_weight": 0.0}
    assert change.after == {"strength": 80.0, "tv_weight": 0.5}
    manager.cancel(job_id)
    entry = gallery.get(ended(manager, job_id).entry_id)
    assert (entry.settings.strength, entry.settings.tv_weight) == (80, 0.5)
    assert entry.changes == job.changes
    assert settings_at_start(entry.settings, entry.changes).strength == 40


@pytest.mark.parametrize("wrong", [{"strength": 101.0}, {"tv_weight": -1.0}, {"strength": float("nan")}, {"seed": 3}])
def test_what_can_not_be_is_refused_and_the_job_goes_on(manager, gallery, wrong):
    job_id = manager.submit(order(gallery, iterations=ENDLESS))
    running(manager, job_id)
    with pytest.raises(SettingsError):
        manager.steer(job_id, **wrong)
    steps = manager.get(job_id).step.iteration
    running(manager, job_id, steps=steps + 2)
    assert manager.get(job_id).changes == ()


# Going on --------------------------------------------------------------------------------------------------------


def test_more_steps_go_on_where_a_result_ended(still, gallery):
    first = run(still, order(gallery, iterations=10, size=48))
    more = ended(still, _through(still, still.more(first.entry_id, iterations=15)))
    entry = gallery.get(more.entry_id)
    assert (entry.parent, entry.evaluations, entry.settings.iterations) == (first.entry_id, 25, 25)
    whole = run(still, order(gallery, iterations=25, size=48))
    np.testing.assert_array_equal(picture(gallery, more), picture(gallery, whole))
    assert len(entry.frame_paths) >= 20  # those of the first part, too
    again = ended(still, _through(still, still.more(more.entry_id, iterations=3)))
    assert gallery.get(again.entry_id).evaluations == 28


def _through(manager, job_id):
    manager.run_pending()
    return job_id


def test_a_larger_size_goes_on_where_a_result_ended(still, gallery):
    first = run(still, order(gallery, iterations=10, size=48))
    larger = ended(still, _through(still, still.larger(first.entry_id, 96)))
    entry = gallery.get(larger.entry_id)
    assert (entry.width, entry.height, entry.parent) == (96, 72, first.entry_id)
    assert entry.settings.size == 96
    assert entry.evaluations == 20
    reproduced = ended(still, _through(still, still.reproduce(larger.entry_id)))
    assert reproduced.difference == 0
    with pytest.raises(SettingsError, match="above 96"):
        still.larger(entry.id, 96)


def test_a_stopped_result_is_finished_as_if_it_had_never_been_stopped(manager, gallery):
    whole = run(manager, order(gallery, **LONG))
    job_id = manager.submit(order(gallery, **LONG))
    running(manager, job_id, steps=4)
    manager.cancel(job_id)
    stopped = ended(manager, job_id)
    assert gallery.get(stopped.entry_id).evaluations < 60
    finished = ended(manager, manager.finish(stopped.entry_id))
    assert gallery.get(finished.entry_id).evaluations == 60
    np.testing.assert_array_equal(picture(gallery, finished), picture(gallery, whole))


def test_without_a_saved_state_more_steps_start_from_the_picture(still, gallery):
    first = run(still, order(gallery, iterations=10, size=48))
    for path in (gallery.root / "states").iterdir():
        path.unlink()
    more = ended(still, _through(still, still.more(first.entry_id, iterations=5)))
    entry = gallery.get(more.entry_id)
    assert (entry.evaluations, entry.parent, entry.settings.init) == (5, first.entry_id, "picture")
    assert gallery.input_path(entry.initial).read_bytes() == gallery.get(first.entry_id).picture_path.read_bytes()
    assert entry.losses.total < gallery.history(more.entry_id)[0].total
    reproduced = ended(still, _through(still, still.reproduce(more.entry_id)))
    assert reproduced.difference == 0
    with pytest.raises(GalleryError, match="no longer there"):
        still.finish(first.entry_id)


def test_going_on_from_what_is_not_there_is_refused(still):
    for go_on in (still.more, still.finish, still.reproduce, lambda entry_id: still.larger(entry_id, 64)):
        with pytest.raises(GalleryError):
            go_on("20261121-075541-3fa9c2")


# Reproducing -----------------------------------------------------------------------------------------------------


def test_a_reproduction_finds_no_difference_and_makes_no_entry(still, gallery):
    first = run(still, order(gallery, iterations=10))
    job = ended(still, _through(still, still.reproduce(first.entry_id)))
    assert (job.state, job.difference, job.entry_id) == (State.FINISHED, 0, first.entry_id)
    assert "no pixel differs" in job.message
    assert gallery.query().total == 1


def test_a_reproduction_reports_the_largest_difference(still, gallery):
    first = run(still, order(gallery, iterations=10))
    path = gallery.get(first.entry_id).picture_path
    changed = image.load(path).rgb.copy()
    changed[3, 4, 1] = (changed[3, 4, 1] + 100 / 255) % 1
    levels = np.abs(image.to_uint8(changed).astype(int) - image.to_uint8(image.load(path).rgb)).max()
    path.write_bytes(image.encode_png(changed))
    job = ended(still, _through(still, still.reproduce(first.entry_id)))
    assert job.difference == levels > 50
    assert f"{levels} of 255" in job.message


def test_a_steered_and_stopped_result_can_be_reproduced(manager, gallery):
    job_id = manager.submit(order(gallery, iterations=ENDLESS, strength=40.0))
    running(manager, job_id, steps=3)
    manager.steer(job_id, strength=80.0)
    until(lambda: manager.get(job_id).changes)
    manager.cancel(job_id)
    first = ended(manager, job_id)
    job = ended(manager, manager.reproduce(first.entry_id))
    assert (job.state, job.difference) == (State.FINISHED, 0), job.message


def test_a_result_of_other_filters_is_not_compared(still, gallery, monkeypatch, other_narrow):
    first = run(still, order(gallery, iterations=3))
    monkeypatch.setattr("nst.weights.find", lambda choice=None, **options: other_narrow)
    job = ended(still, _through(still, still.reproduce(first.entry_id)))
    assert job.state == State.FAILED
    assert "other filters" in job.message


# Proofs ----------------------------------------------------------------------------------------------------------


def test_proofs_are_small_pictures_and_no_entries(still, gallery):
    base = order(gallery)
    variants = tuple(base.settings.replace(strength=strength) for strength in (10.0, 50.0, 90.0))
    job = run(still, replace(base, variants=variants))
    assert job.state == State.FINISHED
    assert [proof.settings for proof in job.proofs] == list(variants)
    pictures = [image.load(proof.picture).rgb for proof in job.proofs]
    assert {found.shape for found in pictures} == {(24, 32, 3)}
    assert not np.array_equal(pictures[0], pictures[2])
    assert gallery.query().total == 0
    assert job.step.progress == 1


def test_stopped_proofs_keep_those_that_are_ready(manager, gallery):
    base = order(gallery)
    variants = (base.settings, base.settings.replace(iterations=ENDLESS))
    job_id = manager.submit(replace(base, variants=variants))
    until(lambda: len(manager.get(job_id).proofs) == 1)
    manager.cancel(job_id)
    job = ended(manager, job_id)
    assert (job.state, len(job.proofs)) == (State.CANCELLED, 1)


def test_an_order_with_everything_in_it_survives_the_server(gallery, open_manager):
    first = JobManager(gallery, threaded=False)
    base = order(gallery)
    done = run(first, replace(base, initial=base.content, settings=base.settings.replace(init="picture")))
    first.more(done.entry_id)
    first.reproduce(done.entry_id)
    first.submit(replace(base, variants=(base.settings, base.settings.replace(seed=3))))
    orders = {job.id: job.order for job in first.snapshots() if job.state == State.QUEUED}
    assert len(orders) == 3
    first.close()
    second = open_manager(threaded=False)
    for job in second.snapshots():
        wanted = replace(orders[job.id], name=job.name)
        assert job.order == wanted
    for job in second.snapshots():
        second.resume(job.id)
    second.run_pending()
    assert {job.state for job in second.snapshots()} == {State.FINISHED}


def test_a_record_of_an_earlier_version_is_read(gallery, open_manager):
    with contextlib.closing(JobManager(gallery, threaded=False)) as first:
        first.submit(order(gallery, name="old"))
    (path,) = gallery.work.glob("job-*/job.json")
    record = json.loads(path.read_bytes())
    for name in ("initial", "parent", "state_of", "changes", "variants", "reproduces", "paused"):
        del record[name]
    path.write_text(json.dumps(record))
    (job,) = open_manager(threaded=False).snapshots()
    assert (job.name, job.state, job.resumable) == ("old", State.INTERRUPTED, False)


# What a reviewer broke -------------------------------------------------------------------------------------------


def interrupted(gallery, open_manager, **changes):
    """A manager that finds a job with a checkpoint, as a crash leaves it."""
    first = JobManager(gallery)
    job_id = first.submit(order(gallery, **({"iterations": ENDLESS} | changes)))
    running(first, job_id, steps=3)
    first.pause(job_id)
    ended(first, job_id)
    first.close()
    return open_manager(threaded=False), job_id


def full(*args, **options):
    raise GalleryError("The result can't be saved: No space left on device.")


def test_a_picture_that_can_not_be_saved_is_not_lost(gallery, open_manager, monkeypatch):
    manager, job_id = interrupted(gallery, open_manager, iterations=8)
    with monkeypatch.context() as disk:
        disk.setattr(gallery, "save", full)
        disk.setattr(manager.gallery, "save", full)
        manager.resume(job_id)
        manager.run_pending()
    job = manager.get(job_id)
    assert (job.state, job.resumable) == (State.FAILED, True)
    manager.close()
    after = open_manager(threaded=False)
    after.resume(job_id)
    after.run_pending()
    assert after.get(job_id).state == State.FINISHED
    assert gallery.get(after.get(job_id).entry_id).evaluations == 8


def test_a_network_that_is_not_there_costs_no_work(gallery, open_manager, monkeypatch, narrow, other_narrow):
    manager, job_id = interrupted(gallery, open_manager, iterations=8)
    for found in (other_narrow, narrow):
        monkeypatch.setattr("nst.weights.find", lambda choice=None, found=found, **options: found)
        manager.resume(job_id)
        manager.run_pending()
        assert manager.get(job_id).state == (State.FINISHED if found is narrow else State.FAILED)
    assert manager.get(job_id).resumable is False


def test_painting_again_leaves_what_can_go_on(gallery, open_manager):
    manager, job_id = interrupted(gallery, open_manager)
    manager.cancel(manager.again(job_id))
    assert manager.get(job_id).resumable


def test_proofs_survive_the_server(gallery, open_manager):
    first = JobManager(gallery, threaded=False)
    base = order(gallery)
    done = run(first, replace(base, variants=(base.settings, base.settings.replace(seed=3))))
    first.close()
    second = open_manager(threaded=False)
    (job,) = second.snapshots()
    assert (job.state, job.proofs) == (State.FINISHED, done.proofs)
    second.dismiss(job.id)
    assert records(gallery) == []


def test_proofs_that_were_stopped_by_the_server_go_on(gallery, open_manager):
    first = JobManager(gallery)
    base = order(gallery)
    job_id = first.submit(replace(base, variants=(base.settings, base.settings.replace(iterations=ENDLESS))))
    until(lambda: first.get(job_id).proofs)
    first.close()
    (job,) = open_manager(threaded=False).snapshots()
    assert (job.state, len(job.proofs), job.resumable) == (State.INTERRUPTED, 1, True)


def test_two_servers_that_start_together_share_what_was_interrupted(gallery, open_manager):
    lost = JobManager(gallery, threaded=False)
    for _ in range(4):
        lost.submit(order(gallery))
    lost._records._claim.close()  # as a killed process does
    with ThreadPoolExecutor(4) as pool:
        managers = list(pool.map(lambda _: open_manager(threaded=False), range(4)))
    assert sorted(len(manager.snapshots()) for manager in managers) == [0, 0, 0, 4]


def test_only_weights_can_be_steered(manager, gallery):
    job_id = manager.submit(order(gallery, iterations=ENDLESS, size=48))
    running(manager, job_id)
    with pytest.raises(SettingsError, match="size"):
        manager.steer(job_id, size=32)
    assert manager.get(job_id).state == State.RUNNING


@pytest.mark.parametrize("harm", [b"", b"no picture", None])
def test_a_damaged_preview_is_no_preview(gallery, open_manager, harm):
    first = JobManager(gallery, threaded=False)
    first.submit(order(gallery))
    first.close()
    (folder,) = records(gallery)
    if harm is None:
        (folder / "preview.jpg").mkdir()
    else:
        (folder / "preview.jpg").write_bytes(harm)
    (job,) = open_manager(threaded=False).snapshots()
    assert job.preview is None


@pytest.mark.parametrize("changes", [[{"evaluation": 1, "scale": 0, "before": 3, "after": 4}], 5, [{}], ["x"]])
def test_a_record_with_damaged_changes_is_passed_over(gallery, open_manager, changes):
    first = JobManager(gallery, threaded=False)
    first.submit(order(gallery))
    first.close()
    (path,) = gallery.work.glob("job-*/job.json")
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"changes": changes}))
    assert open_manager(threaded=False).snapshots() == []


def test_a_full_disk_does_not_keep_jobs_from_being_moved(still, gallery, monkeypatch):
    ids = [still.submit(order(gallery, name=name)) for name in "ab"]
    monkeypatch.setattr(still._records, "note", full)
    still.move(ids[1], -1)
    assert names(still) == ["b", "a"]


def test_stopping_a_paused_job_comes_before_what_waits(still, gallery, open_manager):
    manager, job_id = interrupted(gallery, open_manager)
    manager.submit(order(gallery, name="waits"))
    manager.cancel(job_id)
    assert manager.position(job_id) == 0
    assert "goes to the gallery" in manager.get(job_id).message
    manager.run_pending()
    assert manager.get(job_id).state == State.CANCELLED


def test_stopping_beats_pausing(manager, gallery):
    job_id = manager.submit(order(gallery, iterations=ENDLESS))
    running(manager, job_id)
    manager.pause(job_id)
    manager.cancel(job_id)
    manager.pause(job_id)
    until(lambda: manager.get(job_id).state == State.CANCELLED)


def test_more_steps_that_never_began_make_no_second_entry(still, gallery):
    first = run(still, order(gallery, iterations=5))
    job_id = still.more(first.entry_id)
    still._reins[job_id].stop = True
    still.run_pending()
    assert still.get(job_id).state == State.CANCELLED
    assert gallery.query().total == 1


def test_steering_there_and_back_at_one_step_can_be_reproduced(manager, gallery):
    job_id = manager.submit(order(gallery, iterations=ENDLESS, strength=40.0, size=48))
    running(manager, job_id, steps=3)
    manager.steer(job_id, strength=80.0)
    manager.pause(job_id)
    ended(manager, job_id)
    manager.resume(job_id)
    manager.steer(job_id, strength=40.0)
    running(manager, job_id, steps=manager.get(job_id).step.iteration + 4)
    manager.cancel(job_id)
    first = ended(manager, job_id)
    assert [change.after["strength"] for change in gallery.get(first.entry_id).changes] == [80.0, 40.0]
    assert ended(manager, manager.reproduce(first.entry_id)).difference == 0


def test_a_resumed_job_is_no_longer_called_paused_after_a_crash(gallery, open_manager):
    manager, job_id = interrupted(gallery, open_manager)
    manager.resume(job_id)
    manager._records._claim.close()  # as a killed process does
    (job,) = open_manager(threaded=False).snapshots()
    assert (job.id, job.state) == (job_id, State.INTERRUPTED)


def test_a_job_killed_right_after_saving_is_done(gallery, open_manager, monkeypatch):
    first = JobManager(gallery, threaded=False)
    job_id = first.submit(order(gallery))
    monkeypatch.setattr("nst.jobs.manager.shutil.rmtree", lambda *args, **options: None)
    first.run_pending()
    monkeypatch.undo()
    first.close()
    assert len(records(gallery)) == 1
    assert open_manager(threaded=False).snapshots() == []
    assert records(gallery) == []
    assert gallery.query().entries[0].id == job_id
