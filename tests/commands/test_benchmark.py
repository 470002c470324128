"""`fer benchmark`: what it measures, compares and writes. No test looks at how long something took."""

import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fer.benchmark import rivals
from fer.cli import main
from fer.device import count_cores

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "samples" / "astronaut.jpg"
QUICK = ["benchmark", "--seconds", "0", "--rounds", "2", "--batch-size", "3"]
OURS = ["openvino float32", "onnxruntime float32", "torch float32"]


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> tuple[dict, str]:
    """The report of everything about the shipped weights, and its text."""
    out, patch = tmp_path_factory.mktemp("benchmark") / "new" / "figures.json", pytest.MonkeyPatch()
    lines = []
    with patch.context() as patched:
        patched.setattr(rivals, "MATRIX_SIDE", 64)
        patched.setattr("builtins.print", lambda *texts, **_: lines.extend(map(str, texts)))
        assert main([*QUICK, "--compare", "--files", str(ROOT / "samples"), "--json", str(out)]) == 0
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    return json.loads(out.read_text(), parse_constant=pytest.fail), "\n".join(lines)


def figures_of(report: dict, group: str) -> list[dict]:
    return [figure for figure in report["figures"] if figure["group"] == group]


def test_every_runtime_and_rival_at_each_batch(full):
    report, _ = full
    found = {(figure["name"], figure["batch"]) for figure in figures_of(report, "network")}
    names = {*OURS, "DAN of the paper, torch", "EfficientNet-B0, torch"}
    assert {(name, batch) for name in names for batch in (1, 2, 3)} <= found
    assert {name for name, _ in found} - names <= {"openvino bfloat16", "torch bfloat16"}
    first = figures_of(report, "network")[0]
    assert first["runtime"] == "openvino" and first["ratio"] == 1  # what prediction takes


def test_figures_are_positive_numbers(full):
    report, _ = full
    for figure in report["figures"]:
        low, high = figure["quartiles"]
        assert 0 < low <= figure["seconds"] <= high < math.inf
        for name in ("crops_per_second", "gflops", "ratio"):
            assert 0 < figure.get(name, 1) < math.inf
    assert all(figure["share"] > 0 for figure in figures_of(report, "network"))
    assert 20 < report["peak_megabytes"] < 5000


def test_what_is_looked_at(full):
    report, _ = full
    found = [
        (figure["group"], figure["name"], *(figure.get(key) for key in ("width", "height", "files", "faces")))
        for figure in report["figures"]
        if figure["group"] not in ("network", "matrix")
    ]
    assert found == [
        ("detector", "yunet", 640, 480, None, 1),
        ("detector", "yunet", 320, 240, None, 1),
        ("photo", "astronaut.jpg", 512, 512, None, 1),
        ("frame", "JPEG", 640, 480, None, 1),
        ("start", "cold start", None, None, None, None),
        *(("folder", name, None, None, 2, 2) for name in ("fer predict", "one by one", "naive")),
    ]


def test_published_counts_of_the_rivals(full):
    """ResNet18 has 1.81 G MACs and EfficientNet-B0 0.39 G, without their classifiers; the heads of DAN come on top."""
    macs = {figure["name"]: figure["macs"] / 1e9 for figure in figures_of(full[0], "network")}
    assert macs["EfficientNet-B0, torch"] == pytest.approx(0.39, abs=0.01)
    assert 1.81 < macs["DAN of the paper, torch"] < 2.5
    model = full[0]["model"]
    assert macs[OURS[0]] * 1e9 == model["folded_macs"] < model["macs"] and model["parameters"] == 1_383_672


def test_every_field_is_documented(full):
    def names(value) -> set[str]:
        if isinstance(value, dict):
            return {*value, *(name for inner in value.values() for name in names(inner))}
        return {name for inner in value for name in names(inner)} if isinstance(value, list) else set()

    report, _ = full
    document = (ROOT / "docs" / "benchmark.md").read_text()
    report = report | {"install_megabytes": {}}  # names of distributions
    assert [name for name in names(report) if not re.search(rf"\b{re.escape(name)}\b", document)] == []
    assert set(report["machine"]["versions"].values()) >= {torch.__version__, np.__version__}
    assert report["machine"]["cores"] == count_cores()


