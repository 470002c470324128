"""Finding faces and cutting them out."""

from .alignment import align_crop, crop_face, is_upright, measure_template
from .detectors import DETECTORS, MIN_SCORE, Detection, Detector, DetectorUnavailable, create_detector

__all__ = [
    "DETECTORS",
    "MIN_SCORE",
    "Detection",
    "Detector",
    "DetectorUnavailable",
    "align_crop",
    "create_detector",
    "crop_face",
    "is_upright",
    "measure_template",
]
