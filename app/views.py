"""Results as HTML; those of photos are in `photos`. Pictures are embedded as data URLs: none is written to the disk."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from html import escape

import cv2
import numpy as np

from fer.faces import crop_face
from fer.inference.recognizer import EmotionRecognizer
from fer.io.images import encode_image
from fer.results.tally import Tally
from fer.results.types import Face, ImageResult
from fer.visualization.colors import COLORS, color_of

THUMBNAIL = 96  # pixels
SHOWN = 100  # faces displayed per emotion in a gallery
MIME = {".csv": "text/csv", ".parquet": "application/vnd.apache.parquet"}


def css(name: str, classes: Iterable[str]) -> str:
    """The CSS colour of one of `classes`."""
    return "rgb({},{},{})".format(*color_of(name, list(classes)))


# The colours of the emotions, for the line under the title.
SPECTRUM = f":root {{ --spectrum: {', '.join(css(name, COLORS) for name in COLORS)}; }}\n"


def data_url(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def reduce(image: np.ndarray, faces: list[Face], side: int) -> tuple[np.ndarray, list[Face]]:
    """Shrink a picture to at most `side` pixels on its longer side, and the boxes of its faces with it."""
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image, faces
    size = [max(1, round(scale * length)) for length in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), [replace(f, box=f.box * scale) for f in faces]


def picture(image: np.ndarray, alt: str) -> str:
    """An image, RGB uint8 [H,W,3], as an <img>."""
    return f'<img src="{data_url(encode_image(image, "jpeg", 88), "image/jpeg")}" alt="{escape(alt)}">'


def problem(text: str) -> str:
    return f'<p class="problem" role="alert">{escape(text)}</p>'


def progress(text: str, part: float | None = None) -> str:
    value = "" if part is None else f' value="{part:.3f}"'
    return f'<p role="status"><progress max="1"{value}></progress> {escape(text)}</p>'


def _summary(tally: Tally) -> str:
    """The counts of pictures, faces and emotions, as a sentence."""
    n = tally.emotions.total()
    sources = f"{tally.frames:,} frames" if tally.frames else f"{tally.files:,} pictures"
    emotions = ", ".join(f"{name} {count:,}" for name, count in tally.emotions.most_common())
    return f"<p>{n:,} face{'s' * (n != 1)} in {sources}{': ' if n else ''}{escape(emotions)}.</p>"


class Gallery:
    """The faces of many pictures, grouped by emotion; only thumbnails are kept."""

    def __init__(self, recognizer: EmotionRecognizer):
        self.template, self.classes = recognizer.classifier.template, recognizer.classes
        self.faces: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self.counts: Counter[str] = Counter()
        self.empty: list[str] = []
        self.broken: list[tuple[str, str]] = []

    def add(self, result: ImageResult) -> None:
        if result.error:
            self.broken.append((result.path, result.error))
        elif not result.faces:
            self.empty.append(result.path)
        for face in result.faces:
            self.counts[face.label] += 1
            if result.image is not None and len(self.faces[face.label]) < SHOWN:
                crop = crop_face(result.image, face, self.template, THUMBNAIL)
                self.faces[face.label].append((face.confidence, self._figure(crop, face, result.path)))

    @staticmethod
    def _figure(crop: np.ndarray, face: Face, path: str) -> str:
        prefix, reason = ("unsure ", f" ({face.unsure})") if face.unsure else ("", "")
        alt = f"{prefix}{face.label} {face.confidence:.0%}{reason}, {path}"
        caption = f"<figcaption>{prefix}{face.confidence:.0%}</figcaption>"
        return f'<figure title="{escape(alt)}">{picture(crop, alt)}{caption}</figure>'

    def show(self, tally: Tally) -> str:
        parts = [_summary(tally)]
        for name in self.classes:
            if n := self.counts[name]:
                figures = "".join(figure for _, figure in sorted(self.faces[name], key=lambda f: -f[0]))
                more = f" <small>the first {SHOWN} are shown</small>" if n > SHOWN else ""
                style = f'style="--emotion:{css(name, self.classes)}"'
                parts.append(
                    f'<section class="emotion" {style}><h2>{escape(name)} <small>{n}</small>{more}</h2>'
                    f'<div class="thumbnails">{figures}</div></section>'
                )
        if self.broken:
            rows = "".join(f"<tr><td>{escape(path)}</td><td>{escape(error)}</td></tr>" for path, error in self.broken)
            parts.append(
                f'<section class="problem" role="alert"><h2>Could not be read</h2><table>{rows}</table></section>'
            )
        if self.empty:
            items = "".join(f"<li>{escape(path)}</li>" for path in self.empty)
            parts.append(f"<details><summary>No face found in {len(self.empty)}</summary><ul>{items}</ul></details>")
        return "".join(parts)


def video(film: bytes, timeline: bytes, tally: Tally, note: str) -> str:
    """An annotated video (MP4; empty if no frame was read) and its timeline (PNG, or empty), as HTML."""
    parts = [_summary(tally)]
    if note:
        parts.append(problem(note))
    if film:
        url = data_url(film, "video/mp4")
        parts.append(f'<video controls playsinline src="{url}" aria-label="The annotated video"></video>')
        parts.append(
            f'<p><a class="download" download="annotated.mp4" href="{url}">Download the annotated video</a></p>'
        )
    if timeline:
        parts.append(f'<img src="{data_url(timeline, "image/png")}" alt="Emotions over time, a row for each face">')
    return "".join(parts)


def downloads(stem: str, files: dict[str, bytes]) -> str:
    """Download links for files, {suffix: content}."""
    links = (
        f'<a class="download" download="{escape(stem)}{suffix}" href="{data_url(data, MIME[suffix])}">'
        f"{suffix[1:].upper()}</a>"
        for suffix, data in files.items()
    )
    return f"<p>Rows: {' '.join(links)}</p>"
