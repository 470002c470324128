"""Pictures of results. An emotion has one colour everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .inference.recognizer import Face

# Distinguishable for colour-blind readers (Okabe and Ito 2008, with two shades of our own).
COLOURS = {
    "neutral": (140, 140, 140),
    "happiness": (240, 200, 40),
    "sadness": (0, 114, 178),
    "surprise": (230, 130, 0),
    "fear": (204, 121, 167),
    "disgust": (0, 158, 115),
    "anger": (213, 60, 20),
    "contempt": (110, 70, 160),
}


def draw_faces(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """A copy of RGB uint8 [H,W,3] with each face's box, label and confidence; an unsure label ends with "?"."""
    picture = image.copy()
    unit = max(image.shape[:2]) / 1000  # lines and letters grow with the picture
    for face in sorted(faces, key=lambda f: f.box[3]):
        colour = COLOURS[face.label]
        left, top, right, bottom = (int(v) for v in np.round(face.box))
        cv2.rectangle(picture, (left, top), (right, bottom), colour, max(1, round(2.5 * unit)), cv2.LINE_AA)
        text = f"{face.label}{'?' if face.unsure else ''} {face.confidence:.0%}"
        _draw_label(picture, text, left, top, right - left, colour, unit)
    return picture


def _draw_label(picture: np.ndarray, text: str, left: int, top: int, width: int, colour: tuple, unit: float) -> None:
    """Text on a plate of `colour` above (left, top), or below it where the picture ends."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    thickness = max(1, round(1.5 * unit))
    (w, h), base = cv2.getTextSize(text, font, 1.0, thickness)
    scale = float(np.clip(1.3 * width / w, 0.35 * max(unit, 0.8), 0.8 * unit if unit > 0.5 else 0.4))
    (w, h), base = cv2.getTextSize(text, font, scale, thickness)
    x = int(np.clip(left, 0, max(0, picture.shape[1] - w - 4)))
    y = top - base - 3 if top - h - base - 6 >= 0 else max(top, 0) + h + 4
    cv2.rectangle(picture, (x, y - h - 4), (x + w + 4, y + base + 1), colour, cv2.FILLED)
    ink = (0, 0, 0) if np.dot(colour, (0.299, 0.587, 0.114)) > 130 else (255, 255, 255)
    cv2.putText(picture, text, (x + 2, y - 1), font, scale, ink, thickness, cv2.LINE_AA)
