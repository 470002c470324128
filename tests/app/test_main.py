"""The command that serves the page."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from page_inputs import contents

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'dan-fer[app]'")

from app.__main__ import add_arguments, choose_port, main
from app.page import launch_options
from fer.inference.recognizer import EmotionRecognizer

ROOT = Path(__file__).resolve().parents[2]
WRONG = [
    (["--auth", "anna"], "NAME:PASSWORD"),
    (["--auth-file", "no.txt"], "no.txt: No such file"),
    (["--host", "nowhere.invalid"], "nowhere.invalid: not an address of this computer"),
    (["--weights", "nothing"], "no weights"),
    (["--ssl-keyfile", "no.key", "--ssl-certfile", "no.pem"], "no.pem"),
    (["--ssl-keyfile", "no.key"], "must be used together"),
    (["--detector", "yunet", "--detector-weights", "no.onnx"], "no.onnx: no such detector model"),
]
FLAGS = [
    ("--weights", "mine.onnx"),
    ("--device", "cuda"),
    ("--batch-size", "3"),
    ("--detector", "none"),
    ("--detector-weights", "faces.onnx"),
    ("--prior", "even:0.5"),
]


def test_passwords_reach_the_page_without_the_command_line(monkeypatch, tmp_path):
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")
    served = []
    monkeypatch.setattr("app.__main__._serve", lambda arguments, logins: served.append((arguments, logins)))
    monkeypatch.setenv("FER_AUTH", "anna:1")
    monkeypatch.setenv("FER_SSL_KEYFILE_PASSWORD", "2")
    (tmp_path / "logins").write_text("bert:3\n")
    assert main(["--auth-file", str(tmp_path / "logins")]) == 0
    ((arguments, logins),) = served
    assert logins == {"anna": "1", "bert": "3"} and arguments.ssl_keyfile_password == "2"


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_mistakes_end_with_a_sentence(arguments, message, capsys, monkeypatch):
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")  # restored after the test
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("port", ["80000", "-1", "0", "x", "65536", "7860.5"])
def test_a_port_that_is_none(port, capsys):
    with pytest.raises(SystemExit) as end:
        main(["--port", port])
    assert end.value.code == 2
    assert f"expected a number from 1 to 65535, not {port}" in capsys.readouterr().err


def test_a_port_that_is_taken(capsys, monkeypatch):
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for host in ("127.0.0.1", "0.0.0.0", "localhost"):
            assert main(["--host", host, "--port", str(port)]) == 2
            message = f"error: port {port} is taken by another program; choose another --port, or omit it\n"
            assert capsys.readouterr().err == message
        monkeypatch.setattr("app.__main__.PORTS", range(port, port + 1))
        assert main([]) == 2
        assert f"all ports from {port} to {port} are taken" in capsys.readouterr().err


def test_the_first_free_port_is_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_server(("127.0.0.1", 0)) as free:
        ports = [s.getsockname()[1] for s in (other, free)]
        free.close()
        monkeypatch.setattr("app.__main__.PORTS", ports)
        assert choose_port("127.0.0.1", None) == ports[1] == choose_port("127.0.0.1", ports[1])


def test_without_gradio_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "app.page")
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")
    assert main([]) == 2
    assert "pip install 'dan-fer[app]'" in capsys.readouterr().err


def test_without_mcp_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp.server", None)
    monkeypatch.delitem(sys.modules, "app.tools", raising=False)
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")
    assert main(["--mcp", "--weights", "nothing"]) == 2
    assert "--mcp needs the package mcp 2: pip install 'dan-fer[mcp]'" in capsys.readouterr().err


def test_defaults_keep_the_page_to_this_computer(recognizer):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = parser.parse_args([])
    assert arguments.host == "127.0.0.1" and not arguments.share and not arguments.auth
    assert not arguments.mcp
    assert launch_options(recognizer)["share"] is False


def test_the_flags_of_the_command_reach_the_recogniser(capsys, monkeypatch):
    seen = {}

    def from_pretrained(**options):
        seen.update(options)
        raise ValueError("far enough")

    monkeypatch.setattr(EmotionRecognizer, "from_pretrained", from_pretrained)
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")
    assert main([word for flag in FLAGS for word in flag]) == 2
    assert capsys.readouterr().err == "error: far enough\n"
    given = {flag[2:].replace("-", "_"): value for flag, value in FLAGS}
    assert {name: str(value) for name, value in seen.items() if name in given} == given


def self_signed(folder: Path) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return key, certificate


@pytest.mark.slow
def test_the_command_serves_https_and_leaves_nothing(tiny_checkpoint, tmp_path):
    key, certificate = self_signed(tmp_path)
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(ROOT)}
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "app", "--weights", str(tiny_checkpoint), "--detector", "yunet"]
    command += ["--ssl-keyfile", str(key), "--ssl-certfile", str(certificate)]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = server.stdout.readline().split()[4].rstrip(";")
            trust = ssl._create_unverified_context()
            with urllib.request.urlopen(url, context=trust, timeout=30) as answer:
                assert url.startswith("https://") and "gradio" in answer.read().decode()
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    assert contents(tmp_path / "tmp") == []
