"""The numbers at the end of a run."""

from fer.results.tally import Tally
from outcomes import RESULTS


def test_the_tally_counts_all():
    tally = Tally()
    assert tally.describe() == ["0 files, 0 faces, 0 without a face, 0 could not be read", "faces: none"]
    for r in RESULTS:
        tally.add(r)
    tally.begin(7, 2)
    told = tally.describe()
    assert told[0] == "5 files (and 7 before), 7 faces, 1 without a face, 1 could not be read"
    assert told[1:] == [
        "faces: anger 7",
        "not read before: 2; --retry-errors does them again",
        "not read: 1 not an image file",
    ]
