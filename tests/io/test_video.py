"""Videos as files: frames, times, sizes and turns; what is written is read again."""

import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

import fer.io.video as video
from fer.io.images import read_image
from fer.io.video import VideoReader, VideoWriter
from videos import make_video

AUDIO = {"libvpx": "libopus", "wmv2": "wmav2"}  # what goes with a codec for pictures


def test_frames_come_in_order_with_their_times(tmp_path):
    reader = VideoReader(make_video(tmp_path / "x.mp4"))
    frames = list(reader)
    assert (reader.rate, reader.expected, reader.error) == (15, 30, "")
    assert [f.number for f in frames] == list(range(30))
    np.testing.assert_allclose([f.time for f in frames], np.arange(30) / 15, atol=1e-3)
    np.testing.assert_allclose([f.image.mean() for f in frames], 2 * np.arange(30), atol=4)


def test_valid_videos_are_not_damaged(tmp_path):
    """Frames at odd times, and audio that goes on after the last."""
    for name, codec in (("x.webm", "libvpx"), ("x.mkv", "libx264"), ("x.mp4", "libx264"), ("x.wmv", "wmv2")):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            video, audio = container.add_stream(codec, rate=15), container.add_stream(AUDIO.get(codec, "aac"), 48000)
            video.width, video.height, video.pix_fmt, video.codec_context.time_base = (
                128,
                96,
                "yuv420p",
                Fraction(1, 1000),
            )
            audio.bit_rate, audio.layout = 64_000, "stereo"
            for i in range(30):
                frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), 2 * i, np.uint8), format="rgb24")
                frame.pts, frame.time_base = 67 * i + 400 * (i > 10) + 900 * (i > 20), Fraction(1, 1000)
                container.mux(video.encode(frame))
            container.mux(video.encode())
            for i in range(300):
                sound = av.AudioFrame.from_ndarray(np.zeros((2, 960), np.float32), "fltp", "stereo")
                sound.rate, sound.pts = 48000, 960 * i
                container.mux(audio.encode(sound))
            container.mux(audio.encode())
        reader = VideoReader(path)
        times = [frame.time for frame in reader]
        assert (len(times), reader.error) == (30, ""), name
        assert (times[0], times[-1]) == (0.0, pytest.approx(67 * 29 / 1000 + 1.3, abs=0.05)), name


def test_times_begin_at_zero(tmp_path):
    """An MPEG program stream begins at half a second."""
    with av.open(str(tmp_path / "x.mpg"), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for i in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((96, 128, 3), i, np.uint8), format="rgb24")))
        container.mux(stream.encode())
    assert [f.time for f in VideoReader(tmp_path / "x.mpg")] == pytest.approx(np.arange(20) / 25, abs=1e-3)


@pytest.mark.parametrize("size", [(96, 128), (97, 129)])  # H.264 has even sides
def test_a_written_video_has_the_same_frames(tmp_path, size):
    reader = VideoReader(make_video(tmp_path / "x.mp4", rate=24))
    writer = VideoWriter(tmp_path / "new" / "y.mp4", reader.rate)
    times = [0.0, 0.04, 0.1, 0.2, 0.22, 0.5]  # of a phone, whose rate changes
    for i, time in enumerate(times):
        writer.write(np.full((*size, 3), 40 * i, np.uint8), time)
    writer.close()
    frames = list(VideoReader(tmp_path / "new" / "y.mp4"))
    assert [f.time for f in frames] == pytest.approx(times, abs=1e-3)
    assert frames[3].image.shape == (96, 128, 3) and frames[3].image.mean() == pytest.approx(120, abs=4)


@pytest.mark.parametrize(
    ("matrix", "white", "warnings"),  # where the white side is shown
    [((-65536, 0, 0, 65536), "right", 0), ((64540, 11380, -11380, 64540), "left", 1)],  # mirrored; 10 degrees
)
def test_videos_that_are_mirrored_or_turned(tmp_path, monkeypatch, caplog, matrix, white, warnings):
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[:, :32] = 255
    a, b, c, d = matrix
    monkeypatch.setattr(video, "_read_matrix", lambda frame: (a, b, 0, c, d, 0, 0, 0, 1 << 30))
    image = next(iter(VideoReader(make_video(tmp_path / "x.mp4", 5, pictures=[picture] * 5)))).image
    sides = {"left": image[:, :30].mean(), "right": image[:, -30:].mean()}
    assert max(sides, key=sides.get) == white
    assert len(caplog.records) == warnings and all("rotated by" in r.message for r in caplog.records)


def test_a_phone_held_upright(tmp_path):
    """Stored lying, with a note to turn it."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is absent: it writes the note")
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[:, :32] = 255  # white at the left, as stored
    make_video(tmp_path / "x.mp4", 5, pictures=[picture] * 5)
    stored, turned, shown = (str(tmp_path / name) for name in ("x.mp4", "turned.mp4", "shown.png"))
    ffmpeg = ["ffmpeg", "-v", "error", "-i"]
    subprocess.run([*ffmpeg, stored, "-c", "copy", "-metadata:s:v", "rotate=90", turned], check=True)
    subprocess.run([*ffmpeg, turned, "-frames:v", "1", shown], check=True)
    image, reference = next(iter(VideoReader(turned))).image, read_image(shown)
    if reference.shape == (96, 128, 3):
        pytest.skip("this ffmpeg writes no such note")
    assert image.shape == reference.shape == (128, 96, 3)
    np.testing.assert_allclose(image, reference, atol=12)
