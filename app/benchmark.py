"""`python -m app.benchmark`: the live view measured in headless Chromium, whose camera is a video file.

Needs Chromium and the package playwright. Browser and server share the machine. With --no-browser, clients in this process
post the frames, and need little of it. With --compare, no page runs: it measures what the live view's savings cost.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from fer.benchmark.application import fit
from fer.io.images import read_image
from fer.resources import resource_folder

from .clients import stream as stream_pictures
from .clients import to_jpeg

SAMPLE = resource_folder("samples") / "astronaut.jpg"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
]

# Collects what the page says of each answer.
WATCH = """
const live = document.querySelector(".live");
window.answers = [];
new MutationObserver(() => answers.push([performance.now(), Number(live.dataset.milliseconds), Number(live.dataset.latency)]))
  .observe(live, {attributes: true, attributeFilter: ["data-milliseconds"]});
"""


def camera_flags(clip: Path) -> list[str]:
    """Chromium's flags that make a Y4M file its camera and give every page leave to use it."""
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={clip}",
    ]


def write_y4m(path: Path, frames: Iterable[np.ndarray], rate: int = 15) -> Path:
    """RGB uint8 frames [480,640,3] as a raw video, which Chromium plays over and over."""
    with open(path, "wb") as file:
        file.write(f"YUV4MPEG2 W640 H480 F{rate}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def read_frames(source: Path) -> Iterator[np.ndarray]:
    """The frames of a video, or a photo for two seconds, each 640x480."""
    from fer.io.paths import kind_of
    from fer.io.video import VideoReader

    if kind_of(source) == "video":
        yield from (fit(frame.image) for frame in VideoReader(source))
    else:
        yield from [fit(read_image(source))] * 30


@contextmanager
def serve(arguments: list[str], folder: Path) -> Iterator[tuple[str, int]]:
    """The page in a process of its own, whose temporary files lie in `folder`; -> address, process id."""
    command = [sys.executable, "-m", "fer", "app", *arguments]
    environment = os.environ | {"TMPDIR": str(folder)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if "http" not in line:
                raise ValueError(f"the page did not start: {line or 'see above'}")
            yield line.split()[4].rstrip(";"), server.pid
        finally:
            server.terminate()


def megabytes(pid: int) -> float:
    """Memory of a process (resident, Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def stream(browser, url: str, clients: int, seconds: float, report) -> str:
    """Let so many tabs stream; -> what they saw, as a line. `report` is called every ten seconds."""
    tabs = [browser.new_context(permissions=["camera"]).new_page() for _ in range(clients)]
    for tab in tabs:
        tab.goto(url)
        tab.get_by_role("button", name="Start the camera").click()
    for tab in tabs:
        tab.wait_for_function("document.querySelector('.live').dataset.label", timeout=60_000)
    tabs[0].wait_for_timeout(3000)
    for tab in tabs:
        tab.evaluate(WATCH)
    begin = time.monotonic()
    while (left := seconds - (time.monotonic() - begin)) > 0:
        tabs[0].wait_for_timeout(1000 * min(10.0, left))
        report()
    answers = [np.array(tab.evaluate("answers")) for tab in tabs]
    for tab in tabs:
        tab.context.close()
    rates = [(len(a) - 1) / (a[-1, 0] - a[0, 0]) * 1000 for a in answers]
    server, latency = (np.concatenate([a[:, k] for a in answers]) for k in (1, 2))
    return (
        f"{clients} client{'s' * (clients > 1)}: {min(rates):.1f} to {max(rates):.1f} frames/s each; server "
        f"{np.median(server):.0f} ms (p95 {np.percentile(server, 95):.0f}), round trip {np.median(latency):.0f} ms "
        f"(p95 {np.percentile(latency, 95):.0f})"
    )


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.benchmark", description="Measure the live view.")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4], help="tabs at a time (default: 1 4)")
    parser.add_argument("--seconds", type=float, default=30, help="for each number of clients (default: 30)")
    parser.add_argument("--source", type=Path, default=SAMPLE, help="photo or video of a face")
    parser.add_argument("--no-browser", action="store_true", help="clients that post frames without pause, no Chromium")
    parser.add_argument(
        "--compare",
        type=Path,
        nargs="+",
        metavar="CLIP",
        help="faces that are followed, beside those that are found in every frame: boxes, landmarks, labels",
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="after --: arguments of `python -m app`")
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = make_parser().parse_args(argv)
    if arguments.compare:
        compare_clips(arguments.compare)
        return 0
    if CHROMIUM is None and not arguments.no_browser:
        print("error: Chromium is not installed: apt-get install chromium; or add --no-browser", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, "server")
        temporary.mkdir()
        make_clients = post_frames if arguments.no_browser else open_tabs
        with (
            serve([a for a in arguments.arguments if a != "--"], temporary) as (url, pid),
            make_clients(arguments.source, url, Path(folder)) as run,
        ):
            before = _files(temporary)
            for clients in arguments.clients:
                memory: list[float] = []
                print(run(clients, arguments.seconds, lambda m=memory: m.append(megabytes(pid))))
                print(f"  memory of the server: {memory[0]:.0f} MB after {min(10, arguments.seconds):.0f} s, ", end="")
                print(f"{memory[-1]:.0f} MB at the end ({arguments.seconds:.0f} s), {max(memory):.0f} MB at most")
            print(f"files that the streams left on the disk: {len(_files(temporary) - before)}", flush=True)
    return 0


@contextmanager
def open_tabs(source: Path, url: str, folder: Path) -> Iterator[Callable]:
    """What lets so many tabs of Chromium stream, see `stream`."""
    from playwright.sync_api import sync_playwright

    clip = write_y4m(folder / "face.y4m", read_frames(source))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS + camera_flags(clip))
        yield partial(stream, browser, url)
        browser.close()


@contextmanager
def post_frames(source: Path, url: str, folder: Path) -> Iterator[Callable]:
    """What lets so many clients without a browser stream; takes what `stream` takes."""
    pictures = [to_jpeg(frame) for frame in read_frames(source)]
    stream_pictures(url, 1, 2, pictures)  # the first frames are slow

    def run(number: int, seconds: float, report: Callable[[], None]) -> str:
        with ThreadPoolExecutor(1) as pool:
            line = pool.submit(stream_pictures, url, number, seconds, pictures)
            while not line.done():
                wait([line], 10)
                report()
            return line.result()

    yield run


def compare_clips(clips: Iterable[Path]) -> None:
    """Print what `compare` says of each clip, shown at 24 frames a second, at 12 and at 6, and swinging out of view."""
    from fer.inference.recognizer import EmotionRecognizer

    from .comparison import compare, swing
    from .live import DETECTION_INTERVAL, LiveView

    recognizer = LiveView(EmotionRecognizer.from_pretrained()).recognizer
    for clip in clips:
        frames = list(read_frames(clip))
        print(clip.name)
        for step in (1, 2, 4):
            print(f"  {24 / step:.0f} frames/s: {compare(recognizer, frames[::step], 24 / step, DETECTION_INTERVAL)}")
        moved = list(swing(frames, 240))
        print(f"  swinging: {compare(recognizer, moved, 24, DETECTION_INTERVAL)}", flush=True)


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    sys.exit(main())
