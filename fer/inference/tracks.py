"""Tracks of faces over time, and their smoothed emotions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..description import Description
from ..faces.tracking import FaceTracker
from ..labels import VA
from ..results.types import Face, ImageResult
from .trust import why_unsure

SMOOTHING = 0.5  # seconds after which the weight of a frame has fallen to 1/e


class Tracks:
    """Assigns the faces of successive frames to tracks, and averages what the network says of each over time.

    That is the probabilities, and valence and arousal where the network gives them.

    The average is exponential: older frames count less.

    Args:
        rate: frames per second.
        description: of the checkpoint. It decides which faces are unsure, by the averaged confidence and the quality in
            the frame.
        smoothing: seconds after which the weight of a frame has fallen to 1/e; 0 does not smooth.
    """

    def __init__(self, rate: float, description: Description, smoothing: float = SMOOTHING):
        self.tracker, self.smoothing, self.description = FaceTracker(rate), smoothing, description
        self.means: dict[int, tuple[float, dict[str, float]]] = {}  # by track: last time, means

    def follow(self, result: ImageResult) -> ImageResult:
        """The result of the next frame, which needs a `time`, with tracks and averages in its faces."""
        boxes, scores = [face.box for face in result.faces], [face.detection_score for face in result.faces]
        tracks = self.tracker.update(np.reshape(boxes, (-1, 4)), np.array(scores))
        time = result.time or 0.0
        faces = [self._smooth(f, t, time) if t is not None else f for f, t in zip(result.faces, tracks)]
        self.means = {t: mean for t, mean in self.means.items() if time - mean[0] < 60}  # forget old tracks
        return replace(result, faces=faces)

    def _smooth(self, face: Face, track: int, time: float) -> Face:
        va = {name: value for name in VA if (value := getattr(face, name)) is not None}
        values = face.probs | va
        if self.smoothing and track in self.means:
            before, mean = self.means[track]
            keep = float(np.exp(-max(time - before, 0.0) / self.smoothing))
            values = {name: keep * mean[name] + (1 - keep) * value for name, value in values.items()}
        self.means[track] = time, values
        probs = {name: values[name] for name in face.probs}
        unsure = why_unsure(max(probs.values()), face.quality, self.description)
        return replace(face, track=track, probs=probs, unsure=unsure, **{name: values[name] for name in va})
