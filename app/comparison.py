"""What the live view's savings cost: its faces beside those of the detector and of both crops in every frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from fer.faces.detection import intersection_over_union
from fer.inference.recognizer import EmotionRecognizer
from fer.inference.tracks import Tracks
from fer.io.images import read_image
from fer.results.types import Face, ImageResult

from .clients import to_jpeg
from .live import FRAME_RATE, SAME_FACE, Camera


@dataclass
class Comparison:
    """Frames one after another, each with the faces of the live view and those of the reference."""

    pairs: list[tuple[Face, Face]] = field(default_factory=list)
    faces: int = 0  # of the reference
    invented: int = 0  # faces of the live view that the reference does not have
    changes: list[tuple[float, float]] = field(default_factory=list)  # of the probabilities from frame to frame

    def add(self, live: Sequence[Face], reference: Sequence[Face]) -> None:
        before, left = self.pairs[-1] if self.pairs else (), list(reference)
        self.faces += len(reference)
        for face in live:
            overlaps = intersection_over_union(face.box, np.reshape([other.box for other in left], (-1, 4)))
            if not len(overlaps) or overlaps.max() < SAME_FACE:
                self.invented += 1
                continue
            pair = face, left.pop(int(overlaps.argmax()))
            self.pairs.append(pair)
            if before and [f.track for f in before] == [f.track for f in pair]:
                of_live, of_reference = (float(np.abs(_probs(a) - _probs(b)).sum()) for a, b in zip(before, pair))
                self.changes.append((of_live, of_reference))

    def __str__(self) -> str:
        if not self.pairs:
            return f"no face in common; {self.faces} missed, {self.invented} invented"
        overlaps = [intersection_over_union(a.box, b.box[None])[0] for a, b in self.pairs]
        landmarks = [(a.landmarks, b.landmarks) for a, b in self.pairs]
        errors = [
            np.linalg.norm(a - b, axis=1).mean() / np.linalg.norm(b[0] - b[1])
            for a, b in landmarks
            if a is not None and b is not None
        ]
        probs = np.mean([np.abs(_probs(a) - _probs(b)).mean() for a, b in self.pairs])
        live, reference = np.mean(self.changes or [(np.nan, np.nan)], 0)
        return (
            f"IoU {np.median(overlaps):.3f} (worst 5 % {np.percentile(overlaps, 5):.3f}), landmarks "
            f"{np.median(errors):.3f} ({np.percentile(errors, 95):.3f}) of the eyes' distance, "
            f"same label {np.mean([a.label == b.label for a, b in self.pairs]):.1%}, probabilities {probs:.4f} apart, "
            f"flicker x{live / max(reference, 1e-9):.2f}, {self.faces - len(self.pairs)} missed and {self.invented} invented "
            f"of {self.faces}"
        )


def _probs(face: Face) -> np.ndarray:
    return np.array(list(face.probs.values()))


def swing(frames: Sequence[np.ndarray], period: int) -> Iterator[np.ndarray]:
    """The frames, RGB uint8 [H,W,3], moved to and fro by their width, so that every face leaves and comes back."""
    for number, frame in enumerate(frames):
        shift = frame.shape[1] * np.sin(2 * np.pi * number / period)
        yield cv2.warpAffine(frame, np.array([[1, 0, shift], [0, 1, 0]]), frame.shape[1::-1])


def compare(recognizer: EmotionRecognizer, frames: Sequence[np.ndarray], rate: float, interval: float) -> str:
    """A line of figures for frames, RGB uint8 [H,W,3], of which a camera shows `rate` per second.

    Args:
        recognizer: its detector is that of the live view.
        interval: see `FlowDetector`.
    """
    camera, comparison, runs = Camera(recognizer, interval), Comparison(), 0
    tracks = Tracks(FRAME_RATE, recognizer.description.unsure_below)
    for number, frame in enumerate(frames):
        image, now = read_image(to_jpeg(frame)), number / rate
        live = camera.look(image, now)
        runs += camera.detector.detected == now
        reference = tracks.follow(ImageResult("", recognizer(image), time=now)).faces
        comparison.add(live, reference)
    return f"detector in {runs / len(frames):.0%} of {len(frames)} frames; {comparison}"
