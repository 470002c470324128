"""The numbers at the end of a run."""

from dataclasses import replace

import pytest

from fer.results.tally import Tally
from fer.results.types import ImageResult
from outcomes import RESULTS, result


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ([result("a.jpg", 1)], "1 file, 1 face, 0 without a face, 0 could not be read"),
        ([replace(result("a.mp4", 0), frame=0)], "1 file, 1 frame, 0 faces, 1 picture without a face, 0 could"),
        (
            [replace(result("a.mp4", 0), frame=0), replace(result("a.mp4", 0), frame=1)],
            "1 file, 2 frames, 0 faces, 2 pictures without a face",
        ),
    ],
)
def test_one_is_singular(results, told):
    tally = Tally()
    for r in results:
        tally.add(r)
    assert tally.describe()[0].startswith(told)


def test_the_tally_counts_all():
    tally = Tally()
    assert tally.describe() == ["0 files, 0 faces, 0 without a face, 0 could not be read", "faces: none"]
    for r in RESULTS:
        tally.add(r)
    tally.add(ImageResult("dim.jpg", [replace(RESULTS[0].faces[0], unsure=r) for r in ("too dark", "", "too dark")]))
    tally.begin(7, 2)
    told = tally.describe()
    assert told[0] == "6 files (and 7 before), 10 faces, 1 without a face, 1 could not be read"
    assert told[1:] == [
        "faces: anger 10",
        "unsure: 2 of these faces (too dark 2)",
        "not read before: 2; --retry-errors does them again",
        "not read: 1 not an image file",
    ]
