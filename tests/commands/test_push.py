"""fer push: a checkpoint becomes a repository that others load by its name."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fer import EmotionRecognizer
from fer.cli import main
from fer.description import Description
from fer.models.descriptions import read_description
from fer.resources import DEFAULT_WEIGHTS, find_checkpoint, find_weights

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "samples" / "astronaut.jpg"


def write_pair(folder: Path, description: Description) -> Path:
    """The shipped network with another description: a checkpoint and its ONNX file. Returns the checkpoint."""
    import onnx
    from safetensors.numpy import load_file, save_file

    out, text = folder / "mine.safetensors", description.to_json()
    save_file(load_file(find_checkpoint(DEFAULT_WEIGHTS)), out, {"fer": text})
    model = onnx.load(find_weights(DEFAULT_WEIGHTS))
    model.metadata_props[0].value = text
    onnx.save(model, out.with_suffix(".onnx"))
    return out


@pytest.fixture
def mine(tmp_path) -> Path:
    description = replace(
        read_description(find_checkpoint(DEFAULT_WEIGHTS)), licence="MIT", recipe={}, dataset="folder"
    )
    return write_pair(tmp_path, description)


def push(*arguments: object) -> int:
    return main(["push", "me/net", *map(str, arguments)])


def test_push_and_load_by_name(hub, mine, tmp_path, capsys):
    assert push("--weights", mine) == 0
    said = capsys.readouterr().out
    (commit,) = re.findall(r"me/net@(\w+)$", said, re.M)
    assert f"pushed: {hub.address}/me/net\n" in said and "fer predict PHOTOS --weights me/net\n" in said
    repository = hub.repositories["me/net"]
    assert repository.branches == {"main": commit} and not repository.private
    assert repository.commits[commit].keys() - {".gitattributes"} == {"model.safetensors", "model.onnx", "README.md"}
    assert len(repository.commits) == 2  # that of the creation, and one
    (face,) = EmotionRecognizer.from_pretrained("me/net")(PHOTO)
    assert face == EmotionRecognizer.from_pretrained(mine.with_suffix(".onnx"))(PHOTO)[0]
    assert find_checkpoint("me/net").read_bytes() == mine.read_bytes()

    assert push("--weights", write_pair(tmp_path, replace(read_description(mine), unsure_below=0.9))) == 0
    limits = [EmotionRecognizer.from_pretrained(w).description.unsure_below for w in ("me/net", f"me/net@{commit}")]
    assert limits == [0.9, 0.5]


def test_a_branch_and_a_private_repository(hub, mine, capsys):
    assert push("--weights", mine.with_suffix(".onnx"), "--private", "--revision", "test") == 0
    assert "--weights me/net@test\n" in capsys.readouterr().out
    repository = hub.repositories["me/net"]
    assert repository.private and repository.branches.keys() == {"main", "test"}
    assert "model.onnx" not in repository.commits[repository.branches["main"]]
    repository.private = False
    assert push("--weights", mine, "--private") == 2
    assert "me/net exists and is public" in capsys.readouterr().err


def test_the_shipped_weights_keep_their_terms(hub, capsys):
    assert push("--weights", DEFAULT_WEIGHTS, "--dry-run") == 0
    assert hub.repositories == {}
    card, listed = capsys.readouterr()
    assert re.findall(r"^\S+", listed, re.M) == ["model.safetensors", "model.onnx", "README.md", "LICENSE"]
    header, text = re.fullmatch(r"---\n(.*?)---\n(.*)", card, re.S).groups()
    metadata = yaml.safe_load(header)
    licence = {
        "license": "other",
        "license_name": "for-research-only-not-for-commercial-use",
        "license_link": "LICENSE",
    }
    assert metadata.items() >= (licence | {"library_name": "dan-fer", "pipeline_tag": "image-classification"}).items()
    (result,) = metadata["model-index"][0]["results"]
    assert metadata["model-index"][0]["name"] == "net" and metadata["datasets"] == ["ferplus"]
    assert result["metrics"][0] == {"type": "accuracy", "value": 89.69}
    assert "accuracy | 89.69 (95 % interval 88.62 to 90.76)" in text and "training images are those of FER2013" in text

    assert push("--weights", DEFAULT_WEIGHTS) == 0
    files = hub.repositories["me/net"].commits[hub.repositories["me/net"].branches["main"]]
    assert files["LICENSE"] == (ROOT / "weights" / f"LICENSE-{DEFAULT_WEIGHTS}.txt").read_bytes()
    assert files["README.md"].decode() == card.removesuffix("\n")


def test_a_card_of_ones_own(hub, mine, tmp_path):
    card = tmp_path / "card.md"
    card.write_text("---\nlicense: cc-by-4.0\ntags: [moods]\n---\n# My moods\n")
    assert push("--weights", mine, "--card", card, "--message", "Better") == 0
    files = hub.repositories["me/net"].commits[hub.repositories["me/net"].branches["main"]]
    _, header, text = files["README.md"].decode().split("---\n")
    metadata = yaml.safe_load(header)
    assert (metadata["license"], metadata["tags"], text) == ("cc-by-4.0", ["moods"], "\n# My moods\n")
    assert metadata["library_name"] == "dan-fer" and "datasets" not in metadata


@pytest.mark.parametrize(
    ("token", "name", "message"),
    [
        ("", "me/net", r"me/net: the Hub wants a valid token: hf auth login, or set HF_TOKEN \(Invalid username"),
        ("hf_wrong", "me/net", "me/net: the Hub wants a valid token: hf auth login, or set HF_TOKEN"),
        ("hf_right", "you/net", r"you/net: the token does not allow this: .* \(You don't have the rights"),
        ("hf_right", "net", "net: expected the name of a repository, user/name"),
        ("hf_right", "me/net@main", "me/net@main: expected the name of a repository, user/name"),
    ],
)
def test_nothing_is_pushed(hub, mine, monkeypatch, capsys, token, name, message):
    monkeypatch.setenv("HF_TOKEN", token)
    assert main(["push", name, "--weights", str(mine)]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert hub.repositories == {}


def remove_graph(mine: Path, patch: pytest.MonkeyPatch) -> None:
    mine.with_suffix(".onnx").unlink()
    patch.setitem(sys.modules, "fer.models.export", None)
    patch.setitem(sys.modules, "torch", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda mine, _: shutil.copy(find_weights(DEFAULT_WEIGHTS), mine.with_suffix(".onnx")),
            "mine.onnx: not of mine",
        ),
        (lambda mine, _: mine.unlink(), "mine.safetensors: no such file"),
        (remove_graph, "mine.onnx: no such file; fer export .* pip install 'dan-fer"),
        (lambda mine, _: mine.write_bytes(b"x"), "not a readable safetensors file"),
        (lambda mine, _: (mine.parent / "card.md").write_text("---\n[\n---\n"), "header of the card is not YAML"),
        (lambda mine, _: (mine.parent / "card.md").write_text("---\n- a\n---\n"), "expected a YAML mapping, got list"),
        (lambda mine, _: (mine.parent / "card.md").unlink(), "card.md: No such file"),
    ],
)
def test_files_that_cannot_be_pushed(hub, mine, monkeypatch, capsys, change, message):
    card = mine.parent / "card.md"
    card.write_text("# Card\n")
    change(mine, monkeypatch)
    weights = mine if mine.exists() else mine.with_suffix(".onnx")
    assert push("--weights", weights, "--card", card) == 2
    assert re.search(message, capsys.readouterr().err)
    assert hub.requests == []


def test_a_missing_graph_is_exported(hub, mine, monkeypatch):
    from fer.models import export

    graph = mine.with_suffix(".onnx").rename(mine.with_name("kept"))
    monkeypatch.setattr(
        export, "export_onnx", lambda checkpoint, out: shutil.copy(graph, out) if checkpoint == mine else 0
    )
    assert push("--weights", mine) == 0
    assert find_weights("me/net").read_bytes() == graph.read_bytes()


def test_weights_of_the_hub_are_pushed_on(hub, mine, caplog):
    """Nothing new is no new commit."""
    files = {"model.safetensors": mine.read_bytes(), "model.onnx": mine.with_suffix(".onnx").read_bytes()}
    hub.add("you/net", files)
    for _ in range(2):
        assert push("--weights", "you/net") == 0
    assert len(hub.repositories["me/net"].commits) == 2
    assert find_weights("me/net").read_bytes() == files["model.onnx"]
    assert "licence" not in caplog.text


def test_places_and_a_missing_licence_are_named(hub, tmp_path, caplog):
    description = replace(
        read_description(find_checkpoint(DEFAULT_WEIGHTS)), recipe={"data": "/home/me/photos"}, licence=""
    )
    assert push("--weights", write_pair(tmp_path, description), "--dry-run") == 0
    assert "names folders of this machine (/home/me/photos)" in caplog.text
    assert "states no licence" in caplog.text


def test_without_pytorch(hub, mine):
    code = f"""
import sys
from fer.cli import main
status = main(["push", "me/net", "--weights", {str(mine)!r}, "--dry-run"])
sys.exit(f"status {{status}}" if status or {{"torch", "jinja2", "sklearn"}} & sys.modules.keys() else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
