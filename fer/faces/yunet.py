"""YuNet (Wu et al. 2023, doi:10.1007/s11633-023-1423-y): faces of about 10 to 300 pixels, five landmarks each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from ..runtimes.sessions import open_session
from .detection import Detection, intersection_over_union, largest_first

WEIGHTS = Path(__file__).with_name("yunet_n_320_320.onnx")
MIN_SCORE = 0.6
MAX_OVERLAP = 0.3  # intersection over union of two boxes, above which the one with the lower score is dropped
STRIDES = (8, 16, 32)  # pixels between the grid points of the network's three outputs
LEAST_SIDE = 160  # smaller images are enlarged to it


class YuNet:
    """The YuNet detector. Any number of threads may call it at the same time.

    Args:
        weights: another ONNX file of YuNet; None takes the one that comes with the package.
        min_score: faces below it are dropped.
        max_side: larger images are reduced to it for detection. If no face is found, detection runs
            again at twice that.
        parallel: see `Session`.

    Raises:
        ValueError: no such file, or not a YuNet; `min_score` out of 0..1.
    """

    name = "yunet"

    def __init__(
        self,
        weights: str | os.PathLike | None = None,
        min_score: float = MIN_SCORE,
        max_side: float = 640,
        parallel: int | None = None,
    ):
        if not 0 <= min_score <= 1:
            raise ValueError(f"min_score is a detection score between 0 and 1, not {min_score}")
        self.path, self.min_score = Path(weights or WEIGHTS), min_score
        self.max_side: float = max_side
        if not self.path.is_file():
            raise ValueError(f"{self.path}: no such detector model; give an ONNX file of YuNet, or none")
        self.session = open_session(self.path, (1, 3, -1, -1), parallel)
        if missing := {f"{kind}_{s}" for kind in ("cls", "obj", "bbox", "kps") for s in STRIDES} - {
            *self.session.outputs
        }:
            raise ValueError(f"{self.path}: not a YuNet: it has no outputs {', '.join(sorted(missing))}")

    def for_threads(self, threads: int) -> YuNet:
        """The same detector, tuned for this many calls at the same time, each on one core."""
        return YuNet(self.path, self.min_score, self.max_side, threads)

    def __call__(self, image: np.ndarray) -> list[Detection]:
        side = max(image.shape[:2])
        faces = self._detect(image, min(side, self.max_side))
        return faces if faces or side <= self.max_side else self._detect(image, min(side, 2 * self.max_side))

    def _detect(self, image: np.ndarray, side: float) -> list[Detection]:
        """Detect faces in a copy whose longer side has `side` pixels, but at least LEAST_SIDE."""
        h, w = image.shape[:2]
        scale = max(side, LEAST_SIDE) / max(h, w)
        if min(h, w) * scale < 8:
            return []  # a narrow strip: only false positives
        if scale != 1:
            size = (max(1, round(w * scale)), max(1, round(h * scale)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        x = to_input(image)
        boxes, landmarks, scores = decode(self.session(x), x.shape[3] // min(STRIDES), self.min_score)
        kept = suppress(boxes, scores)
        return largest_first([Detection(boxes[i], landmarks[i], float(scores[i])).scaled(1 / scale) for i in kept])


def to_input(image: np.ndarray) -> np.ndarray:
    """RGB uint8 [H,W,3] -> BGR float32 [1,3,H',W'], padded with black to multiples of the last stride."""
    h, w = image.shape[:2]
    image = cv2.copyMakeBorder(image, 0, -h % STRIDES[-1], 0, -w % STRIDES[-1], cv2.BORDER_CONSTANT)
    return cv2.dnn.blobFromImage(image, swapRB=True)


def decode(
    outputs: Mapping[str, np.ndarray], columns: int, min_score: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode the network's outputs -> boxes xyxy [M,4], landmarks [M,5,2], scores [M] with score >= `min_score`.

    The grid point of stride s in row r and column c has the score sqrt(cls * obj). The centre of its face is
    ((c, r) + bbox[:2]) * s, the sides are exp(bbox[2:]) * s, and the landmarks (kps + (c, r)) * s.

    Args:
        outputs: cls [1,P,1], obj [1,P,1], bbox [1,P,4] and kps [1,P,10] by name; names end with _ and the stride.
        columns: grid points in a row of the smallest stride.
    """
    boxes, landmarks, scores = [], [], []
    for stride in STRIDES:
        cls, obj, bbox, kps = (outputs[f"{kind}_{stride}"][0] for kind in ("cls", "obj", "bbox", "kps"))
        score = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))[:, 0]
        places = np.flatnonzero(score >= min_score)
        row, column = np.divmod(places, columns * STRIDES[0] // stride)
        corner = np.stack([column, row], 1).astype(np.float32)  # [M,2]
        middle, half = (corner + bbox[places, :2]) * stride, np.exp(bbox[places, 2:]) * stride / 2
        boxes.append(np.concatenate([middle - half, middle + half], 1))
        landmarks.append((kps[places].reshape(-1, 5, 2) + corner[:, None]) * stride)
        scores.append(score[places])
    all_boxes, all_landmarks, all_scores = np.concatenate(boxes), np.concatenate(landmarks), np.concatenate(scores)
    finite = np.isfinite(all_boxes).all(1) & np.isfinite(all_landmarks).all((1, 2))
    return all_boxes[finite], all_landmarks[finite], all_scores[finite]


def suppress(boxes: np.ndarray, scores: np.ndarray, max_overlap: float = MAX_OVERLAP) -> list[int]:
    """Greedy non-maximum suppression of boxes xyxy [M,4] -> the indices that remain, best first.

    The intersection over union is that of the boxes in whole pixels, as OpenCV computes it.
    """
    corners, sides = np.trunc(boxes[:, :2]), np.trunc(boxes[:, 2:] - boxes[:, :2])
    boxes, left = np.concatenate([corners, corners + sides], 1), np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[intersection_over_union(boxes[best], boxes[left]) <= max_overlap]
    return kept
