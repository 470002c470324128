"""What the page shows."""

import pytest

from app import advice
from app.handlers import Handlers
from fer.description import LIMITS
from page_inputs import picture

RUNTIMES = [
    ("openvino", "cpu", "on the CPU with OpenVINO."),
    ("torch", "cuda:1", "on the device cuda:1 with PyTorch."),
    ("onnxruntime", "cpu", "on the CPU with ONNX Runtime."),
    ("another", "cpu", "on the CPU with another."),
]


def test_about_says_what_the_checkpoint_says(work):
    work.description.metrics = {}
    assert "does not state its accuracy" in work.about()
    work.description.metrics = {
        **{"accuracy": 0.8913, "n": 3191, "dataset": "ferplus", "split": "val", "rule": "majority"},
        **{"accuracy_without_duplicates": 0.89, "n_without_duplicates": 2948},
        "per_class": {
            "anger": {"n": 289, "recall": 0.8166, "precision": 0.94},
            "contempt": {"n": 16, "recall": 0.0, "precision": None},
        },
    }
    assert "89.1% of 3,191" in work.about() and "| anger | 289 | 82% | 94% |" in work.about()
    assert "| contempt | 16 | 0% | never |" in work.about()


@pytest.mark.parametrize(("name", "device", "said"), RUNTIMES)
def test_about_says_what_runs_the_network(recognizer, tmp_path, name, device, said):
    recognizer.classifier.network.name, recognizer.classifier.network.device = name, device
    assert f"The network runs {said}\n" in Handlers(recognizer, tmp_path).about()


def test_about_says_which_faces_are_not_believed(work):
    assert "It also shows" not in work.about()
    work.description.limits = {"yaw": 40, "size": 24, "brightness": 0.12}
    said = "lower or narrower than 24 pixels, darker than 12 % of white, turned to the side by more than 40°"
    assert f"It also shows *unsure*, with the reason, for a face that is {said}." in work.about()
    assert set(advice.LIMITS) == set(LIMITS)


@pytest.mark.parametrize(
    ("limits", "unsure_below", "sentence", "reason"),
    [
        ({}, 1.0, "No emotion stands out.", "low confidence"),
        ({"size": 99}, 0.0, "Move closer: the face is only 70 pixels wide.", "too small"),
        ({}, 0.0, "", ""),
    ],
)
def test_a_photo_and_a_batch_say_why_a_face_is_unsure(work, upload, limits, unsure_below, sentence, reason):
    work.description.limits, work.description.unsure_below = limits, unsure_below
    shown = work.show_photos([upload("a.png", picture(1))])
    gallery = list(work.show_batch([upload("a.png", picture(1))]))[-1]
    assert ('class="reason"' in shown) == bool(reason)
    assert not reason or f'<p class="reason">{sentence}</p>' in shown
    assert ("unsure <small>perhaps" in shown) == ('class="face unsure"' in shown) == bool(reason)
    assert not reason or f" ({reason}), a.png" in gallery
