"""From images and videos to faces with their emotions."""

from __future__ import annotations

import copy
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from ..description import Description
from ..device import count_cores
from ..faces import MIN_SCORE, Detection, Detector, create_detector, crop_side, crop_transform
from ..faces.quality import Quality
from ..io.images import MAX_PIXELS, ImageError, ImageSource, read_image, read_reduced
from ..io.video import VideoReader
from ..resources import DEFAULT_WEIGHTS
from ..results.explanation import Explanation
from ..results.types import Face, ImageResult
from ..runtimes.networks import load_network
from ..runtimes.types import Network
from .classifier import FaceClassifier
from .tracks import SMOOTHING, Tracks
from .video import follow_faces

KEPT_IMAGES = 8  # decoded images that wait for their results at the same time, where the caller wants to keep them


class _DetectedImage(NamedTuple):
    """An image whose faces wait for the network."""

    name: str
    error: str
    detections: list[Detection]
    qualities: list[Quality]
    inputs: list[list[np.ndarray]]  # for each face its prepared crops, uint8 [S,S,1 or 3]
    image: np.ndarray | None


class EmotionRecognizer:
    """Finds faces and recognises their emotions.

    Any number of threads may use one recogniser at the same time.

    Args:
        network: see `load_network`.
        description: of the network's checkpoint.
        detector: see `create_detector`.
        batch_size: crops in one pass of the network. On a CPU larger batches are slower.
        max_pixels: larger images are refused.
        min_face: faces whose box is lower or narrower than this, in pixels of the image, are left out.
        prior: mix of the classes to expect, see `parse_prior`.

    Examples:
        >>> from fer import EmotionRecognizer
        >>> recognizer = EmotionRecognizer.from_pretrained()
        >>> face = recognizer("samples/astronaut.jpg")[0]
        >>> face.label
        'happiness'
    """

    def __init__(
        self,
        network: Network,
        description: Description,
        detector: Detector,
        batch_size: int = 16,
        max_pixels: int = MAX_PIXELS,
        min_face: float = 0,
        prior: str = "auto",
    ):
        for name, value, least in (("max_pixels", max_pixels, 1), ("min_face", min_face, 0)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        self.classifier = FaceClassifier(network, description, batch_size, prior)
        self.detector, self.max_pixels, self.min_face = detector, max_pixels, min_face

    @classmethod
    def from_pretrained(
        cls,
        weights: str | os.PathLike = DEFAULT_WEIGHTS,
        *,
        detector: str | Detector = "yunet",
        detector_weights: str | os.PathLike | None = None,
        device: str = "auto",
        runtime: str = "auto",
        precision: str = "auto",
        batch_size: int = 16,
        max_pixels: int = MAX_PIXELS,
        min_score: float = MIN_SCORE,
        min_face: float = 0,
        prior: str = "auto",
    ) -> EmotionRecognizer:
        """A recogniser from a file of weights.

        Args:
            weights, device, runtime, precision: see `load_network`.
            detector: yunet, none (each image is one crop), or an object of your own (see docs/extending.md).
            detector_weights: an ONNX file of YuNet; None takes the one that comes with the package.
            batch_size, max_pixels, min_face, prior: see the class.
            min_score: YuNet drops faces with a lower detection score, 0 to 1.

        Raises:
            ValueError: no such weights, or not a file of this package; an unknown detector, device, runtime or
                precision; a number out of its range; see `parse_prior`.
            ModuleNotFoundError: the runtime or the extra `hub` is not installed. The message says what to install.
        """
        with ThreadPoolExecutor(1) as pool:  # detector and network both take a while to compile
            future = pool.submit(create_detector, detector, detector_weights, min_score)
            network, description = load_network(weights, device, runtime, precision)
        return cls(network, description, future.result(), batch_size, max_pixels, min_face, prior)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the emotions, in the order of the logits."""
        return self.classifier.classes

    @property
    def description(self) -> Description:
        """What the checkpoint says about itself: classes, preprocessing, dataset, figures, licence."""
        return self.classifier.description

    def for_threads(self, threads: int) -> EmotionRecognizer:
        """The same recogniser, tuned for so many calls at the same time, each on one core."""
        other = copy.copy(self)
        other.classifier = copy.copy(self.classifier)
        other.classifier.network = self.classifier.network.for_threads(threads)
        other.detector = self.detector.for_threads(threads)
        return other

    def __call__(self, image: ImageSource) -> list[Face]:
        """The faces of one image, largest first; an empty list where there is none.

        Args:
            image: a path, the bytes of a file, a binary file, a PIL image, or an array, RGB uint8 [H,W,3].

        Raises:
            ValueError: the image cannot be read.
        """
        (result,) = self._classify([self._detect(image)])
        return result.faces

    def explain(self, image: ImageSource) -> list[Explanation]:
        """As a call, with the crop of each face, and where each head looked in it.

        Raises:
            ValueError: the image cannot be read.
        """
        detected = self._detect(image, keep_image=True)  # boxes in pixels of the whole image
        (result,) = self._classify([detected])
        template, grid = self.classifier.template, self.classifier.description.grid
        return [
            Explanation(face, crops[0], crop_transform(face, template), grid)
            for face, crops in zip(result.faces, detected.inputs)
        ]

    def embed(self, image: ImageSource) -> np.ndarray:
        """The embeddings of the faces, float32 [N,D], in the order of a call, or [0,0].

        The embedding of a face is what the classifier sees: the features that the heads attend to, added up, and
        averaged over the crops of the face. Faces with similar expressions have similar ones, so that they serve to
        search for expressions, to group them, and to train another classifier. They are not made to tell who a person
        is, and are weaker at that than at expressions (see docs/predict.md).

        Raises:
            ValueError: the image cannot be read.

        Examples:
            >>> from fer import EmotionRecognizer
            >>> EmotionRecognizer.from_pretrained().embed("samples/astronaut.jpg").shape
            (1, 128)
        """
        embeddings = [face.embedding for face in self(image) if face.embedding is not None]
        return np.stack(embeddings) if embeddings else np.empty((0, 0), np.float32)

    def predict_crops(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities [N,C], in the order of `classes`, of crops that show one face each.

        Args:
            crops: uint8 [H,W,3] (RGB) or [H,W] (gray) each.

        Raises:
            ValueError: one array instead of a list, or a crop of another shape or type.
        """
        return self.classifier.to_probs(self.predict_logits(crops))

    def predict_logits(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """As `predict_crops`, but float32 logits [N,C], before temperature and softmax."""
        return self.classifier.classify(crops).logits

    def predict_paths(
        self,
        paths: Iterable[ImageSource],
        keep_images: bool = False,
        workers: int | None = None,
        ahead: int | None = None,
    ) -> Iterator[ImageResult]:
        """One ImageResult per image, in order.

        An image that cannot be read gives a result with its `error`; the others go on. Memory does not grow with the
        number of paths: they are read when they are needed, a few ahead.

        Args:
            paths: of image files, or other sources that `read_image` takes.
            keep_images: put the decoded image into the result (for drawing).
            workers: threads that decode images and find faces; None takes one per core, 0 works in the calling thread.
            ahead: images that are read before the first of them has its result; None takes as many as fill a batch.

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
        return self._predict_paths(paths, keep_images, workers, ahead or self._count_waiting(keep_images))

    def _count_waiting(self, keep_images: bool) -> int:
        return KEPT_IMAGES if keep_images else 2 * self.classifier.batch_size

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
            finally:  # also where the caller stops early
                pool.shutdown(wait=False, cancel_futures=True)

    def _predict_by(
        self, run: Callable, paths: Iterable[ImageSource], keep_images: bool, ahead: int
    ) -> Iterator[ImageResult]:
        """The results of `paths`, in order; `run` is `map`, or `_run_ahead`, which does the same in several threads."""
        if self.classifier.network.batched:
            images = run(lambda path: self._read_and_detect(path, keep_images), paths)
            return chain.from_iterable(map(self._classify, self._batches(images, ahead)))
        return chain.from_iterable(run(lambda path: self._classify([self._read_and_detect(path, keep_images)]), paths))

    def _batches(self, images: Iterable[_DetectedImage], ahead: int) -> Iterator[list[_DetectedImage]]:
        """Images whose faces fill one pass of the network, or as many as may wait."""
        waiting: list[_DetectedImage] = []
        for image in images:
            waiting.append(image)
            if len(waiting) >= ahead or sum(len(w.inputs) for w in waiting) >= self.classifier.batch_size:
                yield waiting
                waiting = []
        if waiting:
            yield waiting

    def predict_video(
        self,
        path: str | os.PathLike,
        every: int = 1,
        keep_images: bool = False,
        workers: int | None = None,
        smoothing: float = SMOOTHING,
        max_pixels: int | None = None,
    ) -> Iterator[ImageResult]:
        """One ImageResult per frame of a video, in order, with `frame`, `time` and the track of each face.

        The probabilities of a track are its mean over time; older frames count less. Where the video is damaged, the
        last result has the `error`. Needs the extra `video`.

        Args:
            every: look at every N-th frame. The others are left out; with `keep_images` they are given too, with the
                faces of the last frame that was looked at.
            keep_images: put the frames into the results (for drawing).
            workers: see `predict_paths`.
            smoothing: seconds after which the weight of a frame has fallen to 1/e; 0 does not smooth.
            max_pixels: videos with larger frames are refused; None takes the limit of the recogniser.

        Raises:
            ValueError: the file is missing, no video, or its frames are too large.
        """
        if every < 1:
            raise ValueError(f"--every takes a number of at least 1, not {every}")
        reader = VideoReader(path, self.max_pixels if max_pixels is None else max_pixels)
        tracks = Tracks(float(reader.rate) / every, self.description, smoothing)
        predict = partial(self.predict_paths, workers=workers)
        yield from follow_faces(reader, predict, tracks, every, keep_images, self._count_waiting(keep_images))

    def _read_and_detect(self, path: ImageSource, keep_image: bool) -> _DetectedImage:
        name = str(path) if isinstance(path, (str, os.PathLike)) else ""
        try:
            return self._detect(path, keep_image)._replace(name=name)
        except ImageError as error:
            return _DetectedImage(name, str(error).removeprefix(f"{name}: "), [], [], [], None)

    def _detect(self, source: ImageSource, keep_image: bool = False) -> _DetectedImage:
        """Find the faces of an image and cut them out, from a copy of half its size if they are large enough."""
        classifier = self.classifier
        image, factor = read_reduced(source, math.inf if keep_image else self.detector.max_side, self.max_pixels)
        detections = self.detector(image)
        least = 2 * classifier.preprocessing.crop_size  # pixels; a crop averages at least two in each direction
        if factor > 1 and not (detections and all(crop_side(d, classifier.template) >= least for d in detections)):
            image = read_image(source, self.max_pixels)
            detections, factor = [d.scaled(factor) for d in detections] or self.detector(image), 1
        if self.detector.name == "none":
            crops = [[classifier.preprocessing.reduce(image)]]
        else:
            detections = [d for d in detections if factor * min(d.box[2:] - d.box[:2]) >= self.min_face]
            converted = classifier.preprocessing.convert_colors(image) if detections else image
            crops = [classifier.cut(converted, d) for d in detections]
        qualities = [classifier.measure(of_face[0], d, factor) for of_face, d in zip(crops, detections)]
        inputs = [[classifier.preprocessing.prepare(crop) for crop in of_face] for of_face in crops]
        detections = [d.scaled(factor) for d in detections] if factor > 1 else detections
        return _DetectedImage("", "", detections, qualities, inputs, image if keep_image else None)

    def _classify(self, images: list[_DetectedImage]) -> list[ImageResult]:
        outputs = zip(*self.classifier.run_faces([crops for image in images for crops in image.inputs]))
        return [
            ImageResult(
                image.name,
                [self.classifier.to_face(d, *next(outputs), q) for d, q in zip(image.detections, image.qualities)],
                image.error,
                image.image,
                detector="" if image.error else self.detector.name,
            )
            for image in images
        ]


def _run_ahead(pool: ThreadPoolExecutor, ahead: int, work: Callable, items: Iterable) -> Iterator:
    """The results of `work` for each item, in order; the pool works on up to `ahead` items at a time."""
    pending: deque[Future] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) >= ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
