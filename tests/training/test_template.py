"""Where the landmarks of a dataset's crops lie, when a recipe does not say it."""

import numpy as np
import pytest
import yaml

from conftest import make_ferplus
from fer.data import load_samples
from fer.data.samples import Samples
from fer.io.images import write_image
from fer.labels import EMOTIONS
from fer.training import template as template_module
from fer.training.config import TrainConfig, load_recipe
from fer.training.loop import fit
from fer.training.template import LOOSE, measure_missing_template


def interrupt(trainer):
    raise KeyboardInterrupt


def make_photos(landmarks: bool) -> Samples:
    points = np.zeros((2, 5, 2)) if landmarks else None
    images = [np.zeros((20, 20, 3), np.uint8)] * 2
    return Samples(images, np.eye(8)[:2], ["a", "b"], EMOTIONS, "", "label", np.zeros((2, 4)), points)


def no_detector(*_):
    raise AssertionError("a detector was asked for")


@pytest.mark.parametrize(
    ("given", "landmarks", "expected"),
    [
        ([0.1] * 10, True, [0.1] * 10),  # what the recipe says stays
        ([], True, list(LOOSE)),  # photos are cut by our template
        ([], False, []),  # photos with boxes only are cut by them
    ],
)
def test_photos(given, landmarks, expected, monkeypatch):
    monkeypatch.setattr(template_module, "create_detector", no_detector)  # it is not asked for
    config = measure_missing_template(TrainConfig(template=given), make_photos(landmarks))
    assert config.template == expected


def test_a_run_measures_its_template_once(shared, tmp_path, monkeypatch):
    """Real crops: the median lies where the recipe of FER+ says; a resumed run keeps it."""
    real = load_samples("ferplus", shared / "data" / "ferplus", "val")
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 60, "FER2013Valid": 16})
    for i in range(60):
        write_image(data / "FER2013Train" / f"fer{i:07d}.png", real.read(i))
    fields = {"data": str(data), "out": str(tmp_path / "run"), "device": "cpu", "workers": 0, "augmentation": "none"}
    fields |= {"backbone": "mobilefacenet-128", "input_size": 32, "num_heads": 1, "batch_size": 16, "epochs": 2}
    with pytest.raises(KeyboardInterrupt):
        fit(TrainConfig(**fields), on_epoch=interrupt)
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["template"]
    np.testing.assert_allclose(saved, load_recipe("ferplus")["template"], atol=0.05)
    monkeypatch.setattr(template_module, "create_detector", no_detector)
    fit(TrainConfig(**fields, resume=True))
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["template"] == saved


def test_damaged_crops_are_passed_over(shared):
    real = load_samples("ferplus", shared / "data" / "ferplus", "val").subset(np.arange(20))
    images = [b"no image", *real.images[:19]]
    samples = Samples(images, real.targets, real.names, real.classes, "", "label")
    config = measure_missing_template(TrainConfig(), samples)
    assert len(config.template) == 10
