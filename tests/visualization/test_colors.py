"""A colour for each class."""

import numpy as np

from fer.labels import EMOTIONS
from fer.visualization.colors import COLORS, OTHERS, color_of


def test_every_emotion_has_a_color_of_its_own():
    assert list(COLORS) == list(EMOTIONS)
    assert len(set(COLORS.values())) == len(EMOTIONS)


def test_other_classes_have_colours_of_their_own():
    classes = ["anger", *(f"other {i}" for i in range(len(OTHERS) + 1)), "neutral"]
    colours = [color_of(name, classes) for name in classes]
    assert (colours[0], colours[-1]) == (COLORS["anger"], COLORS["neutral"])
    assert colours[-2] == colours[1]  # more than there are colours: they begin again
    everything = np.array([*COLORS.values(), *colours[1:-2]], float)
    distances = np.linalg.norm(everything[:, None] - everything, axis=2)
    assert distances[np.triu_indices(len(everything), 1)].min() > 45
