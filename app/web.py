"""`fer web`: the live page as a folder of files. The network runs in the visitor's browser, not on a server.

`collect_files` makes the files, `write_folder` writes them, and `serve_files` serves them beside the page of `fer app`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import tempfile
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import cv2
import numpy as np

from fer.faces import yunet
from fer.inference.recognizer import EmotionRecognizer
from fer.io.images import encode_image

from .about import write_about
from .engine import detector_file, engine_settings
from .isolation import ISOLATION
from .runtime import load_runtime
from .views import SPECTRUM

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

BROWSER, STATIC = Path(__file__).parent / "browser", Path(__file__).parent / "static"
PATH = "/browser"  # where `fer app` serves the files
STYLES = [STATIC / "page.css", STATIC / "live.css", BROWSER / "web.css"]
SERVICE_WORKER = "sw.js"
START = "const FILES = "  # of the service worker: tells a folder of ours from others
# Only the host of the page may be contacted. WebAssembly is compiled; pictures and downloads are made in the page.
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'"
)
# What the service worker adds: the policy, and what isolates the page, so that it may use threads.
HEADERS = {"Content-Security-Policy": POLICY} | ISOLATION
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}
MANIFEST = {
    "name": "What a network sees in a face",
    "short_name": "dan-fer",
    "description": "Facial expressions live, in your browser. Nothing leaves this tab.",
    "start_url": ".",
    "scope": ".",
    "display": "standalone",
    "background_color": "#16181d",
    "theme_color": "#16181d",
    "icons": [
        {"src": f"icon-{side}.png", "sizes": f"{side}x{side}", "type": "image/png", "purpose": purpose}
        for side in (192, 512)
        for purpose in ("any", "maskable")
    ],
}


def collect_files(recognizer: EmotionRecognizer, runtime: str | None = None) -> dict[str, bytes]:
    """All files of the page, {path in its folder: content}.

    Args:
        recognizer: from an ONNX file.
        runtime: see `load_runtime`.

    Raises:
        ValueError: the recogniser runs a PyTorch checkpoint; see also `load_runtime`.
        ModuleNotFoundError: the extra `web` is not installed.
    """
    network = getattr(recognizer.classifier.network, "path", None)
    if network is None:
        raise ValueError("browsers need the network as an ONNX file: fer export CHECKPOINT --out FILE.onnx")
    files = {
        "index.html": _write_index(recognizer).encode(),
        "style.css": "".join([SPECTRUM, *(path.read_text("utf-8") for path in STYLES)]).encode(),
        "manifest.webmanifest": json.dumps(MANIFEST, indent=2).encode(),
        "licences.txt": _write_licences(recognizer, Path(network)).encode(),
        "yunet.onnx": detector_file(),
        "network.onnx": Path(network).read_bytes(),
    }
    files |= {f"icon-{side}.png": draw_icon(side) for side in (192, 512)}
    files |= read_modules()
    files |= {f"runtime/{name}": content for name, content in load_runtime(runtime).items()}
    sizes = {path: len(content) for path, content in files.items() if path.endswith((".onnx", ".wasm"))}
    files["settings.json"] = json.dumps(engine_settings(recognizer) | {"bytes": sizes}).encode()
    checksums = {path: f"sha256-{base64.b64encode(_hash(content)).decode()}" for path, content in sorted(files.items())}
    start = f"{START}{json.dumps(checksums)};\nconst HEADERS = {json.dumps(HEADERS)};\n"
    return files | {SERVICE_WORKER: start.encode() + (BROWSER / SERVICE_WORKER).read_bytes()}


def read_modules() -> dict[str, bytes]:
    """The JavaScript modules, {path: content}; the page of `fer app` uses them, too."""
    return {f"browser/{path.name}": path.read_bytes() for path in BROWSER.glob("*.js") if path.name != SERVICE_WORKER}


def _hash(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _write_index(recognizer: EmotionRecognizer) -> str:
    from markdown_it import MarkdownIt

    about = MarkdownIt("commonmark", {"html": False}).enable("table").render(write_about(recognizer, in_tab=True))
    parts = {"policy": POLICY, "live": (STATIC / "live.html").read_text("utf-8"), "about": about}
    return re.sub(r"\{(\w+)\}", lambda name: parts[name[1]], (BROWSER / "index.html").read_text("utf-8"))


def _write_licences(recognizer: EmotionRecognizer, network: Path) -> str:
    parts = [(BROWSER / "licences.txt").read_text("utf-8")]
    parts.append(f"yunet.onnx:\n\n{Path(yunet.__file__).with_name('LICENSE-yunet.txt').read_text('utf-8')}")
    parts.append(f"network.onnx: {recognizer.description.licence or 'its licence is not stated'}\n")
    beside = network.with_name(f"LICENSE-{network.stem}.txt")
    return "\n\n".join(parts + ([beside.read_text("utf-8")] if beside.is_file() else []))


def draw_icon(side: int) -> bytes:
    """The icon of the page as a square PNG: a face in the corners of a box, in the part that every mask keeps."""
    image = np.full((512, 512, 3), (22, 24, 29), np.uint8)
    ink, frame = (245, 190, 65), (240, 242, 248)
    cv2.circle(image, (256, 256), 104, ink, -1, cv2.LINE_AA)
    for x in (218, 294):
        cv2.ellipse(image, (x, 232), (13, 19), 0, 0, 360, (22, 24, 29), -1, cv2.LINE_AA)
    cv2.ellipse(image, (256, 268), (54, 44), 0, 20, 160, (22, 24, 29), 13, cv2.LINE_AA)
    for x, right in ((120, 1), (392, -1)):
        for y, down in ((120, 1), (392, -1)):
            corner = np.array([(x + 64 * right, y), (x, y), (x, y + 64 * down)])
            cv2.polylines(image, [corner], False, frame, 18, cv2.LINE_AA)
    return encode_image(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA))


def write_folder(files: dict[str, bytes], folder: Path) -> None:
    """Write the files into a folder, which is complete when it appears, or replace an older one.

    Raises:
        ValueError: the folder holds files that `fer web` did not write.
        OSError: it cannot be written.
    """
    folder = folder.resolve()
    if folder.exists():
        _check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as work:
        new, old = Path(work, "new"), Path(work, "old")
        for name, content in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(f"--out {folder}: not a folder")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    worker = folder / SERVICE_WORKER
    first = worker.read_text("utf-8", "replace").partition("\n")[0] if worker.is_file() else ""
    ours = {SERVICE_WORKER, *json.loads(first[len(START) : -1])} if first.startswith(START) else set()
    if foreign := sorted(names - ours):
        raise ValueError(f"--out {folder}: holds other files ({foreign[0]}); choose a new folder")


def serve_files(recognizer: EmotionRecognizer, runtime: str | None = None) -> Route:
    """A route that serves the files below PATH, to those whom the page of `fer app` has let in.

    The modules are at hand at once. The other files are collected when one of them is first asked for; only then ONNX
    Runtime Web is downloaded, if it is not in the cache.
    """
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    lock, modules = Lock(), read_modules()
    collect_once = lru_cache(1)(lambda: collect_files(recognizer, runtime))  # a failure is not kept

    def collect() -> dict[str, bytes]:
        with lock:
            return collect_once()

    def answer(request: Request) -> Response:
        if not _is_let_in(request):
            return PlainTextResponse("a login is needed", 401)
        name = request.path_params["name"] or "index.html"
        try:
            files = modules if name in modules else collect()
        except (ValueError, OSError, ModuleNotFoundError) as error:
            return PlainTextResponse(str(error), 503)
        if name not in files:
            return PlainTextResponse("no such file", 404)
        tag = f'"{_hash(files[name]).hex()}"'
        headers = HEADERS | {"ETag": tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        if tag in request.headers.get("If-None-Match", ""):
            return Response(status_code=304, headers=headers)
        return Response(files[name], media_type=TYPES[Path(name).suffix], headers=headers)

    return Route(f"{PATH}/{{name:path}}", answer, methods=["GET"])


def _is_let_in(request: Request) -> bool:
    """Whether the page needs no login, or the request has the cookie of one, as Gradio sets it."""
    page = request.app
    cookies = (request.cookies.get(f"{name}-{page.cookie_id}") for name in ("access-token", "access-token-unsecure"))
    return page.auth is None or any(page.tokens.get(cookie) is not None for cookie in cookies)


def run(arguments: argparse.Namespace) -> int:
    """Write the folder; returns the exit status."""
    out = Path(arguments.out)
    recognizer = EmotionRecognizer.from_pretrained(
        arguments.weights, device="cpu", runtime="openvino", prior=arguments.prior
    )
    files = collect_files(recognizer, arguments.runtime_files)
    write_folder(files, out)
    if not arguments.quiet:
        loaded = sum(len(content) for name, content in files.items() if "jspi" not in name) / 1e6
        print(f"{out}: {len(files)} files; a visitor loads {loaded:.0f} MB once, less if the host compresses them")
    return 0
