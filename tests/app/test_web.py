"""The live page as a folder: what is in it, how it is written, and how `fer app` serves it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from PIL import Image

from app import web
from app.logins import Logins
from app.page import launch_options
from fer import EmotionRecognizer, cli

pytest.importorskip("markdown_it", reason="the page needs markdown-it-py: pip install 'dan-fer[web]'")
SHIPPED = EmotionRecognizer.from_pretrained


@pytest.fixture(scope="module")
def files(runtime_folder) -> dict[str, bytes]:
    return web.collect_files(SHIPPED(device="cpu"), str(runtime_folder))


def test_every_file_that_is_named_is_there(files):
    index, manifest = files["index.html"].decode(), json.loads(files["manifest.webmanifest"])
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', index)) - {"https://arxiv.org/abs/2109.07270"}
    named |= {icon["src"] for icon in manifest["icons"]} | {"settings.json", "yunet.onnx", "network.onnx"}
    for path, content in files.items():
        if path.startswith("browser/"):
            named |= {
                f"browser/{name}" for name in re.findall(r'(?:from|URL\()\s*"(?:\./)?(\w+\.js)"', content.decode())
            }
    named -= {"browser/sw.js"}
    assert named <= files.keys() and {Path(path).suffix for path in files} == web.TYPES.keys()
    assert not re.search(r"\{\w+\}", index)  # all parts are filled in
    assert re.search(r'<button[^>]* class="start" disabled>', index)  # until the engine is there
    for side in (192, 512):
        assert Image.open(io.BytesIO(files[f"icon-{side}.png"])).size == (side, side)


def test_the_page_may_contact_its_own_host_only(files):
    index, sources = files["index.html"].decode(), set(re.findall(r"'[\w-]+'|\w+:", web.POLICY))
    assert f'http-equiv="Content-Security-Policy" content="{web.POLICY}"' in index
    assert sources == {"'self'", "'none'", "'wasm-unsafe-eval'", "data:", "blob:"}
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=", index)  # the policy forbids these


def test_all_colours_are_defined(files):
    """Gradio's theme gives some of them; here it is the page itself, for light and dark."""
    style = files["style.css"].decode()
    of_theme = {*re.findall(r"var\((--[\w-]+-(?:color|fill)[\w-]*)", style), "--border-color-primary"}
    light, dark = style.split("@media (prefers-color-scheme: dark)")[:2]
    assert len(of_theme) > 3 and all(f"{name}:" in light and f"{name}:" in dark for name in of_theme)


def test_the_service_worker_knows_all_other_files(files):
    first = files["sw.js"].decode().partition("\n")[0]
    checksums = json.loads(first.removeprefix("const FILES = ").removesuffix(";"))
    assert checksums.keys() == files.keys() - {"sw.js"}
    for path, checksum in checksums.items():
        assert checksum == f"sha256-{base64.b64encode(hashlib.sha256(files[path]).digest()).decode()}"
    sizes = json.loads(files["settings.json"])["bytes"]
    assert sizes == {path: len(files[path]) for path in files if Path(path).suffix in (".onnx", ".wasm")}


def test_the_template_of_the_live_view_has_no_gaps():
    assert not re.search(r"\$\{|\{\{", (web.STATIC / "live.html").read_text())  # which only Gradio fills in


def test_licences(files):
    text = files["licences.txt"].decode()
    for part in ("MIT License", "Microsoft", "Apache License", "Shiqi Yu", "For research only", "MS1M"):
        assert part in text, part


def test_a_pytorch_checkpoint_is_refused(recognizer, runtime_folder):
    with pytest.raises(ValueError, match="fer export CHECKPOINT --out FILE.onnx"):
        web.collect_files(recognizer, str(runtime_folder))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_command(files, runtime_folder, tmp_path, capsys):
    out = tmp_path / "made" / "site"
    command = ["web", "--out", str(out), "--runtime-files", str(runtime_folder)]
    assert cli.main(command) == 0
    assert contents(out) == files and "a visitor loads 5 MB" in capsys.readouterr().out
    worker = (out / "sw.js").read_text().replace('{"', '{"old.js": "", "', 1)
    (out / "sw.js").write_text(worker)
    (out / "old.js").write_text("of an older version")
    assert cli.main(command) == 0
    assert contents(out) == files and list(out.parent.iterdir()) == [out]
    (out / "CNAME").write_text("example.org")
    assert cli.main(command) == 2
    assert "holds other files (CNAME)" in capsys.readouterr().err and len(contents(out)) == len(files) + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--runtime-files", "none.tgz"], "none.tgz: not the npm package onnxruntime-web"),
        (["--weights", "none"], "none"),
        (["--weights", "CHECKPOINT"], "fer export"),
        (["--out", "file"], "not a folder"),
    ],
)
def test_errors_of_the_command(tiny_checkpoint, runtime_folder, tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    options = [str(tiny_checkpoint) if option == "CHECKPOINT" else option for option in options]
    assert cli.main(["web", "--out", "site", "--runtime-files", str(runtime_folder), *options]) == 2
    assert message in capsys.readouterr().err and [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def serve(launch, runtime_folder):
    """Starts the page; -> the address of the folder."""

    def start(runtime: str = str(runtime_folder), **options) -> str:
        served = launch_options(SHIPPED(device="cpu"), runtime)["app_kwargs"]
        return f"{launch(app_kwargs=served, **options)}browser/"

    return start


def get(url: str, **headers: str) -> tuple[int, dict, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def test_the_server_gives_the_same_files(serve, files):
    url = serve()
    for path, content in files.items():
        status, headers, body = get(url + path)
        assert (status, body, headers["content-type"]) == (200, content, web.TYPES[Path(path).suffix])
        assert headers["cross-origin-opener-policy"] == "same-origin" and headers["etag"]
    assert web.TYPES[".mjs"].startswith("text/javascript") and web.TYPES[".wasm"] == "application/wasm"
    assert get(url)[2] == files["index.html"]
    status, headers, body = get(f"{url}network.onnx", **{"If-None-Match": get(f"{url}network.onnx")[1]["etag"]})
    assert (status, body) == (304, b"")


@pytest.mark.parametrize("path", ["../README.md", "%2e%2e/page.py", "..%2f..%2f..%2fetc/passwd", "/etc/passwd", "none"])
def test_the_server_gives_nothing_else(serve, path):
    url = urlsplit(serve())
    connection = http.client.HTTPConnection(url.netloc, timeout=30)
    connection.request("GET", f"/browser/{path}")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (404, b"no such file")
    connection.close()


def test_the_files_need_the_login_of_the_page(serve):
    url = serve(auth=Logins({"anna": "secret"}).check)
    assert get(url)[0] == get(f"{url}network.onnx")[0] == 401
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    login = urlencode({"username": "anna", "password": "secret"}).encode()
    opener.open(f"{url.removesuffix('browser/')}login", login, timeout=30).close()
    assert opener.open(f"{url}settings.json", timeout=30).status == 200
    assert get(f"{url}settings.json", Cookie="access-token=x")[0] == 401


def test_a_runtime_that_is_missing_is_tried_again(serve, runtime_folder, tmp_path):
    url = serve(str(tmp_path / "dist"))
    status, _, body = get(f"{url}settings.json")
    assert status == 503 and b"not the npm package" in body
    (tmp_path / "dist").symlink_to(runtime_folder)
    assert get(f"{url}settings.json")[0] == 200
