"""The plane of valence (to the right) and arousal (up), the circumplex of Russell 1980, with a point for each face."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fer.results.types import Face
from fer.visualization.colors import color_of

QUADRANTS = ("excited", "tense", "gloomy", "calm")  # counterclockwise, from the upper right


def draw_plane(faces: Sequence[Face]) -> str:
    """The plane as an SVG, with the faces numbered from 1; "" if no face has valence and arousal."""
    placed = [(i, f, f.valence, f.arousal) for i, f in enumerate(faces, 1)]
    points = "".join(_point(i, face, v, a) for i, face, v, a in placed if v is not None and a is not None)
    if not points:
        return ""
    corners = zip(QUADRANTS, ((96, -88), (-96, -88), (-96, 94), (96, 94)))
    words = "".join(
        f'<text x="{x}" y="{y}" text-anchor="{"end" if x > 0 else "start"}">{word}</text>' for word, (x, y) in corners
    )
    label = "; ".join(f"face {i}: {_describe(face)}" for i, face, v, _ in placed if v is not None)
    return (
        f'<svg class="plane" viewBox="-104 -104 208 208" role="img" aria-label="{escape(label)}">'
        '<circle r="100"/><path d="M-100 0H100M0 -100V100"/>'
        f'<text x="100" y="-4" text-anchor="end">valence</text><text x="4" y="-92">arousal</text>{words}{points}</svg>'
    )


def _point(number: int, face: Face, valence: float, arousal: float) -> str:
    colour = "rgb({},{},{})".format(*color_of(face.label, list(face.probs)))
    x, y = 100 * valence, -100 * arousal
    return (
        f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="5" style="fill:{colour}"/>'
        f'<text x="{x + 7:.1f}" y="{y + 3:.1f}">{number}</text>'
    )


def _describe(face: Face) -> str:
    return f"valence {face.valence:+.2f}, arousal {face.arousal:+.2f}"


def show_va(face: Face) -> str:
    """Valence and arousal as a paragraph; "" if the face has none."""
    return "" if face.valence is None else f'<p class="va">{_describe(face)}</p>'
