"""Faces of a camera: detected now and then, followed by optical flow in between."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from .detection import Detection, Detector

SIDE = 320  # pixels; longer side of the gray frames that the flow is computed on
GRID = 6  # rows and columns of points in a face
WINDOW, LEVELS = (15, 15), 2  # of pyramidal Lucas-Kanade: pixels, levels above the first
MAX_RETURN = 0.5  # pixels of a gray frame; largest forward-backward error of a point
MIN_POINTS = 0.5  # share of a face's points that must pass that test and be inliers
MAX_STEP = 0.25  # largest shift of a face from frame to frame, in sides of its box, and largest relative growth
EDGE = 0.02  # of the frame's longer side; a box closer to the edge may be cut off by it
MAX_CUT_SHIFT = 0.05  # largest shift since the detection of a face at the edge, in sides of its box
EMPTY, PAUSE = 1.0, 0.2  # seconds without a face, after which the detector runs only every PAUSE seconds


class FlowDetector:
    """The faces of successive frames of one camera. One thread at a time may call it.

    The detector runs every `interval` seconds, when no face is known, and when a face cannot be
    followed because it moves fast, is hidden or leaves the frame. After a second without a face it
    runs five times a second.

    In between, box and landmarks follow the motion of points in the face. Pyramidal Lucas-Kanade
    (Bouguet 2001) tracks the points; those with a small forward-backward error (Kalal et al. 2010)
    give a similarity transform, fitted by RANSAC.

    Args:
        detector: detects the faces.
        interval: seconds; 0 detects in every frame.
    """

    def __init__(self, detector: Detector, interval: float):
        self.detector, self.interval = detector, interval
        self.detections: list[Detection] = []  # of the last run of the detector
        self.faces: list[Detection] = []  # the same faces in the last frame
        self.gray: np.ndarray | None = None  # the last frame, gray and reduced
        self.detected = self.seen = -np.inf  # times of the last detection, and of the last face (or the first frame)

    def __call__(self, image: np.ndarray, time: float) -> list[Detection]:
        """The faces of the next frame, RGB uint8 [H,W,3], at `time` seconds. A followed face keeps its score."""
        scale = min(1.0, SIDE / max(image.shape[:2]))
        size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
        gray = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        faces = self._follow(gray, scale, time)
        if faces is None or any(map(partial(_is_cut_anew, image.shape), self.detections, faces)):
            faces = self.detections = self.detector(image)
            self.detected = time
            self.seen = time if faces or self.gray is None else self.seen
        self.faces, self.gray = faces, gray
        return faces

    def _follow(self, gray: np.ndarray, scale: float, time: float) -> list[Detection] | None:
        """The known faces in the next gray frame; None if the detector must run."""
        age = abs(time - self.detected)
        if not self.faces:
            empty = self.detected - self.seen > EMPTY
            return [] if empty and age < min(PAUSE, self.interval) else None
        if self.gray is None or age >= self.interval or self.gray.shape != gray.shape:
            return None
        return follow(self.gray, gray, self.faces, scale)


def follow(before: np.ndarray, after: np.ndarray, faces: list[Detection], scale: float) -> list[Detection] | None:
    """Follow faces from one gray frame, uint8 [h,w], to the next; None if one of them cannot be followed.

    Args:
        scale: of the gray frames: their pixels per pixel of the faces' boxes.
    """
    ticks = np.linspace(0.2, 0.8, GRID)
    grid = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)  # [P,2], fractions of a box
    starts = np.stack([f.box[:2] + grid * (f.box[2:] - f.box[:2]) for f in faces])  # [N,P,2]
    points = (scale * starts).astype(np.float32).reshape(-1, 1, 2)
    ends, status = _track(before, after, points)
    back, status_back = _track(after, before, ends)
    sure = (status & status_back)[:, 0].astype(bool) & (np.linalg.norm(back - points, axis=2)[:, 0] < MAX_RETURN)
    ends, sure = ends.reshape(starts.shape) / scale, sure.reshape(len(faces), -1)
    moved = [_move(*arguments, scale) for arguments in zip(faces, starts, ends, sure)]
    followed = [face for face in moved if face is not None]
    return followed if len(followed) == len(faces) else None


def _track(before: np.ndarray, after: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where points, float32 [P,1,2], are in the next frame, and whether each was found, uint8 [P,1]."""
    size = {"winSize": WINDOW, "maxLevel": LEVELS}
    ends, status, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, **size)  # type: ignore[call-overload]
    return ends, status


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


def _is_cut_anew(shape: tuple[int, ...], detection: Detection, face: Detection) -> bool:
    """Whether the frame's edge cuts off a face that has moved since its detection."""
    low, high = np.minimum(detection.box[:2], face.box[:2]), np.maximum(detection.box[2:], face.box[2:])
    shift = np.abs(face.box - detection.box).max()
    near = EDGE * max(shape)
    cut = low.min() < near or high[0] > shape[1] - near or high[1] > shape[0] - near
    return cut and shift > MAX_CUT_SHIFT * (detection.box[2:] - detection.box[:2]).max()
