"""The quality of a face's picture: how large, sharp and bright it is, and how far the head is turned."""

from __future__ import annotations

import math
from dataclasses import asdict, astuple, dataclass

import cv2
import numpy as np

from .detection import Detection

# A generic face, as a place [x, y, z] for each landmark: x to the image's right, y down, z away from the camera, in
# distances between the eyes. x and y are the median places of YuNet's landmarks in the FER+ training images. The depths
# of nose tip and mouth corners are those of MediaPipe's canonical face model; in a least-squares fit to the FER+ faces
# the same depth of the nose is best.
MODEL = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.575, -0.64], [-0.4, 0.997, -0.13], [0.4, 0.997, -0.13]])
FIT = np.linalg.pinv(MODEL - MODEL.mean(0))  # [3,5]; the least-squares fit of MODEL to landmarks
_NO_POSE = (float("nan"),) * 3


@dataclass(frozen=True, eq=False)
class Quality:
    """How well a face can be seen. The angles are NaN where the landmarks are unknown.

    `yaw` and `pitch` say where the face points, seen from the camera; `roll` turns the head around that direction. The
    mirrored face has the opposite yaw and roll, and the same pitch.
    """

    size: float  # pixels of the original image: shorter side of the box
    sharpness: float  # of the crop; independent of brightness and contrast, see `measure_sharpness`
    brightness: float  # mean luma of the crop, 0 (black) to 1 (white)
    yaw: float  # degrees; > 0: turned to the image's right
    pitch: float  # degrees; > 0: turned up
    roll: float  # degrees; > 0: tilted clockwise in the image

    def to_dict(self) -> dict[str, float | None]:
        """Plain values for JSON. Missing values are None."""
        return {name: None if math.isnan(value) else value for name, value in asdict(self).items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quality) and np.array_equal(astuple(self), astuple(other), equal_nan=True)


def measure_quality(crop: np.ndarray, detection: Detection, factor: float = 1.0) -> Quality:
    """Measure the quality of a face.

    Args:
        crop: of the face, uint8 [S,S,3] (RGB) or [S,S] (gray), in the resolution that the network has learnt
            (`crop_size`), before it is enlarged.
        detection: the face in the image.
        factor: pixels of the original image per pixel of that image.
    """
    gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) if crop.ndim == 3 else crop
    box = detection.box
    return Quality(
        factor * float(min(box[2] - box[0], box[3] - box[1])),
        measure_sharpness(gray),
        float(gray.mean()) / 255,
        *(_NO_POSE if detection.landmarks is None else head_pose(detection.landmarks)),
    )


def measure_sharpness(gray: np.ndarray) -> float:
    """The energy of the Laplacian over the energy of the gradient, uint8 [H,W]; 0 for a blank image.

    This is the mean square of the spatial frequency, weighted by the gradient's spectrum. Blur lowers it; a change of
    brightness or contrast leaves it as it is. Noise raises it.
    """
    image = gray.astype(np.float32)
    gradient = np.mean(np.square(image[:, 1:] - image[:, :-1])) + np.mean(np.square(image[1:] - image[:-1]))
    laplacian = cv2.Laplacian(image, cv2.CV_32F)[1:-1, 1:-1]
    return float(np.mean(np.square(laplacian)) / gradient) if gradient > 0 else 0.0


def head_pose(landmarks: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, from landmarks [5,2]; NaN where these give none. Signs: see `Quality`.

    A scaled orthographic projection of MODEL is fitted to the landmarks: an affine one by least squares, then the
    closest one whose rows are orthogonal and of equal length.
    """
    points = np.asarray(landmarks, float)
    if not np.isfinite(points).all() or not np.ptp(points, axis=0).any():
        return _NO_POSE
    affine = (FIT @ (points - points.mean(0))).T  # [2,3]
    left, _, right = np.linalg.svd(affine, full_matrices=False)
    x, y = left @ right  # rows of the rotation
    z = np.array([x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]])
    yaw, pitch = np.arctan2(-x[2], z[2]), np.arcsin(np.clip(y[2], -1, 1))  # the face points to (-x[2], -y[2], -z[2])
    roll = np.arctan2(y[0], y[1])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
