"""Tracks of faces over time, and their smoothed probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..description import Description
from ..faces.tracking import FaceTracker
from ..results.types import Face, ImageResult
from .trust import why_unsure

SMOOTHING = 0.5  # seconds after which the weight of a frame has fallen to 1/e


class Tracks:
    """Assigns the faces of successive frames to tracks, and averages the probabilities of each track over time.

    The average is exponential: older frames count less.

    Args:
        rate: frames per second.
        description: of the checkpoint. It decides which faces are unsure, by the averaged confidence and the quality in
            the frame.
        smoothing: seconds after which the weight of a frame has fallen to 1/e; 0 does not smooth.
    """

    def __init__(self, rate: float, description: Description, smoothing: float = SMOOTHING):
        self.tracker, self.smoothing, self.description = FaceTracker(rate), smoothing, description
        self.means: dict[int, tuple[float, dict[str, float]]] = {}  # by track: last time, mean probabilities

    def follow(self, result: ImageResult) -> ImageResult:
        """The result of the next frame, which needs a `time`, with tracks and averaged probabilities in its faces."""
        boxes, scores = [face.box for face in result.faces], [face.detection_score for face in result.faces]
        tracks = self.tracker.update(np.reshape(boxes, (-1, 4)), np.array(scores))
        time = result.time or 0.0
        faces = [self._smooth(f, t, time) if t is not None else f for f, t in zip(result.faces, tracks)]
        self.means = {t: mean for t, mean in self.means.items() if time - mean[0] < 60}  # forget old tracks
        return replace(result, faces=faces)

    def _smooth(self, face: Face, track: int, time: float) -> Face:
        probs = face.probs
        if self.smoothing and track in self.means:
            before, mean = self.means[track]
            keep = float(np.exp(-max(time - before, 0.0) / self.smoothing))
            probs = {name: keep * mean[name] + (1 - keep) * p for name, p in probs.items()}
        self.means[track] = time, probs
        unsure = why_unsure(max(probs.values()), face.quality, self.description)
        return replace(face, track=track, probs=probs, unsure=unsure)
