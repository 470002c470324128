"""What the live view's shortcuts cost in accuracy.

The reference runs the detector and both crops of each face in every frame.
"""

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
    """Compare the faces of the live view with those of the reference, frame by frame."""

    pairs: list[tuple[Face, Face]] = field(default_factory=list)  # (live, reference)
    faces: int = 0  # of the reference
    false_positives: int = 0  # faces of the live view that the reference does not have
    changes: list[tuple[float, float]] = field(
        default_factory=list
    )  # (live, reference): L1 change of the probabilities between frames

    def add(self, live: Sequence[Face], reference: Sequence[Face]) -> None:
        previous, unmatched = self.pairs[-1] if self.pairs else (), list(reference)
        self.faces += len(reference)
        for face in live:
            overlaps = intersection_over_union(face.box, np.reshape([other.box for other in unmatched], (-1, 4)))
            if not len(overlaps) or overlaps.max() < SAME_FACE:
                self.false_positives += 1
                continue
            pair = face, unmatched.pop(int(overlaps.argmax()))
            self.pairs.append(pair)
            if previous and [f.track for f in previous] == [f.track for f in pair]:
                live_change, reference_change = (
                    float(np.abs(_probs(a) - _probs(b)).sum()) for a, b in zip(previous, pair)
                )
                self.changes.append((live_change, reference_change))

    def __str__(self) -> str:
        if not self.pairs:
            return f"no face in common; missed {self.faces}, false positives {self.false_positives}"
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
            f"{np.median(errors):.3f} ({np.percentile(errors, 95):.3f}) of the distance between the eyes, "
            f"same label {np.mean([a.label == b.label for a, b in self.pairs]):.1%}, probabilities {probs:.4f} apart, "
            f"flicker x{live / max(reference, 1e-9):.2f}, "
            f"missed {self.faces - len(self.pairs)} of {self.faces} faces, false positives {self.false_positives}"
        )


def _probs(face: Face) -> np.ndarray:
    return np.array(list(face.probs.values()))


def swing(frames: Sequence[np.ndarray], period: int) -> Iterator[np.ndarray]:
    """Shift frames, RGB uint8 [H,W,3], left and right by their width: every face leaves the view and returns."""
    for number, frame in enumerate(frames):
        shift = frame.shape[1] * np.sin(2 * np.pi * number / period)
        yield cv2.warpAffine(frame, np.array([[1, 0, shift], [0, 1, 0]]), frame.shape[1::-1])


def compare(recognizer: EmotionRecognizer, frames: Sequence[np.ndarray], rate: float, interval: float) -> str:
    """Compare the live view with the reference on a clip; return the figures as one line.

    Args:
        recognizer: with the detector of the live view.
        frames: RGB uint8 [H,W,3] each.
        rate: frames per second.
        interval: see `FlowDetector`.
    """
    camera, comparison, runs = Camera(recognizer, interval), Comparison(), 0
    tracks = Tracks(FRAME_RATE, recognizer.description)
    for number, frame in enumerate(frames):
        image, now = read_image(to_jpeg(frame)), number / rate
        live = camera.look(image, now)
        runs += camera.detector.detected == now
        reference = tracks.follow(ImageResult("", recognizer(image), time=now)).faces
        comparison.add(live, reference)
    return f"detector in {runs / len(frames):.0%} of {len(frames)} frames; {comparison}"
