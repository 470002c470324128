"""The live view: from a camera frame to its faces, with tracks and smoothed probabilities."""

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
from fer.faces.quality import Quality
from fer.inference.recognizer import EmotionRecognizer
from fer.inference.tracks import Tracks
from fer.io.images import read_image
from fer.labels import VA
from fer.results.explanation import fuse_attention, scale_to_unit, spread
from fer.results.rows import quality_columns
from fer.results.types import Face, ImageResult

from .advice import advise
from .budget import PixelBudget, count_pixels

log = logging.getLogger("fer")

MAX_PIXELS = 2_000_000  # per frame
HELD_PIXELS = 8_000_000  # decoded at the same time, over all cameras
DETECTION_SIDE = 320  # pixels to which the detector reduces a frame; twice as many if it finds no face
DETECTION_INTERVAL = 0.5  # seconds between runs of the detector; faces are followed in between
SAME_FACE = 0.3  # minimum IoU of a face's boxes in two frames
FRAME_RATE = 10  # frames per second that the tracker assumes
DARK = 35  # mean gray value below which the hint asks for more light
SMALL = 60  # pixels of a face's longer side below which the hint asks to come closer
SESSIONS = 200  # cameras remembered at most
FORGET = 60.0  # seconds after which an idle camera is forgotten
HINTS = {
    "dark": "It is very dark here: more light would help.",
    "empty": "No face in view: look into the camera, come closer, or turn on a light.",
    "far": "You are far away: come closer.",
}


class Camera:
    """The state of one camera: the faces of its last frame, and no picture except a small gray one.

    If the checkpoint asks for two crops of a face (the aligned one and the square around the box), the network
    runs on both when the face is new. In later frames the two crops alternate, and the other one keeps its last
    outputs; the quality of a face is measured when its aligned crop has its turn. Frames of the same camera are
    processed one at a time.

    Args:
        interval: seconds between detections, see `FlowDetector`.
    """

    def __init__(self, recognizer: EmotionRecognizer, interval: float = DETECTION_INTERVAL):
        self.recognizer, self.last_used = recognizer, time.monotonic()
        self.whole = recognizer.detector.name == "none"  # each frame is already a crop
        self.detector = FlowDetector(recognizer.detector, 0 if self.whole else interval)
        self.tracks = Tracks(FRAME_RATE, recognizer.description)
        self.lock, self.turn = Lock(), 0
        # Logits, then valence and arousal, of the last frame's faces, [1 or 2,C+2] each: one row per crop.
        self.outputs: list[np.ndarray] = []
        self.qualities: list[Quality | None] = []  # of the same faces, when their aligned crop last had its turn
        self.boxes = np.empty((0, 4))  # of the last frame's faces

    def look(self, image: np.ndarray, now: float, attention: bool = False) -> list[Face]:
        """Return the faces of a frame, largest first, with tracks and smoothed probabilities.

        Args:
            image: RGB uint8 [H,W,3].
            now: time of the frame in seconds.
            attention: return the attention of every face; otherwise only of faces whose aligned crop had its turn.
        """
        with self.lock:
            self.turn += 1
            min_face = self.recognizer.min_face
            detections = [d for d in self.detector(image, now) if min(d.box[2:] - d.box[:2]) >= min_face]
            faces = self._recognise(image, largest_first(detections), attention)
            return self.tracks.follow(ImageResult("", faces, time=now)).faces

    def _recognise(self, image: np.ndarray, detections: list[Detection], attention: bool) -> list[Face]:
        classifier = self.recognizer.classifier
        framings = [classifier.framings(face) for face in detections]
        remembered = [self._remember(face, len(crops)) for face, crops in zip(detections, framings)]
        outputs, qualities = [values for values, _ in remembered], [quality for _, quality in remembered]
        due = [(i, k) for i, of_face in enumerate(outputs) for k in self._due_crops(of_face, attention)]
        image = self.recognizer.description.preprocessing.convert_colors(image)
        crops = {(i, k): self._cut(image, framings[i][k]) for i, k in due}  # i: face, k: crop
        new = classifier.classify(list(crops.values()))
        for (i, k), values in zip(due, np.hstack([new.logits, new.va])):
            outputs[i][k] = values
        for i, face in enumerate(detections):
            if (i, 0) in crops:
                qualities[i] = classifier.measure(crops[i, 0], face)
        aligned_maps = {i: weights for (i, k), weights in zip(due, new.attention) if k == 0}
        self.boxes, self.outputs = np.reshape([face.box for face in detections], (-1, 4)), outputs
        self.qualities = qualities
        means = [of_face.mean(0) for of_face in outputs]
        return [
            classifier.to_face(face, means[i][:-2], aligned_maps.get(i), va=means[i][-2:], quality=qualities[i])
            for i, face in enumerate(detections)
        ]

    def _remember(self, face: Detection, crops: int) -> tuple[np.ndarray, Quality | None]:
        """Outputs [crops,C+2] and quality of a face so far; NaN, None if it is new or has another number of crops."""
        overlaps = intersection_over_union(face.box, self.boxes)
        if len(overlaps) and overlaps.max() > SAME_FACE:
            index = int(overlaps.argmax())
            if len(self.outputs[index]) == crops:
                return self.outputs[index].copy(), self.qualities[index]
        return np.full((crops, len(self.recognizer.classes) + 2), np.nan, np.float32), None

    def _due_crops(self, outputs: np.ndarray, attention: bool) -> list[int]:
        due = {self.turn % len(outputs)} | ({0} if attention else set())
        return [k for k, values in enumerate(outputs) if k in due or np.isnan(values[0])]

    def _cut(self, image: np.ndarray, framing: Detection) -> np.ndarray:
        size = self.recognizer.description.preprocessing.crop_size
        return image if self.whole else crop_face(image, framing, self.recognizer.classifier.template, size)


