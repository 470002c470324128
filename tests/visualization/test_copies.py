"""Annotated copies and timelines: each has a file of its own."""

import av
import numpy as np
import pytest

from fer.io.images import read_image, write_image
from fer.results.types import Face, ImageResult
from fer.visualization.copies import AnnotatedCopies

IMAGE = np.full((64, 64, 3), 90, np.uint8)


def make_video(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(IMAGE, format="rgb24")))
        container.mux(stream.encode())


def frame(path, number: int) -> ImageResult:
    face = Face(np.array([5.0, 5, 40, 40]), None, 0.9, {"neutral": 0.9, "anger": 0.1}, "", False, track=0)
    return ImageResult(str(path), [face], image=IMAGE, frame=number, time=number / 5)


@pytest.mark.parametrize(
    ("images", "timeline"),
    [
        (["a.png"], "a.timeline.png"),
        (["a.timeline.png"], "a.timeline_2.png"),
        (["a.timeline.png", "a.timeline_2.png"], "a.timeline_3.png"),
    ],
)
def test_a_timeline_replaces_nothing(tmp_path, images, timeline):
    make_video(tmp_path / "a.mp4")
    copies = {str(tmp_path / name): tmp_path / "drawn" / name for name in ("a.mp4", *images)}
    with AnnotatedCopies(copies) as annotations:
        for name in images:
            annotations.add(ImageResult(str(tmp_path / name), [], image=IMAGE))
        for number in range(3):
            annotations.add(frame(tmp_path / "a.mp4", number))
    assert {p.name for p in (tmp_path / "drawn").iterdir()} == {"a.mp4", timeline, *images}
    assert all(read_image(tmp_path / "drawn" / name).shape == IMAGE.shape for name in images)
    assert read_image(tmp_path / "drawn" / timeline).shape[1] == 1100


def test_a_timeline_replaces_no_input(tmp_path):
    make_video(tmp_path / "a.mp4")
    write_image(tmp_path / "drawn" / "a.timeline.png", IMAGE)
    inputs = [tmp_path / "a.mp4", tmp_path / "drawn" / "a.timeline.png"]
    with AnnotatedCopies(
        {str(inputs[0]): tmp_path / "drawn" / "a.mp4", str(inputs[1]): tmp_path / "drawn" / "b.png"}
    ) as a:
        a.add(frame(inputs[0], 0))
    assert (read_image(inputs[1]) == IMAGE).all() and (tmp_path / "drawn" / "a.timeline_2.png").exists()


def test_an_interrupted_run_leaves_whole_files(tmp_path):
    make_video(tmp_path / "a.mp4")
    with (
        pytest.raises(KeyboardInterrupt),
        AnnotatedCopies({str(tmp_path / "a.mp4"): tmp_path / "b.mp4"}) as annotations,
    ):
        for number in range(2):
            annotations.add(frame(tmp_path / "a.mp4", number))
        raise KeyboardInterrupt
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert len(list(container.decode(video=0))) == 2
    assert read_image(tmp_path / "b.timeline.png").shape[1] == 1100
