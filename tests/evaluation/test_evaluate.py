import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import TEMPLATE, make_ferplus
from fer.data import Samples, load_samples
from fer.evaluation import evaluate as module
from fer.evaluation.evaluate import evaluate_checkpoint, predict_split
from fer.evaluation.predictions import NO_PREDICTION
from fer.evaluation.request import EvaluationRequest
from fer.faces import Detection
from fer.inference.recognizer import EmotionRecognizer
from fer.labels import EMOTIONS
from fer.models.checkpoint import load_checkpoint, read_description, save_checkpoint
from fer.models.inputs import to_input
from fer.resources import DEFAULT_WEIGHTS, find_checkpoint
from fer.runtimes.torch_network import TorchNetwork
from trees import make_image


@pytest.fixture
def data(tmp_path):
    return make_ferplus(tmp_path / "data", {"FER2013Valid": 24})


def test_accuracy_is_that_of_the_network_image_by_image(data, tiny_checkpoint):
    figures = evaluate_checkpoint(
        EvaluationRequest(tiny_checkpoint, "ferplus", data, "val", device="cpu", batch_size=5)
    ).to_dict()
    model, description = load_checkpoint(tiny_checkpoint)
    samples = load_samples("ferplus", data, "val")
    with torch.no_grad():
        guesses = [
            int(model(to_input([samples.read(i)], description.preprocessing)).logits.argmax()) for i in range(24)
        ]
    assert figures["accuracy"] == pytest.approx((samples.targets.argmax(1) == guesses).mean())
    assert (figures["dataset"], figures["split"], figures["rule"], figures["n"]) == ("ferplus", "val", "majority", 24)


def test_classes_are_matched_by_name(data, tiny_checkpoint, tmp_path):
    """The same network with its outputs in another order gives the same figures."""
    model, description = load_checkpoint(tiny_checkpoint)
    order = np.random.default_rng(0).permutation(8)
    for module_ in (model.classifier, model.norm):
        for name, tensor in module_.state_dict().items():
            if tensor.ndim:
                getattr(module_, name).data = tensor[order]
    description.classes = tuple(description.classes[i] for i in order)
    save_checkpoint(tmp_path / "other.safetensors", model, description)
    figures = [
        evaluate_checkpoint(EvaluationRequest(p, "ferplus", data, "val")).to_dict()
        for p in (tiny_checkpoint, tmp_path / "other.safetensors")
    ]
    assert figures[0]["confusion_matrix"] == figures[1]["confusion_matrix"]


@pytest.mark.parametrize(
    ("absent", "split", "left"),
    [
        ("", "test", 21),  # of 24, two are copies of training images, one of a validation image
        ("FER2013Valid", "test", 22),
        ("", "val", 23),  # a copy of a test image is none of what training has seen
        ("FER2013Train", "test", None),
    ],
)
def test_copies_of_what_training_has_seen(tmp_path, tiny_checkpoint, absent, split, left):
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 24, "FER2013Valid": 24, "FER2013Test": 24})
    for source, target in (("Train/fer0000000", "Test/fer0000000"), ("Train/fer0000001", "Test/fer0000001")):
        shutil.copy(data / f"FER2013{source}.png", data / f"FER2013{target}.png")
    shutil.copy(data / "FER2013Valid/fer0000002.png", data / "FER2013Test/fer0000002.png")
    shutil.copy(data / "FER2013Train/fer0000003.png", data / "FER2013Valid/fer0000003.png")
    if absent:
        shutil.rmtree(data / absent)
    figures = evaluate_checkpoint(EvaluationRequest(tiny_checkpoint, "ferplus", data, split, device="cpu")).to_dict()
    assert (figures["n"], figures["n_without_duplicates"]) == (24, left)


def test_all_of_a_folder_has_copies_only_in_another_one(tmp_path, tiny_checkpoint):
    """Its train split would be drawn from the same images."""
    for name in ("sad", "happy"):
        make_image(tmp_path / "a" / name / "1.png")
    shutil.copytree(tmp_path / "a/happy", tmp_path / "b/happy")
    request = EvaluationRequest(tiny_checkpoint, "folder", tmp_path / "a", "all", device="cpu")
    assert evaluate_checkpoint(request).to_dict()["n_without_duplicates"] is None
    figures = evaluate_checkpoint(replace(request, duplicates_of=tmp_path / "b")).to_dict()
    assert (figures["n"], figures["n_without_duplicates"]) == (2, 1)


