"""The examples in docs/extending.md. The dataset and the output format pass the tests of those in the package; a run
trains with the backbone, the heads and the losses, and its checkpoint is loaded and exported."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
import supervision
import torch

from fer import EmotionRecognizer
from fer.cli import main
from fer.data import DATASETS, load_samples
from fer.faces import DETECTORS
from fer.losses import DANLoss
from fer.models.checkpoint import load_checkpoint
from fer.models.export import export_onnx
from fer.registry import ATTENTIONS, BACKBONES, LOSSES
from fer.results.sinks import SINKS
from fer.training.loop import fit
from outcomes import READERS, read
from results import test_resuming, test_sinks
from runs import history, tiny_config, weights_of
from test_docs import DOCS, python_blocks
from test_losses import output as make_output
from trees import by_name, make_image, write_text

ROWS = ("a.png,train,angry", "b.png,train,happy", "c.png,valid,sad", "d.png,test,neutral")


PAGE = compile("\n".join(python_blocks(DOCS / "extending.md")), "docs/extending.md", "exec")


@pytest.fixture
def example() -> Iterator[dict]:
    """What the page defines; what it registers is there for the test."""
    registries = (DATASETS, SINKS, BACKBONES, ATTENTIONS, LOSSES)
    before, names = [dict(registry) for registry in registries], {}
    exec(PAGE, names)
    yield names
    for registry, content in zip(registries, before):
        registry.clear()
        registry.update(content)


def read_sqlite(path) -> list[dict]:
    with closing(sqlite3.connect(path)) as file:
        file.row_factory = sqlite3.Row
        return [dict(row) for row in file.execute("SELECT * FROM faces")]


@pytest.fixture
def sqlite(example, monkeypatch) -> str:
    """The suffix of the new format."""
    monkeypatch.setitem(READERS, ".sqlite", read_sqlite)
    return ".sqlite"


@pytest.fixture
def my_faces(example, tmp_path):
    """A folder of the new dataset."""
    write_text(tmp_path / "labels.csv", "file,split,emotion", *ROWS)
    for row in ROWS:
        make_image(tmp_path / "images" / row.split(",")[0])
    return tmp_path


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("train", {"a.png": "anger", "b.png": "happiness"}),
        ("val", {"c.png": "sadness"}),
        ("test", {"d.png": "neutral"}),
    ],
)
def test_dataset(my_faces, split, expected):
    samples = load_samples("my-faces", my_faces, split)
    assert by_name(samples) == expected
    assert samples.read(0).shape == (48, 48, 3)


@pytest.mark.parametrize("row", ["b.png,train,bored", "b.png,holdout,sad"])
def test_a_damaged_list_names_its_line(my_faces, row):
    write_text(my_faces / "labels.csv", "file,split,emotion", ROWS[0], row)
    with pytest.raises(ValueError, match="labels.csv, line 3: unknown emotion"):
        load_samples("my-faces", my_faces, "train")


def test_commands_know_the_dataset(my_faces, capsys):
    assert main(["check-data", "my-faces", str(my_faces)]) == 1  # some classes have no image
    assert "    angry -> anger, e.g. a.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    "check",
    [
        test_sinks.test_rows_come_back,
        test_sinks.test_results_are_never_lost_by_mistake,
        test_sinks.test_two_runs_do_not_write_to_one_file,
        test_resuming.test_names_that_are_not_unicode_are_not_repeated,
        test_resuming.test_what_could_not_be_read_can_be_tried_again,
        test_resuming.test_rows_of_other_weights_are_not_mixed,
    ],
)
def test_format(tmp_path, sqlite, check):
    check(tmp_path, sqlite)


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\0" + bytes(100)])
def test_a_foreign_file_is_left_alone(tmp_path, sqlite, content):
    test_resuming.test_a_foreign_file_is_left_alone(tmp_path, sqlite, content)


def test_predict_knows_the_format(tiny_checkpoint, tmp_path, sqlite, capsys):
    make_image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    make_image(tmp_path / "c.png")
    out = tmp_path / "faces.sqlite"
    command = ["predict", str(tmp_path), "--weights", str(tiny_checkpoint), "--detector", "none", "--out", str(out)]
    assert main(command) == 1
    rows = read(out)
    assert [row["status"] for row in rows] == ["ok", "error", "ok"]
    assert main([*command, "--resume"]) == 1 and read(out) == rows
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    assert ".parquet, .sqlite" in " ".join(capsys.readouterr().out.split())


def test_a_detector_with_a_name(example, tiny_checkpoint, tmp_path, monkeypatch, capsys):
    known = supervision.Detections(np.array([[2, 3, 22, 23], [10, 10, 50, 50]], np.float32))
    monkeypatch.setitem(DETECTORS, "two", lambda weights, min_score: example["FromDetections"](lambda _: known))
    make_image(tmp_path / "a.png")
    out = tmp_path / "rows.csv"
    command = ["predict", str(tmp_path), "--weights", str(tiny_checkpoint), "--detector", "two", "--out", str(out)]
    assert main(command) == 0
    assert [row["detector"] for row in read(out)] == ["detections"] * 2


@pytest.mark.parametrize("scores", [np.array([0.5, 0.75]), None])
def test_a_detector_of_boxes(example, tiny_checkpoint, tmp_path, scores):
    """The faces keep the order of the boxes, and are cropped where these are; no box is an empty list."""
    boxes = np.array([[2, 3, 22, 23], [10, 10, 50, 50]], np.float32)
    known = supervision.Detections(boxes, confidence=scores)
    image, load = make_image(tmp_path / "a.png", (60, 80)), EmotionRecognizer.from_pretrained
    recognizer = load(tiny_checkpoint, detector=example["FromDetections"](lambda _: known))
    (result,) = recognizer.predict_paths([image])
    assert result.detector == "detections"
    np.testing.assert_array_equal([face.box for face in result.faces], boxes)
    expected = [np.nan, np.nan] if scores is None else scores
    np.testing.assert_array_equal([face.detection_score for face in result.faces], expected)
    probs = recognizer.predict_crops([image[3:23, 2:22]])
    np.testing.assert_allclose(list(result.faces[0].probs.values()), probs[0], atol=1e-4)
    assert load(tiny_checkpoint, detector=example["FromDetections"](lambda _: known[:0]))(image) == []


def test_the_script_takes_commands_and_lists_the_names(example, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["mine.py", "train", "--help"])
    with pytest.raises(SystemExit) as end:
        exec(PAGE, {"__name__": "__main__"})
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "parquet, my-faces (default" in text and "mobilefacenet-128, small, or a name from timm" in text
    assert "--attention {paper,qkv,pooled}" in text and "registered: focus, auxiliary" in text


def test_a_network_of_own_parts_is_trained_loaded_and_exported(example, ferplus_tree, tmp_path):
    run, graph = tmp_path / "run", tmp_path / "own.onnx"
    fit(tiny_config(ferplus_tree, run, backbone="small", attention="pooled", epochs=1))
    model, description = load_checkpoint(run / "best.safetensors")
    assert (description.backbone, description.attention) == ("small", "pooled")
    assert (type(model.backbone).__name__, type(model.attention).__name__) == ("SmallNet", "PooledHeads")
    assert model(torch.zeros(1, 3, 32, 32)).attention.sum((2, 3)).tolist() == [pytest.approx([1, 1], rel=1e-5)]
    export_onnx(run / "best.safetensors", graph)
    image = make_image(tmp_path / "a.png")
    by_torch = EmotionRecognizer.from_pretrained(run / "best.safetensors", detector="none")(image)

    for names in (BACKBONES, ATTENTIONS):  # as in another program: the graph runs, the checkpoint says what is missing
        names.popitem()
        with pytest.raises(ValueError, match="unknown .*'(small|pooled)'; .*; register your own first"):
            load_checkpoint(run / "best.safetensors")
    by_onnx = EmotionRecognizer.from_pretrained(graph, detector="none", precision="float32")(image)
    assert by_onnx[0].probs == pytest.approx(by_torch[0].probs, abs=1e-4)


def test_terms_of_ones_own_are_trained_with(example, ferplus_tree, tmp_path):
    """What they learn is part of the state: a run that is continued gives the same numbers."""
    terms, learnt = {"loss": ["focus:0.5", "auxiliary:.25"], "backbone": "small"}, []
    fit(
        tiny_config(ferplus_tree, tmp_path / "whole", **terms),
        lambda trainer: learnt.append(trainer.objective.criterion.learnt["auxiliary"].classifier.weight.tolist()),
    )
    assert learnt[0] != learnt[1]
    fit(tiny_config(ferplus_tree, tmp_path / "parts", minutes=1e-6, **terms))
    fit(tiny_config(ferplus_tree, tmp_path / "parts", resume=True, **terms))
    assert torch.equal(weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts"))
    assert all(line["focus"] > 0 and line["auxiliary"] > 0 for line in history(tmp_path / "whole"))
    _, description = load_checkpoint(tmp_path / "whole" / "best.safetensors")
    assert description.recipe["loss"] == terms["loss"]


def test_weights_of_terms(example):
    """In float32 under autocast; a term of weight 0 has no parameters; a name of ours is refused."""
    torch.manual_seed(0)
    output = make_output()
    target = torch.full((5, 4), 0.25)
    once, twice = (DANLoss(4, 6, further={"focus": weight, "auxiliary": 0})(output, target) for weight in (1, 2))
    assert list(once) == ["cross_entropy", "affinity", "partition", "focus"]
    assert twice["focus"].item() == pytest.approx(2 * once["focus"].item())
    assert [name for name, _ in DANLoss(4, 6, further={"auxiliary": 0}).named_parameters()] == ["centres"]
    half = type(output)(*(None if tensor is None else tensor.bfloat16() for tensor in output))
    with torch.autocast("cpu", torch.bfloat16):
        terms = DANLoss(4, 6, further={"auxiliary": 1, "focus": 1})(half, target)
    assert {term.dtype for term in terms.values()} == {torch.float32}
    LOSSES["affinity"] = LOSSES["focus"]
    with pytest.raises(ValueError, match="loss 'affinity': the DAN loss has a term of this name"):
        DANLoss(4, 6, further={"affinity": 1})


@pytest.mark.parametrize(
    "text", ["focus", "focus:", ":1", "focus:-1", "focus:nan", "focus:inf", "focus:1:2", "fokus:1"]
)
def test_a_term_that_is_none(example, tmp_path, text):
    with pytest.raises(
        ValueError, match=f"--loss takes NAME:WEIGHT with a registered name .focus, aux.*, not '{text}'"
    ):
        tiny_config(tmp_path, tmp_path, loss=[text])
