"""A colour for each class."""

import numpy as np

from fer.labels import EMOTIONS
from fer.visualization.colors import COLORS, OTHERS, color_of, ink_on


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


def test_labels_can_be_read_on_every_colour():
    """A contrast of 4.5 at least, as WCAG 2 AA asks; its formula for sRGB."""

    def luminance(colour) -> float:
        shares = np.array(colour) / 255
        return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    for colour in (*COLORS.values(), *OTHERS):
        ink = 0.0 if ink_on(colour) == "black" else 1.0
        darker, lighter = sorted((luminance(colour), ink))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, colour
