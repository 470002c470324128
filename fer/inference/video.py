"""Videos: their frames, tracks of faces with emotions smoothed over time, an annotated copy."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from ..faces.tracking import FaceTracker
from .results import Face, ImageResult

if TYPE_CHECKING:
    from .recognizer import EmotionRecognizer

TICK = Fraction(1, 90_000)  # seconds, in which frames of written videos are timed
SMOOTHING = 0.5  # seconds in which the weight of a frame falls to 1/e


class Frame(NamedTuple):
    """A frame of a video."""

    number: int  # from 0
    time: float  # seconds from the start
    image: np.ndarray  # RGB uint8 [H,W,3]


class VideoReader:
    """The frames of a video file, one after another, upright.

    Iteration ends at the end or where the file is damaged; `error` says then what is wrong.

    Raises:
        ValueError: the file is missing, or no video.
    """

    def __init__(self, path: str | os.PathLike):
        import av

        self.path, self.error = str(path), ""
        if not Path(path).is_file():
            raise ValueError(f"{path}: no such file")
        try:
            self.container = av.open(self.path)
        except (av.FFmpegError, OSError) as error:
            raise ValueError(f"{path}: cannot be read as a video ({error.strerror})") from None
        if not self.container.streams.video:
            self.container.close()
            raise ValueError(f"{path}: no picture in it, only sound")
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"
        self.rate = self.stream.average_rate or self.stream.guessed_rate or Fraction(25)
        self.expected = self.stream.frames or int((self.container.duration or 0) / 1e6 * self.rate)  # 0: not known

    def __iter__(self) -> Iterator[Frame]:
        import av

        number = 0
        with self.container:
            try:
                for frame in self.container.decode(self.stream):
                    time = float(number / self.rate if frame.time is None else frame.time)
                    image = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
                    yield Frame(number, time, np.ascontiguousarray(image))
                    number += 1
            except av.FFmpegError as error:
                self.error = f"damaged after {number} frames ({error.strerror})"
        if not self.error and number < 0.95 * self.expected:
            self.error = f"ends after {number} frames of about {self.expected}"


def predict_video(
    recognizer: EmotionRecognizer,
    path: str | os.PathLike,
    every: int = 1,
    keep_images: bool = False,
    workers: int | None = None,
    smoothing: float = SMOOTHING,
    ahead: int | None = None,
) -> Iterator[ImageResult]:
    """One ImageResult per frame, in order, with `frame`, `time` and the track of each face.

    The probabilities of a track are the mean over its past, in which a frame counts the less the longer ago it is. Where
    the video is damaged, the last result has the `error`.

    Args:
        every: look at every N-th frame; the others are left out, or with keep_images come with the faces before them.
        keep_images: put the frames into the results (for drawing).
        workers: see `predict_paths`.
        smoothing: seconds in which the weight of a frame falls to 1/e; 0 does not smooth.
        ahead: see `predict_paths`; with keep_images None takes 8.

    Raises:
        ValueError: the file is missing or no video.
    """
    if every < 1:
        raise ValueError(f"--every takes a number of at least 1, not {every}")
    reader = VideoReader(path)
    groups: deque[list[Frame]] = deque()  # frames that are under way, each with the ones that are left out after it

    def looked_at() -> Iterator[np.ndarray]:
        for group in _groups(reader, every):
            groups.append(group if keep_images else [group[0]._replace(image=None)])
            yield group[0].image

    tracks = Tracks(float(reader.rate) / every, recognizer.description.unsure_below, smoothing)
    ahead = ahead or (8 if keep_images else None)
    for result in recognizer.predict_paths(looked_at(), workers=workers, ahead=ahead):
        first, *others = groups.popleft()
        result = tracks.follow(replace(result, path=str(path), frame=first.number, time=first.time, image=first.image))
        yield result
        for frame in others:
            yield replace(result, frame=frame.number, time=frame.time, image=frame.image, repeated=True)
    if reader.error:
        yield ImageResult(str(path), [], reader.error)


def _groups(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Frames in groups of `size`; the last may be smaller."""
    frames = iter(frames)
    while group := list(islice(frames, size)):
        yield group


class Tracks:
    """Which faces of successive frames are the same, and the mean probabilities of each over its past.

    Args:
        rate: frames per second.
        unsure_below: confidence of the mean below which a face is called unsure.
        smoothing: seconds in which the weight of a frame falls to 1/e; 0 does not smooth.
    """

    def __init__(self, rate: float, unsure_below: float, smoothing: float = SMOOTHING):
        self.tracker, self.smoothing, self.unsure_below = FaceTracker(rate), smoothing, unsure_below
        self.means: dict[int, tuple[float, dict[str, float]]] = {}  # track -> time, probs

    def follow(self, result: ImageResult) -> ImageResult:
        """The result of the next frame (with its `time`), its faces with their tracks and mean probabilities."""
        boxes, scores = [face.box for face in result.faces], [face.detection_score for face in result.faces]
        tracks = self.tracker.update(np.reshape(boxes, (-1, 4)), np.array(scores))
        faces = [self._smooth(f, t, result.time) if t is not None else f for f, t in zip(result.faces, tracks)]
        self.means = {t: mean for t, mean in self.means.items() if result.time - mean[0] < 60}  # memory stays flat
        return replace(result, faces=faces)

    def _smooth(self, face: Face, track: int, time: float) -> Face:
        probs = face.probs
        if self.smoothing and track in self.means:
            before, mean = self.means[track]
            keep = float(np.exp(-max(time - before, 0.0) / self.smoothing))
            probs = {name: keep * mean[name] + (1 - keep) * p for name, p in probs.items()}
        self.means[track] = time, probs
        return replace(face, track=track, probs=probs, unsure=max(probs.values()) < self.unsure_below)


class VideoWriter:
    """Frames to a video file (H.264), of the size and at the times of another's.

    Args:
        target: a path, whose suffix names the container, or a binary file to write to.
        like: the video whose frames are drawn on.
        format: the container of a binary file, such as mp4.
    """

    def __init__(self, target: str | os.PathLike | BinaryIO, like: VideoReader, format: str | None = None):
        import av

        if isinstance(target, (str, os.PathLike)):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            target = str(target)
        self.container = av.open(target, "w", format)
        self.stream = self.container.add_stream("libx264", rate=like.rate)
        self.stream.pix_fmt, self.stream.options = "yuv420p", {"crf": "20", "preset": "veryfast"}
        self.stream.codec_context.time_base = TICK
        self.begun = False

    def write(self, image: np.ndarray, time: float) -> None:
        """RGB uint8 [H,W,3] at `time` seconds; H.264 wants even sides, an odd one loses a row or column."""
        import av

        h, w = (side // 2 * 2 for side in image.shape[:2])
        if not self.begun:
            self.stream.width, self.stream.height, self.begun = w, h, True
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:h, :w]), format="rgb24")
        frame.pts, frame.time_base = round(time / TICK), TICK
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        if self.begun:
            self.container.mux(self.stream.encode())
        self.container.close()
