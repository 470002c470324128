"""Which face of a frame is which of the frame before."""

from __future__ import annotations

import warnings

import numpy as np


class FaceTracker:
    """ByteTrack (Zhang et al. 2022, arXiv:2110.06864) as the package supervision implements it.

    Args:
        rate: frames per second that it sees.
        patience: seconds after which a face that is not found is forgotten.

    Raises:
        ModuleNotFoundError: supervision is not installed (extra `video`).
    """

    def __init__(self, rate: float, patience: float = 1.0):
        import supervision

        self.detections = supervision.Detections
        with warnings.catch_warnings():  # later versions move it to a package that brings another OpenCV
            warnings.simplefilter("ignore", FutureWarning)
            self.tracker = supervision.ByteTrack(
                track_activation_threshold=0.5, lost_track_buffer=round(30 * patience), frame_rate=max(rate, 1)
            )
        self.numbers: dict[int, int] = {}  # its ids count over all trackers; ours from 0

    def update(self, boxes: np.ndarray, scores: np.ndarray) -> list[int | None]:
        """Faces of the next frame, xyxy [N,4] with scores [N] (NaN: certain), -> the track of each, None where there is none
        yet."""
        n = len(boxes)
        found = self.tracker.update_with_detections(
            self.detections(
                xyxy=np.asarray(boxes, np.float32).reshape(n, 4),
                confidence=np.nan_to_num(np.asarray(scores, np.float32), nan=1.0),
                class_id=np.zeros(n, int),
                data={"index": np.arange(n)},
            )
        )
        tracks: list[int | None] = [None] * n
        for i, track in zip(found.data.get("index", []), found.tracker_id if found.tracker_id is not None else []):
            tracks[int(i)] = self.numbers.setdefault(int(track), len(self.numbers))
        return tracks
