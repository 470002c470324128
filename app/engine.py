"""What the engine in the browser (`app/browser`) needs to know and to load."""

from __future__ import annotations

from pathlib import Path

from fer.faces import quality
from fer.faces.alignment import UPRIGHT
from fer.faces.yunet import LEAST_SIDE, MAX_OVERLAP, MIN_SCORE, STRIDES, WEIGHTS
from fer.inference.recognizer import EmotionRecognizer
from fer.inference.tracks import SMOOTHING
from fer.inference.trust import REASONS
from fer.resources import resource_folder
from fer.results.rows import QUALITY
from fer.visualization.colors import color_of

from .advice import ADVICE
from .live import DARK, DETECTION_SIDE, HINTS, SAME_FACE, SMALL
from .plane import QUADRANTS
from .views import data_url

PATIENCE = 1.0  # seconds until the track of a lost face ends


def view_props(recognizer: EmotionRecognizer) -> dict:
    """What the live view (`browser/live.js`) needs to know of the network, whichever engine runs it."""
    classes, sample = recognizer.classes, resource_folder("samples") / "astronaut.jpg"
    return {
        "classes": list(classes),
        "quality": list(QUALITY),
        "quadrants": list(QUADRANTS) if recognizer.description.va else [],
        "colours": {name: list(color_of(name, classes)) for name in classes},
        "sample": data_url(sample.read_bytes(), "image/jpeg") if sample.exists() else "",
    }


def engine_settings(recognizer: EmotionRecognizer) -> dict:
    """The settings of the engine, for JSON; what Python defines is written down nowhere else."""
    description = recognizer.description
    preprocessing = description.preprocessing
    return {
        "props": view_props(recognizer),
        "preprocessing": {
            name: getattr(preprocessing, name) for name in ("crop_size", "input_size", "gray", "interpolation")
        },
        "template": [list(point) for point in description.template],
        "second_crop": description.second_crop,
        "upright": UPRIGHT,
        "temperature": description.temperature,
        "adjustment": recognizer.classifier.adjustment.tolist(),
        "grid": list(description.grid),
        "quality_decimals": list(QUALITY.values()),
        "pose": quality.FIT.tolist(),
        "detector": {
            "strides": list(STRIDES),
            "min_score": getattr(recognizer.detector, "min_score", MIN_SCORE),
            "min_face": recognizer.min_face,
            "max_overlap": MAX_OVERLAP,
            "least_side": LEAST_SIDE,
            "live_side": DETECTION_SIDE,
            "photo_side": recognizer.detector.max_side,
        },
        "tracks": {"least_overlap": SAME_FACE, "patience": PATIENCE, "smoothing": SMOOTHING},
        "trust": {
            "limits": dict(description.limits),
            "unsure_below": description.unsure_below,
            "reasons": list(REASONS),
            "advice": ADVICE,
            "hints": HINTS,
            "dark": DARK,
            "small": SMALL,
        },
    }


def detector_file(path: str | Path = WEIGHTS) -> bytes:
    """YuNet's ONNX file, for pictures of any size.

    The file states an input of 320x320 pixels, and ONNX Runtime accepts no other size (OpenVINO can be told to). So
    height and width are replaced by names of the same length in bytes: a dimension with a value, `08 c0 02` (320), by
    one with a name, `12 01 68` ("h").

    Raises:
        ValueError: not this file.
    """
    data, fixed = Path(path).read_bytes(), bytes.fromhex("0a03 08c002")
    if data.count(fixed) != 2:
        raise ValueError(f"{path}: expected YuNet with an input of 320x320 pixels")
    for name in b"hw":
        data = data.replace(fixed, bytes.fromhex("0a03 1201") + bytes([name]), 1)
    return data
