"""Videos: every frame has its rows, a face keeps its track, what is damaged is told."""

import csv
import shutil
import subprocess
import weakref
from fractions import Fraction

import av
import numpy as np
import pytest

import fer.io.video as video
from fer.cli import main
from fer.faces import Detection
from fer.inference.recognizer import EmotionRecognizer
from fer.io.images import encode_image, read_image
from fer.io.video import VideoReader, VideoWriter
from fer.models.checkpoint import load_checkpoint
from fer.runtimes.torch_network import TorchNetwork

AUDIO = {"libvpx": "libopus", "wmv2": "wmav2"}  # what goes with a codec for pictures


def make_video(path, frames: int = 30, rate: int = 15, size: tuple[int, int] = (96, 128), pictures=None):
    """A video whose frame i has the gray value 2 i (or the given pictures)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for i in range(frames):
            image = np.full((*size, 3), 2 * i, np.uint8) if pictures is None else pictures[i]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


class MovingFaces:
    """Two faces that change places in the list at each call, and none in dark frames."""

    name = "fake"
    max_side = float("inf")

    def __init__(self):
        self.calls = 0

    def for_threads(self, threads: int):
        return self

    def __call__(self, image):
        if image.mean() < 5:
            return []
        self.calls += 1
        boxes = [[10, 10, 40, 40], [70, 30, 110, 70]]
        order = boxes if self.calls % 2 else boxes[::-1]
        return [Detection(np.array(box, float), None, 0.9) for box in order]


@pytest.fixture
def recognizer(tiny_checkpoint) -> EmotionRecognizer:
    model, description = load_checkpoint(tiny_checkpoint)
    return EmotionRecognizer(
        TorchNetwork(model.fold(), description.preprocessing, "cpu"), description, MovingFaces(), batch_size=4
    )


def test_frames_come_in_order_with_their_times(tmp_path):
    reader = VideoReader(make_video(tmp_path / "x.mp4"))
    frames = list(reader)
    assert (reader.rate, reader.expected, reader.error) == (15, 30, "")
    assert [f.number for f in frames] == list(range(30))
    np.testing.assert_allclose([f.time for f in frames], np.arange(30) / 15, atol=1e-3)
    np.testing.assert_allclose([f.image.mean() for f in frames], 2 * np.arange(30), atol=4)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("every", "keep_images", "numbers"),
    [(1, False, range(30)), (7, False, [0, 7, 14, 21, 28]), (7, True, range(30))],
)
def test_results_of_frames(recognizer, tmp_path, workers, every, keep_images, numbers):
    path = make_video(tmp_path / "x.mp4")
    results = list(recognizer.predict_video(path, every, keep_images, workers))
    assert [r.frame for r in results] == list(numbers)
    assert [r.time for r in results] == pytest.approx([n / 15 for n in numbers], abs=1e-3)
    assert {r.path for r in results} == {str(path)}
    for r in results:
        assert r.repeated == (r.frame % every != 0)
        assert (r.image is not None) == keep_images
        if keep_images:
            assert r.image.mean() == pytest.approx(2 * r.frame, abs=4)
    assert [len(r.faces) for r in results if not r.repeated][:1] == [0]  # the first frame is dark
    assert all(len(r.faces) == 2 for r in results if r.frame > 7)


def test_a_face_keeps_its_track(recognizer, tmp_path):
    results = list(recognizer.predict_video(make_video(tmp_path / "x.mp4"), workers=0))
    tracks = {}
    for r in results[4:]:
        for face in r.faces:
            tracks.setdefault(face.track, set()).add(face.box[0])
    assert tracks == {0: {10.0}, 1: {70.0}} or tracks == {0: {70.0}, 1: {10.0}}


def test_emotions_are_smoothed_over_time(recognizer, tmp_path):
    """By hand: an exponential mean over the seconds since the frame before."""
    path = make_video(tmp_path / "x.mp4")
    raw = [r for r in recognizer.predict_video(path, workers=0, smoothing=0) if r.faces]
    smooth = [r for r in recognizer.predict_video(path, workers=0, smoothing=0.2) if r.faces]
    keep = np.exp(-1 / 15 / 0.2)
    mean = None
    for a, b in zip(raw, smooth):
        values = {face.box[0]: np.array(list(face.probs.values())) for face in a.faces}[10.0]
        mean = values if mean is None else keep * mean + (1 - keep) * values
        (found,) = (face for face in b.faces if face.box[0] == 10.0)
        if found.track is not None:
            np.testing.assert_allclose(list(found.probs.values()), mean, atol=1e-4)
            assert found.unsure == (mean.max() < recognizer.description.unsure_below)
    assert found.track is not None


def test_a_truncated_video_gives_its_frames_and_an_error(recognizer, tmp_path):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (60, 96, 128, 3), np.uint8)
    whole = make_video(tmp_path / "x.mkv", 60, pictures=pictures).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    *frames, last = recognizer.predict_video(tmp_path / "cut.mkv", workers=0)
    assert 10 < len(frames) < 50 and not any(r.error for r in frames)
    assert [r.frame for r in frames] == list(range(len(frames)))
    assert last.error == f"damaged (the file is cut off; {len(frames)} frames are left)" and last.frame is None


def test_valid_videos_are_not_damaged(recognizer, tmp_path):
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


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data, middle: data[: middle + 1000], "the file is cut off; "),  # with its index at the start
        (lambda data, middle: data[:middle] + bytes(4000) + data[middle + 4000 :], "from frame "),
        (
            lambda data, middle: (
                data[:middle] + bytes(b ^ 255 for b in data[middle : middle + 4000]) + data[middle + 4000 :]
            ),
            "from frame ",
        ),
    ],
)
def test_a_damaged_video_gives_its_good_frames_and_an_error(recognizer, tmp_path, spoil, message):
    pictures = np.random.default_rng(0).integers(0, 255, (60, 96, 128, 3), np.uint8)
    with av.open(str(tmp_path / "x.mp4"), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=15, options={"g": "10"})
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for image in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    whole = (tmp_path / "x.mp4").read_bytes()
    (tmp_path / "x.mp4").write_bytes(spoil(whole, len(whole) // 2))
    *frames, last = recognizer.predict_video(tmp_path / "x.mp4", workers=0)
    assert 20 < len(frames) <= 60 and not any(r.error for r in frames)
    assert last.error.startswith(f"damaged ({message}") and last.frame is None


def test_times_begin_at_zero(tmp_path):
    """An MPEG program stream begins at half a second."""
    with av.open(str(tmp_path / "x.mpg"), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for i in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((96, 128, 3), i, np.uint8), format="rgb24")))
        container.mux(stream.encode())
    assert [f.time for f in VideoReader(tmp_path / "x.mpg")] == pytest.approx(np.arange(20) / 25, abs=1e-3)


def test_frames_that_are_too_large_are_refused(recognizer, tmp_path):
    make_video(tmp_path / "x.mp4")
    with pytest.raises(ValueError, match="x.mp4: 128x96 pixels, more than the limit of 12287"):
        VideoReader(tmp_path / "x.mp4", max_pixels=12_287)
    assert len(list(recognizer.predict_video(tmp_path / "x.mp4", max_pixels=12_288))) == 30
    recognizer.max_pixels = 12_287
    with pytest.raises(ValueError, match="more than the limit of 12287"):
        list(recognizer.predict_video(tmp_path / "x.mp4"))


@pytest.mark.parametrize(("every", "keep_images"), [(1, False), (7, True)])
def test_the_size_changes_in_the_middle(recognizer, tmp_path, every, keep_images):
    with av.open(str(tmp_path / "x.mkv"), "w") as container:
        stream = container.add_stream("mjpeg", rate=15)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuvj420p"
        for i in range(45):
            size = (192, 256, 3) if 15 <= i < 30 else (96, 128, 3)
            packet = av.Packet(encode_image(np.full(size, (90, 90, 80), np.uint8), "jpeg", 90))
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, i, i, Fraction(1, 15)
            container.mux(packet)
    results = list(recognizer.predict_video(tmp_path / "x.mkv", every, keep_images))
    assert [r.frame for r in results] == list(range(45)) and not any(r.error for r in results)
    assert [r.frame for r in results if not r.repeated] == (
        [0, 7, 14, 15, 22, 29, 30, 37, 44] if every == 7 else list(range(45))
    )
    *frames, last = recognizer.predict_video(tmp_path / "x.mkv", every, keep_images, max_pixels=20_000)
    assert {r.frame for r in frames} == set(range(30)) and "larger than the limit of 20000 pixels" in last.error


@pytest.mark.parametrize(
    ("frames", "every", "keep_images", "seen"),  # room for so many frames; frames seen when the first result comes
    [(1, 1, False, 1), (3, 1, False, 3), (100, 1, False, 8), (3, 10, True, 1), (6, 1, True, 3)],
)
def test_few_large_frames_are_in_memory(recognizer, tmp_path, monkeypatch, frames, every, keep_images, seen):
    monkeypatch.setattr(video, "IN_FLIGHT", frames * 96 * 128)
    path = make_video(tmp_path / "x.mp4", pictures=[np.zeros((96, 128, 3), np.uint8)] * 30)
    taken = []
    read = VideoReader.__iter__
    monkeypatch.setattr(VideoReader, "__iter__", lambda self: (taken.append(f.number) or f for f in read(self)))
    results = recognizer.predict_video(path, every, keep_images, workers=0)
    next(results)
    assert len(taken) == seen
    assert [r.frame for r in results] == list(range(1, 30))


def test_only_what_is_needed_of_frames_that_are_left_out_is_kept(recognizer, tmp_path, monkeypatch):
    """Memory does not grow with --every."""
    alive = []

    class Image(np.ndarray):
        pass

    def to_image(frame, matrix):
        image = np.zeros((96, 128, 3), np.uint8).view(Image)
        alive.append(weakref.ref(image))
        most.append(sum(ref() is not None for ref in alive))
        return image

    most = []
    monkeypatch.setattr(video, "_to_image", to_image)
    list(recognizer.predict_video(make_video(tmp_path / "x.mp4"), every=30, workers=0))
    assert max(most) <= 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "cannot be read as a video"),
        (b"no video at all", "cannot be read as a video"),
    ],
)
def test_files_that_are_no_video(recognizer, tmp_path, content, message):
    if content is not None:
        (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        list(recognizer.predict_video(tmp_path / "x.mp4"))


def test_every_is_at_least_one(recognizer, tmp_path):
    with pytest.raises(ValueError, match="--every takes a number of at least 1"):
        list(recognizer.predict_video(tmp_path / "x.mp4", every=0))


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


def test_the_command(tiny_checkpoint, tmp_path, capsys):
    """A video among images: rows of each frame, an annotated copy as long as the video; a broken one is a row."""
    make_video(tmp_path / "in" / "b.mp4") if (tmp_path / "in").mkdir() is None else None
    (tmp_path / "in" / "c.mp4").write_bytes(b"no video")
    out = tmp_path / "rows.csv"
    command = [
        "predict",
        str(tmp_path / "in"),
        "--weights",
        str(tiny_checkpoint),
        "--detector",
        "none",
        "--device",
        "cpu",
    ]
    assert main([*command, "--out", str(out), "--annotate", str(tmp_path / "drawn"), "--every", "3"]) == 1
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["status"]) for row in rows] == [
        *((str(n), "ok") for n in range(0, 30, 3)),
        ("", "error"),
    ]
    assert [float(row["time"]) for row in rows[:-1]] == pytest.approx(np.arange(0, 30, 3) / 15, abs=2e-3)
    assert rows[0]["track"] == "0" and "cannot be read as a video" in rows[-1]["error"]
    assert "2 files, 10 frames, 10 faces" in capsys.readouterr().err
    copy = VideoReader(tmp_path / "drawn" / "b.mp4")
    assert len(list(copy)) == 30 and copy.rate == Fraction(15)
    assert read_image(tmp_path / "drawn" / "b.timeline.png").shape[1] == 1100
    before = out.read_bytes()
    assert main([*command, "--out", str(out), "--resume", "--every", "3"]) == 1
    assert out.read_bytes() == before


def test_real_videos(shared, tmp_path):
    """A face that goes from neutral to a smile, and a video without a face."""
    recognizer = EmotionRecognizer.from_pretrained()
    results = list(recognizer.predict_video(shared / "photos" / "single_face.mp4", every=5))
    assert [len(r.faces) for r in results] == [1] * 15
    assert {r.faces[0].track for r in results} == {0}
    assert (results[0].faces[0].label, results[-1].faces[0].label) == ("neutral", "happiness")
    assert not any(r.faces for r in recognizer.predict_video(shared / "photos" / "no_face.mp4", every=10))


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
