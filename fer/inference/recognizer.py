"""From an image to its faces with their emotions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..device import choose_device
from ..faces import Detection, Detector, create_detector, crop_face
from ..images import ImageSource, read_image
from ..models.checkpoint import Description, find_checkpoint, load_checkpoint
from ..models.dan import DAN
from ..resources import DEFAULT_WEIGHTS

KEPT_IMAGES = 8  # decoded photos that wait for their batch at the same time


@dataclass(frozen=True)
class Face:
    """One face of an image and what the network makes of it."""

    box: np.ndarray  # xyxy, pixels, float [4]
    landmarks: np.ndarray | None  # [5,2] pixels: right eye, left eye, nose, right and left mouth corner
    detection_score: float  # 0..1; NaN where the detector gives none
    probs: dict[str, float]  # emotion -> probability, in the checkpoint's order; they sum to 1
    unsure: bool  # the confidence is below the checkpoint's threshold
    aligned: bool  # the crop was aligned by the landmarks; otherwise it is the square around the box

    @property
    def label(self) -> str:
        """The most probable emotion."""
        return max(self.probs, key=self.probs.get)

    @property
    def confidence(self) -> float:
        """The probability of the label."""
        return max(self.probs.values())


@dataclass(frozen=True)
class ImageResult:
    """What became of one image: its faces (perhaps none), or the reason why it could not be read."""

    path: str
    faces: list[Face]
    error: str = ""
    image: np.ndarray | None = None  # RGB uint8 [H,W,3], where it was asked for


class EmotionRecognizer:
    """Finds faces and recognises their emotions.

    Args:
        model: a DAN in eval mode.
        description: what its checkpoint says of itself.
        detector: see `create_detector`.
        device: auto, cpu, cuda or mps.
        batch_size: crops in one pass of the network.
    """

    def __init__(
        self, model: DAN, description: Description, detector: Detector, device: str = "auto", batch_size: int = 64
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        self.device = choose_device(device)
        self.model = model.fold().to(self.device, memory_format=torch.channels_last)
        self.description, self.detector, self.batch_size = description, detector, batch_size
        self.template = np.asarray(description.template, float).reshape(-1, 2)

    @classmethod
    def from_pretrained(
        cls,
        weights: str | os.PathLike = DEFAULT_WEIGHTS,
        *,
        detector: str = "auto",
        detector_weights: str | os.PathLike | None = None,
        device: str = "auto",
        batch_size: int = 64,
    ) -> EmotionRecognizer:
        """A recogniser from a checkpoint.

        Args:
            weights: the name of shipped weights, or the path of a `.safetensors` checkpoint.
            detector: auto, yunet, haar or none (each image is one crop).
            detector_weights: an ONNX file for YuNet, instead of the download.

        Raises:
            ValueError: no such weights, or not a checkpoint of this package; unknown detector or device.
            DetectorUnavailable: YuNet was asked for by name and cannot be had.
        """
        model, description = load_checkpoint(find_checkpoint(weights))
        return cls(model, description, create_detector(detector, detector_weights), device, batch_size)

    def __call__(self, image: ImageSource) -> list[Face]:
        """The faces of one image (path, bytes or RGB uint8 array), largest first; an empty list where there is none.

        Raises:
            ValueError: the image cannot be read.
        """
        image = read_image(image)
        detections, crops = self._find(image)
        return [self._to_face(d, p) for d, p in zip(detections, self.predict_crops(crops))]

    def predict_crops(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Crops that show one face each, uint8 [H,W,3] or [H,W], -> probabilities [N,C] in the order of `classes`."""
        return torch.softmax(torch.from_numpy(self.predict_logits(crops)) / self.description.temperature, 1).numpy()

    @torch.inference_mode()
    def predict_logits(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """As `predict_crops`, before temperature and softmax: float32 [N,C]."""
        parts = [np.empty((0, len(self.classes)), np.float32)]
        for start in range(0, len(crops), self.batch_size):
            x = self.description.preprocessing(list(crops[start : start + self.batch_size]))
            parts.append(self.model(x.to(self.device)).logits.float().cpu().numpy())
        return np.concatenate(parts)

    def predict_paths(self, paths: Iterable[ImageSource], keep_images: bool = False) -> Iterator[ImageResult]:
        """One ImageResult per path, in order, while the faces of many images share one batch.

        A file that cannot be read gives a result with its `error`; the others go on.

        Args:
            keep_images: put the decoded image into the result (for drawing).
        """
        waiting: list[tuple[str, str, list[Detection], list[np.ndarray], np.ndarray | None]] = []
        for path in paths:
            waiting.append(self._read_and_find(path, keep_images))
            most = KEPT_IMAGES if keep_images else 4 * self.batch_size
            if len(waiting) >= most or sum(len(item[3]) for item in waiting) >= self.batch_size:
                yield from self._classify(waiting)
                waiting = []
        yield from self._classify(waiting)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.description.classes

    def _read_and_find(self, path: ImageSource, keep_image: bool):
        name = str(path) if isinstance(path, (str, os.PathLike)) else ""
        try:
            image = read_image(path)
        except ValueError as error:
            return name, str(error).removeprefix(f"{name}: "), [], [], None
        return name, "", *self._find(image), image if keep_image else None

    def _find(self, image: np.ndarray) -> tuple[list[Detection], list[np.ndarray]]:
        detections = self.detector(image)
        if self.detector.name == "none":
            return detections, [image]
        size = self.description.preprocessing.crop_size
        return detections, [crop_face(image, d, self.template, size) for d in detections]

    def _classify(self, waiting: list) -> Iterator[ImageResult]:
        probs = iter(self.predict_crops([crop for item in waiting for crop in item[3]]))
        for name, error, detections, _, image in waiting:
            yield ImageResult(name, [self._to_face(d, next(probs)) for d in detections], error, image)

    def _to_face(self, detection: Detection, probs: np.ndarray) -> Face:
        named = {name: float(p) for name, p in zip(self.classes, probs)}
        unsure = float(probs.max()) < self.description.unsure_below
        aligned = detection.landmarks is not None and len(self.template) > 0
        return Face(detection.box, detection.landmarks, detection.score, named, unsure, aligned)
