"""What people wait for: finding faces, a photo, a frame of a camera, a folder, the start of the program."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ..errors import FerError
from ..faces import Detector, create_detector
from ..faces.yunet import YuNet
from ..inference.recognizer import EmotionRecognizer
from ..io.images import MAX_SIDE, encode_image, read_image
from ..runtimes.networks import load_network
from ..runtimes.sessions import OpenVinoSession
from .rounds import Work

DETECTION_SIZES = ((640, 480), (320, 240))
FRAME_SIZE = (640, 480)
LIVE_SIDE = 320  # pixels to which the live view reduces a frame to find faces
PACKAGE = Path(__file__).resolve().parents[1]


def load_recognizer(options: dict, threads: int) -> EmotionRecognizer:
    """A recogniser that looks at one image at a time with so many threads.

    Args:
        options: of `EmotionRecognizer.from_pretrained`.
    """
    options = dict(options)
    of_network = {name: options.pop(name) for name in ("weights", "device", "runtime", "precision")}
    network, description = load_network(**of_network, threads=threads)
    detector = create_detector(options.pop("detector"), options.pop("detector_weights"))
    if isinstance(detector, YuNet):
        detector.session = OpenVinoSession(detector.path, (1, 3, -1, -1), threads=threads)
    return EmotionRecognizer(network, description, detector, **options)


def fit(image: np.ndarray, width: int = FRAME_SIZE[0], height: int = FRAME_SIZE[1]) -> np.ndarray:
    """RGB uint8 [H,W,3] as large as possible in the middle of a black picture [height,width,3]."""
    scale = min(width / image.shape[1], height / image.shape[0])
    w, h = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    image, top, left = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA), (height - h) // 2, (width - w) // 2
    return cv2.copyMakeBorder(image, top, height - h - top, left, width - w - left, cv2.BORDER_CONSTANT)


def photo_works(recognizer: EmotionRecognizer, photo: str | Path) -> list[Work]:
    """The detector alone; a photo from its file to its faces; the photo as a JPEG frame of a camera, likewise.

    The frame is treated as the live view treats it, but for the tracks.

    Raises:
        ValueError: the photo cannot be read.
    """
    image = read_image(photo)
    works = [] if recognizer.detector.name == "none" else _detector_works(recognizer.detector, image)
    height, width = image.shape[:2]
    facts = {"width": width, "height": height, "faces": len(recognizer(photo))}
    works.append(Work("photo", Path(photo).name, lambda: recognizer(photo), facts))

    live, frame = copy.copy(recognizer), encode_image(fit(image), "jpeg", 80)
    live.detector = copy.copy(recognizer.detector)
    live.detector.max_side = LIVE_SIDE
    facts = {"width": FRAME_SIZE[0], "height": FRAME_SIZE[1], "faces": len(live(frame))}
    works.append(Work("frame", "JPEG", lambda: live(frame), facts))
    return works


def _detector_works(detector: Detector, image: np.ndarray) -> list[Work]:
    works = []
    for width, height in DETECTION_SIZES:
        small = fit(image, width, height)
        facts = {"width": width, "height": height, "faces": len(detector(small))}
        works.append(Work("detector", detector.name, partial(detector, small), facts))
    return works


def folder_works(recognizer: EmotionRecognizer, paths: Sequence[Path]) -> list[Work]:
    """A folder by `fer predict` and by two simpler loops.

    `one by one` calls the recogniser for each file; `naive` looks for faces in the photo as it is, and runs the network for
    each face alone, as one writes it with a detector and a network at hand.
    """
    whole = recognizer.detector.for_threads(1)
    whole.max_side = MAX_SIDE

    def together() -> int:
        return sum(len(result.faces) for result in recognizer.predict_paths(paths))

    def one_by_one() -> None:
        for path in paths:
            with suppress(ValueError):
                recognizer(path)

    def naive() -> None:
        for path in paths:
            with suppress(ValueError):
                image = read_image(path)
                for detection in whole(image):
                    recognizer.predict_crops(recognizer.classifier.cut(image, detection))

    facts = {"files": len(paths), "faces": together()}
    calls = {"fer predict": together, "one by one": one_by_one, "naive": naive}
    return [Work("folder", name, call, facts) for name, call in calls.items()]


_START = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from fer import EmotionRecognizer
EmotionRecognizer.from_pretrained(**json.loads(sys.argv[2]))(sys.argv[3])
from fer.device import peak_megabytes
print(peak_megabytes("cpu"), flush=True)
os._exit(0)
"""


class ColdStart:
    """From the start of a new process to its answer on a photo, by `from_pretrained`, with all cores.

    `megabytes` is the most memory that the last process used; None where the system does not tell.
    """

    def __init__(self, options: dict, photo: str | Path):
        self.megabytes: float | None = None
        self.command = [sys.executable, "-c", _START, str(PACKAGE.parent), json.dumps(options), str(photo)]

    def __call__(self) -> None:
        done = subprocess.run(self.command, capture_output=True, text=True)
        if done.returncode:
            raise FerError(f"a new process did not recognise the photo: {(done.stderr.splitlines() or ['?'])[-1]}")
        peak = float(done.stdout.split()[-1])
        self.megabytes = peak if math.isfinite(peak) else None
