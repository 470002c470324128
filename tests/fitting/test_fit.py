"""fer fit: from a folder of photos to a checkpoint like any other."""

import csv
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.handlers import Handlers
from fer import EmotionRecognizer
from fer.cli import main
from fer.evaluation.calibration import softmax
from fer.fitting.checkpoint import find_base, write_fitted
from fer.fitting.classifier import LinearClassifier, fit_classifier
from fer.fitting.faces import find_labelled_faces
from fer.io.images import read_image, write_image
from fer.runtimes.networks import load_network

pytest.importorskip("sklearn", reason="fitting needs scikit-learn: pip install 'dan-fer[fit]'")
SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Two classes of our own: the face of one sample and that of the other, brighter and darker, smaller and larger."""
    folder = tmp_path_factory.mktemp("photos")
    for name, sample in (("smile", "astronaut"), ("calm", "grace_hopper")):
        image = read_image(SAMPLES / f"{sample}.jpg")
        for i in range(8):
            size = (image.shape[1] - 9 * i, image.shape[0] - 9 * i)
            write_image(
                folder / name / f"{sample}_{i}.jpg", cv2.resize((image * (1 - 0.07 * i)).astype(np.uint8), size)
            )
    write_image(folder / "calm" / "wall.jpg", np.full((64, 64, 3), 90, np.uint8))
    (folder / "smile" / "broken.jpg").write_bytes(b"\xff\xd8 no image")
    return folder


@pytest.fixture(scope="module")
def fitted(photos, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("fitted") / "mine.safetensors"
    assert main(["fit", str(photos), "--out", str(out)]) == 1  # one photo could not be read
    return out


def test_it_is_a_checkpoint_like_any_other(fitted, photos):
    """By PyTorch and without, with the same probabilities: those of the linear classifier on the embeddings."""
    light, laboratory = (EmotionRecognizer.from_pretrained(fitted.with_suffix(s)) for s in (".onnx", ".safetensors"))
    faces = find_labelled_faces(EmotionRecognizer.from_pretrained(), photos)
    classifier = fit_classifier(faces.embeddings, faces.labels, faces.groups)
    assert faces.classes == light.classes == laboratory.classes == ("calm", "smile")
    for i in (0, 5, 11):
        (face,) = light(photos / faces.names[i])
        expected = softmax(classifier(faces.embeddings[i : i + 1]) / light.description.temperature)[0]
        assert face.label == faces.names[i].split("/")[0]
        np.testing.assert_allclose(list(face.probs.values()), expected, atol=0.02)
        np.testing.assert_allclose(list(laboratory(photos / faces.names[i])[0].probs.values()), expected, atol=0.02)
    description = light.description
    assert description == laboratory.description
    assert (description.class_shares, description.prior) == ({"calm": 0.5, "smile": 0.5}, "trained")
    assert (description.metrics["n"], description.dataset, description.second_crop) == (16, "folder", True)


def test_valence_and_arousal_of_the_network_stay(va_checkpoint, va_graph, tmp_path):
    shutil.copy(va_checkpoint, tmp_path / "base.safetensors"), shutil.copy(va_graph, tmp_path / "base.onnx")
    base, description = load_network(tmp_path / "base.onnx", precision="float32")
    classifier = LinearClassifier(np.zeros((2, 128), np.float32), np.array([1.0, 0.5], np.float32))
    fitted = replace(description, classes=("calm", "smile"))
    write_fitted(find_base(tmp_path / "base.onnx"), classifier, fitted, tmp_path / "mine.safetensors")
    crops = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 1), np.uint8)
    for suffix in (".onnx", ".safetensors"):
        network, described = load_network(tmp_path / f"mine{suffix}", precision="float32")
        output = network(crops)
        np.testing.assert_allclose(output.logits, [[1.0, 0.5]] * 3, atol=1e-4)
        np.testing.assert_allclose(output.va, base(crops).va, atol=1e-3)
        assert described.va and described.classes == ("calm", "smile")


def test_what_it_tells(photos, tmp_path, capsys):
    out = tmp_path / "new" / "mine.safetensors"
    assert main(["fit", str(photos), "--out", str(out)]) == 1
    said = capsys.readouterr().out
    assert "16 faces; 1 photos without a face, 1 could not be read" in said
    assert "100.00%" in said and "calm 8" in said and "who is in the photos is unknown" in said
    assert "not read: smile/broken.jpg:" in said and f"fer predict PHOTOS --weights {out.with_suffix('.onnx')}" in said
    with open(out.with_suffix(".csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16 and {row["target"] for row in rows} == {"calm", "smile"}
    assert main(["predict", str(SAMPLES / "astronaut.jpg"), "--weights", str(out.with_suffix(".onnx"))]) == 0
    assert "smile" in capsys.readouterr().out


def test_known_classes_are_compared_and_photos_in_the_wrong_folder_are_named(photos, tmp_path, capsys):
    for ours, theirs in (("smile", "happy"), ("calm", "neutral")):
        shutil.copytree(photos / ours, tmp_path / "photos" / theirs, ignore=lambda *_: ["broken.jpg", "wall.jpg"])
    shutil.move(tmp_path / "photos/happy/astronaut_3.jpg", tmp_path / "photos/neutral/astronaut_3.jpg")
    assert main(["fit", str(tmp_path / "photos"), "--out", str(tmp_path / "m.safetensors")]) == 0
    said = capsys.readouterr().out
    assert "network as it is" in said and "93.75%" in said
    assert "neutral/astronaut_3.jpg  happiness" in said


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["a/1.jpg", "a/2.jpg"], [], "images? .* single class|single class"),
        (["a/1.jpg", "a/2.jpg", "b/1.jpg"], [], "b has 1 photos with a face; at least 2 are needed, 20 or more"),
        (["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"], ["--person", "(a|b)/"], "a has 2 .*, all of one person"),
        (["a/1.jpg", "a/2.jpg", "b/1.jpg"], ["--person", "x"], "--person x: expected a group in parentheses"),
        (["a/1.jpg", "a/2.jpg", "b/1.jpg"], ["--person", "("], r"--person \(: neither a .csv file nor a regular"),
        (["a/1.jpg", "a/2.jpg", "b/1.jpg"], ["--person", "(1)"], r"--person \(1\): no person for a/2.jpg \(1 of 3"),
        (["train/a/1.jpg", "train/b/1.jpg"], [], "no all split"),
        (["a/1.jpg", "b/1.jpg"], ["--out", "m.onnx"], "m.onnx: expected a name that ends with .safetensors"),
        (["a/1.jpg", "b/1.jpg"], ["--weights", "lost.onnx"], "lost.onnx: no such file"),
    ],
)
def test_mistakes(tmp_path, monkeypatch, capsys, names, options, message):
    monkeypatch.chdir(tmp_path)
    for name in names:
        Path("photos", name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLES / "astronaut.jpg", Path("photos", name))
    assert main(["fit", "photos", *(["--out", "m.safetensors"] if "--out" not in options else []), *options]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not list(tmp_path.glob("m.*"))


def test_it_is_shared_by_a_name(fitted, hub, tmp_path, capsys):
    """Pushed, then used elsewhere: on the command line, by the page, and as the network to fit on."""
    assert main(["push", "me/mood", "--weights", str(fitted)]) == 0
    repository = hub.repositories["me/mood"]
    card = repository.commits[repository.branches["main"]]["README.md"].decode()
    assert "type: accuracy, value: 100.0" in card and "license: other" in card and "these classes: calm, smile." in card
    assert "folder all, cross-validated, label, 16 images" in card and "For research only" in card
    capsys.readouterr()
    assert main(["predict", str(SAMPLES / "astronaut.jpg"), "--weights", "me/mood"]) == 0
    assert "smile" in capsys.readouterr().out
    shutil.copy(SAMPLES / "grace_hopper.jpg", tmp_path / "upload.jpg")
    page = Handlers(EmotionRecognizer.from_pretrained("me/mood"), tmp_path)
    assert [row["label"] for row in page.rows([tmp_path / "upload.jpg"])] == ["calm"]
    assert [path.read_bytes() for path in find_base("me/mood")] == [
        path.read_bytes() for path in (fitted, fitted.with_suffix(".onnx"))
    ]


def test_existing_files_are_kept(photos, fitted, capsys):
    before = fitted.read_bytes()
    assert main(["fit", str(photos), "--out", str(fitted)]) == 2
    assert "add --overwrite" in capsys.readouterr().err and fitted.read_bytes() == before


def test_without_pytorch(photos, tmp_path):
    """No module of PyTorch is loaded, from the photos to both files."""
    code = f"""
import sys
from fer.cli import main
status = main(["fit", {str(photos)!r}, "--out", {str(tmp_path / "m.safetensors")!r}])
sys.exit(f"status {{status}}" if status != 1 or "torch" in sys.modules else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
