"""The live view: a frame of a camera in, what the network sees in it out."""

from __future__ import annotations

import base64
import binascii
import copy
import logging
import time
from collections import OrderedDict
from threading import Lock

import numpy as np

from fer.draw import fuse_attention
from fer.faces.alignment import crop_transform
from fer.images import read_image
from fer.inference.recognizer import EmotionRecognizer
from fer.inference.results import Face, ImageResult
from fer.inference.video import Tracks
from fer.runtimes import count_cores

from .budget import PixelBudget, count_pixels

log = logging.getLogger("fer")

MAX_PIXELS = 2_000_000  # of a frame
HELD_PIXELS = 8_000_000  # of the frames of all cameras that are decoded at the same time
DETECTION_SIDE = 320  # pixels to which a frame is reduced to find faces; twice as many where none is found
FRAME_RATE = 10  # per second, about; for the tracker
DARK = 35  # mean gray value below which more light is asked for
SMALL = 60  # pixels of a face's longer side below which it is asked to come closer
SESSIONS = 200  # cameras that are remembered
FORGET = 60.0  # seconds after which a camera that sends nothing is forgotten


class _Session:
    """What is remembered of one camera."""

    def __init__(self, unsure_below: float):
        self.tracks, self.seen = Tracks(FRAME_RATE, unsure_below), time.monotonic()


class LiveView:
    """Looks at the frames of any number of cameras; it keeps no picture.

    Args:
        recognizer: its network is shared.
    """

    def __init__(self, recognizer: EmotionRecognizer):
        self.recognizer = copy.copy(recognizer)
        self.recognizer.detector = recognizer.detector.for_threads(count_cores())
        self.recognizer.detector.max_side = DETECTION_SIDE
        self.sessions: OrderedDict[str, _Session] = OrderedDict()
        self.lock, self.budget = Lock(), PixelBudget(HELD_PIXELS)
        blank = np.zeros((48, 48, 3), np.uint8)
        self.recognizer.predict_crops([blank])  # the first pass is slow; nobody shall wait for it
        self.recognizer(blank)

    def look(self, request: dict) -> dict:
        """One frame; never raises, since one bad frame must not end a stream.

        Args:
            request: `picture`, a data URL of a JPEG or PNG; `session`, a name that the page chose for its camera;
                `attention`, whether to send the maps of the heads.

        Returns:
            `faces`, largest first, each with `track`, `box` (pixels), `label`, `confidence`, `unsure` and `probs` (in the
            order of the classes), and on request `maps` (all heads together, then each; rows of weights from 0 to 1) and
            `crop` (a, b, c, d, e, f of the canvas transform from the unit square to the frame); `hint`, a sentence for the
            person before the camera or ""; `milliseconds` that it took.
        """
        start = time.perf_counter()
        try:
            data, session = _decode(request["picture"]), str(request["session"])[:64]
            with self.budget.hold(count_pixels(data, MAX_PIXELS)):
                image = read_image(data, MAX_PIXELS)
                found = ImageResult("", self.recognizer(image), time=time.monotonic())
                with self.lock:
                    result = self._session(session).follow(found)
                attention = bool(request.get("attention"))
                faces = [self._describe(face, attention) for face in result.faces]
                answer = {"faces": faces, "hint": give_hint(image, result.faces)}
        except (KeyError, TypeError, ValueError) as error:
            answer = {"faces": [], "hint": f"This frame could not be read ({error})."}
        except Exception:
            log.exception("a frame failed")
            answer = {"faces": [], "hint": "Something went wrong with this frame; the next one may do better."}
        return answer | {"milliseconds": round(1000 * (time.perf_counter() - start), 1)}

    def _session(self, name: str) -> Tracks:
        now = time.monotonic()
        if name not in self.sessions:
            self.sessions[name] = _Session(self.recognizer.description.unsure_below)
        session = self.sessions[name]
        session.seen = now
        self.sessions.move_to_end(name)
        while len(self.sessions) > SESSIONS or now - next(iter(self.sessions.values())).seen > FORGET:
            self.sessions.popitem(last=False)
        return session.tracks

    def _describe(self, face: Face, attention: bool) -> dict:
        described = {
            "track": face.track,
            "box": [round(float(v), 1) for v in face.box],
            "label": face.label,
            "confidence": round(face.confidence, 4),
            "unsure": face.unsure,
            "probs": [round(p, 4) for p in face.probs.values()],
        }
        if attention:
            described["maps"] = [_to_unit(m) for m in (fuse_attention(face.attention), *face.attention)]
            to_crop = np.vstack([crop_transform(face, self.recognizer.template), [0, 0, 1]])
            described["crop"] = [float(v) for v in np.linalg.inv(to_crop)[:2].T.ravel()]
        return described


def give_hint(image: np.ndarray, faces: list[Face]) -> str:
    """What the person before the camera could do better, or "". RGB uint8 [H,W,3]."""
    if image.mean() < DARK:
        return "It is very dark here: more light would help."
    if not faces:
        return "No face in view: look into the camera, come closer, or turn on a light."
    if max(float((face.box[2:] - face.box[:2]).max()) for face in faces) < SMALL:
        return "You are far away: come closer."
    return ""


def _decode(url: str) -> bytes:
    """The bytes of a data URL."""
    try:
        return base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error:
        raise ValueError("expected a data URL in base64") from None


def _to_unit(weights: np.ndarray) -> list[list[float]]:
    """A map [h,w] from 0 to 1, as rows."""
    weights = (weights - weights.min()) / max(float(np.ptp(weights)), 1e-9)
    return weights.round(2).tolist()
