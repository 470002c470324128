"""The live view: a frame of a camera in, what the network sees in it out."""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections import OrderedDict
from threading import Lock

import numpy as np

from fer.device import count_cores
from fer.faces import Detection, crop_face
from fer.faces.alignment import crop_transform
from fer.faces.detection import intersection_over_union, largest_first
from fer.faces.flow import FlowDetector
from fer.inference.recognizer import EmotionRecognizer
from fer.inference.tracks import Tracks
from fer.io.images import read_image
from fer.results.types import Face, ImageResult
from fer.visualization.attention import fuse_attention

from .budget import PixelBudget, count_pixels

log = logging.getLogger("fer")

MAX_PIXELS = 2_000_000  # of a frame
HELD_PIXELS = 8_000_000  # of the frames of all cameras that are decoded at the same time
DETECTION_SIDE = 320  # pixels to which a frame is reduced to find faces; twice as many where none is found
DETECTION_INTERVAL = 0.5  # seconds in which faces are followed before the detector looks again
SAME_FACE = 0.3  # overlap of its boxes in two frames
FRAME_RATE = 10  # per second, about; for the tracker
DARK = 35  # mean gray value below which more light is asked for
SMALL = 60  # pixels of a face's longer side below which it is asked to come closer
SESSIONS = 200  # cameras that are remembered
FORGET = 60.0  # seconds after which a camera that sends nothing is forgotten


class Camera:
    """What is remembered of one camera: its faces in the last frame, and no picture but a small gray one.

    Of a face that the last frame showed too, one crop is looked at: where the checkpoint asks for two (the aligned one and the
    square around the box), they take turns, and the logits of the other one are those of its last turn.
    Frames that come at the same time wait for each other.

    Args:
        interval: seconds between detections, see `FlowDetector`.
    """

    def __init__(self, recognizer: EmotionRecognizer, interval: float = DETECTION_INTERVAL):
        self.recognizer, self.seen = recognizer, time.monotonic()
        self.whole = recognizer.detector.name == "none"  # each frame is one crop
        self.detector = FlowDetector(recognizer.detector, 0 if self.whole else interval)
        self.tracks = Tracks(FRAME_RATE, recognizer.description.unsure_below)
        self.lock, self.turn = Lock(), 0
        self.logits: list[np.ndarray] = []
        self.boxes = np.empty((0, 4))  # of the last frame's faces; of their crops, [1 or 2,C] each

    def look(self, image: np.ndarray, now: float, attention: bool = False) -> list[Face]:
        """The faces of a frame, RGB uint8 [H,W,3] at `now` seconds, largest first, with tracks and smoothed probabilities.

        Args:
            attention: each face comes with its attention; otherwise only those whose aligned crop had its turn.
        """
        with self.lock:
            self.turn += 1
            least = self.recognizer.min_face
            found = [d for d in self.detector(image, now) if min(d.box[2:] - d.box[:2]) >= least]
            faces = self._recognise(image, largest_first(found), attention)
            return self.tracks.follow(ImageResult("", faces, time=now)).faces

    def _recognise(self, image: np.ndarray, found: list[Detection], attention: bool) -> list[Face]:
        framings = [self.recognizer.classifier.framings(face) for face in found]
        logits = [self._remember(face, len(crops)) for face, crops in zip(found, framings)]
        taken = [(i, k) for i, of_face in enumerate(logits) for k in self._choose(of_face, attention)]  # face, crop
        image = self.recognizer.description.preprocessing.convert_colors(image)
        new, maps = self.recognizer.classifier.classify([self._cut(image, framings[i][k]) for i, k in taken])
        for (i, k), values in zip(taken, new):
            logits[i][k] = values
        aligned = {i: weights for (i, k), weights in zip(taken, maps) if k == 0}
        self.boxes, self.logits = np.reshape([face.box for face in found], (-1, 4)), logits
        return [self.recognizer.classifier.to_face(f, logits[i].mean(0), aligned.get(i)) for i, f in enumerate(found)]

    def _remember(self, face: Detection, crops: int) -> np.ndarray:
        """The logits [crops,C] of a face in the last frame; NaN where it was not there, or had more or fewer crops."""
        overlaps = intersection_over_union(face.box, self.boxes)
        if len(overlaps) and overlaps.max() > SAME_FACE:
            logits = self.logits[int(overlaps.argmax())]
            if len(logits) == crops:
                return logits.copy()
        return np.full((crops, len(self.recognizer.classes)), np.nan, np.float32)

    def _choose(self, logits: np.ndarray, attention: bool) -> list[int]:
        due = {self.turn % len(logits)} | ({0} if attention else set())
        return [k for k, values in enumerate(logits) if k in due or np.isnan(values).any()]

    def _cut(self, image: np.ndarray, framing: Detection) -> np.ndarray:
        size = self.recognizer.description.preprocessing.crop_size
        return image if self.whole else crop_face(image, framing, self.recognizer.classifier.template, size)


class LiveView:
    """Looks at the frames of any number of cameras; it keeps no picture.

    Args:
        recognizer: finding faces and the network take one core for each frame, so that others get their turn.
    """

    def __init__(self, recognizer: EmotionRecognizer):
        self.recognizer = recognizer.for_threads(count_cores())
        self.recognizer.detector.max_side = DETECTION_SIDE
        self.sessions: OrderedDict[str, Camera] = OrderedDict()
        self.lock, self.budget = Lock(), PixelBudget(HELD_PIXELS)
        blank = np.zeros((48, 48, 3), np.uint8)
        self.recognizer.predict_crops([blank])  # the first pass is slow, and the tracker is; nobody shall wait for it
        Camera(self.recognizer).look(blank, 0.0)

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
                attention = bool(request.get("attention"))
                seen = self._session(session).look(image, time.monotonic(), attention)
                faces = [self._describe(face, attention) for face in seen]
                answer = {"faces": faces, "hint": give_hint(image, seen)}
        except (KeyError, TypeError, ValueError) as error:
            answer = {"faces": [], "hint": f"This frame could not be read ({error})."}
        except Exception:
            log.exception("a frame failed")
            answer = {"faces": [], "hint": "Something went wrong with this frame; the next one may do better."}
        return answer | {"milliseconds": round(1000 * (time.perf_counter() - start), 1)}

    def _session(self, name: str) -> Camera:
        now = time.monotonic()
        with self.lock:
            if name not in self.sessions:
                self.sessions[name] = Camera(self.recognizer)
            camera = self.sessions[name]
            camera.seen = now
            self.sessions.move_to_end(name)
            while len(self.sessions) > SESSIONS or now - next(iter(self.sessions.values())).seen > FORGET:
                self.sessions.popitem(last=False)
        return camera

    def _describe(self, face: Face, attention: bool) -> dict:
        described: dict = {
            "track": face.track,
            "box": [round(float(v), 1) for v in face.box],
            "label": face.label,
            "confidence": round(face.confidence, 4),
            "unsure": face.unsure,
            "probs": [round(p, 4) for p in face.probs.values()],
        }
        if attention and face.attention is not None:
            described["maps"] = [_to_unit(m) for m in (fuse_attention(face.attention), *face.attention)]
            to_crop = np.vstack([crop_transform(face, self.recognizer.classifier.template), [0, 0, 1]])
            described["crop"] = [float(v) for v in np.linalg.inv(to_crop)[:2].T.ravel()]
        return described


def give_hint(image: np.ndarray, faces: list[Face]) -> str:
    """What the person before the camera could do better, or "". RGB uint8 [H,W,3]."""
    if image[::4, ::4].mean() < DARK:
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
