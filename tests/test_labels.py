import pytest

from fer.labels import EMOTIONS, canonical


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
