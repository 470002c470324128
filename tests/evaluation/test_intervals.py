"""Bootstrap intervals, against the normal approximation of a mean."""

import numpy as np
import pytest

from fer.evaluation.intervals import Interval, bootstrap


@pytest.mark.parametrize(("share", "n"), [(0.9, 1000), (0.5, 400)])
def test_the_interval_of_a_share(share, n):
    values = np.arange(n) < share * n
    interval = bootstrap(lambda rows: {"mean": values[rows].mean()}, n)["mean"]
    half = 1.96 * (share * (1 - share) / n) ** 0.5
    assert interval.low == pytest.approx(share - half, abs=0.15 * half)
    assert interval.high == pytest.approx(share + half, abs=0.15 * half)
    assert share in interval and share + 2 * half not in interval


def test_no_images_have_no_intervals():
    assert bootstrap(lambda rows: {"mean": 0.0}, 0) == {}


def test_a_figure_that_is_not_defined_for_a_draw_is_left_out_there():
    values = np.array([1.0, np.nan])
    assert bootstrap(lambda rows: {"first": values[rows[0]]}, 2)["first"] == Interval(1.0, 1.0)
