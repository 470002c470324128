"""Flags that several commands share."""

import argparse

import pytest

from fer.commands.common import add_face_limits, at_least, make_folder, named, recognizer_options


@pytest.mark.parametrize(
    ("kind", "least", "text", "expected"),
    [(int, 1, "1", 1), (int, 0, "7", 7), (float, 0, "0.5", 0.5), (float, 0, "inf", float("inf"))],
)
def test_numbers(kind, least, text, expected):
    assert at_least(least, kind)(text) == expected


@pytest.mark.parametrize(("kind", "text"), [(int, "0"), (int, "-3"), (float, "0.9"), (float, "nan")])
def test_numbers_that_are_too_small(kind, text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"must be at least 1, not {text}"):
        at_least(1, kind)(text)


@pytest.mark.parametrize("text", ["x", "", "1.5"])
def test_what_is_no_number(text):
    with pytest.raises(ValueError):  # argparse says which flag
        at_least(1)(text)


def test_an_empty_name():
    assert named("x") == "x"
    with pytest.raises(argparse.ArgumentTypeError, match="an empty name"):
        named("")


def test_folders_are_made_or_the_flag_is_named(tmp_path):
    make_folder("--out", str(tmp_path / "a" / "b"))
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="--out .*file/b: not a writable folder"):
        make_folder("--out", str(tmp_path / "file" / "b"))


def test_only_what_a_command_has_is_handed_to_the_recogniser():
    parser = argparse.ArgumentParser()
    add_face_limits(parser)
    parser.add_argument("--other")
    assert recognizer_options(parser.parse_args(["--min-face", "9"])) == {"min_score": 0.6, "min_face": 9.0}