def test_text(full):
    _, text = full
    for line in (
        r"dan-mobilefacenet-ferplus: mobilefacenet-128, 4 heads, 112 px, 1.38 M parameters, "
        r"0.243 G MACs \(folded 0.234 G\)",
        r"1 thread; medians of 2 rounds",
        r"network alone +ms a crop +crops/s +time / first row",
        r"(openvino|torch|onnxruntime) float32( +\d+\.\d+){9}",
        r"DAN of the paper, torch( +\d+\.\d+){9}",
        r"photo, astronaut.jpg 512x512, 1 face +\d+\.\d +\d+\.\d",
        r"cold start.* \d+\.\d +\d+\.\d",
        r"2 files, 2 faces, all cores +files/s +faces/s +time / first row",
        r"fer predict +\d+\.\d +\d+\.\d +1\.00",
        r"matrix product float32 +\d+\.\d +1\.00",
        r"EfficientNet-B0, torch +0\.\d+ +\d+\.\d +\d+\.\d+",
        r"peak memory of the cold start +\d+ MB",
    ):
        assert re.search(f"^{line}$", text, re.M), (line, text)
    assert max(map(len, text.splitlines())) <= 150


def test_without_torch_and_onnxruntime(monkeypatch, tmp_path, capsys):
    """As after `pip install dan-fer`: what needs them is left out, or says what to install."""
    for name in ("torch", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main([*QUICK, "--json", str(tmp_path / "figures.json")]) == 0
    report = json.loads((tmp_path / "figures.json").read_text())
    assert {figure["runtime"] for figure in figures_of(report, "network")} == {"openvino"}
    assert len(figures_of(report, "detector")) == 2 and figures_of(report, "photo") and figures_of(report, "start")
    assert report["model"]["macs"] is report["install_megabytes"]["dan-fer[train]"] is None
    assert report["machine"]["versions"]["torch"] is None
    assert "MACs" not in capsys.readouterr().out
    assert main([*QUICK, "--compare"]) == 2
    assert "needs the package torch: pip install 'dan-fer[train]'" in capsys.readouterr().err


class NoStart:
    """In place of a new process, on a system that does not tell of memory."""

    megabytes = None

    def __init__(self, options, photo):
        assert (options["detector"], Path(photo).name) == ("none", PHOTO.name)

    def __call__(self):
        pass


def test_a_checkpoint_of_a_run(tiny_checkpoint, tmp_path, monkeypatch, capsys):
    """PyTorch takes it, and nothing else; crops need no detector."""
    monkeypatch.setattr("fer.benchmark.run.ColdStart", NoStart)
    command = [*QUICK, "--weights", str(tiny_checkpoint), "--detector", "none", "--json", str(tmp_path / "x.json")]
    assert main(command) == 0
    report = json.loads((tmp_path / "x.json").read_text())
    assert {figure["runtime"] for figure in figures_of(report, "network")} == {"torch"}
    assert figures_of(report, "detector") == [] and figures_of(report, "network")[0]["macs"] > 0
    assert report["peak_megabytes"] is None and "peak memory" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", "0"], f"--threads 0: expected 1 to {count_cores()}"),
        (["--threads", "100000"], f"--threads 100000: expected 1 to {count_cores()}"),
        (["--json", "{}/file/figures.json"], "--json {}/file: not a writable folder"),
        (["--json", "{}"], "--json {}: is a folder; expected a file name"),
        (["--photo", "{}/none.jpg"], "{}/none.jpg: no such file"),
        (["--photo", "{}/file"], "{}/file: "),
        (["--files", "{}/empty"], "no image or video in {}/empty"),
        (["--files", "{}/videos"], "--files {}/videos: the folder holds no photo"),
        (["--weights", "none"], "no weights 'none'; shipped: dan-mobilefacenet-ferplus"),
        (["--recipe", "ferplus"], "--recipe and --data must be used together"),
        (["--recipe", "ferplus", "--data", "{}", "--compare"], "--json, --compare and --files apply to recognition"),
    ],
)
def test_errors_are_one_line(tmp_path, capsys, monkeypatch, arguments, message):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").touch()
    monkeypatch.setattr("fer.benchmark.run.measure", lambda *_: pytest.fail("work was done"))
    assert main([*QUICK, *(text.format(tmp_path) for text in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message.format(tmp_path) in err
