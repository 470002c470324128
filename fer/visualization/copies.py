"""Annotated copies of images and videos, with timelines of the videos."""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path

from ..io.images import write_image
from ..io.video import VideoReader, VideoWriter
from ..results.types import ImageResult
from .faces import draw_faces
from .timeline import Timeline


class AnnotatedCopies:
    """Draws results, in their order, into copies of their files.

    Beside the copy of a video its timeline is written, `NAME.timeline.png`, with a number if that name is taken.

    Args:
        copies: the path of each file's copy, by the path of the file. Other files are not drawn.
    """

    def __init__(self, copies: dict[str, Path]):
        self.copies, self.path = copies, ""
        self.writer: VideoWriter | None = None
        self.timeline = Timeline()

    def __enter__(self) -> AnnotatedCopies:
        return self

    def __exit__(self, *_) -> None:
        self._finish()

    def add(self, result: ImageResult) -> None:
        if result.path not in self.copies or result.image is None:
            return
        if result.frame is None:
            write_image(self.copies[result.path], draw_faces(result.image, result.faces))
            return
        if result.path != self.path:
            self._finish()
            self.path = result.path
            like = VideoReader(self.path, sys.maxsize)
            like.container.close()  # only its rate is needed
            self.writer, self.timeline = VideoWriter(self.copies[self.path], like.rate), Timeline()
        if self.writer and result.time is not None:
            self.writer.write(draw_faces(result.image, result.faces, bars=True), result.time)
        self.timeline.add(result)

    def _finish(self) -> None:
        """Close the video that is being written, also after an interruption."""
        writer, self.writer = self.writer, None
        if not writer:
            return
        try:
            writer.close()
        finally:
            self.timeline.draw(self._name_timeline(self.copies[self.path]))

    def _name_timeline(self, copy: Path) -> Path:
        name, number = copy.with_name(f"{copy.stem}.timeline.png"), 1
        while name.resolve() in self.taken:
            number += 1
            name = copy.with_name(f"{copy.stem}.timeline_{number}.png")
        return name

    @cached_property
    def taken(self) -> set[Path]:
        """The files and copies, which no timeline may overwrite."""
        return {path.resolve() for path in (*map(Path, self.copies), *self.copies.values())}
