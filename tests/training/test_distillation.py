"""fer distill: what teachers see in both crops of a face becomes its target."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import TEMPLATE, make_ferplus, pattern_image

from fer.cli import main
from fer.data import load_samples
from fer.data.pack import PackOptions, pack_split
from fer.evaluation.evaluate import predict_split
from fer.labels import EMOTIONS
from fer.models.backbone import create_backbone
from fer.models.checkpoint import Description, save_checkpoint
from fer.models.dan import DAN
from fer.preprocessing import Preprocessing


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    """A network whose logits vary from crop to crop, as those of an untrained one hardly do."""
    torch.manual_seed(0)
    model = DAN(create_backbone("mobilefacenet-128"), len(EMOTIONS), 2, "qkv", "sum").eval()
    model.norm.train().momentum = 1.0  # takes mean and variance of what follows
    preprocessing = Preprocessing(input_size=32)
    crops = [cv2.resize(pattern_image(emotion, np.random.default_rng(0)), (32, 32)) for emotion in EMOTIONS]
    with torch.no_grad():
        model(preprocessing.normalize(torch.from_numpy(np.stack(crops)[..., None])))
    description = Description(
        backbone="mobilefacenet-128",
        num_heads=2,
        attention="qkv",
        fusion="sum",
        classes=EMOTIONS,
        preprocessing=preprocessing,
        template=TEMPLATE,
        dataset="none",
    )
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    save_checkpoint(path, model, description)
    return path


@pytest.fixture
def two_crops(ferplus_tree, tmp_path):
    """A tree and its aligned copy, as far as upside down is aligned."""
    for split in ("train", "val"):
        samples = load_samples("ferplus", ferplus_tree, split)
        pack_split(samples, tmp_path / "aligned", "ferplus", split, PackOptions(), align=np.flipud)
    return ferplus_tree, tmp_path / "aligned"


def probabilities(weights, dataset, data) -> np.ndarray:
    logits = predict_split(weights, dataset, data, "train").predictions.logits
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_targets_hold_what_the_teachers_see_in_both_crops(two_crops, tmp_path, teacher, capsys):
    tree, aligned = two_crops
    out = tmp_path / "out"
    command = ["distill", "ferplus", str(tree), str(aligned), str(out), "--teachers", str(teacher), "--distill", "0.6"]
    assert main([*command, "--device", "cpu"]) == 0
    assert "train: 32 images" in capsys.readouterr().out
    loose, train = load_samples("ferplus", tree, "train"), load_samples("parquet", out, "train")
    np.testing.assert_array_equal(train.read(3), loose.read(3))
    np.testing.assert_array_equal(train.read(16 + 3), np.flipud(loose.read(3)))
    seen = [probabilities(teacher, *place) for place in (("ferplus", tree), ("parquet", aligned))]
    assert np.abs(seen[0] - seen[1]).max() > 0.2
    expected = 0.4 * loose.targets + 0.6 * np.mean(seen, 0)
    np.testing.assert_allclose(train.targets, [*expected, *expected], atol=0.03)  # teachers compute in bfloat16
    assert main([*command, "--device", "cpu"]) == 2  # before the teachers are asked
    assert "is there already" in capsys.readouterr().err
    val = load_samples("parquet", out, "val")
    assert val.rule == "majority"
    np.testing.assert_array_equal(val.targets, load_samples("ferplus", tree, "val").targets)


def test_evaluation_takes_the_mean_with_aligned_crops(two_crops, teacher):
    tree, aligned = two_crops
    each = [predict_split(teacher, *place, "val") for place in (("ferplus", tree), ("parquet", aligned))]
    both = predict_split(teacher, "ferplus", tree, "val", aligned=aligned)
    assert not np.allclose(*(one.predictions.logits for one in each))
    np.testing.assert_allclose(both.predictions.logits, np.mean([one.predictions.logits for one in each], 0), atol=1e-6)
    np.testing.assert_array_equal(both.samples.targets, each[0].samples.targets)


def test_crops_of_other_images_are_refused(two_crops, tmp_path, teacher, capsys):
    other = make_ferplus(tmp_path / "other", {"FER2013Train": 24, "FER2013Valid": 16})
    command = ["distill", "ferplus", str(other), str(two_crops[1]), str(tmp_path / "out")]
    assert main([*command, "--teachers", str(teacher)]) == 2
    assert "16 aligned crops that are not those of the 24 images of train" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
