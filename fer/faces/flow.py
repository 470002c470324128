"""Faces of a camera: found by a detector now and then, followed by optical flow in between."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from .detection import Detection, Detector

SIDE = 320  # pixels of the longer side of the gray frames that are compared
GRID = 6  # rows and columns of points in a face
WINDOW, LEVELS = (15, 15), 2  # of pyramidal Lucas-Kanade: pixels, levels above the first
MAX_RETURN = 0.5  # pixels of a gray frame by which a point that is followed there and back may miss its start
MIN_POINTS = 0.5  # share of a face's points that must come back, and move together
MAX_STEP = 0.25  # of the box's longer side that a face may move, and share by which it may grow, from frame to frame
EDGE = 0.02  # of the frame's longer side: a box that ends nearer to its edge belongs to a face that may be cut off
MAX_CUT_SHIFT = 0.05  # as above, since its detection, of a face that the frame cuts off: its box changes its shape
EMPTY, PAUSE = 1.0, 0.2  # seconds without a face, after which the detector rests so long


class FlowDetector:
    """The faces of successive frames of one camera, by one thread at a time.

    The detector runs on the first frame, where no face is known, and every `interval` seconds; also where a face cannot be
    followed because it moves fast, is hidden or leaves the frame. Where there was no face for a second, it runs five times a
    second. In between, box and landmarks take part in the movement
    (shift, turn and scale) of points in the face: those that pyramidal Lucas-Kanade (Bouguet 2001) follows to the new frame and
    back to where they were (forward-backward error, Kalal et al. 2010), without outliers (RANSAC).

    Args:
        detector: finds the faces.
        interval: seconds; 0 detects in every frame.
    """

    def __init__(self, detector: Detector, interval: float):
        self.detector, self.interval = detector, interval
        self.found: list[Detection] = []  # by the detector
        self.faces: list[Detection] = []  # the same in the last frame
        self.gray: np.ndarray | None = None  # the last frame, reduced
        self.detected = self.seen = -np.inf  # times of the last detection, and of the last face (or the first frame)

    def __call__(self, image: np.ndarray, time: float) -> list[Detection]:
        """The faces of the next frame, RGB uint8 [H,W,3] at `time` seconds; those that are followed keep their score."""
        scale = min(1.0, SIDE / max(image.shape[:2]))
        size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
        gray = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        faces = self._follow(gray, scale, time)
        if faces is None or any(map(partial(_is_cut_anew, image.shape), self.found, faces)):
            faces = self.found = self.detector(image)
            self.detected = time
            self.seen = time if faces or self.gray is None else self.seen
        self.faces, self.gray = faces, gray
        return faces

    def _follow(self, gray: np.ndarray, scale: float, time: float) -> list[Detection] | None:
        """The faces that are known, in the next gray frame; None where the detector must look."""
        age = abs(time - self.detected)
        if not self.faces:
            empty = self.detected - self.seen > EMPTY
            return [] if empty and age < min(PAUSE, self.interval) else None
        if self.gray is None or age >= self.interval or self.gray.shape != gray.shape:
            return None
        return follow(self.gray, gray, self.faces, scale)


def follow(before: np.ndarray, after: np.ndarray, faces: list[Detection], scale: float) -> list[Detection] | None:
    """Where `faces` of the gray frame `before` uint8 [h,w] are in `after`; None where one of them cannot be followed.

    Args:
        scale: pixels of the gray frames per pixel of the faces.
    """
    ticks = np.linspace(0.2, 0.8, GRID)
    grid = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)  # [P,2], fractions of a box
    starts = np.stack([f.box[:2] + grid * (f.box[2:] - f.box[:2]) for f in faces])  # [N,P,2]
    points = (scale * starts).astype(np.float32).reshape(-1, 1, 2)
    ends, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, winSize=WINDOW, maxLevel=LEVELS)  # type: ignore[call-overload]
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, ends, None, winSize=WINDOW, maxLevel=LEVELS)  # type: ignore[call-overload]
    sure = (found & found_back)[:, 0].astype(bool) & (np.linalg.norm(back - points, axis=2)[:, 0] < MAX_RETURN)
    ends, sure = ends.reshape(starts.shape) / scale, sure.reshape(len(faces), -1)
    moved = [_move(*arguments, scale) for arguments in zip(faces, starts, ends, sure)]
    followed = [face for face in moved if face is not None]
    return followed if len(followed) == len(faces) else None


def _move(face: Detection, starts: np.ndarray, ends: np.ndarray, sure: np.ndarray, scale: float) -> Detection | None:
    if sure.mean() < MIN_POINTS:
        return None
    matrix, inliers = cv2.estimateAffinePartial2D(starts[sure], ends[sure], ransacReprojThreshold=1 / scale)
    if matrix is None or inliers.sum() < MIN_POINTS * len(starts):
        return None
    growth = np.sqrt(np.linalg.det(matrix[:, :2]))
    middle, side = (face.box[:2] + face.box[2:]) / 2, (face.box[2:] - face.box[:2]).max()
    place = matrix[:, :2] @ middle + matrix[:, 2]
    half = growth * (face.box[2:] - face.box[:2]) / 2
    box = np.concatenate([place - half, place + half])
    if abs(growth - 1) > MAX_STEP or np.linalg.norm(place - middle) > MAX_STEP * side:
        return None
    landmarks = None if face.landmarks is None else face.landmarks @ matrix[:, :2].T + matrix[:, 2]
    return Detection(box, landmarks, face.detection_score)


def _is_cut_anew(shape: tuple[int, ...], found: Detection, face: Detection) -> bool:
    """Whether the frame's edge cuts off a face at another place than where it was found."""
    low, high = np.minimum(found.box[:2], face.box[:2]), np.maximum(found.box[2:], face.box[2:])
    shift = np.abs(face.box - found.box).max()
    near = EDGE * max(shape)
    cut = low.min() < near or high[0] > shape[1] - near or high[1] > shape[0] - near
    return cut and shift > MAX_CUT_SHIFT * (found.box[2:] - found.box[:2]).max()
