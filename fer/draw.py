"""Pictures of results. An emotion has one colour everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .inference.results import Face

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
OTHERS = (  # for classes beyond these, in turn
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


def colour_of(name: str, classes: Sequence[str]) -> tuple[int, int, int]:
    """The colour (RGB) of one of a network's classes: that of the emotion, or one of its own for the first 12 others."""
    if name in COLOURS:
        return COLOURS[name]
    others = [other for other in classes if other not in COLOURS]
    return OTHERS[others.index(name) % len(OTHERS)]


def draw_faces(image: np.ndarray, faces: Sequence[Face], bars: bool = False, numbers: bool = False) -> np.ndarray:
    """A copy of RGB uint8 [H,W,3] with each face's box, label and confidence; an unsure label ends with "?".

    Args:
        bars: a bar for each probability beside the box.
        numbers: the place of each face among `faces`, from 1, before its label.
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    line = max(1, round(max(picture.size) / 400))  # lines and letters grow with the picture
    nearer = sorted(enumerate(faces, 1), key=lambda f: f[1].box[3])  # they stand lower, and are drawn on top
    for number, face in nearer:
        colour = colour_of(face.label, list(face.probs))
        left, top, right, bottom = (round(float(v)) for v in face.box)
        pen.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=line)
        if bars:
            _draw_bars(pen, face.probs, left, top, right, bottom, picture.size)
        text = f"{face.label}{'?' if face.unsure else ''} {face.confidence:.0%}"
        text = f"{number} {text}" if numbers else text
        _draw_label(pen, text, left, top, right - left, colour, picture.size)
    return np.asarray(picture)


def fuse_attention(attention: np.ndarray) -> np.ndarray:
    """Where the heads look together: their maps [K,h,w], each with mean 1, on average -> [h,w]."""
    return (attention / np.maximum(attention.mean((1, 2), keepdims=True), 1e-9)).mean(0)


def draw_attention(crop: np.ndarray, attention: np.ndarray, side: int = 112) -> list[np.ndarray]:
    """Heat over a gray copy of the crop, bright where the network looks: all heads together, then each, [side,side,3].

    Args:
        crop: what the network saw, RGB uint8 [H,W,3].
        attention: [K,h,w]; every map is drawn from its smallest to its largest value.
    """
    gray = cv2.cvtColor(cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC), cv2.COLOR_RGB2GRAY)
    pictures = []
    for weights in (fuse_attention(attention), *attention):
        weights = (weights - weights.min()) / max(float(np.ptp(weights)), 1e-9)
        smooth = cv2.resize(weights.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        heat = cv2.applyColorMap((255 * smooth).astype(np.uint8), cv2.COLORMAP_MAGMA)[..., ::-1]
        pictures.append(
            cv2.addWeighted(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), 0.5, np.ascontiguousarray(heat), 0.5, 0)
        )
    return pictures


def _draw_bars(
    pen: ImageDraw.ImageDraw,
    probs: dict[str, float],
    left: int,
    top: int,
    right: int,
    bottom: int,
    size: tuple[int, int],
) -> None:
    """A plate right of the box (left of it where the picture ends) with a bar for each class, the first one on top."""
    height = max(3, round((bottom - top) / (1.5 * len(probs))))
    width, gap = max(24, round(0.4 * (right - left))), max(1, height // 3)
    x = right + gap if right + gap + width <= size[0] else max(0, left - gap - width)
    pen.rectangle((x, top, x + width, top + len(probs) * (height + gap) + gap), fill=(20, 20, 20))
    for i, (name, p) in enumerate(probs.items()):
        y = top + gap + i * (height + gap)
        pen.rectangle((x, y, x + max(1, round(p * width)), y + height - 1), fill=colour_of(name, list(probs)))


def _draw_label(
    pen: ImageDraw.ImageDraw, text: str, left: int, top: int, width: int, colour: tuple, size: tuple[int, int]
) -> None:
    """Text on a plate of `colour` above (left, top), or below it where the picture ends; about as wide as the face."""
    unit = max(size) / 1000
    font = ImageFont.load_default(float(np.clip(0.15 * width, max(10, 13 * unit), max(12, 28 * unit))))
    pad = max(1, round(font.size / 6))
    _, _, w, h = pen.textbbox((0, 0), text, font=font)
    x = int(np.clip(left, 0, max(0, size[0] - w - 2 * pad)))
    y = top - h - 2 * pad if top >= h + 2 * pad else max(top, 0)
    pen.rectangle((x, y, x + w + 2 * pad, y + h + 2 * pad), fill=colour)
    dark = np.dot(colour, (0.299, 0.587, 0.114)) > 130
    pen.text((x + pad, y + pad), text, font=font, fill="black" if dark else "white")
