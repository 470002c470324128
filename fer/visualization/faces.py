"""Draw faces with their emotions into images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..results.types import Face
from .colors import color_of, ink_on


def draw_faces(image: np.ndarray, faces: Sequence[Face], bars: bool = False, numbers: bool = False) -> np.ndarray:
    """A copy of RGB uint8 [H,W,3] with the box, label and confidence of each face.

    An unsure label ends with "?", and the reason follows.

    Args:
        bars: draw a bar for each probability beside the box.
        numbers: write the number of each face, from 1, before its label.
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    line = max(1, round(max(picture.size) / 400))  # grows with the picture
    nearer = sorted(enumerate(faces, 1), key=lambda f: f[1].box[3])  # lower faces are usually nearer; draw them last
    for number, face in nearer:
        colour = color_of(face.label, list(face.probs))
        left, top, right, bottom = (round(float(v)) for v in face.box)
        pen.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=line)
        if bars:
            _draw_bars(pen, face.probs, left, top, right, bottom, picture.size)
        text = f"{face.label} {face.confidence:.0%}"
        if face.unsure:
            text = f"{face.label}? {face.confidence:.0%} ({face.unsure})"
        text = f"{number} {text}" if numbers else text
        _draw_label(pen, text, left, top, right - left, colour, picture.size)
    return np.asarray(picture)


def _draw_bars(
    pen: ImageDraw.ImageDraw,
    probs: dict[str, float],
    left: int,
    top: int,
    right: int,
    bottom: int,
    size: tuple[int, int],
) -> None:
    """Draw a panel with a bar for each class, right of the box, or left of it near the edge of the picture."""
    height = max(3, round((bottom - top) / (1.5 * len(probs))))
    width, gap = max(24, round(0.4 * (right - left))), max(1, height // 3)
    x = right + gap if right + gap + width <= size[0] else max(0, left - gap - width)
    pen.rectangle((x, top, x + width, top + len(probs) * (height + gap) + gap), fill=(20, 20, 20))
    for i, (name, p) in enumerate(probs.items()):
        y = top + gap + i * (height + gap)
        pen.rectangle((x, y, x + max(1, round(p * width)), y + height - 1), fill=color_of(name, list(probs)))


def _draw_label(
    pen: ImageDraw.ImageDraw, text: str, left: int, top: int, width: int, colour: tuple, size: tuple[int, int]
) -> None:
    """Draw text on a panel above (left, top), or below it near the edge of the picture, about as wide as the face."""
    unit = max(size) / 1000
    size_of_font = float(np.clip(0.15 * width, max(10, 13 * unit), max(12, 28 * unit)))
    font, pad = ImageFont.load_default(size_of_font), max(1, round(size_of_font / 6))
    _, _, w, h = pen.textbbox((0, 0), text, font=font)
    x = int(np.clip(left, 0, max(0, size[0] - w - 2 * pad)))
    y = top - h - 2 * pad if top >= h + 2 * pad else max(top, 0)
    pen.rectangle((x, y, x + w + 2 * pad, y + h + 2 * pad), fill=colour)
    pen.text((x + pad, y + pad), text, font=font, fill=ink_on(colour))
