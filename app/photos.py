"""Photos as HTML: boxes over the picture and a card for each face, which point to each other (browser/pointing.js)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import PurePath

import numpy as np

from fer.inference.recognizer import EmotionRecognizer
from fer.io.images import encode_image
from fer.results.types import Face, ImageResult
from fer.visualization.attention import draw_attention
from fer.visualization.colors import color_of, ink_on
from fer.visualization.faces import draw_faces

from .advice import advise
from .plane import draw_plane, show_va
from .views import THUMBNAIL, css, data_url, picture, problem, reduce

SIDE = 1_280  # pixels of the longer side of a displayed photo
LARGE_CARDS = 2  # with more faces, cards are compact


def show_photo(recognizer: EmotionRecognizer, result: ImageResult) -> str:
    """One photo with a box and a card for each face, and its annotated copy to download."""
    if result.error or result.image is None:
        return problem(f"{result.path}: {result.error}")
    image, faces = reduce(result.image, result.faces, SIDE)
    n = len(faces)
    compact = n > LARGE_CARDS
    summary = f"{n} face{'s' * (n > 1)}" if n else "no face found: try a larger, brighter or more frontal picture"
    cards = "".join(_card(recognizer, result.image, face, i, compact) for i, face in enumerate(result.faces, 1))
    more = draw_plane(result.faces) + _copy(image, faces, result.path) if n else ""
    return (
        f'<section class="photo"><h2>{escape(result.path)} <small>{summary}</small></h2>'
        f'<div class="seen"><div>{_picture(image, faces, result.path)}{more}</div>'
        f'<div class="cards{" compact" * compact}">{cards}</div></div></section>'
    )


def _picture(image: np.ndarray, faces: Sequence[Face], name: str) -> str:
    """The photo, and over it boxes and labels whose text and lines have the same size however the photo is scaled."""
    height, width = image.shape[:2]
    alt = f"{name} with {', '.join(face.label for face in faces) or 'no face'}"
    boxes = "".join(_box(face, i, width, height, len(faces) > 1) for i, face in enumerate(faces, 1))
    return f'<div class="picture" style="--width:{width};--height:{height}">{picture(image, alt)}{boxes}</div>'


def _box(face: Face, number: int, width: int, height: int, numbered: bool) -> str:
    left, top, right, bottom = np.clip(face.box / [width, height, width, height], 0, 1)
    place = f"--left:{left:.2%};--top:{top:.2%};--right:{1 - right:.2%};--bottom:{1 - bottom:.2%}"
    side = "right" if left + right > 1 else "left"  # of the box; from there the label goes towards the middle
    unsure = "?" if face.unsure else ""
    text = f"<span>{escape(face.label)}{unsure} {face.confidence:.0%}</span>"
    text = f'<span class="number">{number}</span> {text}' if numbered else text
    return (
        f'<div class="face{" unsure" * bool(face.unsure)}" data-face="{number}" data-side="{side}" '
        f'style="{_colours(face)};{place}">'
        f'<button type="button" class="box" aria-label="{_describe(face, number)}"></button>'
        f'<span class="label" aria-hidden="true">{text}</span></div>'
    )


def _colours(face: Face) -> str:
    colour = color_of(face.label, list(face.probs))
    return f"--emotion:{css(face.label, face.probs)};--ink:{ink_on(colour)}"


def _describe(face: Face, number: int) -> str:
    sure = f"unsure, perhaps {face.label}" if face.unsure else face.label
    return escape(f"face {number}: {sure} {face.confidence:.0%}")


def _copy(image: np.ndarray, faces: list[Face], name: str) -> str:
    """A link to the photo with boxes and labels drawn in."""
    url = data_url(encode_image(draw_faces(image, faces, numbers=len(faces) > 1), "jpeg", 88), "image/jpeg")
    file = escape(f"{PurePath(name).stem}.annotated.jpg")
    return f'<p><a class="download" download="{file}" href="{url}">Download with boxes and labels</a></p>'


def _card(recognizer: EmotionRecognizer, image: np.ndarray, face: Face, number: int, compact: bool) -> str:
    shown = {name: p for name, p in face.probs.items() if not compact or p >= 0.005}
    bars = "".join(_bar(name, p, css(name, face.probs)) for name, p in shown.items())
    if len(shown) < len(face.probs):
        bars += '<p class="rest">others below 1%</p>'
    reason = f'<p class="reason">{escape(advise(face))}</p>' if face.unsure else ""
    title = f"unsure <small>perhaps {escape(face.label)}</small>" if face.unsure else escape(face.label)
    return (
        f'<article class="card" tabindex="0" data-face="{number}" style="{_colours(face)}" '
        f'aria-label="{_describe(face, number)}"><h3><span class="number">{number}</span> {title} '
        f'<small>{face.confidence:.0%}</small></h3><div class="parts"><div>{reason}{bars}{show_va(face)}</div>'
        f"{_maps(recognizer, image, face)}</div></article>"
    )


def _bar(name: str, p: float, colour: str) -> str:
    fill = f'<span class="fill" style="width:{p:.1%};background:{colour}"></span>'
    track, percent = f'<span class="track">{fill}</span>', f'<span class="percent">{p:.0%}</span>'
    return f'<div class="bar"><span class="name">{escape(name)}</span>{track}{percent}</div>'


def _maps(recognizer: EmotionRecognizer, image: np.ndarray, face: Face) -> str:
    if face.attention is None:
        return ""
    names = ["all heads", *(f"head {k}" for k in range(1, len(face.attention) + 1))]
    crop, grid = recognizer.classifier.cut(image, face)[0], recognizer.classifier.description.grid
    figures = "".join(
        f"<figure>{picture(drawn, f'attention of {name}')}"
        f"<figcaption>{name.removesuffix(' heads')}</figcaption></figure>"
        for name, drawn in zip(names, draw_attention(crop, face.attention, THUMBNAIL, grid))
    )
    return f'<div class="maps">{figures}</div>'
