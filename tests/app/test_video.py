"""Videos on the page."""

import csv
import io

import av
import pytest

from app import handlers, video
from fer.runtimes.torch_network import TorchNetwork
from page_inputs import film, linked

CUTS = [
    # by the number of frames
    ({"MAX_FRAMES": 5}, 10, 5, "The first 5 frames (0 seconds) are shown."),
    # by seconds, at any rate
    ({"MAX_SECONDS": 1}, 10, 10, "The first 10 frames (1 seconds) are shown."),
    ({"MAX_SECONDS": 1}, 4, 4, "The first 4 frames (1 seconds) are shown."),
    # not at all
    ({"MAX_FRAMES": 12}, 10, 12, ""),
]


def test_a_video_comes_back_with_as_many_frames(work, upload, monkeypatch):
    monkeypatch.setattr(handlers, "REPORT", 0)
    path = upload("clip.mp4", film(12))
    *reports, html = work.show_video(path)
    assert "frame 5 of 12" in "".join(reports)
    with av.open(io.BytesIO(linked(html, ".mp4"))) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12
    frames = [row["frame"] for row in csv.DictReader(io.StringIO(linked(html, ".csv").decode()))]
    assert sorted(set(map(int, frames))) == list(range(12))
    assert not path.exists()


@pytest.mark.parametrize(("limits", "rate", "frames", "note"), CUTS)
def test_a_long_video_is_cut(work, upload, monkeypatch, limits, rate, frames, note):
    for name, value in limits.items():
        monkeypatch.setattr(video, name, value)
    *_, html = work.show_video(upload("clip.mp4", film(12, rate=rate)))
    assert (note in html) if note else ("are shown" not in html)
    with av.open(io.BytesIO(linked(html, ".mp4"))) as container:
        assert sum(1 for _ in container.decode(video=0)) == frames


def test_a_video_with_frames_too_large_is_refused_before_it_is_decoded(work, upload, monkeypatch, alive):
    monkeypatch.setattr(video, "MAX_FRAME_PIXELS", 128 * 96 - 1)
    path = upload("clip.mp4", film(3))
    *_, html = work.show_video(path)
    assert "clip.mp4: 128x96 pixels, more than the limit" in html
    assert alive == [] and not path.exists()


def test_a_large_video_is_shown_smaller_and_holds_few_frames(work, upload, monkeypatch, alive):
    monkeypatch.setattr("fer.io.video.IN_FLIGHT", 128 * 96)
    monkeypatch.setattr(video, "SIDE", 64)
    *_, html = work.show_video(upload("clip.mp4", film(12)))
    with av.open(io.BytesIO(linked(html, ".mp4"))) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (64, 48)
    assert len(alive) == 12 and max(alive) <= 3


def test_a_failure_within_a_video_is_told(work, upload, monkeypatch, caplog):
    monkeypatch.setattr(TorchNetwork, "__call__", lambda self, x: 1 / 0)
    path = upload("clip.mp4", film(3))
    *_, html = work.show_video(path)
    assert "clip.mp4: could not be processed (ZeroDivisionError)" in html and "a video failed" in caplog.text
    assert not path.exists() and work._videos.held == 0


@pytest.mark.parametrize("data", [b"", b"MZ" + bytes(3000), film(12)[:600]])
def test_what_is_no_video_says_so(work, upload, data):
    path = upload("clip.mp4", data)
    *_, html = work.show_video(path)
    assert 'role="alert"' in html and "clip.mp4: " in html
    assert not path.exists()
