"""Pictures of explanations: a sheet for a face, and maps over the photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..results.explanation import Explanation, scale_to_unit
from .attention import draw_attention, to_heat
from .faces import draw_faces

STRENGTH = 0.75  # opacity of a map over the photo where it is largest


def draw_sheet(explanation: Explanation, side: int = 168) -> np.ndarray:
    """The crop, all heads together, each head and, where there is one, the Grad-CAM, side by side with captions.

    The colours of each map span its smallest to its largest value.

    Args:
        side: of each picture in pixels.

    Returns:
        RGB uint8 [H,W,3].
    """
    crop = np.ascontiguousarray(np.broadcast_to(explanation.crop, (*explanation.crop.shape[:2], 3)))
    face, maps = explanation.face, draw_attention(crop, explanation.attention, side, explanation.grid)
    captions = ["crop", "all heads", *(f"head {k}" for k in range(1, len(maps)))]
    if explanation.grad_cam is not None:
        maps.append(draw_attention(crop, explanation.grad_cam[None], side, explanation.grid)[1])
        captions.append("Grad-CAM")
    pictures = [np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC)), *maps]
    gap, line = side // 16, side // 7
    sheet = Image.new("RGB", (gap + len(pictures) * (side + gap), 2 * (gap + line) + side), "white")
    pen, small, large = ImageDraw.Draw(sheet), ImageFont.load_default(0.6 * line), ImageFont.load_default(0.8 * line)
    title = f"{face.label}{'?' if face.unsure else ''} {face.confidence:.0%}"
    if face.valence is not None and face.arousal is not None:
        title += f"  valence {face.valence:+.2f}, arousal {face.arousal:+.2f}"
    pen.text((gap, gap / 2), title, "black", large)
    for i, (picture, caption) in enumerate(zip(pictures, captions)):
        x, y = gap + i * (side + gap), gap + line
        sheet.paste(Image.fromarray(picture), (x, y))
        pen.text((x, y + side + gap / 4), caption, "black", small)
    return np.asarray(sheet)


def draw_explanations(image: np.ndarray, explanations: Sequence[Explanation]) -> np.ndarray:
    """A copy of RGB uint8 [H,W,3] with the fused map over each face, its box, label and confidence.

    A map is the more opaque the larger it is; its smallest values leave the photo as it is.
    """
    picture = image.copy()
    height, width = image.shape[:2]
    for explanation in sorted(explanations, key=lambda e: e.face.box[3]):  # as `draw_faces`: lower faces last
        left, top, right, bottom = window = explanation.window(width, height)
        if left == right or top == bottom:  # the crop lies beyond the photo
            continue
        weights = explanation.place(scale_to_unit(explanation.fused), window)
        weights = np.nan_to_num(weights)[..., None]  # nothing beyond the crop
        part = picture[top:bottom, left:right]
        part[:] = (part + STRENGTH * weights * (to_heat(weights[..., 0]) - part.astype(np.float32))).round()
    return draw_faces(picture, [e.face for e in explanations])
