"""The crop rule, the same in training and inference: where a face lies in the network's input."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from .detection import Detection, Detector

UPRIGHT = 25.0  # degrees; 98.5 % of the FER+ faces are within


def similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, scale and shift [2,3] that map points `source` [M,2] closest to `target` [M,2] (least squares)."""
    x, y = source.T
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])  # [2M,4]
    a, b, tx, ty = np.linalg.lstsq(rows, target.T.ravel(), rcond=None)[0]
    return np.array([[a, -b, tx], [b, a, ty]])


def crop_transform(face: Detection, template: np.ndarray) -> np.ndarray:
    """The transform [2,3] from image pixels to the unit square of the crop.

    With landmarks: the similarity transform to `template` [5,2] (fractions of the crop's side). Without: an upright
    square with the same centre as the box and the length of its longer side.
    """
    if face.landmarks is not None and len(template):
        return similarity_transform(np.asarray(face.landmarks, float), np.asarray(template, float))
    box = np.asarray(face.box, float)
    side = max((box[2:] - box[:2]).max(), 1.0)
    left, top = (box[:2] + box[2:] - side) / 2
    return np.array([[1 / side, 0, -left / side], [0, 1 / side, -top / side]])


def crop_side(face: Detection, template: np.ndarray) -> float:
    """The side of the face's crop in pixels of the image; see `crop_transform`."""
    return 1 / np.sqrt(max(abs(np.linalg.det(crop_transform(face, template)[:, :2])), 1e-12))


def crop_face(image: np.ndarray, face: Detection, template: np.ndarray, size: int) -> np.ndarray:
    """Cut a face out of an image, uint8 [H,W,3] or [H,W] -> [size,size,...]. Beyond the image its border is repeated.

    A face that is larger than the crop is cut at a multiple of `size` and averaged, to avoid aliasing.
    """
    factor = int(np.clip(round(crop_side(face, template) / size), 1, 32))
    fine = crop_transform(face, template) * (size * factor)
    fine[:, 2] += 0.5 * (fine[:, 0] + fine[:, 1]) - 0.5  # from pixel corners to OpenCV's pixel centres
    side = (size * factor, size * factor)
    crop = cv2.warpAffine(image, fine, side, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return crop if factor == 1 else cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)


def is_upright(landmarks: np.ndarray) -> np.ndarray:
    """Whether the line between the eyes is less than UPRIGHT degrees from level: [...,5,2] -> bool [...]."""
    eyes = landmarks[..., 1, :] - landmarks[..., 0, :]
    return np.abs(np.degrees(np.arctan2(eyes[..., 1], eyes[..., 0]))) < UPRIGHT


def align_crop(crop: np.ndarray, detector: Detector, template: np.ndarray, size: int) -> np.ndarray | None:
    """Align the face in a dataset's crop, RGB uint8 [H,W,3], to `template` -> [size,size,3], or None."""
    landmarks = _landmarks_in(crop, detector)
    if landmarks is None:
        return None
    sides = np.array(crop.shape[1::-1])  # width, height
    return crop_face(crop, Detection(np.array([0, 0, *sides], float), landmarks * sides, 1.0), template, size)


def _landmarks_in(crop: np.ndarray, detector: Detector) -> np.ndarray | None:
    """The landmarks [5,2] of the largest face in a dataset's crop, as fractions of its sides, or None."""
    faces = detector(cv2.resize(crop, (112, 112), interpolation=cv2.INTER_CUBIC))
    landmarks = faces[0].landmarks if faces else None
    return None if landmarks is None else landmarks / 112


def measure_template(crops: Iterable[np.ndarray], detector: Detector) -> tuple[np.ndarray, float]:
    """Measure where the landmarks lie in a dataset's crops, so that inference can align faces to the same place.

    Args:
        crops: RGB uint8 [H,W,3] each, square.
        detector: must give landmarks.

    Returns:
        the median landmarks [5,2] as fractions of the side, made symmetric because training mirrors its crops; and the
        share of crops in which a face was found.

    Raises:
        ValueError: no face in any crop.
    """
    measured, total = [], 0
    for crop in crops:
        total += 1
        if (landmarks := _landmarks_in(crop, detector)) is not None:
            measured.append(landmarks)
    if not measured:
        raise ValueError(f"no face was found in {total} crops; the template cannot be measured")
    template = np.median(measured, axis=0)
    mirrored = template[[1, 0, 2, 4, 3]] * (-1, 1) + (1, 0)
    return (template + mirrored) / 2, len(measured) / total
