"""Weights from elsewhere: by a name on the Hub, here a stand-in on this computer, and by an https address."""

import hashlib
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from fake_hub import FakeHub, serve
from fer import EmotionRecognizer
from fer.cli import main
from fer.hub import find_suffix, is_address, is_hub_name
from fer.resources import DEFAULT_WEIGHTS, find_checkpoint, find_weights

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
BOTH = {"model.onnx": b"graph", "model.safetensors": b"checkpoint"}
DIGITS = "0" * 64


@pytest.mark.parametrize(
    ("weights", "hub", "address", "suffix"),
    [
        ("me/net", True, False, ""),
        ("me/net@main", True, False, ""),
        ("me/my.net-2@feature/x", True, False, None),
        (DEFAULT_WEIGHTS, False, False, ""),
        ("", False, False, ""),
        ("./net", False, False, ""),
        ("../me/net", False, False, ""),
        ("/me/net", False, False, ""),
        ("runs/me/net", False, False, ""),
        ("me/", False, False, ""),
        ("me/net@", False, False, ""),
        (Path("x", "y", "net.onnx"), False, False, ".onnx"),
        (f"https://a.org/net.onnx?v=1#sha256={DIGITS}", False, True, ".onnx"),
        ("HTTPS://a.org/net.safetensors", False, True, ".safetensors"),
    ],
)
def test_kinds_of_names(weights, hub, address, suffix):
    assert (is_hub_name(weights), is_address(weights)) == (hub, address)
    assert suffix is None or find_suffix(weights) == suffix


@pytest.mark.parametrize(
    ("files", "find", "name"),
    [
        (BOTH, find_weights, "model.onnx"),
        (BOTH, find_checkpoint, "model.safetensors"),
        ({"best.safetensors": b"x", "pytorch_model.bin": b"x"}, find_weights, "best.safetensors"),
        ({"a.onnx": b"x", "model.onnx": b"y", "b.onnx": b"z"}, find_weights, "model.onnx"),
        ({"onnx/net.onnx": b"x", "README.md": b"y"}, find_weights, "net.onnx"),  # the only one of its kind
    ],
)
def test_one_file_is_downloaded_once(hub, caplog, files, find, name):
    commit = hub.add("me/net", files)
    with caplog.at_level("INFO", "fer"):
        path = find("me/net")
    assert path.name == name and path.read_bytes() in files.values()
    assert f"of me/net@{commit}" in caplog.messages[0]
    assert find("me/net") == find(f"me/net@{commit}") == path
    assert len([line for line in hub.requests if line.startswith("GET /me/")]) == 1


def test_a_branch_moves_and_a_commit_stays(hub):
    old = hub.add("me/net", {"model.onnx": b"old"})
    assert find_weights("me/net").read_bytes() == b"old"
    hub.repositories["me/net"].commit({"model.onnx": b"new"})
    hub.repositories["me/net"].commit({"model.onnx": b"test"}, "test/1")
    for name, content in (("", b"new"), ("@main", b"new"), (f"@{old}", b"old"), ("@test/1", b"test")):
        assert find_weights(f"me/net{name}").read_bytes() == content


def test_without_a_connection_the_cache_is_taken(hub, monkeypatch, caplog):
    from huggingface_hub import constants

    hub.add("me/net", BOTH | {"old.onnx": b"x"})
    hub.add("me/other", {"net.onnx": b"other"})
    paths = [find_weights(name) for name in ("me/net", "me/other")]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    caplog.clear()
    with caplog.at_level("INFO", "fer"):
        assert [find_weights(name) for name in ("me/net", "me/other")] == paths
    assert all(message.endswith("from the cache") for message in caplog.messages)
    for name, find in (("me/third", find_weights), ("me/net", find_checkpoint)):
        with pytest.raises(
            ValueError, match=f"{name}: (no such file here, and HF_HUB_OFFLINE forbids|no .safetensors file)"
        ):
            find(name)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert find_weights("me/net") == paths[0]
    with pytest.raises(
        ValueError, match=r"me/third: no such file here, and the Hugging Face Hub cannot be reached \(.*refused"
    ):
        find_weights("me/third")


@pytest.mark.parametrize(
    ("name", "find", "message"),
    [
        (
            "me/lost",
            find_weights,
            "me/lost: no such file here, and no such repository on .* if it is private: hf auth login",
        ),
        ("me/net@v9", find_weights, "me/net@v9: the repository has no such branch, tag or commit"),
        (
            "me/pickle",
            find_weights,
            r"no .onnx or .safetensors file .*; it has README.md, pytorch_model.bin; pickles are",
        ),
        (
            "me/torch",
            EmotionRecognizer.from_pretrained,
            "no .onnx file .* --runtime torch; or fer export me/torch --out",
        ),
        ("me/many", find_weights, "me/many: a.onnx, b.onnx: expected one .onnx file, or model.onnx"),
        ("me/empty", find_weights, "it has no files"),
    ],
)
def test_what_cannot_be_loaded(hub, tmp_path, name, find, message):
    hub.add("me/net", BOTH)
    hub.add("me/pickle", {"pytorch_model.bin": b"\x80\x04.", "README.md": b""})
    hub.add("me/torch", {"model.safetensors": b"x"})
    hub.add("me/many", {"a.onnx": b"a", "b.onnx": b"b"})
    hub.add("me/empty", {})
    with pytest.raises(ValueError, match=message):
        find(name)
    assert not any(line.startswith("GET /me/") for line in hub.requests)  # no file was downloaded


