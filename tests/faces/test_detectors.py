import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer.faces.detectors import WholeImage, create_detector

ROOT = Path(__file__).resolve().parents[2]


def test_none_takes_the_whole_image():
    (face,) = WholeImage()(np.zeros((20, 30, 3), np.uint8))
    assert face.box.tolist() == [0, 0, 30, 20]


def test_an_unknown_detector_lists_the_choices():
    with pytest.raises(ValueError, match="unknown detector 'mtcnn'; choose one of yunet, none"):
        create_detector("mtcnn")


def test_weights_that_are_none(tmp_path, shared):
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ValueError, match="text.onnx: not a graph that OpenVINO runs"):
        create_detector("yunet", tmp_path / "text.onnx")
    with pytest.raises(ValueError, match="no such detector model; give an ONNX file of YuNet, or none"):
        create_detector("yunet", tmp_path / "missing.onnx")
    with pytest.raises(ValueError, match="between 0 and 1"):
        create_detector("yunet", min_score=1.1)


def test_detection_asks_no_host_and_writes_nothing(tmp_path):
    """OpenVINO by itself looks up a host when it is imported, and writes into the home folder, unless CI is set."""
    code = """
import socket
def refuse(*arguments, **options): raise SystemExit(f"a host was asked for: {arguments}")
socket.socket.connect = socket.getaddrinfo = socket.gethostbyname = socket.create_connection = refuse
from fer.faces import create_detector
from fer.io.images import read_image
import time
print(len(create_detector()(read_image("samples/astronaut.jpg"))))
time.sleep(1)  # telemetry has threads of its own
"""
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (run.stdout, run.returncode) == ("1\n", 0), run.stderr
    assert list(tmp_path.rglob("*")) == []
