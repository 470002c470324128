"""From an image to its faces with their emotions."""

from __future__ import annotations

import copy
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..description import Description
from ..faces import MIN_SCORE, Detection, Detector, create_detector, crop_face, crop_side, is_upright
from ..images import MAX_PIXELS, ImageError, ImageSource, read_image, read_reduced
from ..networks import Network, TorchNetwork, load_network
from ..resources import DEFAULT_WEIGHTS
from ..runtimes import count_cores
from .results import Face, ImageResult

if TYPE_CHECKING:
    from ..models.dan import DAN

KEPT_IMAGES = 8  # decoded photos that wait for their batch at the same time


class _Found(NamedTuple):
    """An image that waits for the network."""

    name: str
    error: str
    detections: list[Detection]
    inputs: list[list[np.ndarray]]  # of each face its prepared crops, uint8 [S,S,1 or 3]
    image: np.ndarray | None


class EmotionRecognizer:
    """Finds faces and recognises their emotions.

    Any number of threads may use one recogniser at the same time.

    Args:
        network: see `load_network`; or a DAN in eval mode.
        description: what its checkpoint says of itself.
        detector: see `create_detector`.
        device: of a DAN: auto, cpu, cuda, cuda:N or mps.
        batch_size: crops in one pass of the network; on a CPU more are slower.
        max_pixels: larger images are refused, as decompression bombs.
        min_face: pixels of the image; faces whose box is lower or narrower are left out.
    """

    def __init__(
        self,
        network: Network | DAN,
        description: Description,
        detector: Detector,
        device: str = "auto",
        batch_size: int = 16,
        max_pixels: int = MAX_PIXELS,
        min_face: float = 0,
    ):
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("max_pixels", max_pixels, 1),
            ("min_face", min_face, 0),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        if hasattr(network, "fold"):
            network = TorchNetwork(network.fold(), description.preprocessing, device)
        self.network = network
        self.description, self.detector, self.batch_size = description, detector, batch_size
        self.max_pixels, self.min_face = max_pixels, min_face
        self.template = np.asarray(description.template, float).reshape(-1, 2)

    @classmethod
    def from_pretrained(
        cls,
        weights: str | os.PathLike = DEFAULT_WEIGHTS,
        *,
        detector: str = "yunet",
        detector_weights: str | os.PathLike | None = None,
        device: str = "auto",
        runtime: str = "auto",
        precision: str = "auto",
        batch_size: int = 16,
        max_pixels: int = MAX_PIXELS,
        min_score: float = MIN_SCORE,
        min_face: float = 0,
    ) -> EmotionRecognizer:
        """A recogniser from a file of weights.

        Args:
            weights, device, runtime, precision: see `load_network`.
            detector: yunet or none (each image is one crop).
            detector_weights: another ONNX file of YuNet than that of the package.
            min_score: YuNet drops faces of a lower detection score, 0..1.

        Raises:
            ValueError: no such weights, or not a file of this package; unknown detector, device, runtime or precision; a
                number out of its range.
            ModuleNotFoundError: the runtime is not installed; says what to install.
        """
        with ThreadPoolExecutor(1) as pool:  # both take a while to compile
            finding = pool.submit(create_detector, detector, detector_weights, min_score)
            network, description = load_network(weights, device, runtime, precision)
        return cls(network, description, finding.result(), device, batch_size, max_pixels, min_face)

    def for_threads(self, threads: int) -> EmotionRecognizer:
        """One that does the same, and is fast with so many calls at the same time."""
        other = copy.copy(self)
        other.network, other.detector = self.network.for_threads(threads), self.detector.for_threads(threads)
        return other

    def __call__(self, image: ImageSource) -> list[Face]:
        """The faces of one image, largest first; an empty list where there is none.

        Args:
            image: a path, the bytes of a file, a binary file, a PIL image, or an array, RGB uint8 [H,W,3].

        Raises:
            ValueError: the image cannot be read.
        """
        (result,) = self._classify([self._find(image)])
        return result.faces

    def predict_crops(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Crops that show one face each, uint8 [H,W,3] or [H,W], -> probabilities [N,C] in the order of `classes`.

        Raises:
            ValueError: one array instead of a list, or a crop of another shape or type.
        """
        return self._to_probs(self.predict_logits(crops))

    def predict_logits(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """As `predict_crops`, before temperature and softmax: float32 [N,C]."""
        return self.predict_maps(crops)[0]

    def predict_maps(self, crops: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """As `predict_logits`, and the attention [K,h,w] of each crop."""
        _check_crops(crops)
        return self._run([self.description.preprocessing.prepare(crop) for crop in crops])

    def _to_probs(self, logits: np.ndarray) -> np.ndarray:
        scaled = logits / self.description.temperature
        powers = np.exp(scaled - scaled.max(1, keepdims=True, initial=-np.inf))
        return powers / powers.sum(1, keepdims=True)

    def _run(self, inputs: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Prepared crops, uint8 [S,S,1 or 3] each, -> logits float32 [N,C], attention [K,h,w] of each."""
        logits, attention = [np.empty((0, len(self.classes)), np.float32)], []
        for start in range(0, len(inputs), self.batch_size):
            some, maps = self.network(np.stack(inputs[start : start + self.batch_size]))
            logits.append(some)
            attention.extend(maps)
        return np.concatenate(logits), attention

    def predict_paths(
        self,
        paths: Iterable[ImageSource],
        keep_images: bool = False,
        workers: int | None = None,
        ahead: int | None = None,
    ) -> Iterator[ImageResult]:
        """One ImageResult per path, in order, while the faces of many images share one batch.

        A file that cannot be read gives a result with its `error`; the others go on. Memory does not grow with the number
        of paths: they are read as they are needed, a few ahead.

        Args:
            paths: or other sources that `read_image` takes.
            keep_images: put the decoded image into the result (for drawing).
            workers: threads that decode images and find faces; None takes one per core, 0 does it in this one.
            ahead: paths that are taken before the first of them has its result; None takes what fills a batch.

        Raises:
            ValueError: one path or image instead of several, or negative `workers`.
        """
        if isinstance(paths, (str, bytes, os.PathLike)) or (isinstance(paths, np.ndarray) and paths.ndim < 4):
            raise ValueError(
                f"expected several paths or images; got one {type(paths).__name__}: put it into a list, [x]"
            )
        workers = count_cores() if workers is None else workers
        if workers < 0:
            raise ValueError(f"workers must be at least 0, not {workers}")
        return self._predict_paths(
            paths, keep_images, workers, ahead or (KEPT_IMAGES if keep_images else 2 * self.batch_size)
        )

    def _predict_paths(
        self, paths: Iterable[ImageSource], keep_images: bool, workers: int, ahead: int
    ) -> Iterator[ImageResult]:
        if workers == 0:
            yield from self._predict_by(map, paths, keep_images, ahead)
            return
        with ThreadPoolExecutor(workers) as pool:
            try:
                run = partial(_run_ahead, pool, ahead)
                yield from self.for_threads(workers)._predict_by(run, paths, keep_images, ahead)
            finally:  # also where whoever asked has seen enough
                pool.shutdown(wait=False, cancel_futures=True)

    def _predict_by(
        self, run: Callable, paths: Iterable[ImageSource], keep_images: bool, ahead: int
    ) -> Iterator[ImageResult]:
        """The results of `paths`, in order; `run` is `map`, or `_run_ahead`, which does the same in several threads."""
        if self.network.batched:
            found = run(lambda path: self._read_and_find(path, keep_images), paths)
            return chain.from_iterable(map(self._classify, self._batches(found, ahead)))
        return chain.from_iterable(run(lambda path: self._classify([self._read_and_find(path, keep_images)]), paths))

    def _batches(self, found: Iterable[_Found], ahead: int) -> Iterator[list[_Found]]:
        """Images whose faces fill one pass of the network, or as many as may wait."""
        waiting: list[_Found] = []
        for one in found:
            waiting.append(one)
            if len(waiting) >= ahead or sum(len(f.inputs) for f in waiting) >= self.batch_size:
                yield waiting
                waiting = []
        if waiting:
            yield waiting

    def predict_video(self, path: str | os.PathLike, every: int = 1, **options) -> Iterator[ImageResult]:
        """One ImageResult per frame of a video; see `fer.inference.video.predict_video`."""
        from .video import predict_video

        return predict_video(self, path, every, **options)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.description.classes

    def _read_and_find(self, path: ImageSource, keep_image: bool) -> _Found:
        name = str(path) if isinstance(path, (str, os.PathLike)) else ""
        try:
            return self._find(path, keep_image)._replace(name=name)
        except ImageError as error:
            return _Found(name, str(error).removeprefix(f"{name}: "), [], [], None)

    def _find(self, source: ImageSource, keep_image: bool = False) -> _Found:
        """Faces are looked for in a copy of half the size, and cut out of it where they are large enough for that."""
        image, factor = read_reduced(source, math.inf if keep_image else self.detector.max_side, self.max_pixels)
        detections = self.detector(image)
        least = 2 * self.description.preprocessing.crop_size  # pixels, of which a crop is the average
        if factor > 1 and not (detections and all(crop_side(d, self.template) >= least for d in detections)):
            image = read_image(source, self.max_pixels)
            detections, factor = [d.scaled(factor) for d in detections] or self.detector(image), 1
        if self.detector.name == "none":
            cut = [[image]]
        else:
            detections = [d for d in detections if factor * min(d.box[2:] - d.box[:2]) >= self.min_face]
            seen = self.description.preprocessing.convert_colors(image) if detections else image
            cut = [self.cut(seen, d) for d in detections]  # faster than from three channels, where one is enough
        inputs = [[self.description.preprocessing.prepare(crop) for crop in crops] for crops in cut]
        found = [d.scaled(factor) for d in detections] if factor > 1 else detections
        return _Found("", "", found, inputs, image if keep_image else None)

    def cut(self, image: np.ndarray, face: Detection | Face) -> list[np.ndarray]:
        """The crops of a face that the network sees, uint8 [H,W,3] (RGB) or [H,W] -> [crop_size,crop_size,...] each.

        The logits of a face are the mean over its crops; its attention is that of the first.
        """
        size = self.description.preprocessing.crop_size
        return [crop_face(image, framing, self.template, size) for framing in self.framings(face)]

    def framings(self, face: Detection | Face) -> tuple[Detection | Face, ...]:
        """What `crop_face` takes for each crop of a face.

        One, or, where the checkpoint says so and landmarks show an upright face, two: the face, which is aligned, and the face
        without its landmarks, whose crop is the square around the box.
        """
        both = self.description.second_crop and face.landmarks is not None and is_upright(face.landmarks)
        return (face, replace(face, landmarks=None)) if both else (face,)

    def _classify(self, waiting: list[_Found]) -> list[ImageResult]:
        faces = [crops for found in waiting for crops in found.inputs]
        logits, attention = self._run([crop for crops in faces for crop in crops])
        counts = np.array([len(crops) for crops in faces], int)
        first = np.cumsum(counts) - counts
        mean = np.add.reduceat(logits, first) / counts[:, None].astype(np.float32)
        seen = zip(mean, (attention[i] for i in first))
        return [
            ImageResult(
                found.name,
                [self.to_face(detection, *next(seen)) for detection in found.detections],
                found.error,
                found.image,
                detector="" if found.error else self.detector.name,
            )
            for found in waiting
        ]

    def to_face(self, detection: Detection, logits: np.ndarray, attention: np.ndarray | None = None) -> Face:
        """A face whose crops have the mean logits [C]."""
        probs = self._to_probs(logits[None])[0]
        named = {name: float(p) for name, p in zip(self.classes, probs)}
        unsure = float(probs.max()) < self.description.unsure_below
        aligned = detection.landmarks is not None and len(self.template) > 0
        return Face(detection.box, detection.landmarks, detection.score, named, unsure, aligned, attention=attention)


def _run_ahead(pool: ThreadPoolExecutor, ahead: int, work: Callable, items: Iterable) -> Iterator:
    """What `work` gives for each item, in order; the pool works on up to `ahead` of them."""
    under_way: deque[Future] = deque()
    for item in items:
        under_way.append(pool.submit(work, item))
        if len(under_way) >= ahead:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _check_crops(crops: Sequence[np.ndarray]) -> None:
    if isinstance(crops, np.ndarray) and (crops.ndim < 3 or (crops.ndim == 3 and crops.shape[2] == 3)):
        raise ValueError(f"expected a list of crops; got one array {list(crops.shape)}: put it into a list, [crop]")
    for crop in crops:
        if (
            not isinstance(crop, np.ndarray)
            or crop.dtype != np.uint8
            or crop.shape[2:] not in ((), (3,))
            or 0 in crop.shape
        ):
            came = f"{crop.dtype} {list(crop.shape)}" if isinstance(crop, np.ndarray) else type(crop).__name__
            raise ValueError(f"a crop is uint8 [H,W,3] (RGB) or [H,W] (gray); got {came}")
