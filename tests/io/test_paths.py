"""Which files are meant by folders, patterns and names."""

from pathlib import Path

import numpy as np
import pytest

from fer.io.images import read_image, write_image
from fer.io.paths import find_files

RED = np.zeros((4, 6, 3), np.uint8) + np.array([255, 0, 0], np.uint8)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_find_files_in_folders(tmp_path):
    touch(tmp_path, "b.PNG", "a.jpg", "notes.txt", "inner/c.webp")
    assert [p.name for p in find_files([tmp_path])] == ["a.jpg", "b.PNG"]
    assert [p.name for p in find_files([tmp_path], recursive=True)] == ["a.jpg", "b.PNG", "c.webp"]


def test_find_files_takes_named_files_once_and_whatever_their_name(tmp_path):
    touch(tmp_path, "a.jpg", "notes.txt")
    found = find_files([tmp_path / "notes.txt", tmp_path / "missing", tmp_path / "a.jpg", tmp_path])
    assert [p.name for p in found] == ["notes.txt", "missing", "a.jpg"]


def test_copies_have_names_of_their_own_in_formats_that_can_be_written(tmp_path):
    touch(tmp_path, "a/x.jpg", "b/x.jpg", "c/x.gif")
    copies = find_files([tmp_path / "a/x.jpg", tmp_path / "b", tmp_path / "c"])
    assert [str(c) for c in copies.values()] == ["x.jpg", "x_2.jpg", "x.gif.jpg"]


def test_no_image_at_all(tmp_path):
    with pytest.raises(ValueError, match="no image or video in"):
        find_files([tmp_path])


def test_find_files_by_patterns(tmp_path):
    for name in ("a/1.jpg", "a/b/2.jpg", "a/b/3.png", "[x].jpg"):
        write_image(tmp_path / name, RED)
    for pattern, names in (
        ("a/*.jpg", ["1.jpg"]),
        ("a/**/*.jpg", ["1.jpg", "2.jpg"]),
        ("a/?/*", ["2.jpg", "3.png"]),
        ("[x].jpg", ["[x].jpg"]),  # a file that is called so is no pattern
    ):
        assert [p.name for p in find_files([tmp_path / pattern])] == names, pattern


def test_what_names_nothing_is_not_passed_over(tmp_path, caplog):
    write_image(tmp_path / "a.jpg", RED)
    (tmp_path / "empty").mkdir()
    pattern = tmp_path / "*.gif"
    assert list(find_files([tmp_path / "a.jpg", pattern, tmp_path / "empty"])) == [tmp_path / "a.jpg", pattern]
    assert "empty: no image or video in this folder" in caplog.text
    with pytest.raises(ValueError, match="no file matches this pattern"):
        read_image(pattern)
    with pytest.raises(ValueError, match="an empty path"):  # fer predict "$UNSET" is not the current folder
        find_files([tmp_path, ""])


def test_links_that_lead_back_are_entered_once(tmp_path):
    write_image(tmp_path / "a" / "b" / "1.jpg", RED)
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a" / "b")
    (tmp_path / "a" / "z.jpg").symlink_to(tmp_path / "gone.jpg")  # a broken link is a row that says so
    found = [str(p.relative_to(tmp_path)) for p in find_files([tmp_path], recursive=True)]
    assert found == ["a/z.jpg", "a/again/1.jpg"]
