"""The page over HTTP, without a browser."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
from page_inputs import archive, picture

gradio = pytest.importorskip("gradio", reason="the page needs gradio: pip install 'dan-fer[app]'")
from gradio_client import Client, handle_file  # noqa: E402

from app.__main__ import add_arguments, choose_port, main  # noqa: E402
from app.clients import CameraClient, stream, to_jpeg  # noqa: E402
from app.logins import Logins  # noqa: E402
from app.page import build_page, launch_options  # noqa: E402
from fer.inference.recognizer import EmotionRecognizer  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def launch(recognizer, tmp_path, monkeypatch):
    """Starts the page; -> its address. What arrives lies in tmp_path/uploads."""
    (tmp_path / "uploads").mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    pages = []

    def start(**options) -> str:
        pages.append(build_page(recognizer))
        _, url, _ = pages[-1].launch(**launch_options() | options, prevent_thread_lock=True, quiet=True)
        return url

    yield start
    for page in pages:
        page.close(verbose=False)


def contents(folder: Path) -> list[str]:
    """The files that hold anything."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and path.stat().st_size]


def test_other_programs_get_rows(launch, upload, tmp_path):
    client = Client(launch(), verbose=False)
    before = contents(tmp_path / "uploads")
    rows = client.predict(handle_file(upload("ä.png", picture(2))), api_name="/photo")
    assert [(row["status"], row["face"]) for row in rows] == [("ok", 0), ("ok", 1)]
    assert rows[0]["file"].endswith(".png") and 0 < rows[0]["confidence"] <= 1
    files = [upload("a.zip", archive({"1.png": picture(1), "x.txt": b"no"})), upload("b.png", picture(0))]
    rows = client.predict([handle_file(file) for file in files], api_name="/batch")
    assert [(row["file"], row["status"]) for row in rows] == [
        ("a.zip/1.png", "ok"),
        ("a.zip/x.txt", "error"),
        ("b.png", "no_face"),
    ]
    assert contents(tmp_path / "uploads") == before


def test_thirty_people_with_the_same_photo(launch, upload, tmp_path):
    client = Client(launch(), verbose=False, httpx_kwargs={"timeout": 120})
    before, photo = contents(tmp_path / "uploads"), upload("a.png", picture(1))
    jobs = [client.submit(handle_file(photo), api_name="/photo") for _ in range(30)]
    answers = [job.result(timeout=120) for job in jobs]
    assert [[row["status"] for row in rows] for rows in answers] == [["ok"]] * 30
    assert contents(tmp_path / "uploads") == before
    assert not [path for path in (tmp_path / "uploads").glob("*/*") if path.is_dir()]


def test_an_upload_that_is_broken_off_leaves_nothing(launch, tmp_path):
    url = launch()
    before = sorted((tmp_path / "uploads").rglob("*"))
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + picture(1) * 20
    with socket.create_connection(("127.0.0.1", urlsplit(url).port)) as connection:
        head = "POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x"
        connection.sendall(f"{head}\r\nContent-Length: {len(body) + 1000}\r\n\r\n".encode() + body)
        time.sleep(0.5)
        assert sorted((tmp_path / "uploads").rglob("*")) != before
    time.sleep(0.5)
    assert sorted((tmp_path / "uploads").rglob("*")) == before


def test_samples_are_not_deleted(launch, upload, tmp_path):
    url = launch()
    with urllib.request.urlopen(f"{url}config") as answer:
        icons = [c["props"]["icon"]["url"] for c in json.load(answer)["components"] if c["props"].get("icon")]
    assert len(icons) == 2
    Client(url, verbose=False).predict(handle_file(ROOT / "samples/astronaut.jpg"), api_name="/photo")
    shutil.rmtree(tmp_path / "uploads")  # what the clock deletes in ten minutes, and more
    for icon in icons:
        with urllib.request.urlopen(icon) as answer:
            assert answer.read().startswith(b"\xff\xd8")


def test_only_photo_and_batch_are_offered_to_programs(launch):
    described = Client(launch(), verbose=False).view_api(return_format="dict")
    assert set(described["named_endpoints"]) == {"/photo", "/batch"} and not described["unnamed_endpoints"]


