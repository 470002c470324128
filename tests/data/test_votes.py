"""Votes as targets."""

import numpy as np
import pytest

from fer.data import Samples
from fer.data.votes import add_votes
from trees import write_text

CLASSES = ("happiness", "sadness", "bored")


def samples() -> Samples:
    names = ["happy/1.jpg", "sad/1.jpg", "bored/2.jpg", "bored/3.jpg"]
    return Samples([""] * 4, np.eye(3, dtype=np.float32)[[0, 1, 2, 2]], names, CLASSES, "folders", "label")


def test_shares_of_the_votes(tmp_path):
    """Counts, shares, an empty row, and an image that the table does not have."""
    rows = ("happy/1.jpg,6,2,", "x/sad/1.jpg,0.25,,0.75", "2.jpg,,0,", "other.jpg,1,1,1")
    path = write_text(tmp_path / "votes.csv", "image,votes_happy,votes_sadness,votes_bored", *rows)
    voted = add_votes(samples(), path)
    np.testing.assert_allclose(voted.targets, [[0.75, 0.25, 0], [0.25, 0, 0.75], [0, 0, 1], [0, 0, 1]])
    assert voted.targets.dtype == np.float32 and voted.rule == "label, votes for 2"


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("image,happy", "1.jpg,1", "expected columns votes_<class> for happiness, sadness, bored; got no such column"),
        ("image,votes_fear", "happy/1.jpg,1", "got classes that the dataset does not have: fear"),
        ("image,votes_happy", "9.jpg,1", "none of its images is in the data"),
        ("image,votes_happy", "happy/1.jpg,many", "expected a number of votes, got 'many'"),
        ("image,votes_happy", "happy/1.jpg,-1", "expected a number of votes, got '-1'"),
        ("image,votes_happy", "happy/1.jpg,nan", "expected a number of votes, got 'nan'"),
        ("image,votes_happy", "happy/1.jpg,inf", "expected a number of votes, got 'inf'"),
    ],
)
def test_tables_without_votes(tmp_path, header, row, message):
    with pytest.raises(ValueError, match=message):
        add_votes(samples(), write_text(tmp_path / "votes.csv", header, row))
