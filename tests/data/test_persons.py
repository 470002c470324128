"""Who is in an image."""

import pytest

from fer.data.persons import find_persons
from trees import write_text

NAMES = ["happy/anna_1.jpg", "sad/anna_2.jpg", "sad/ben_1.jpg"]


def test_persons_by_name():
    assert find_persons(NAMES, r"/(\w+)_\d").tolist() == ["anna", "anna", "ben"]


def test_persons_of_a_table(tmp_path):
    path = write_text(tmp_path / "who.CSV", "file,person", "ben_1.jpg,B", "happy/anna_1.jpg,A", "x/sad/anna_2.jpg,A")
    assert find_persons(NAMES, str(path)).tolist() == ["A", "A", "B"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("anna", "--person anna: expected a group in parentheses"),
        ("(", r"--person \(: neither a .csv file nor a regular expression"),
        ("(anna)", r"no person for sad/ben_1.jpg \(1 of 3 images\)"),
        ("(x)?", r"no person for happy/anna_1.jpg \(3 of 3 images\)"),
        ("gone.csv", "gone.csv: cannot be read as CSV"),
        ("who.csv", "no person for sad/ben_1.jpg"),
    ],
)
def test_sources_that_tell_nothing(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path / "who.csv", "image,person", "anna_1.jpg,A", "anna_2.jpg,A", "ben_1.jpg,")
    with pytest.raises(ValueError, match=message):
        find_persons(NAMES, source)