def test_a_class_that_the_checkpoint_does_not_know(data, tiny_checkpoint, monkeypatch):
    original = module.load_samples

    def renamed(*arguments):
        samples = original(*arguments)
        return replace(samples, classes=(*samples.classes[:7], "boredom"))

    monkeypatch.setattr(module, "load_samples", renamed)
    with pytest.raises(ValueError, match="has 8 classes .* without boredom of ferplus"):
        evaluate_checkpoint(EvaluationRequest(tiny_checkpoint, "ferplus", data, "val")).to_dict()


def test_votes_are_those_of_all_voters(data, tiny_checkpoint):
    """Under the majority rule, too."""
    split = predict_split(EvaluationRequest(tiny_checkpoint, "ferplus", data, "val"))
    every = load_samples("ferplus", data, "val", "all")
    votes = dict(zip(every.names, every.targets))
    assert split.samples.rule == "majority" and (split.predictions.targets.max(1) == 1).all()
    np.testing.assert_array_equal(split.votes, [votes[name] for name in split.samples.names])
    assert np.array_equal(split.table().votes, split.votes)


class CornerDetector:
    """Finds a face in the lower right of an image; none if its first pixel is bright, a rolled one if dark."""

    name = "fake"
    max_side = float("inf")

    def __call__(self, image):
        h, w = image.shape[:2]
        first, landmarks = image[0, 0, 0], np.array(TEMPLATE) * (0.8 * w, h) + (8, 4)
        if first < 100:
            landmarks[:, 1] += 0.7 * landmarks[:, 0] - 10
        face = Detection(np.array([0.2 * w, 0.1 * h, w, 0.8 * h]), landmarks, 0.9)
        return [face, face] if first < 150 else []


@pytest.mark.parametrize("second_crop", [False, True])
def test_faces_are_found_as_inference_finds_them(ferplus_tree, tmp_path, monkeypatch, second_crop):
    """With a detector the logits are those of the recogniser that looks at the same images as photos."""
    model, description = load_checkpoint(DEFAULT_WEIGHTS)
    description.second_crop = second_crop
    save_checkpoint(tmp_path / "w.safetensors", model, description)
    monkeypatch.setattr(module, "create_detector", lambda *_: CornerDetector())
    found = predict_split(
        EvaluationRequest(tmp_path / "w.safetensors", "ferplus", ferplus_tree, "val", detector="auto")
    )
    assert found.detector == "fake"
    recognizer = EmotionRecognizer(
        TorchNetwork(model.fold(), description.preprocessing, "cpu"), description, CornerDetector()
    )
    images = [found.samples.read(i) for i in range(len(found.samples))]
    faces = [recognizer(image) for image in images]
    counts = [len(recognizer.classifier.cut(image, seen[0])) for image, seen in zip(images, faces) if seen]
    assert 0 < len(counts) < len(images) and set(counts) == ({1, 2} if second_crop else {1})
    as_crops = predict_split(EvaluationRequest(tmp_path / "w.safetensors", "ferplus", ferplus_tree, "val"))
    for image, seen, logits, as_crop in zip(images, faces, found.predictions.logits, as_crops.predictions.logits):
        if not seen:  # the image as it is
            np.testing.assert_allclose(logits, as_crop, atol=1e-3)
            continue
        expected = recognizer.predict_logits(recognizer.classifier.cut(image, seen[0])).mean(0)
        np.testing.assert_allclose(logits, expected, atol=1e-3)
        assert np.abs(logits - as_crop).max() > 0.01


