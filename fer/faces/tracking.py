"""Tracking: which faces of successive frames are the same."""

from __future__ import annotations

import warnings

import numpy as np


class FaceTracker:
    """ByteTrack (Zhang et al. 2022, arXiv:2110.06864), implemented by the package supervision.

    Args:
        rate: frames per second.
        patience: seconds after which the track of a missing face ends.

    Raises:
        ModuleNotFoundError: supervision is not installed (extra `video`).
    """

    def __init__(self, rate: float, patience: float = 1.0):
        import supervision

        self.detections = supervision.Detections
        with warnings.catch_warnings():  # later versions move it to another package, which installs another OpenCV
            warnings.simplefilter("ignore", FutureWarning)
            self.tracker = supervision.ByteTrack(
                track_activation_threshold=0.5, lost_track_buffer=round(30 * patience), frame_rate=max(rate, 1)
            )
        self.numbers: dict[int, int] = {}  # its ids count over all trackers of the process; ours start at 0

    def update(self, boxes: np.ndarray, scores: np.ndarray) -> list[int | None]:
        """Assign the faces of the next frame to tracks.

        Args:
            boxes: xyxy [N,4].
            scores: detection scores [N]; NaN counts as 1.

        Returns:
            the number of each face's track, or None for a face that has no track yet.
        """
        n = len(boxes)
        tracked = self.tracker.update_with_detections(
            self.detections(
                xyxy=np.asarray(boxes, np.float32).reshape(n, 4),
                confidence=np.nan_to_num(np.asarray(scores, np.float32), nan=1.0),
                class_id=np.zeros(n, int),
                data={"index": np.arange(n)},
            )
        )
        tracks: list[int | None] = [None] * n
        for i, track in zip(
            tracked.data.get("index", []), tracked.tracker_id if tracked.tracker_id is not None else []
        ):
            tracks[int(i)] = self.numbers.setdefault(int(track), len(self.numbers))
        return tracks
