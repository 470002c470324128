"""Turns, medians and what follows from them, by a clock that stands still."""

import pytest

from fer.benchmark.rounds import Work, measure


class FakeClock:
    """Stands still but for the works' own time."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self) -> float:
        return self.now

    def work(self, group: str, name: str, *seconds: float, **facts) -> Work:
        """Its n-th call takes the n-th of `seconds`, and then the last over again."""
        left = list(seconds)

        def call():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return Work(group, name, call, facts)


@pytest.mark.parametrize(
    ("seconds", "order"),
    [
        (0, "abc" + "abc" + "bca" + "cab"),  # a warm-up, then once a round
        (6, "abc" + "aabc" + "bcaa" + "caab"),  # a call that takes half of its two seconds is made twice
    ],
)
def test_rounds_are_interleaved_and_begin_with_another_work(seconds, order):
    clock = FakeClock()
    works = [clock.work("x", name, took) for name, took in (("a", 1), ("b", 4), ("c", 2))]
    figures = measure(works, seconds, rounds=3, clock=clock)
    assert "".join(clock.calls) == order
    assert [(f["name"], f["seconds"]) for f in figures] == [("a", 1), ("b", 4), ("c", 2)]


def test_a_figure_is_the_median_of_rounds_without_the_warm_up():
    clock = FakeClock()
    (figure,) = measure([clock.work("x", "a", 100, 2, 3, 90, 4, 1, batch=2)], 0, rounds=5, clock=clock)
    assert figure == {"group": "x", "name": "a", "batch": 2, "seconds": 3, "quartiles": [2, 4]}
