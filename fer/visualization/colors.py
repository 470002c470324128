"""Colours of emotions, the same in all pictures."""

from __future__ import annotations

from collections.abc import Sequence

# Distinguishable for colour-blind readers: Okabe and Ito 2008, and two more.
COLORS = {
    "neutral": (140, 140, 140),
    "happiness": (240, 200, 40),
    "sadness": (0, 114, 178),
    "surprise": (230, 130, 0),
    "fear": (204, 121, 167),
    "disgust": (0, 158, 115),
    "anger": (213, 60, 20),
    "contempt": (110, 70, 160),
}


OTHERS = (  # for other classes, in turn
    (86, 180, 233),
    (90, 55, 20),
    (150, 205, 60),
    (120, 0, 50),
    (255, 175, 190),
    (0, 60, 90),
    (230, 0, 150),
    (0, 215, 200),
    (95, 110, 30),
    (190, 160, 255),
    (60, 60, 60),
    (200, 180, 140),
)


def color_of(name: str, classes: Sequence[str]) -> tuple[int, int, int]:
    """The colour (RGB) of a class: that of its emotion, otherwise one of OTHERS."""
    if name in COLORS:
        return COLORS[name]
    others = [other for other in classes if other not in COLORS]
    return OTHERS[others.index(name) % len(OTHERS)]


def ink_on(colour: tuple[int, int, int]) -> str:
    """Black or white, whichever has more contrast with an RGB colour (relative luminance, WCAG 2)."""
    linear = [(v / 255) ** 2.2 for v in colour]
    return "black" if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 else "white"