class LiveView:
    """Recognise the frames of any number of cameras; no picture is stored.

    Args:
        recognizer: detector and network use one core for each frame, so that cameras are served side by side.
    """

    def __init__(self, recognizer: EmotionRecognizer):
        self.recognizer = recognizer.for_threads(count_cores())
        self.recognizer.detector.max_side = DETECTION_SIDE
        self.sessions: OrderedDict[str, Camera] = OrderedDict()
        self.lock, self.budget = Lock(), PixelBudget(HELD_PIXELS)
        blank = np.zeros((48, 48, 3), np.uint8)
        self.recognizer.predict_crops([blank])  # warm-up: the first pass of network and tracker is slow
        Camera(self.recognizer).look(blank, 0.0)

    def look(self, request: dict) -> dict:
        """Recognise one frame; never raises, since one bad frame must not end a stream.

        Args:
            request: `picture`, a data URL of a JPEG or PNG; `session`, an id that the page chose for its camera;
                `attention`, whether to return the maps of the heads.

        Returns:
            `faces`, largest first, each with `track`, `box` (xyxy pixels), `label`, `confidence`, `unsure`
            (the reason, or ""), `quality` (in the order of `fer.results.rows.QUALITY`), `probs` (in the order of
            the classes), and `valence` and `arousal` where the network gives them; with `attention` also `maps` (all
            heads fused, then each head; rows of weights from 0 to 1, spread over the crop) and `crop` (a, b, c, d, e,
            f of the canvas transform from the unit square to the frame);
            `hint`, a sentence for the person in front of the camera, or "";
            `milliseconds`, the time it took.
        """
        start = time.perf_counter()
        try:
            data, session = _decode(request["picture"]), str(request["session"])[:64]
            with self.budget.hold(count_pixels(data, MAX_PIXELS)):
                image = read_image(data, MAX_PIXELS)
                attention = bool(request.get("attention"))
                faces = self._session(session).look(image, time.monotonic(), attention)
                described = [self._describe(face, attention) for face in faces]
                answer = {"faces": described, "hint": give_hint(image, faces)}
        except (KeyError, TypeError, ValueError) as error:
            answer = {"faces": [], "hint": f"This frame could not be read ({error})."}
        except Exception:
            log.exception("a frame failed")
            answer = {"faces": [], "hint": "Something went wrong with this frame; the next one may work."}
        return answer | {"milliseconds": round(1000 * (time.perf_counter() - start), 1)}

    def _session(self, name: str) -> Camera:
        now = time.monotonic()
        with self.lock:
            if name not in self.sessions:
                self.sessions[name] = Camera(self.recognizer)
            camera = self.sessions[name]
            camera.last_used = now
            self.sessions.move_to_end(name)
            while len(self.sessions) > SESSIONS or now - next(iter(self.sessions.values())).last_used > FORGET:
                self.sessions.popitem(last=False)
        return camera

    def _describe(self, face: Face, attention: bool) -> dict:
        described: dict = {
            "track": face.track,
            "box": [round(float(v), 1) for v in face.box],
            "label": face.label,
            "confidence": round(face.confidence, 4),
            "unsure": face.unsure,
            "quality": list(quality_columns(face.quality).values()),
            "probs": [round(p, 4) for p in face.probs.values()],
        }
        described |= {name: round(v, 3) for name in VA if (v := getattr(face, name)) is not None}
        if attention and face.attention is not None:
            grid, side = self.recognizer.classifier.description.grid, 2 * face.attention.shape[-1]
            maps = (fuse_attention(face.attention), *face.attention)
            described["maps"] = [scale_to_unit(spread(m, side, grid)).round(2).tolist() for m in maps]
            to_crop = np.vstack([crop_transform(face, self.recognizer.classifier.template), [0, 0, 1]])
            described["crop"] = [float(v) for v in np.linalg.inv(to_crop)[:2].T.ravel()]
        return described


def give_hint(image: np.ndarray, faces: list[Face]) -> str:
    """Advice for the person in front of the camera, or "". The image is RGB uint8 [H,W,3]."""
    if image[::4, ::4].mean() < DARK:
        return HINTS["dark"]
    if not faces:
        return HINTS["empty"]
    largest = max(faces, key=lambda face: float(np.prod(face.box[2:] - face.box[:2])))
    if largest.unsure in ("", "low confidence") and float((largest.box[2:] - largest.box[:2]).max()) < SMALL:
        return HINTS["far"]
    return advise(largest)


def _decode(url: str) -> bytes:
    """The bytes of a data URL."""
    try:
        return base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error:
        raise ValueError("expected a data URL in base64") from None
