"""Find faces, follow them, and cut them out."""

from .alignment import align_crop, crop_face, crop_side, crop_transform, is_upright, measure_template
from .detection import Detection, Detector
from .detectors import DETECTORS, create_detector
from .yunet import MIN_SCORE

__all__ = [
    "DETECTORS",
    "MIN_SCORE",
    "Detection",
    "Detector",
    "align_crop",
    "create_detector",
    "crop_face",
    "crop_side",
    "crop_transform",
    "is_upright",
    "measure_template",
]
