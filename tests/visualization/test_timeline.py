"""Emotions over time, as a picture."""

import logging

import numpy as np

from fer.io.images import read_image
from fer.results.types import Face, ImageResult
from fer.visualization.colors import color_of
from fer.visualization.timeline import Timeline

CLASSES = ("happiness", "_odd", "calm $1", "tired")  # emotions first

IMAGE = np.full((64, 64, 3), 90, np.uint8)


def frame(path, number: int) -> ImageResult:
    face = Face(np.array([5.0, 5, 40, 40]), None, 0.9, {"neutral": 0.9, "anger": 0.1}, "", False, track=0)
    return ImageResult(str(path), [face], image=IMAGE, frame=number, time=number / 5)


def test_matplotlib_is_silent(tmp_path, monkeypatch, caplog):
    """What it logs, such as that it builds its font cache, is no business of who draws."""
    from matplotlib.figure import Figure

    from fer.visualization.timeline import Timeline

    draw = Figure.savefig

    def savefig(*arguments, **options):
        logging.getLogger("matplotlib.font_manager").warning("building the font cache")
        return draw(*arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    timeline = Timeline()
    timeline.add(frame("a.mp4", 0))
    assert timeline.draw(tmp_path / "x.png") and not caplog.records
    logging.getLogger("matplotlib.font_manager").warning("heard")
    assert [r.message for r in caplog.records] == ["heard"]


def test_each_class_is_an_area_of_its_colour(tmp_path):
    timeline, box = Timeline(), np.array([0, 0, 10, 10], float)
    for i in range(10):
        probs = dict(zip(CLASSES, (0.1, 0.2, 0.3, 0.4)))
        timeline.add(ImageResult("a.mp4", [Face(box, None, 0.9, probs, "", False, 1)], frame=i, time=i / 5))
    assert timeline.draw(tmp_path / "timeline.png")
    picture = read_image(tmp_path / "timeline.png")
    for name in CLASSES:
        assert (np.abs(picture.astype(int) - color_of(name, CLASSES)).max(2) < 3).sum() > 1000, name
