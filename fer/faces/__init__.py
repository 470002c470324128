"""Finding faces and cutting them out."""

from .alignment import crop_face, measure_template
from .detectors import DETECTORS, Detection, Detector, DetectorUnavailable, create_detector

__all__ = [
    "DETECTORS",
    "Detection",
    "Detector",
    "DetectorUnavailable",
    "create_detector",
    "crop_face",
    "measure_template",
]
