"""What runs here asks no other computer, listens to none, and leaves nothing in the home folder.

Each case runs in a process of its own without any variable that switches telemetry off. An audit
hook watches what Python asks for, in the processes that it starts too; where strace is allowed, it
watches what native code asks for.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
STRACE = ["strace", "-f", "-qq", "--seccomp-bpf", "-esignal=none", "-etrace=connect,bind,sendto,sendmsg,sendmmsg"]
KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMPDIR", "OMP_NUM_THREADS")  # of the environment

GUARD = r"""
import os, re, sys

LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")

def watch(event, arguments):
    if event in LOOKUPS:
        place = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        place = arguments[1] if isinstance(arguments[1], tuple) else None  # no path of a local socket
    else:
        return
    host = place[0] if isinstance(place, tuple) else place
    host = host.decode() if isinstance(host, bytes) else host
    if isinstance(host, str) and not re.fullmatch(r"|localhost|::1?|0\.0\.0\.0|(::ffff:)?127\.[\d.]+", host):
        with open(os.environ["GUARD_LOG"], "a") as log:
            log.write(host + "\n")
        raise PermissionError(f"{host} is asked for")

sys.addaudithook(watch)
"""


class Trace(NamedTuple):
    """What a process did."""

    printed: str
    errors: str
    asked: set[str]  # hosts, also name servers, and networks that it listened to
    left: list[str]  # files in its home


@lru_cache
def strace_works() -> bool:
    """It may be absent, old, or forbidden, as where this process is traced itself."""
    probe = [*STRACE, "-o", os.devnull, "true"]
    return bool(shutil.which("strace")) and not subprocess.run(probe, capture_output=True).returncode


def run(code: str, folder: Path) -> Trace:
    for name in ("home", "guard"):
        (folder / name).mkdir()
    (folder / "guard" / "sitecustomize.py").write_text(GUARD)
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
        "HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join(map(str, (folder / "guard", ROOT, ROOT / "tests"))),
        "GUARD_LOG": str(folder / "asked"),
        "RES_OPTIONS": "timeout:1 attempts:1",
    }
    traced = [*STRACE, "-o", str(folder / "calls")] if strace_works() else []
    command = [*traced, sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    asked = set((folder / "asked").read_text().split()) if (folder / "asked").exists() else set()
    if traced:
        asked |= outside((folder / "calls").read_text(errors="replace"))
    home = folder / "home"
    left = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
    return Trace(done.stdout, done.stderr, asked, left)


def outside(calls: str) -> set[str]:
    """The addresses in strace's lines that are not of this computer, and those of name servers."""
    found = set(re.findall(r'sun_path="(/run/systemd/resolve/[^"]+)"', calls))
    for line in calls.splitlines():
        address = re.search(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|AF_INET6, )"([^"]+)"', line)
        if address:
            port, host = address.groups()
            host = host.removeprefix("::ffff:")
            here = ip_address(host).is_loopback or (ip_address(host).is_unspecified and " bind(" not in line)
            if port == "53" or not here:
                found.add(host)
    return found


