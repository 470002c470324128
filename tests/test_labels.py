import pytest

from fer.data.datasets.parquet import describe_columns
from fer.labels import EMOTIONS, RESERVED, _tell_others, canonical, check_classes, class_of, order_classes
from fer.results.rows import COLUMNS


def test_the_order_is_that_of_affectnet():
    assert EMOTIONS == ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("happiness", "happiness"),  # the noun itself
        ("Happy", "happiness"),  # folder mirrors of FER2013
        (" SAD ", "sadness"),  # any case, blanks around
        ("surprised", "surprise"),
        ("fearful", "fear"),
        ("disgusted", "disgust"),
        ("angry", "anger"),
    ],
)
def test_aliases(name, emotion):
    assert canonical(name) == emotion


@pytest.mark.parametrize("name", ["", "bored", "happyy"])
def test_an_unknown_name_lists_the_choices(name):
    with pytest.raises(ValueError, match="neutral, happiness"):
        canonical(name)


@pytest.mark.parametrize(
    ("name", "found"),
    [("Happy", "happiness"), (" SAD ", "sadness"), ("Calm", "Calm"), (" calm ", "calm"), ("3", "3"), ("", "")],
)
def test_any_other_name_is_a_class_of_its_own(name, found):
    assert class_of(name) == found


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["tired", "happy", "calm", "neutral"], ("neutral", "happiness", "calm", "tired")),
        (["Happy", "happiness"], ("happiness",)),
        (["zen", "Calm", "calm"], ("Calm", "calm", "zen")),  # other names as they are written
        (EMOTIONS[::-1], EMOTIONS),
    ],
)
def test_the_order_of_classes(names, classes):
    assert order_classes(names) == classes


@pytest.mark.parametrize(
    ("names", "messages"),
    [
        (["happy", "sad"], []),
        (["happy", "bored"], ["classes that are not among the 8 emotions: bored"]),
        (
            ["hapiness", "bored", "Angri"],
            [
                "classes that are not among the 8 emotions: Angri, bored, hapiness; is 'Angri' meant to be anger?; "
                "is 'hapiness' meant to be happiness?"
            ],
        ),
    ],
)
def test_other_classes_are_told_once(names, messages, caplog):
    _tell_others.cache_clear()
    with caplog.at_level("INFO", "fer"):
        order_classes(names)
        order_classes(names)
    assert caplog.messages == messages


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "expected at least one name, got none"),
        (["a", ""], "expected names without blanks around them, got ''"),
        (["a", " "], "without blanks"),
        (["a", "b "], "without blanks"),
        (["a", "b\tc"], "without control characters"),
        (["a", "b\nc"], "without control characters"),
        (["a", "b\u2028c"], "without control characters"),
        (["a", "b\ud800"], "without control characters"),
        (["a", 3], "expected names, got 3"),
        (["a", "a"], "'a' occurs twice"),
        *[(["a", name], f"{name!r} is the name of another column") for name in ("path", "label", "image")],
    ],
)
def test_names_that_cannot_be_classes(names, message):
    with pytest.raises(ValueError, match=message):
        check_classes(names)


def test_no_class_is_called_as_a_column():
    assert {*COLUMNS, *describe_columns((), va=True)["info"]["features"]} == RESERVED
