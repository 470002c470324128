"""The page over HTTP, without a browser."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from page_inputs import archive, contents, picture

gradio = pytest.importorskip("gradio", reason="the page needs gradio: pip install 'dan-fer[app]'")
from gradio_client import Client, handle_file  # noqa: E402

from app.logins import Logins  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is absent")
def test_the_curl_lines_of_the_documentation(launch, upload, tmp_path):
    upload("astronaut.jpg", picture(1)).rename(tmp_path / "photo.jpg")
    (script,) = re.findall("^```\n(url=.*?)^```", (ROOT / "docs/page.md").read_text(), re.M | re.S)
    script = script.replace("http://127.0.0.1:7860/", launch())
    run = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    complete, data = run.stdout.strip().split("\n")
    ((row,),) = json.loads(data.removeprefix("data: "))
    assert (complete, row["file"], row["status"]) == ("event: complete", "photo.jpg", "ok")
    assert not [path for path in contents(tmp_path / "uploads") if "photo" in path]


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


def test_a_file_over_the_limit_is_refused(launch, upload, tmp_path):
    client = Client(launch(max_file_size=2000), verbose=False)
    with pytest.raises(Exception, match="(?i)size|413"):
        client.predict(handle_file(upload("a.png", bytes(5000))), api_name="/photo")
    assert not [path for path in contents(tmp_path / "uploads") if Path(path).stat().st_size == 5000]
