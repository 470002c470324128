"""Reading and writing video files, by PyAV."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from .containers import is_cut_off, is_quarter_turn, upright
from .images import MAX_PIXELS

if TYPE_CHECKING:
    import av

log = logging.getLogger("fer")


IN_FLIGHT = 64_000_000  # pixels of decoded frames that are in memory at the same time


TICK = Fraction(1, 90_000)  # seconds; the unit of frame times in written videos


class Frame(NamedTuple):
    """A frame of a video."""

    number: int  # from 0
    time: float  # seconds from the start
    image: np.ndarray  # RGB uint8 [H,W,3]


class VideoReader:
    """The frames of a video file, one after another, turned upright. The first frame is at 0 seconds.

    Iteration continues after damage as long as frames can be decoded. Afterwards `error` says what was wrong.

    Args:
        max_pixels: videos with larger frames are refused. If the frames become larger later, iteration ends there.

    Raises:
        ValueError: the file is missing, no video, or its frames are too large.
    """

    def __init__(self, path: str | os.PathLike, max_pixels: int = MAX_PIXELS):
        import av

        self.path, self.max_pixels, self.number, self.error = str(path), max_pixels, 0, ""
        if not Path(path).is_file():
            raise ValueError(f"{path}: no such file")
        try:
            self.container = av.open(self.path)
        except (av.FFmpegError, OSError) as error:
            raise ValueError(f"{path}: cannot be read as a video ({error.strerror})") from None
        try:
            self._prepare()
        except ValueError as error:
            self.container.close()
            raise ValueError(f"{path}: {error}") from None

    def _prepare(self) -> None:
        if not self.container.streams.video:
            raise ValueError("no picture in it, only sound")
        self.stream = self.container.streams.video[0]
        codec = self.stream.codec_context
        if codec is None:
            raise ValueError("cannot be read as a video (no decoder for its format)")
        self._check_size(codec.width, codec.height)
        codec.options = {"max_pixels": str(min(self.max_pixels, 2**31 - 1))}  # the size may change later
        codec.thread_type = "AUTO"
        codec.thread_count = count_in_flight(
            codec.width * codec.height, os.cpu_count() or 1
        )  # each thread holds frames
        self.rate = self.stream.average_rate or self.stream.guessed_rate or Fraction(25)
        self.expected = self.stream.frames or int(
            (self.container.duration or 0) / 1e6 * self.rate
        )  # frames; 0: unknown

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self.max_pixels:
            raise ValueError(f"{width}x{height} pixels, more than the limit of {self.max_pixels}")

    def __iter__(self) -> Iterator[Frame]:
        start = rotation = matrix = None
        for frame in self._decode():
            start = frame.time if start is None else start
            time = self.number / self.rate if frame.time is None else frame.time - start
            if frame.rotation != rotation:  # rarely: frames whose side data are read stay in memory
                rotation, matrix = frame.rotation, _read_matrix(frame)
                if matrix and not is_quarter_turn(matrix):
                    log.warning("%s: rotated by %d degrees; its frames are read without rotation", self.path, rotation)
            yield Frame(self.number, max(0.0, float(time)), _to_image(frame, matrix))
            self.number += 1
        if is_cut_off(self.path):
            self.error = f"damaged (the file is cut off; {self.number} frames are left)"
        elif not self.number:
            self.error = self.error or "no frame in it"

    def _decode(self) -> Iterator[av.VideoFrame]:
        import av

        with self.container:
            try:
                for packet in self.container.demux(self.stream):
                    if packet.is_corrupt:
                        self._note("data is missing")
                    for frame in self._decode_packet(packet):
                        self._check_size(frame.width, frame.height)
                        if frame.is_corrupt:
                            self._note("a frame is damaged")
                        yield frame
            except av.FFmpegError as error:
                self._note(error.strerror)
            except ValueError as error:
                self.error = f"frame {self.number} has {error}"

    def _decode_packet(self, packet: av.Packet) -> list[av.VideoFrame]:
        import av

        try:
            return packet.decode()
        except av.FFmpegError as error:
            codec = self.stream.codec_context
            self._check_size(codec.width, codec.height)  # perhaps the reason
            unknown = f"a frame is damaged, or larger than the limit of {self.max_pixels} pixels"
            self._note(error.strerror if codec.width else unknown)
            return []

    def _note(self, damage: str | None) -> None:
        self.error = self.error or f"damaged (from frame {self.number} on: {damage})"


def _read_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The display matrix of a frame, if it has one."""
    data = frame.side_data.get("DISPLAYMATRIX")
    # SideData is a buffer, which its stubs do not say
    return None if data is None else struct.unpack("9i", bytes(data))  # type: ignore[call-overload]


def _to_image(frame: av.VideoFrame, matrix: tuple[int, ...] | None) -> np.ndarray:
    return np.ascontiguousarray(upright(frame.to_ndarray(format="rgb24"), matrix))


def count_in_flight(pixels: int, most: int) -> int:
    """How many frames with this number of pixels may be in memory at the same time: from one up to `most`."""
    return max(1, min(most, IN_FLIGHT // max(1, pixels)))


class VideoWriter:
    """Writes frames into a video file (H.264).

    Args:
        target: a path whose suffix names the container, or a binary file.
        rate: frames per second, approximately; each frame is written with its own time.
        format: the container for a binary file, such as mp4.
    """

    def __init__(self, target: str | os.PathLike | BinaryIO, rate: Fraction, format: str | None = None):
        import av

        if isinstance(target, (str, os.PathLike)):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            target = str(target)
        self.container = av.open(target, "w", format)
        self.stream = self.container.add_stream("libx264", rate=rate)
        self.stream.pix_fmt, self.stream.codec_context.time_base = "yuv420p", TICK
        self.last = -1  # time of the last frame, in ticks

    def write(self, image: np.ndarray, time: float) -> None:
        """Write a frame, RGB uint8 [H,W,3], at `time` seconds.

        H.264 needs even sides: an odd one loses a row or column. Frames are scaled to the size of the first one. A time
        that is not later than the last one is moved behind it.
        """
        import av

        h, w = (side // 2 * 2 for side in image.shape[:2])
        if self.last < 0:
            self.stream.width, self.stream.height = w, h
            few = "rc-lookahead=0:sync-lookahead=0:bframes=0:sliced-threads=1"  # keeps few frames in memory
            large: dict[str, object] = {"x264-params": few} if count_in_flight(w * h, 32) < 32 else {}
            self.stream.options = {"crf": "20", "preset": "veryfast"} | large
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:h, :w]), format="rgb24")
        self.last = max(round(time / TICK), self.last + 1)
        frame.pts, frame.time_base = self.last, TICK
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        if self.last >= 0:
            self.container.mux(self.stream.encode())
        self.container.close()
