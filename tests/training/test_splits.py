"""Training and validation images, before any work."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer import EmotionRecognizer
from fer.data import Samples, load_samples
from fer.data.pack import PackOptions, pack_split
from fer.evaluation.evaluate import predict_split
from fer.evaluation.publish import publish_checkpoint
from fer.evaluation.request import EvaluationRequest
from fer.faces import crop_face
from fer.io.images import read_image, write_image
from fer.training import splits as splits_module
from fer.training.config import TrainConfig
from fer.training.loop import fit
from fer.training.splits import load_splits, measure_class_shares, steps_per_epoch
from runs import TEMPLATE, tiny_config
from trees import make_image, write_text

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def test_validation_tells_images_that_are_in_training_apart(ferplus_tree, tmp_path):
    """Copies in validation are counted; --drop-duplicates takes them out of training instead."""
    write_image(
        ferplus_tree / "FER2013Valid" / "fer0000002.png", load_samples("ferplus", ferplus_tree, "train").read(2)
    )
    figures = fit(tiny_config(ferplus_tree, tmp_path / "a", epochs=1))
    assert (figures["n"], figures["n_without_duplicates"]) == (16, 15)
    splits = load_splits(tiny_config(ferplus_tree, tmp_path / "b", drop_duplicates=True))
    assert (len(splits.train), len(splits.val), splits.leaked.sum()) == (15, 16, 0)


def test_validation_images_are_merged_into_training(ferplus_tree, tmp_path):
    """Then no figure is without duplicates, and publishing, which calibrates on validation, is refused."""
    config = tiny_config(ferplus_tree, tmp_path / "run", epochs=1, merge_val=True, select="last")
    splits = load_splits(config)
    assert (len(splits.train), len(splits.val), splits.leaked.sum()) == (32, 16, 16)
    assert splits.train.rule == "probability" and splits.val.rule == "majority"
    assert fit(config)["accuracy_without_duplicates"] is None
    request = EvaluationRequest(tmp_path / "run" / "best.safetensors", "ferplus", ferplus_tree, "val", device="cpu")
    assert predict_split(request).leaked.all()
    with pytest.raises(ValueError, match="best.safetensors was trained on the validation images .--merge-val."):
        publish_checkpoint(request, tmp_path / "out.safetensors", "mine")


def test_merged_splits_have_the_same_kind_of_targets(ferplus_tree, tmp_path):
    for split in ("train", "val"):
        pack_split(load_samples("ferplus", ferplus_tree, split), tmp_path / "packed", "ferplus", split, PackOptions())
    config = tiny_config(tmp_path / "packed", tmp_path / "run", dataset="parquet", merge_val=True, select="last")
    with pytest.raises(ValueError, match="packed with the rule probability .* and majority .*--rule probability"):
        load_splits(config)


def test_missing_images_are_reported_before_any_work(ferplus_tree, tmp_path):
    (ferplus_tree / "FER2013Train" / "fer0000005.png").unlink()
    with pytest.raises(ValueError, match="1 of 16 image files are missing, e.g. .*fer0000005.png; fer check-data"):
        fit(tiny_config(ferplus_tree, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "steps"), [(16, 1, 1), (4, 2, 2), (5, 1, 3), (17, 1, None), (8, 3, None)]
)
def test_too_few_images_are_reported_before_any_work(ferplus_tree, tmp_path, batch_size, accumulate, steps):
    """Also before the template is measured, which takes a while."""
    config = tiny_config(ferplus_tree, tmp_path / "run", batch_size=batch_size, accumulate=accumulate)
    if steps:
        assert steps_per_epoch(config, len(load_splits(config).train)) == steps
        return
    with pytest.raises(
        ValueError, match=f"16 training images are fewer than one step needs .--batch-size {batch_size} x"
    ):
        load_splits(config)


def test_an_empty_split_is_reported(ferplus_tree, tmp_path):
    (ferplus_tree / "FER2013Valid" / "label.csv").write_text('a.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,9,1\n')
    with pytest.raises(ValueError, match="the val split of ferplus holds no image"):
        fit(tiny_config(ferplus_tree, tmp_path / "run"))


def test_splits_with_different_classes_are_reported(ferplus_tree, tmp_path, monkeypatch):
    original = splits_module.load_samples

    def without_contempt(name, root, split, rule):
        samples = original(name, root, split, rule)
        return (
            samples
            if split == "train"
            else replace(samples, classes=samples.classes[:7], targets=samples.targets[:, :7])
        )

    monkeypatch.setattr(splits_module, "load_samples", without_contempt)
    with pytest.raises(ValueError, match="training has 8 classes .* validation 7"):
        fit(tiny_config(ferplus_tree, tmp_path / "run"))


def make_folder(root, *names):
    for name in names:
        make_image(root / name)
    return str(root)


def test_several_datasets_are_one(ferplus_tree, tmp_path):
    """The last set lacks most classes, and has one of its own."""
    other = make_folder(
        tmp_path / "mine", *(f"{part}/{c}/{i}.png" for part in ("train", "val") for c in "ab" for i in "12")
    )
    config = tiny_config(ferplus_tree, tmp_path / "run", dataset="ferplus,folder", data=f"{ferplus_tree},{other}")
    splits = load_splits(replace(config, train_rule="all,"))
    assert splits.train.classes == splits.val.classes and splits.val.classes[-2:] == ("a", "b")
    assert (len(splits.train), len(splits.val), splits.train.rule) == (20, 20, "all; label")
    figures = fit(replace(config, shares=[1.0, 1.0], epochs=1))
    assert {"accuracy_ferplus", "accuracy_folder"} <= figures.keys()
    assert figures["accuracy"] == pytest.approx(
        (16 * figures["accuracy_ferplus"] + 4 * figures["accuracy_folder"]) / 20
    )
    twice = replace(config, dataset="folder,folder", data=f"{other},{other}")
    assert set(load_splits(replace(twice, batch_size=2)).train.sources) == {"folder", "folder-2"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "a"}, "--data a: expected one for each of the 2 datasets, separated by commas; got 1"),
        ({"train_rule": "all"}, "--train-rule all: expected one for each of the 2"),
        ({"dataset": "ferplus,fre2013"}, "unknown dataset 'fre2013'"),
    ],
)
def test_several_datasets_that_do_not_fit(ferplus_tree, tmp_path, changes, message):
    both = {"dataset": "ferplus,ferplus", "data": f"{ferplus_tree},{ferplus_tree}"}
    with pytest.raises(ValueError, match=message):
        load_splits(tiny_config(ferplus_tree, tmp_path / "run", **(both | changes)))


def test_folds(ferplus_tree, tmp_path):
    splits = load_splits(tiny_config(ferplus_tree, tmp_path, fold="2/4"))
    assert (len(splits.train), len(splits.val)) == (24, 8)
    assert not {*splits.train.images} & {*splits.val.images}


def test_the_faces_of_photos_are_found(tmp_path, caplog):
    """Photos without a face are left out, and training sees the crop that inference sees."""
    for part in ("train", "val"):
        for name in ("a/1.jpg", "b/1.jpg"):
            (tmp_path / part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SAMPLES / "astronaut.jpg", tmp_path / part / name)
    make_image(tmp_path / "train" / "b" / "wall.png")
    splits = load_splits(tiny_config(tmp_path, tmp_path / "run", dataset="folder", detect=True, batch_size=2))
    assert splits.train.names == ["train/a/1.jpg", "train/b/1.jpg"] and "no face in 1 of 3 images" in caplog.text
    template = np.reshape(TEMPLATE, (5, 2))
    (face,) = EmotionRecognizer.from_pretrained()(SAMPLES / "astronaut.jpg")
    np.testing.assert_array_equal(
        splits.train.crop(0, template, 48), crop_face(read_image(SAMPLES / "astronaut.jpg"), face, template, 48)
    )
    for path in (tmp_path / "val").rglob("*.jpg"):
        make_image(path)
    with pytest.raises(ValueError, match="--detect: no face in any of the 2 images of val"):
        load_splits(tiny_config(tmp_path, tmp_path / "run", dataset="folder", detect=True, batch_size=2))


def test_votes_are_for_training(ferplus_tree, tmp_path):
    votes = write_text(tmp_path / "votes.csv", "image,votes_fear,votes_anger", "fer0000003.png,1,3")
    splits = load_splits(tiny_config(ferplus_tree, tmp_path, votes=str(votes)))
    row = splits.train.targets[[Path(name).stem for name in splits.train.names].index("fer0000003")]
    assert {name: p for name, p in zip(splits.train.classes, row.tolist()) if p} == {"anger": 0.75, "fear": 0.25}
    assert (splits.val.targets.max(1) == 1).all()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [0.6, 0.4, 0.0]),
        ({"balanced": True}, [0.5, 0.5, 0.0]),
        ({"class_weights": True}, [0.5, 0.5, 0.0]),
        ({"dataset": "a,b", "shares": [0.25, 0.75]}, [0.25 * 1 + 0.75 / 3, 0.75 * 2 / 3, 0.0]),
    ],
)
def test_class_shares(changes, expected):
    """Of five images, two of which are of the first dataset."""
    targets, names = np.eye(3)[[0, 0, 0, 1, 1]], list("abcde")
    sources = np.array(["a", "a", "b", "b", "b"])
    samples = Samples(names, targets, names, ("x", "y", "z"), "layout", "rule", sources=sources)
    shares = measure_class_shares(TrainConfig(**changes), samples)
    assert list(shares) == ["x", "y", "z"] and list(shares.values()) == pytest.approx(expected)
