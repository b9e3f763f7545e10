"""The Studio's right side: what is painted, waits and has ended."""

import contextlib
import shutil

from streamlit.testing.v1 import AppTest

from nst.dashboard import service
from nst.jobs import JobManager, State
from tests.dashboard.pages import (
    HOSTILE,
    ROUTER,
    check_escaped,
    choose_preset,
    paint,
    said,
    shown,
    small,
    texts,
    upload,
    uploader,
)
from tests.test_jobs import record


def test_a_painted_picture_appears_and_opens(studio, jobs, gallery):
    paint(small(upload(studio)))
    assert "Waiting for its turn" in said(studio)
    jobs.run_pending()
    shown(studio.run())
    assert "Finished" in texts(studio)
    (entry,) = gallery.query().entries
    shown(studio.button(f"open_{jobs.snapshots()[0].id}").click().run())
    assert studio.query_params["id"] in (entry.id, [entry.id])
    assert "tubingen" in studio.title[0].value


def test_waiting_jobs_are_listed_in_order_and_can_be_cancelled(studio, jobs):
    upload(studio)
    for number in range(3):
        studio.number_input("seed_studio").set_value(number)
        paint(shown(studio.run()))
    first, second, third = (job.id for job in jobs.snapshots()[::-1])
    assert [job.order.settings.seed for job in jobs.snapshots()[::-1]] == [0, 1, 2]
    cancels = [button.key for button in studio.button if "ancel" in button.label]
    assert cancels == [f"cancel_{job_id}" for job_id in (first, second, third)]
    shown(studio.button(f"cancel_{second}").click().run())
    assert jobs.get(second).state == State.CANCELLED
    assert "Stopped" in texts(studio)
    shown(studio.button(f"dismiss_{second}").click().run())
    assert [job.id for job in jobs.snapshots()] == [third, first]
    assert "Stopped" not in texts(studio)


def test_a_failed_job_says_why_and_can_be_painted_again(studio, jobs, gallery):
    paint(small(upload(studio)))
    path = gallery.input_path(jobs.snapshots()[0].order.content)
    path.rename(path.with_suffix(".away"))
    jobs.run_pending()
    shown(studio.run())
    assert "Failed" in texts(studio)
    assert "no longer in the gallery" in said(studio)
    path.with_suffix(".away").rename(path)
    shown(studio.button(f"again_{jobs.snapshots()[0].id}").click().run())
    jobs.run_pending()
    assert [job.state for job in jobs.snapshots()] == [State.FINISHED]


def test_painting_again_without_room_on_the_disk_is_told(studio, jobs, gallery):
    paint(upload(studio))
    job_id = jobs.snapshots()[0].id
    jobs.cancel(job_id)
    shown(studio.run())
    shutil.rmtree(gallery.work)
    gallery.work.write_text("a file in the way")
    shown(studio.button(f"again_{job_id}").click().run())
    assert "could not be queued" in said(studio)


def test_painting_without_room_on_the_disk_is_told(studio, jobs, gallery):
    upload(studio)
    shutil.rmtree(gallery.work)
    gallery.work.write_text("a file in the way")
    paint(studio)
    assert "could not be queued" in said(studio)


def test_an_interrupted_job_is_shown_and_can_be_painted_again(gallery, monkeypatch):
    record(gallery)
    with contextlib.closing(JobManager(gallery, threaded=False)) as manager:
        monkeypatch.setattr(service, "jobs", lambda: manager)
        at = shown(AppTest.from_file(ROUTER, default_timeout=30).run())
        assert "Interrupted" in texts(at)
        assert "left behind" in said(at)
        shown(at.button(f"again_{manager.snapshots()[0].id}").click().run())
        assert [job.state for job in manager.snapshots()] == [State.QUEUED]


def test_a_chosen_network_is_what_the_job_takes(studio, jobs, gallery):
    gallery.preferences_path.write_text('{"network": "builtin"}')
    paint(upload(studio))
    assert jobs.snapshots()[0].order.network == "builtin"


def test_pictures_removed_by_hand_do_not_break_the_studio(studio, jobs, gallery):
    paint(upload(studio, styles=2))
    for path in (gallery.root / "inputs").iterdir():
        path.unlink()
    shown(studio.run())
    assert "no longer in the gallery" in said(studio)
    jobs.run_pending()
    shown(studio.run())
    assert "Failed" in texts(studio)
    paint(small(upload(studio, styles=2)))
    jobs.run_pending()
    shown(studio.run())
    assert "Finished" in texts(studio)


def test_hostile_names_are_never_markdown_in_the_studio(studio, jobs):
    upload(studio, photograph=f"{HOSTILE}.png", style=f"{HOSTILE} {{}}.png", styles=2)
    paint(paint(studio))
    check_escaped(studio)
    for job in jobs.snapshots():
        jobs.cancel(job.id)
    check_escaped(shown(studio.run()))


def test_a_hostile_name_of_what_is_no_picture_is_never_markdown(studio):
    uploader(studio, "photograph").upload(f"{HOSTILE}.png", b"junk", "image/png")
    check_escaped(shown(studio.run()))


# The queue -------------------------------------------------------------------------------------------------------


def queue_three(at, jobs):
    upload(at)
    for number in range(3):
        at.number_input("seed_studio").set_value(number)
        paint(shown(at.run()))
    return [job.id for job in jobs.snapshots()[::-1]]


def waiting(jobs):
    """The seeds of the jobs in the order they will run."""
    return [job.order.settings.seed for job in jobs.snapshots()[::-1] if job.state == State.QUEUED]