def post(url: str, path: str, data: dict) -> object:
    request = urllib.request.Request(
        f"{url}gradio_api/{path}", json.dumps(data).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def look(url: str, request: object) -> dict:
    """What the live view of the page asks of the server."""
    with urllib.request.urlopen(f"{url}config") as answer:
        components = json.load(answer)["components"]
    (live,) = (c["id"] for c in components if "look" in c["props"].get("server_fns", []))
    return post(
        url, "component_server", {"session_hash": "x", "component_id": live, "fn_name": "look", "data": request}
    )


def test_a_path_on_the_server_is_no_upload(launch, tmp_path):
    """Nobody reads the server's files by naming them."""
    url, secret = launch(), tmp_path / "secret.png"
    secret.write_bytes(picture(1))
    event = post(url, "call/photo", {"data": [{"path": str(secret), "meta": {"_type": "gradio.FileData"}}]})
    with urllib.request.urlopen(f"{url}gradio_api/call/photo/{event['event_id']}", timeout=30) as answer:
        assert "event: error" in answer.read().decode()
    event = post(
        url, "call/photo", {"data": [{"path": str(secret)}]}
    )  # a file without the mark of one: Gradio lets it through
    with urllib.request.urlopen(f"{url}gradio_api/call/photo/{event['event_id']}", timeout=30) as answer:
        assert "did not arrive" in answer.read().decode()
    assert secret.exists()


def test_a_broken_frame_is_answered(launch):
    url = launch()
    assert "could not be read" in look(url, {"picture": "data:,", "session": "a"})["hint"]
    assert "could not be read" in look(url, None)["hint"]


def test_names_and_passwords(launch):
    url = launch(auth=[("anna", "secret")])
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(url, "component_server", {"session_hash": "x", "component_id": 1, "fn_name": "look", "data": {}})
    assert refused.value.code == 401
    assert Client(url, auth=("anna", "secret"), verbose=False).view_api(return_format="dict")["named_endpoints"]


def test_a_wrong_password_is_answered_late_and_keeps_nobody_waiting(launch):
    url = launch(auth=Logins({"anna": "secret"}).check)
    begin, answers = time.monotonic(), {}

    def enter(password: str) -> None:
        data = urlencode({"username": "anna", "password": password}).encode()
        try:
            with urllib.request.urlopen(f"{url}login", data, timeout=30) as answer:
                answers[password] = answer.status
        except urllib.error.HTTPError as error:
            answers[password] = error.code
        answers[f"{password} after"] = time.monotonic() - begin

    wrong = threading.Thread(target=enter, args=("wrong",))
    wrong.start()
    time.sleep(0.1)
    with urllib.request.urlopen(url, timeout=30):
        assert "wrong" not in answers
    wrong.join()
    enter("secret")
    assert answers["wrong"] == 400 and answers["secret"] == 200 and answers["wrong after"] >= 0.5


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


def test_a_file_over_the_limit_is_refused(launch, upload, tmp_path):
    client = Client(launch(max_file_size=2000), verbose=False)
    with pytest.raises(Exception, match="(?i)size|413"):
        client.predict(handle_file(upload("a.png", bytes(5000))), api_name="/photo")
    assert not [path for path in contents(tmp_path / "uploads") if Path(path).stat().st_size == 5000]


WRONG = [
    (["--auth", "anna"], "NAME:PASSWORD"),
    (["--auth-file", "no.txt"], "no.txt: No such file"),
    (["--host", "nowhere.invalid"], "nowhere.invalid: no address of this computer"),
    (["--weights", "nothing"], "no weights"),
    (["--ssl-keyfile", "no.key", "--ssl-certfile", "no.pem"], "no.pem"),
    (["--ssl-keyfile", "no.key"], "go together"),
    (["--detector", "yunet", "--detector-weights", "no.onnx"], "no.onnx: no such detector model"),
]


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
            message = f"error: port {port} is taken by another program; give another --port, or none for a free one\n"
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


def test_defaults_keep_the_page_to_this_computer():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = parser.parse_args([])
    assert arguments.host == "127.0.0.1" and not arguments.share and not arguments.auth
    assert launch_options()["share"] is False


def test_a_client_of_the_benchmark_speaks_as_the_page_does(launch):
    url, frame = launch(), np.full((90, 120, 3), 2, np.uint8)  # in which the detector finds two faces
    client, other = CameraClient(url), CameraClient(url)
    assert [len(client.look(to_jpeg(frame))["faces"]) for _ in range(2)] == [2, 2]
    (face, _) = client.look(to_jpeg(frame), attention=True)["faces"]
    assert "maps" in face and face["track"] == 0
    assert other.look(to_jpeg(frame))["faces"][0]["track"] == 0 and client.session != other.session
    assert "could not be read" in client.look(b"MZ")["hint"]
    line = stream(url, clients=2, seconds=0.5, pictures=[to_jpeg(frame)])
    assert line.startswith("2 clients: ") and line.endswith("2.00 faces a frame")


FLAGS = [
    ("--weights", "mine.onnx"),
    ("--device", "cuda"),
    ("--batch-size", "3"),
    ("--detector", "none"),
    ("--detector-weights", "faces.onnx"),
]


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


def test_a_space_needs_what_the_package_needs():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 reads TOML")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = {*project["dependencies"], *extras["app"], *extras["video"]} - {"dan-fer[video]"}
    named = set((ROOT / "app/requirements.txt").read_text().split("\n")) - {""}
    assert named == {name for name in needed if not name.startswith("gradio")}  # the Space brings Gradio


@pytest.mark.slow
def test_the_folder_of_a_space_starts(tmp_path):
    subprocess.run(["make", "-s", "space", f"SPACE={tmp_path / 'space'}"], cwd=ROOT, check=True)
    code = "import app.__main__ as m; m._serve = lambda a, auth: print('ready', a.host, m.__file__); import runpy; "
    code += "runpy.run_path('space.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "space", capture_output=True, text=True, timeout=100
    )
    assert done.stdout.split()[:2] == ["ready", "0.0.0.0"] and str(tmp_path) in done.stdout, done.stderr
