"""Face detectors: an RGB image in, boxes and landmarks out."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ..errors import FerError

log = logging.getLogger("fer")

MIN_SCORE = 0.6  # of YuNet's faces
YUNET_FILE = "face_detection_yunet_2023mar.onnx"
YUNET_URL = f"https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/{YUNET_FILE}"
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"


@dataclass(frozen=True, eq=False)
class Detection:
    """A face: `box` xyxy float [4] and `landmarks` [5,2] in pixels (right eye, left eye, nose, right and left mouth
    corner; None where the detector gives none), `score` 0..1 (NaN where it gives none)."""

    box: np.ndarray
    landmarks: np.ndarray | None
    score: float


class Detector(Protocol):
    """One thread at a time may use a detector."""

    name: str

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """RGB uint8 [H,W,3] -> the faces, largest first."""

    def copy(self) -> Detector:
        """Another one that does the same, for another thread."""


class DetectorUnavailable(FerError):
    """The detector's model could not be fetched or opened."""


class YuNet:
    """YuNet (Wu et al. 2023) by OpenCV; boxes and landmarks of faces of about 10 to 300 pixels.

    Args:
        weights: an ONNX file; None takes the OpenCV Zoo's, downloaded once into the user's cache and verified.
        min_score: faces below it are dropped.
        max_side: larger images are reduced to it for detection, and to twice as much where no face is found then.

    Raises:
        DetectorUnavailable: no model file, and none could be downloaded.
    """

    name = "yunet"

    def __init__(self, weights: str | os.PathLike | None = None, min_score: float = MIN_SCORE, max_side: int = 640):
        if not 0 <= min_score <= 1:
            raise ValueError(f"min_score is a detection score between 0 and 1, not {min_score}")
        path = Path(weights) if weights else _download_yunet()
        if not path.is_file():
            raise DetectorUnavailable(f"{path}: no such detector model; give an ONNX file of YuNet")
        try:
            self.net = cv2.FaceDetectorYN.create(str(path), "", (320, 320), min_score, 0.3, 5000)
        except cv2.error as error:
            raise DetectorUnavailable(f"{path}: OpenCV cannot open it as a YuNet model ({error.msg})") from None
        self.path, self.min_score, self.max_side = path, min_score, max_side

    def copy(self) -> YuNet:
        return YuNet(self.path, self.min_score, self.max_side)

    def __call__(self, image: np.ndarray) -> list[Detection]:
        side = max(image.shape[:2])
        faces = self._detect(image, min(side, self.max_side))
        return faces if faces or side <= self.max_side else self._detect(image, min(side, 2 * self.max_side))

    def _detect(self, image: np.ndarray, side: int) -> list[Detection]:
        """The faces of `image` when its longer side has `side` pixels, or 160 where it has less."""
        h, w = image.shape[:2]
        scale = max(side, 160) / max(h, w)
        if min(h, w) * scale < 8:
            return []  # a strip; the network makes things up in it
        if scale != 1:
            size = (max(1, round(w * scale)), max(1, round(h * scale)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        self.net.setInputSize((image.shape[1], image.shape[0]))
        _, rows = self.net.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        faces = [] if rows is None else [self._to_detection(row, scale) for row in rows if np.isfinite(row).all()]
        return _largest_first(faces)

    @staticmethod
    def _to_detection(row: np.ndarray, scale: float) -> Detection:
        """row [15]: x, y, w, h, five landmarks, score."""
        x, y, w, h = row[:4] / scale
        return Detection(np.array([x, y, x + w, y + h], np.float32), row[4:14].reshape(5, 2) / scale, float(row[14]))


class Haar:
    """The Haar cascade that comes with OpenCV (Viola and Jones 2001): boxes of frontal faces, no landmarks, no score.

    It is OpenCV's cascade `alt2`: it finds nearly as many faces as the default one, and takes less else for a face.
    """

    name = "haar"

    def __init__(self, max_side: int = 1280):
        self.cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
        self.max_side = max_side

    def copy(self) -> Haar:
        return Haar(self.max_side)

    def __call__(self, image: np.ndarray) -> list[Detection]:
        scale = min(1.0, self.max_side / max(image.shape[:2]))
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if scale < 1:
            gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        boxes = self.cascade.detectMultiScale(cv2.equalizeHist(gray), 1.1, 6, minSize=(24, 24))
        return _largest_first(
            [Detection(np.array([x, y, x + w, y + h], np.float32) / scale, None, float("nan")) for x, y, w, h in boxes]
        )


class WholeImage:
    """No detection: the image is a crop already."""

    name = "none"

    def copy(self) -> WholeImage:
        return self

    def __call__(self, image: np.ndarray) -> list[Detection]:
        h, w = image.shape[:2]
        return [Detection(np.array([0, 0, w, h], np.float32), None, float("nan"))]


def _largest_first(faces: list[Detection]) -> list[Detection]:
    return sorted(faces, key=lambda f: -float(np.prod(f.box[2:] - f.box[:2])))


def _download_yunet() -> Path:
    import pooch

    folder = os.environ.get("FER_CACHE") or pooch.os_cache("dan-fer")
    try:
        return Path(pooch.retrieve(YUNET_URL, f"sha256:{YUNET_SHA256}", YUNET_FILE, folder, progressbar=False))
    except Exception as error:  # no network, a full disk or a wrong checksum: pooch raises many kinds
        raise DetectorUnavailable(
            f"the YuNet model could not be downloaded to {folder} ({type(error).__name__}). Give its file by "
            f"--detector-weights, or put {YUNET_FILE} into that folder"
        ) from error


DETECTORS = ("auto", "yunet", "haar", "none")


def create_detector(
    name: str = "auto", weights: str | os.PathLike | None = None, min_score: float = MIN_SCORE
) -> Detector:
    """A detector by name; `auto` is YuNet, or, where its model cannot be had, Haar with a warning.

    Args:
        weights: an ONNX file for YuNet.
        min_score: of YuNet's faces; the others give no score.

    Raises:
        ValueError: unknown name, or `min_score` out of 0..1.
        DetectorUnavailable: YuNet was asked for, or `weights` given, and cannot be opened.
    """
    if name not in DETECTORS:
        raise ValueError(f"unknown detector {name!r}; choose one of {', '.join(DETECTORS)}")
    if name == "none":
        return WholeImage()
    if name == "haar":
        return Haar()
    try:
        return YuNet(weights, min_score)
    except DetectorUnavailable as error:
        if name == "yunet" or weights:
            raise
        log.warning("%s. Falling back to the Haar detector: it misses more faces and gives no landmarks.", error)
        return Haar()