def test_a_private_repository(hub, monkeypatch):
    hub.add("me/net", BOTH)
    hub.repositories["me/net"].private = True
    assert find_weights("me/net").name == "model.onnx"
    for token, message in (("hf_wrong", "the Hub wants a valid token: hf auth login"), ("", "no such repository")):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(ValueError, match=message):
            find_weights("me/net@v2")


def test_what_is_here_comes_first(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me").mkdir()
    (tmp_path / "me" / "net.onnx").write_bytes(b"mine")
    (tmp_path / "me" / "folder").mkdir()
    assert find_weights("me/net.onnx") == Path("me/net.onnx")
    assert find_weights(DEFAULT_WEIGHTS).parent.name == "weights"
    for name in ("me/folder", "nothing", "me/lost.onnx"):
        with pytest.raises(ValueError, match="no weights|no such file"):
            find_weights(name)
    assert hub.requests == []


def test_without_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "pooch", None)
    for weights in ("me/net", f"https://a.org/net.onnx#sha256={DIGITS}"):
        with pytest.raises(ModuleNotFoundError, match=r"to download it, .*pip install 'dan-fer\[hub\]'"):
            find_weights(weights)
    assert main(["predict", str(SAMPLES), "--weights", "me/net"]) == 2
    assert "me/net: no such file here; to download it, install huggingface_hub" in capsys.readouterr().err
    assert main(["push", "me/net", "--weights", DEFAULT_WEIGHTS]) == 2
    assert "needs the package huggingface_hub: pip install 'dan-fer[hub]'" in capsys.readouterr().err


def test_the_variables_of_huggingface_hub_without_pytorch(hub, tmp_path):
    """A process of its own, because they are read when it is imported."""
    hub.add("me/net", {"model.onnx": find_weights(DEFAULT_WEIGHTS).read_bytes()})
    code = f"""
import sys
from fer.cli import main
status = main(["predict", {str(SAMPLES / "astronaut.jpg")!r}, "--weights", "me/net", "--out", sys.argv[1]])
sys.exit(9 if "torch" in sys.modules else status)
"""
    variables = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.address, "HF_TOKEN": ""}
    for name, more in (("1.jsonl", {}), ("2.jsonl", {"HF_HUB_OFFLINE": "1"})):
        command = [sys.executable, "-c", code, str(tmp_path / name)]
        done = subprocess.run(command, env=os.environ | variables | more, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    rows = [json.loads((tmp_path / name).read_text()) for name in ("1.jsonl", "2.jsonl")]
    assert rows[0] == rows[1] and rows[0]["status"] == "ok"


@pytest.fixture
def web(tmp_path, monkeypatch):
    """A server with me/net, and a cache folder of its own."""
    pytest.importorskip("pooch", reason="downloads need pooch: pip install 'dan-fer[hub]'")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with serve() as server:
        server.add("me/net", BOTH)
        yield server


def address(server: FakeHub, file: str = "model.onnx", data: bytes = b"graph") -> str:
    return f"{server.address}/me/net/resolve/main/{file}#sha256={hashlib.sha256(data).hexdigest()}"


def test_an_address_is_downloaded_once_and_verified(web, tmp_path):
    for file, data in BOTH.items():
        path = find_weights(address(web, file, data))
        assert path.read_bytes() == data and path.name == file and tmp_path in path.parents
    requests = len(web.requests)
    assert find_weights(address(web)).read_bytes() == b"graph" and len(web.requests) == requests
    path = find_weights(address(web))
    path.write_bytes(b"damaged")
    assert find_weights(address(web)).read_bytes() == b"graph"


def test_a_wrong_checksum_keeps_nothing(web, tmp_path):
    got = hashlib.sha256(b"graph").hexdigest()
    with pytest.raises(ValueError, match=f"model.onnx: its SHA-256 is {got}, not {DIGITS}; nothing was kept"):
        find_weights(address(web).split("#")[0] + f"#sha256={DIGITS}")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("https://a.org/net.onnx", "no checksum; add #sha256= .* `curl -L 'https://a.org/net.onnx' | sha256sum`"),
        ("https://a.org/net.onnx#sha256=12", "no checksum"),
        (f"https://a.org/net.pt#sha256={DIGITS}", "expected the address of a .onnx or .safetensors file"),
        (f"http://a.org/net.onnx#sha256={DIGITS}", "http://a.org/net.onnx: expected an https address"),
        (f"HERE/me/net/resolve/main/lost.onnx#sha256={DIGITS}", "lost.onnx: cannot be downloaded .*404"),
        (f"https://127.0.0.1:9/net.onnx#sha256={DIGITS}", "net.onnx: cannot be downloaded .*refused"),
    ],
)
def test_addresses_that_are_refused(web, end, message):
    with pytest.raises(ValueError, match=message):
        find_weights(end.replace("HERE", web.address))
    with pytest.raises(ValueError, match="address of a .safetensors file"):
        find_checkpoint(address(web))


def test_https(web, tmp_path, monkeypatch, capsys):
    """A certificate that the user trusts, and the whole way to the rows."""
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    data = find_weights(DEFAULT_WEIGHTS).read_bytes()
    web.add("me/net", {"model.onnx": data})
    web.socket = context.wrap_socket(web.socket, server_side=True)
    weights = address(web, data=data).replace("http://", "https://")
    with pytest.raises(ValueError, match="cannot be downloaded .*certificate"):
        find_weights(weights)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    assert main(["predict", str(SAMPLES / "astronaut.jpg"), "--weights", weights]) == 0
    assert "astronaut.jpg" in capsys.readouterr().out