def test_annotated_photos_need_no_detector(tmp_path, monkeypatch):
    """The box is that of the annotation, and the second crop, too, is cut by it."""
    model, description = load_checkpoint(DEFAULT_WEIGHTS)
    description.second_crop = True
    save_checkpoint(tmp_path / "w.safetensors", model, description)
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    boxes, landmarks = np.array([[30, 10, 70, 52.0]]), (30 * np.array(TEMPLATE) + 20)[None]
    photos = Samples([image], np.eye(8)[[1]], ["a"], EMOTIONS, "photos", "label", boxes, landmarks)
    monkeypatch.setattr(module, "load_samples", lambda *_: photos)
    found = predict_split(EvaluationRequest(tmp_path / "w.safetensors", "expw", tmp_path, "train", detector="yunet"))
    assert found.detector == "annotation"
    recognizer = EmotionRecognizer(
        TorchNetwork(model.fold(), description.preprocessing, "cpu"), description, CornerDetector()
    )
    crops = recognizer.classifier.cut(image, Detection(boxes[0], landmarks[0], 1.0))
    np.testing.assert_allclose(found.predictions.logits[0], recognizer.predict_logits(crops).mean(0), atol=1e-3)


def test_end_to_end_counts_what_the_detector_misses(ferplus_tree, tiny_checkpoint, monkeypatch):
    monkeypatch.setattr(module, "create_detector", lambda *_: CornerDetector())
    request = EvaluationRequest(tiny_checkpoint, "ferplus", ferplus_tree, "val", end_to_end=True)
    evaluation, split = module.evaluate_subject(module.load_subject(request))
    table, figures = split.table(), evaluation.end_to_end
    missed = table.labels == NO_PREDICTION
    assert 0 < missed.sum() == figures.n_without_face < len(table)
    assert np.isnan(table.probs[missed]).all() and not table.correct[missed].any()
    assert figures.end_to_end_accuracy == pytest.approx(table.correct.mean())
    assert figures.accuracy_when_found == pytest.approx(table.correct[~missed].mean())
    alone = evaluate_checkpoint(EvaluationRequest(tiny_checkpoint, "ferplus", ferplus_tree, "val"))
    assert figures.accuracy_as_given == alone.metrics.accuracy and alone.end_to_end is None


def test_intervals_hold_their_figures(data, tiny_checkpoint):
    evaluation = evaluate_checkpoint(EvaluationRequest(tiny_checkpoint, "ferplus", data, "val"))
    assert evaluation.metrics.accuracy in evaluation.intervals["accuracy"]
    assert set(evaluation.intervals) == {"accuracy", "balanced_accuracy", "macro_f1", "expected_calibration_error"}


@pytest.mark.slow
def test_a_prior_evens_the_classes_out(data):
    """By the shares in the shipped file, whose rarest class gains most."""
    request = EvaluationRequest(DEFAULT_WEIGHTS, "ferplus", data, "val", precision="float32")
    trained, even = predict_split(request).table(), predict_split(replace(request, prior="even:0.5")).table()
    shares = read_description(find_checkpoint(DEFAULT_WEIGHTS)).class_shares
    weighted = trained.probs / np.sqrt([shares[name] for name in trained.classes])
    np.testing.assert_allclose(even.probs, weighted / weighted.sum(1, keepdims=True), atol=1e-5)
    assert shares["neutral"] == pytest.approx(0.337301) and sum(shares.values()) == pytest.approx(1)
    assert evaluate_checkpoint(replace(request, prior="even")).to_dict()["prior"] == "even"


def test_the_shipped_file_and_its_card_tell_its_figures(shared):
    path = find_checkpoint(DEFAULT_WEIGHTS)
    told = read_description(path).metrics
    figures = evaluate_checkpoint(
        EvaluationRequest(DEFAULT_WEIGHTS, "ferplus", shared / "data/ferplus", "val", detector="yunet")
    ).to_dict()
    card = (path.parent / "README.md").read_text()
    for name in ("accuracy", "accuracy_without_duplicates", "balanced_accuracy", "macro_f1"):
        assert figures[name] == pytest.approx(told[name], abs=0.002)  # an image or two: machines round differently
        assert f"{100 * told[name]:.2f}" in card
    for name, of_class in told["per_class"].items():
        assert f"| {name} | {of_class['n']} | {100 * of_class['recall']:.1f} |" in card