def test_waiting_jobs_can_be_moved(studio, jobs):
    _, second, third = queue_three(studio, jobs)
    assert studio.button(f"earlier_{second}").disabled
    assert studio.button(f"later_{third}").disabled
    shown(studio.button(f"earlier_{third}").click().run())
    assert waiting(jobs) == [0, 2, 1]
    assert "1. tubingen × style 0" in said(studio)
    shown(studio.button(f"later_{third}").click().run())
    assert waiting(jobs) == [0, 1, 2]


def while_painting(jobs, monkeypatch, act):
    """Do something in the middle of the next job: the page looks in while it runs."""
    update, done = jobs._update, []

    def told(job_id, **changes):
        update(job_id, **changes)
        if changes.get("step") and changes["step"].losses.evaluation == 3 and not done:
            done.append(job_id)
            act(job_id)

    monkeypatch.setattr(jobs, "_update", told)
    jobs.run_pending()
    assert done


def begin(at, iterations=8):
    upload(at)
    choose_preset(at, "draft")
    at.number_input("iterations_draft").set_value(iterations)
    at.number_input("scales_draft").set_value(1)
    return paint(shown(at.run()))


def test_a_running_job_shows_how_far_it_is(studio, jobs, monkeypatch):
    begin(studio)

    def look(job_id):
        shown(studio.run())
        assert "step 3 of at most 8" in said(studio)
        assert "Watch the picture" in said(studio)
        assert len(studio.get("vega_lite_chart")) == 1
        shown(studio.segmented_control("live_kind").set_value("By layer").run())
        (chart,) = studio.get("vega_lite_chart")
        assert "style block1_conv1" in chart.proto.spec

    while_painting(jobs, monkeypatch, look)
    shown(studio.run())
    assert "Watch the picture" not in said(studio)


def test_a_running_job_is_steered(studio, jobs, gallery, monkeypatch):
    begin(studio)

    def steer(job_id):
        shown(studio.run())
        studio.slider(f"steer_strength_{job_id}").set_value(90)
        shown(studio.run())
        shown(studio.select_slider(f"steer_tv_weight_{job_id}").set_value(0.1).run())

    while_painting(jobs, monkeypatch, steer)
    (entry,) = gallery.query().entries
    assert (entry.settings.strength, entry.settings.tv_weight) == (90, 0.1)
    assert [dict(change.after) for change in gallery.get(entry.id).changes] == [{"strength": 90, "tv_weight": 0.1}]


def test_a_paused_job_goes_on_where_it_was(studio, jobs, gallery, monkeypatch):
    begin(studio)

    def pause(job_id):
        shown(studio.run())
        shown(studio.button(f"pause_{job_id}").click().run())

    while_painting(jobs, monkeypatch, pause)
    (job,) = jobs.snapshots()
    shown(studio.run())
    assert "Paused" in texts(studio)
    assert gallery.query().total == 0
    shown(studio.button(f"resume_{job.id}").click().run())
    jobs.run_pending()
    shown(studio.run())
    assert "Finished" in texts(studio)
    assert gallery.query().entries[0].evaluations == 8


# What has ended --------------------------------------------------------------------------------------------------


def finished(at, jobs, gallery):
    begin(at, iterations=3)
    jobs.run_pending()
    shown(at.run())
    return jobs.snapshots()[0], gallery.query().entries[0]


def test_a_hundred_more_steps_follow_at_a_click(studio, jobs, gallery):
    job, entry = finished(studio, jobs, gallery)
    shown(studio.button(f"more_{job.id}").click().run())
    order = jobs.snapshots()[0].order
    assert order.parent == entry.id
    assert order.changes[-1].after["iterations"] == 103


def test_a_larger_one_follows_at_a_click(studio, jobs, gallery):
    job, entry = finished(studio, jobs, gallery)
    shown(studio.button(f"larger_{job.id}").click().run())
    order = jobs.snapshots()[0].order
    assert (order.parent, order.changes[-1].after["size"]) == (entry.id, 384)


def test_a_stopped_job_goes_on_to_its_end(studio, jobs, gallery, monkeypatch):
    begin(studio)
    while_painting(jobs, monkeypatch, jobs.cancel)
    shown(studio.run())
    assert "Stopped" in texts(studio)
    (job,) = jobs.snapshots()
    (entry,) = gallery.query().entries
    assert entry.evaluations < 8
    shown(studio.button(f"go_on_{job.id}").click().run())
    jobs.run_pending()
    assert sorted(found.evaluations for found in gallery.query().entries) == [entry.evaluations, 8]


def test_a_reproduction_is_told_in_words(studio, jobs, gallery):
    job, entry = finished(studio, jobs, gallery)
    again = jobs.reproduce(entry.id)
    jobs.run_pending()
    shown(studio.run())
    assert "The same picture: no pixel differs." in said(studio)
    keys = {button.key for button in studio.button}
    assert f"open_{again}" in keys
    assert f"more_{again}" not in keys  # of a comparison there is nothing to go on with
    assert f"more_{job.id}" in keys


def test_an_interrupted_job_with_a_checkpoint_goes_on(studio, jobs, gallery, monkeypatch):
    begin(studio)
    while_painting(jobs, monkeypatch, jobs.pause)
    (paused,) = jobs.snapshots()
    jobs._update(paused.id, state=State.INTERRUPTED)
    shown(studio.run())
    shown(studio.button(f"go_on_{paused.id}").click().run())
    jobs.run_pending()
    assert gallery.query().entries[0].evaluations == 8
