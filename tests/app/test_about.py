"""What the page says about its network."""

import pytest

from app import advice
from app.about import write_about
from app.handlers import Handlers
from fer.description import LIMITS

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


def test_about_says_where_the_pictures_go(recognizer):
    in_tab, on_server = (write_about(recognizer, in_tab) for in_tab in (True, False))
    assert "to the computer that runs this page" in on_server and "leaves this tab" not in on_server
    assert "Nothing leaves this tab" in in_tab and "computer that runs this page" not in in_tab
    assert "Both run in your browser, with ONNX Runtime Web." in in_tab and "OpenVINO" not in in_tab
