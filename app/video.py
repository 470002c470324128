"""A video looked at: its annotated copy, made frame by frame."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fer.inference.recognizer import EmotionRecognizer
from fer.io.video import VideoReader, VideoWriter
from fer.results.tally import Tally
from fer.results.types import ImageResult
from fer.visualization.faces import draw_faces
from fer.visualization.timeline import Timeline

from .views import reduce

MAX_SECONDS = 120  # of a video
MAX_FRAMES = 3_600  # of a video, whichever is reached first
MAX_FRAME_PIXELS = 9_000_000  # of a frame: 4K
SIDE = 1_920  # pixels of the longer side of the copy


class AnnotatedCopy:
    """What is shown of a video.

    Raises:
        ValueError: the file is missing, no video, or its frames are too large.
    """

    def __init__(self, path: Path):
        self.path, self.reader = path, VideoReader(path, MAX_FRAME_PIXELS)
        self.reader.container.close()  # what it says of the video is all that is needed
        self.pixels = self.reader.stream.width * self.reader.stream.height
        limit = min(MAX_FRAMES, int(MAX_SECONDS * self.reader.rate))
        self.expected = min(self.reader.expected or limit, limit)  # frames
        self.film, self.timeline, self.tally = io.BytesIO(), Timeline(), Tally()
        self.kept: list[ImageResult] = []  # without pictures
        self.frames, self.seconds, self.note = 0, 0.0, ""
        self._writer = VideoWriter(self.film, self.reader.rate, format="mp4")

    def look(self, recognizer: EmotionRecognizer) -> Iterator[ImageResult]:
        """The results of the frames up to MAX_SECONDS and MAX_FRAMES, with their pictures."""
        every = 2 if self.reader.rate > 20 else 1
        begin = None
        results = recognizer.predict_video(self.path, every, keep_images=True, workers=0, max_pixels=MAX_FRAME_PIXELS)
        for result in results:
            time = result.time if result.time is not None else (begin or 0.0) + self.seconds
            begin = time if begin is None else begin
            seconds = time - begin
            if self.frames == MAX_FRAMES or seconds >= MAX_SECONDS:
                self.note = f"The first {self.frames:,} frames ({self.seconds:.0f} seconds) are shown."
                return
            self.frames, self.seconds = self.frames + (result.image is not None), seconds
            yield replace(result, path=self.path.name)

    @property
    def part(self) -> float:
        """How much of the video has been looked at, from 0 to 1."""
        return min(1.0, self.frames / max(1, self.expected))

    def add(self, result: ImageResult) -> None:
        if not result.repeated:
            self.kept.append(replace(result, image=None))
            self.tally.add(result)
        if result.image is not None and result.time is not None:
            self._writer.write(draw_faces(*reduce(result.image, result.faces, SIDE), bars=True), result.time)
            self.timeline.add(result)

    def close(self) -> None:
        """Finish the film, and say in `note` what is missing."""
        self._writer.close()
        damage = self.kept[-1].error if self.kept else "no frame in it"
        self.note = " ".join(filter(None, (self.note, damage)))

    def draw_timeline(self) -> bytes:
        """PNG, empty where there is nothing to draw."""
        picture = io.BytesIO()
        self.timeline.draw(picture)
        return picture.getvalue()