@pytest.mark.parametrize(
    ("code", "host"),
    [
        ("import socket; socket.getaddrinfo('made-up.invalid', 80)", "made-up.invalid"),
        ("import socket; socket.gethostbyname('made-up.invalid')", "made-up.invalid"),
        ("import socket; socket.socket().connect(('192.0.2.1', 9))", "192.0.2.1"),
        ("import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))", "192.0.2.1"),
        ("import urllib.request; urllib.request.urlopen('http://made-up.invalid')", "made-up.invalid"),
        # in another process
        ("import subprocess, sys; subprocess.run([sys.executable, '-c', 'import socket; "
         "socket.gethostbyname(\"made-up.invalid\")'])", "made-up.invalid"),
    ],
)  # fmt: skip
def test_the_guard_sees_what_python_asks_for(tmp_path, code, host):
    code = f"""
import threading
def ask():
    try:
        {code}
    except OSError:
        pass
threading.Thread(target=ask).start()
"""
    assert run(code, tmp_path).asked == {host}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("libc.getaddrinfo(b'made-up.invalid', None, None, ctypes.byref(ctypes.c_void_p()))", r".+"),  # a name server
        ("libc.connect(udp, address(2), 16)", r"192\.0\.2\.1"),
        ("libc.sendto(udp, b'', 0, 0, address(2), 16)", r"192\.0\.2\.1"),
        ("libc.bind(udp, bytes([2, 0, 0, 0]) + bytes(12), 16)", r"0\.0\.0\.0"),
        ("libc.connect(udp, bytes([2, 0, 0, 9, 127, 0, 0, 1]) + bytes(8), 16)", r""),
    ],
)
def test_strace_sees_what_native_code_asks_for(tmp_path, code, expected):
    if not strace_works():
        pytest.skip("strace is absent or not allowed here: what native code asks for is not watched")
    code = f"""
import ctypes, socket
libc, udp = ctypes.CDLL(None), socket.socket(type=socket.SOCK_DGRAM).detach()
address = lambda family: bytes([family, 0, 0, 9, 192, 0, 2, 1]) + bytes(8)
{code}
"""
    assert re.fullmatch(expected, " ".join(run(code, tmp_path).asked))


def test_files_in_the_home_folder_are_seen(tmp_path):
    code = "from pathlib import Path; (Path.home() / '.new').mkdir(); (Path.home() / '.new' / 'id').touch()"
    assert run(code, tmp_path).left == [".new/id"]


PREDICTION = f"""
from fer.cli import main
print(main(["predict", {str(ROOT / "samples")!r}, "--annotate", "drawn", "--out", "rows.csv"]) == 0)
"""
PAGE = f"""
import urllib.request
from app.page import build_page, launch_options
from fer import EmotionRecognizer
recognizer = EmotionRecognizer.from_pretrained({str(ROOT / "weights" / "dan-mobilefacenet-ferplus.onnx")!r})
page = build_page(recognizer)
_, url, _ = page.launch(**launch_options(recognizer), prevent_thread_lock=True, quiet=True)
print("What a network sees in a face" in urllib.request.urlopen(url).read().decode())
page.close(verbose=False)
"""
TRAINING = """
from pathlib import Path
from conftest import make_ferplus
from fer.models.export import export_onnx
from fer.training.config import TrainConfig
from fer.training.loop import fit
data = make_ferplus(Path("ferplus"), {"FER2013Train": 16, "FER2013Valid": 8})
template = [0.31, 0.39, 0.69, 0.39, 0.5, 0.6, 0.35, 0.76, 0.65, 0.76]
fit(TrainConfig(data=str(data), out="run", backbone="mobilenetv3_small_050", epochs=1, template=template, input_size=32,
                num_heads=2, batch_size=8, workers=0, augmentation="strong", ema=0.9, device="cpu"))
export_onnx("run/best.safetensors", "best.onnx")
print(Path("best.onnx").is_file())
"""
RAY = f"""
from fer.inference.ray_engine import predict_with_ray
(result,) = predict_with_ray([{str(ROOT / "samples" / "astronaut.jpg")!r}], {{}}, workers=1)
print(len(result.faces) == 1)
"""


@pytest.mark.parametrize(
    ("code", "needs", "documented"),
    [
        pytest.param(PREDICTION, "openvino", [], id="prediction"),
        pytest.param(PAGE, "gradio", [], id="page"),
        pytest.param(TRAINING, "timm", [], id="training", marks=pytest.mark.slow),
        # the key of the cluster, which keeps out other users of this computer
        pytest.param(RAY, "ray", [".ray/auth_token"], id="ray", marks=pytest.mark.slow),
    ],
)
def test_nobody_is_asked_and_nothing_is_left(tmp_path, code, needs, documented):
    pytest.importorskip(needs)
    if needs == "ray" and not strace_works():
        pytest.skip("strace is absent or not allowed here: what Ray's own processes ask for is not watched")
    seen = run(code, tmp_path)
    assert seen.asked == set(), seen.errors
    assert seen.printed.endswith("True\n"), seen.errors
    assert set(seen.left) <= set(documented)
