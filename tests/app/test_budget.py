import threading
import time
from pathlib import Path

import numpy as np
import pytest

from app.budget import PixelBudget, count_pixels
from fer.io.images import encode_image, read_image
from page_inputs import picture


def hold(budget: PixelBudget, pixels: int, log: list) -> threading.Thread:
    """Holds pixels in another thread until it is the last in the log; -> the thread, which waits or holds."""

    def work() -> None:
        with budget.hold(pixels):
            log.append(pixels)
            release.wait(5)

    release = threading.Event()
    thread = threading.Thread(target=work, daemon=True)
    thread.release = release
    thread.start()
    time.sleep(0.05)
    return thread


def test_a_picture_waits_until_there_is_room():
    budget, log = PixelBudget(100), []
    first, second, third = hold(budget, 60, log), hold(budget, 40, log), hold(budget, 30, log)
    assert log == [60, 40] and budget.held == 100
    second.release.set()
    third.join(0.2)
    assert log == [60, 40, 30] and budget.held == 90
    first.release.set(), third.release.set()
    for thread in (first, second, third):
        thread.join(1)
    assert budget.held == 0


def test_a_large_picture_is_not_passed_by_small_ones():
    budget, log = PixelBudget(100), []
    first, large, small = hold(budget, 50, log), hold(budget, 100, log), hold(budget, 10, log)
    assert log == [50]
    first.release.set()
    large.join(0.2)
    assert log == [50, 100]
    large.release.set()
    small.join(0.2)
    assert log == [50, 100, 10]
    small.release.set()


def test_what_would_never_have_room_is_refused():
    budget = PixelBudget(100)
    with pytest.raises(ValueError, match="101 pixels, more than the 100"), budget.hold(101):
        raise AssertionError
    with pytest.raises(ZeroDivisionError), budget.hold(100):
        raise ZeroDivisionError  # a failure gives back what it held
    with budget.hold(100):
        assert budget.held == 100


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells its memory by Linux's /proc")
def test_threads_keep_no_memory_of_pictures_that_are_done():
    data, done = encode_image(np.full((5000, 5000, 3), (9, 99, 199), np.uint8)), threading.Event()

    def work() -> None:
        read_image(data)
        finished.release()
        done.wait(60)

    read_image(data)
    before, finished = resident(), threading.Semaphore(0)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:  # one after the other, all alive to the end
        thread.start()
        finished.acquire()
    after = resident()
    done.set()
    for thread in threads:
        thread.join()
    assert after - before < 500  # each of the pictures takes several times 100 MB while it is read


def resident() -> float:
    """Memory of this process, MB."""
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


COUNTS = [
    # a picture of 120x90
    (picture(0), 1_000_000, 10_800),
    # one with more than the limit, which reading will refuse
    (picture(0), 1000, 1000),
    # nothing, and no picture: counted as the largest
    (b"", 1000, 1000),
    (b"MZ" + bytes(2000), 1000, 1000),
]


@pytest.mark.parametrize(("data", "limit", "expected"), COUNTS)
def test_pixels_by_the_header(data, limit, expected):
    assert count_pixels(data, limit) == expected
