"""What large pictures are spared: by size alone, without TensorFlow."""

import subprocess
import sys

import pytest

from nst.budget import HISTORY_BYTES, LARGE, affordable_history, is_large


@pytest.mark.parametrize("history", [1, 20, 200])
def test_history_is_what_was_asked_for_up_to_the_limit(history):
    assert affordable_history(1500, 2000, history) == history
    assert not is_large(1500, 2000)


def test_large_pictures_get_what_fits_and_never_more_than_asked():
    assert is_large(2000, 1501)
    assert affordable_history(3072, 4096, 20) == 2
    assert affordable_history(3072, 4096, 1) == 1
    for height, width in ((2000, 1501), (2048, 2048), (3072, 4096), (8192, 8192)):
        found = affordable_history(height, width, 100)
        assert found == 1 or found * 12 * height * width <= HISTORY_BYTES
        assert found >= affordable_history(height + 100, width, 100)
    assert affordable_history(8192, 8192, 100) == 1


def test_there_is_room_for_most_of_the_usual_history_just_above_the_limit():
    assert affordable_history(1, LARGE + 1, 20) >= 11


def test_tensorflow_is_not_loaded():
    code = "import sys, nst.budget; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
