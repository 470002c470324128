"""Videos: every frame has its rows, a face keeps its track, what is damaged is told."""

import weakref
from fractions import Fraction

import av
import numpy as np
import pytest

import fer.io.video as video
from fer.inference.recognizer import EmotionRecognizer
from fer.io.images import encode_image
from fer.io.video import VideoReader
from fer.runtimes.networks import load_network
from videos import MovingFaces, make_video


@pytest.fixture
def recognizer(tiny_checkpoint) -> EmotionRecognizer:
    return EmotionRecognizer(*load_network(tiny_checkpoint, "cpu"), MovingFaces(), batch_size=4)


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


def test_a_truncated_video_gives_its_frames_and_an_error(recognizer, tmp_path):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (60, 96, 128, 3), np.uint8)
    whole = make_video(tmp_path / "x.mkv", 60, pictures=pictures).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    *frames, last = recognizer.predict_video(tmp_path / "cut.mkv", workers=0)
    assert 10 < len(frames) < 50 and not any(r.error for r in frames)
    assert [r.frame for r in frames] == list(range(len(frames)))
    assert last.error == f"damaged (the file is cut off; {len(frames)} frames are left)" and last.frame is None


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


def test_real_videos(shared, tmp_path):
    """A face that goes from neutral to a smile, and a video without a face."""
    recognizer = EmotionRecognizer.from_pretrained()
    results = list(recognizer.predict_video(shared / "photos" / "single_face.mp4", every=5))
    assert [len(r.faces) for r in results] == [1] * 15
    assert {r.faces[0].track for r in results} == {0}
    assert (results[0].faces[0].label, results[-1].faces[0].label) == ("neutral", "happiness")
    assert not any(r.faces for r in recognizer.predict_video(shared / "photos" / "no_face.mp4", every=10))
