"""The Studio's right side: what is painted, waits and has ended."""

import contextlib
import shutil

from streamlit.testing.v1 import AppTest

from nst.dashboard import service
from nst.jobs import JobManager, State
from tests.dashboard.pages import HOSTILE, ROUTER, check_escaped, paint, said, shown, small, texts, upload
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
    jobs.run_pending()
    shown(studio.run())
    assert "Finished" in texts(studio)  # the page still has the uploads


def test_hostile_names_are_never_markdown_in_the_studio(studio, jobs):
    upload(studio, photograph=f"{HOSTILE}.png", style=f"{HOSTILE} {{}}.png", styles=2)
    paint(paint(studio))
    check_escaped(studio)
    for job in jobs.snapshots():
        jobs.cancel(job.id)
    check_escaped(shown(studio.run()))


def test_a_hostile_name_of_what_is_no_picture_is_never_markdown(studio):
    studio.file_uploader("photograph_upload").upload(f"{HOSTILE}.png", b"junk", "image/png")
    check_escaped(shown(studio.run()))
