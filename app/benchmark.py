"""`python -m app.benchmark`: measure the live view in headless Chromium, whose camera is a video file.

Needs Chromium and the package playwright. Browser and server share the machine. With --no-browser, clients in
this process post the frames and use little CPU time. With --compare, no page runs: it measures how much accuracy
the live view's shortcuts cost.
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

# Records [time, milliseconds of the engine, latency] of each answer in the page.
WATCH = """
const live = document.querySelector(".live");
window.answers = [];
const record = () =>
  answers.push([performance.now(), Number(live.dataset.milliseconds), Number(live.dataset.latency)]);
new MutationObserver(record).observe(live, {attributes: true, attributeFilter: ["data-milliseconds"]});
"""


def camera_flags(clip: Path) -> list[str]:
    """Chromium flags that make a Y4M file its camera and allow every page to use it."""
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={clip}",
    ]


def write_y4m(path: Path, frames: Iterable[np.ndarray], rate: int = 15) -> Path:
    """Write frames, RGB uint8 [480,640,3] each, as a raw video; Chromium plays it in a loop."""
    with open(path, "wb") as file:
        file.write(f"YUV4MPEG2 W640 H480 F{rate}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def read_frames(source: Path) -> Iterator[np.ndarray]:
    """Yield the frames of a video, or 30 times a photo (two seconds), each fitted to 640x480."""
    from fer.io.paths import kind_of
    from fer.io.video import VideoReader

    if kind_of(source) == "video":
        yield from (fit(frame.image) for frame in VideoReader(source))
    else:
        yield from [fit(read_image(source))] * 30


@contextmanager
def serve(arguments: list[str], folder: Path) -> Iterator[tuple[str, int]]:
    """Run the page in its own process with temporary files in `folder`; yield its address and process id."""
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
    """Resident memory of a process in MB (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # in the user's and the kernel's code


def stream(browser, url: str, in_tab: bool, clients: int, seconds: float, report) -> str:
    """Stream from several tabs at once; return their frame rates and latencies as one line.

    Args:
        browser: of Playwright.
        url: address of the page.
        in_tab: let the tabs compute, instead of the server.
        clients: number of tabs.
        report: called when they stream, and then every ten seconds.
    """
    tabs = [browser.new_context(permissions=["camera"]).new_page() for _ in range(clients)]
    for tab in tabs:
        tab.goto(url)
        if in_tab:
            tab.get_by_label("Compute in this tab").check()
            tab.get_by_text("Nothing leaves this tab").wait_for(timeout=180_000)
        tab.get_by_role("button", name="Start the camera").click()
    for tab in tabs:
        tab.wait_for_function("document.querySelector('.live').dataset.label", timeout=60_000)
    tabs[0].wait_for_timeout(3000)
    for tab in tabs:
        tab.evaluate(WATCH)
    report()
    begin = time.monotonic()
    while (remaining := seconds - (time.monotonic() - begin)) > 0:
        tabs[0].wait_for_timeout(1000 * min(10.0, remaining))
        report()
    answers = [np.array(tab.evaluate("answers")) for tab in tabs]
    for tab in tabs:
        tab.context.close()
    rates = [(len(a) - 1) / (a[-1, 0] - a[0, 0]) * 1000 for a in answers]
    server, latency = (np.concatenate([a[:, k] for a in answers]) for k in (1, 2))
    return (
        f"{clients} client{'s' * (clients > 1)}: {min(rates):.1f} to {max(rates):.1f} frames/s each; engine "
        f"{np.median(server):.0f} ms (p95 {np.percentile(server, 95):.0f}), round trip {np.median(latency):.0f} ms "
        f"(p95 {np.percentile(latency, 95):.0f})"
    )


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.benchmark", description="Measure the live view.")
    parser.add_argument(
        "--clients", type=int, nargs="+", default=[1, 4], help="numbers of tabs to measure with (default: 1 4)"
    )
    parser.add_argument("--seconds", type=float, default=30, help="duration per number of tabs (default: 30)")
    parser.add_argument("--source", type=Path, default=SAMPLE, help="photo or video of a face")
    parser.add_argument(
        "--no-browser", action="store_true", help="clients without Chromium that post frames without pause"
    )
    parser.add_argument("--in-tab", action="store_true", help="let the tabs compute, instead of the server")
    parser.add_argument(
        "--compare",
        type=Path,
        nargs="+",
        metavar="CLIP",
        help="compare the live view with detection in every frame on these videos: boxes, landmarks, labels",
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of `fer app`, after --")
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
        make_clients = post_frames if arguments.no_browser else partial(open_tabs, in_tab=arguments.in_tab)
        with (
            serve([a for a in arguments.arguments if a != "--"], temporary) as (url, pid),
            make_clients(arguments.source, url, Path(folder)) as run,
        ):
            before = _files(temporary)
            for clients in arguments.clients:
                seen: list[tuple[float, float]] = []
                print(
                    run(clients, arguments.seconds, lambda s=seen: s.append((megabytes(pid), processor_seconds(pid))))
                )
                memory, processor = zip(*seen)
                print(
                    f"  memory of the server: {memory[0]:.0f} MB at the start, {memory[-1]:.0f} MB at the end, ", end=""
                )
                print(f"{max(memory):.0f} MB at most; its processor time: {processor[-1] - processor[0]:.1f} s")
            print(f"files left on the disk: {len(_files(temporary) - before)}", flush=True)
    return 0


@contextmanager
def open_tabs(source: Path, url: str, folder: Path, in_tab: bool = False) -> Iterator[Callable]:
    """Start Chromium; yield a function that streams from several tabs, called as `run(clients, seconds, report)`."""
    from playwright.sync_api import sync_playwright

    clip = write_y4m(folder / "face.y4m", read_frames(source))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS + camera_flags(clip))
        yield partial(stream, browser, url, in_tab)
        browser.close()


@contextmanager
def post_frames(source: Path, url: str, folder: Path) -> Iterator[Callable]:
    """Yield a function that streams from clients without a browser, called as `run(clients, seconds, report)`."""
    pictures = [to_jpeg(frame) for frame in read_frames(source)]
    stream_pictures(url, 1, 2, pictures)  # the first frames are slow

    def run(number: int, seconds: float, report: Callable[[], None]) -> str:
        with ThreadPoolExecutor(1) as pool:
            report()
            line = pool.submit(stream_pictures, url, number, seconds, pictures)
            while not line.done():
                wait([line], 10)
                report()
            return line.result()

    yield run


def compare_clips(clips: Iterable[Path]) -> None:
    """Print the figures of `compare` for each clip at 24, 12 and 6 frames/s, and for faces that leave the view."""
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
