"""fer measure-template."""

import json

import numpy as np

from fer import faces
from fer.cli import main
from fer.faces import Detection


def test_measure_template_leaves_out_what_cannot_be_read(data, capsys, monkeypatch):
    face = Detection(np.array([0, 0, 9, 9], float), np.ones((5, 2)), 1.0)
    monkeypatch.setattr(faces, "create_detector", lambda *names: lambda image: [face])
    assert main(["measure-template", "folder", str(data)]) == 1
    out = capsys.readouterr().out
    assert "faces found in 100.0% of 4 images" in out
    assert f"not read: {data / 'train/happy/broken.png'}: the file is empty" in out
    assert np.shape(json.loads(out.splitlines()[0].removeprefix("template: "))) == (10,)
