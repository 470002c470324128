"""From the crops of a face to its emotions."""

import cv2
import numpy as np
import pytest
import torch

from fake_detector import FakeDetector
from fer.faces import Detection, crop_face
from fer.inference.classifier import FaceClassifier
from fer.inference.recognizer import EmotionRecognizer
from fer.models.checkpoint import load_checkpoint
from fer.resources import DEFAULT_WEIGHTS
from fer.runtimes.torch_network import TorchNetwork

rng = np.random.default_rng(0)


def photo(faces: int) -> np.ndarray:
    image = rng.integers(0, 255, (60, 80, 3), np.uint8)
    image[0, 0] = faces
    return image


def test_the_second_crop_is_the_square_around_the_box():
    """Mean of the logits of both crops, for upright faces with landmarks; the attention is that of the aligned crop."""
    model, description = load_checkpoint(DEFAULT_WEIGHTS)
    description.second_crop, description.prior = True, "trained"
    landmarks = 20 + 30 * np.array(description.template)
    with_landmarks = Detection(np.array([20, 20, 50, 55.0]), landmarks, 0.9)
    without = Detection(np.array([30, 10, 60, 40.0]), None, 0.9)
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    rolled = Detection(np.array([15, 15, 55, 60.0]), (landmarks - 35) @ turn + 35, 0.9)

    class Both(FakeDetector):
        def __call__(self, image):
            return [[], [without], [with_landmarks, without], [rolled, with_landmarks]][image[0, 0, 0]]

    recognizer = EmotionRecognizer(
        TorchNetwork(model.fold(), description.preprocessing, "cpu"), description, Both(), batch_size=2
    )
    images = [photo(n) for n in (2, 0, 1, 3)]
    results = list(recognizer.predict_paths(images, workers=0))
    assert [len(result.faces) for result in results] == [2, 0, 1, 2]
    for image, result in zip(images, results):
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        for face in result.faces:
            crops = [crop_face(gray, face, recognizer.classifier.template, 48)]
            if face.landmarks is landmarks:
                crops.append(crop_face(gray, without_landmarks(face), recognizer.classifier.template, 48))
                assert np.abs(np.subtract(*map(np.float32, crops))).mean() > 1
            logits, attention, *_ = recognizer.classifier.run(
                [description.preprocessing.prepare(crop) for crop in crops]
            )
            expected = torch.softmax(torch.tensor(logits.mean(0) / description.temperature), 0)
            np.testing.assert_allclose(list(face.probs.values()), expected, atol=1e-5)
            np.testing.assert_allclose(face.attention, attention[0], rtol=1e-3, atol=1e-5)
            assert len(recognizer.classifier.cut(image, face)) == len(crops)


def test_valence_and_arousal_are_the_mean_over_the_crops(va_checkpoint):
    model, description = load_checkpoint(va_checkpoint)
    description.second_crop = True
    landmarks = 20 + 30 * np.array(description.template)
    classifier = FaceClassifier(TorchNetwork(model, description.preprocessing, "cpu"), description)
    face = Detection(np.array([10, 20, 50, 55.0]), landmarks, 0.9)
    crops = [description.preprocessing.prepare(crop) for crop in classifier.cut(photo(1), face)]
    outputs, single = classifier.run_faces([crops, crops[:1]]), classifier.run(crops).va
    np.testing.assert_allclose(outputs.va, [single.mean(0), single[0]], atol=1e-5)
    assert np.abs(single[0] - single[1]).min() > 0.01
    found = classifier.to_face(face, outputs.logits[0], va=outputs.va[0])
    assert [found.valence, found.arousal] == [pytest.approx(v) for v in single.mean(0).tolist()]
    assert -1 < found.valence < 1 and type(found.arousal) is float


def test_a_network_without_them_gives_no_valence_and_arousal(tiny_checkpoint):
    model, description = load_checkpoint(tiny_checkpoint)
    recognizer = EmotionRecognizer(TorchNetwork(model, description.preprocessing, "cpu"), description, FakeDetector())
    (face,) = recognizer(photo(1))
    assert (face.valence, face.arousal) == (None, None)


def without_landmarks(face):
    return Detection(face.box, None, 0.9)
