"""What the page shows."""

import pytest

from app.handlers import Handlers

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
