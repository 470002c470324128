"""fer fit --finetune: the whole network goes on learning, and is kept if it is better."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from fer import EmotionRecognizer
from fer.cli import main
from fer.evaluation.intervals import Interval
from fer.fitting import finetune
from fer.fitting.fit import Finetuned
from fer.training.config import load_recipe

pytest.importorskip("sklearn", reason="fitting needs scikit-learn: pip install 'dan-fer[fit]'")
SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """Two photos of each of two classes, and one epoch of training."""
    monkeypatch.setattr(finetune, "load_recipe", lambda name: load_recipe(name) | {"epochs": 1})
    for name, sample in (("smile", "astronaut"), ("calm", "grace_hopper")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in "12":
            shutil.copy(SAMPLES / f"{sample}.jpg", tmp_path / "photos" / name / f"{i}.jpg")
    return tmp_path / "photos"


@pytest.mark.parametrize("kept", [False, True])
def test_only_a_better_network_is_kept(photos, tmp_path, monkeypatch, capsys, kept):
    """The classifier is always right on these photos, so nothing can be gained; a gain is made up."""
    if kept:
        monkeypatch.setattr(Finetuned, "kept", True)
    out = tmp_path / "mine.safetensors"
    assert main(["fit", str(photos), "--out", str(out), "--finetune"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"fine-tuned +\d+\.00%  \(classifier alone 100.00%; difference .* to .* points\)", said)
    assert ("not better, so not kept" in said) == (not kept)
    before = EmotionRecognizer.from_pretrained()(SAMPLES / "astronaut.jpg")[0].embedding
    for suffix in (".safetensors", ".onnx"):
        recognizer = EmotionRecognizer.from_pretrained(out.with_suffix(suffix))
        (face,) = recognizer(SAMPLES / "astronaut.jpg")
        assert recognizer.classes == ("calm", "smile") and (kept or face.label == "smile")
        assert recognizer.description.recipe["fit"]["finetuned"] == kept and recognizer.description.second_crop
        assert (np.abs(face.embedding - before).max() > 0.05) == kept  # the network behind the classifier moved


@pytest.mark.parametrize(("fitted", "tuned", "kept"), [(0.8, 0.9, True), (0.8, 0.8, False), (0.9, 0.8, False)])
def test_what_is_better(fitted, tuned, kept):
    assert Finetuned(fitted, tuned, Interval(-1, 1)).kept == kept
