"""Tables of other programs that say something of images."""

import pytest

from fer.io.columns import look_up, match_images

CSV = "file_name,age,skin\n0.png,young,\nfolder/2.png,old,dark\nother.png,old,dark\n"


def test_values_of_a_table(tmp_path):
    path = tmp_path / "metadata.csv"
    path.write_text(CSV)
    values = look_up(path, ["age", "skin"], ["0.png", "1.png", "2.png"])
    assert values == {"age": ["young", "", "old"], "skin": ["", "", "dark"]}


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        (None, ["age"], "groups.csv: cannot be read as CSV"),
        (CSV, ["age", "sex"], "expected the column sex; the columns are file_name, age, skin"),
        ("where,age\n0.png,1\n", ["age"], "expected one of the columns image, path, .*; the columns are where, age"),
        ("path,age\nz.png,1\n", ["age"], "none of its images is in the data, whose first image is 0.png"),
        ("", ["age"], "the columns are $"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, columns, message):
    path = tmp_path / "groups.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=message):
        look_up(path, columns, ["0.png", "1.png"])


def test_an_ending_that_two_images_share_names_neither():
    names = ["train/a/1.png", "train/b/1.png"]
    assert match_images(["1.png"], names) == {}
    assert match_images(["/x/b/1.png", "a/1.png"], names) == {1: 0, 0: 1}
    assert match_images([], names) == match_images(["x"], []) == {}
