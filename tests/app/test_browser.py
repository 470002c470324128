"""The page in headless Chromium, whose camera is a video file."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from page_inputs import archive

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'dan-fer[app]'")
sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright: pip install playwright")

from app.benchmark import CHROMIUM, FLAGS, camera_flags, read_frames, write_y4m  # noqa: E402
from app.live import LiveView  # noqa: E402
from app.page import build_page, launch_options  # noqa: E402
from fer.inference.recognizer import EmotionRecognizer  # noqa: E402
from fer.io.images import encode_image, read_image  # noqa: E402
from fer.resources import DEFAULT_WEIGHTS  # noqa: E402

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
CLIP = Path(__file__).resolve().parents[3] / "shared/photos/single_face.mp4"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
]


def camera_frames() -> list[np.ndarray]:
    """The shared clip of a face where it is at hand, otherwise two seconds of each sample."""
    if CLIP.exists():
        return list(read_frames(CLIP))[::2]
    return [frame for path in sorted(SAMPLES.glob("*.jpg")) for frame in read_frames(path)]


def spoilt_frames() -> list[np.ndarray]:
    """A face gets dark, is bright again, and gets blurred."""
    face = list(read_frames(SAMPLES / "astronaut.jpg"))
    dark = [(share * face[0]).astype(np.uint8) for share in np.geomspace(1, 0.03, 45)]
    blurred = [cv2.GaussianBlur(face[0], (0, 0), sigma) for sigma in np.linspace(0.1, 14, 45)]
    return [*dark, *face, *blurred, *face]


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("arrivals")


@pytest.fixture(scope="module")
def serve(arrivals):
    """Starts the page with the shipped weights or others, or with other names for their classes; -> its address."""
    before, pages = os.environ.get("GRADIO_TEMP_DIR"), []
    os.environ["GRADIO_TEMP_DIR"] = str(arrivals)

    def start(classes: tuple[str, ...] = (), weights: str | Path = DEFAULT_WEIGHTS) -> str:
        recognizer = EmotionRecognizer.from_pretrained(weights, device="cpu")
        recognizer.description.classes = classes or recognizer.classes
        pages.append(build_page(recognizer))
        _, address, _ = pages[-1].launch(**launch_options(recognizer), prevent_thread_lock=True, quiet=True)
        return address

    yield start
    for page in pages:
        page.close(verbose=False)
    os.environ.pop("GRADIO_TEMP_DIR") if before is None else os.environ.update(GRADIO_TEMP_DIR=before)


@pytest.fixture(scope="module")
def url(serve):
    return serve()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """Starts browsers: with the camera, with one whose picture is spoilt, or with none."""
    clips = tmp_path_factory.mktemp("camera")
    clip, spoilt = write_y4m(clips / "face.y4m", camera_frames()), write_y4m(clips / "spoilt.y4m", spoilt_frames())
    with sync_api.sync_playwright() as playwright:
        browsers = {
            kind: playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS + more)
            for kind, more in (
                ("camera", camera_flags(clip)),
                ("spoilt camera", camera_flags(spoilt)),
                ("none", []),
            )
        }
        yield browsers
        for browser in browsers.values():
            browser.close()


@pytest.fixture
def tab(chromium, url):
    """Opens the page; errors of its scripts and requests to other hosts fail the test."""
    contexts, wrong, addresses = [], [], []

    def note(request) -> None:
        if not request.url.startswith((*addresses, "data:", "blob:")):
            wrong.append(f"asked for {request.url}")

    def open_tab(kind: str = "camera", permissions=("camera",), address: str = url, **options):
        addresses.append(address)
        contexts.append(chromium[kind].new_context(permissions=list(permissions), **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", note)
        page.goto(address)
        page.wait_for_selector(".live[data-state=sample]")  # the sample has been recognised
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert wrong == []


def state(page) -> dict:
    return page.evaluate("({...document.querySelector('.live').dataset})")


def start(page) -> None:
    page.get_by_role("button", name="Start the camera").click()


def wait_for_label(page, timeout: float) -> None:
    page.wait_for_function("document.querySelector('.live').dataset.label", timeout=timeout)


def picture(page) -> list[int]:
    """The pixels of the overlay, coarsely."""
    return page.evaluate(
        """() => {
            const small = document.createElement("canvas");
            Object.assign(small, {width: 64, height: 48});
            small.getContext("2d").drawImage(document.querySelector(".view"), 0, 0, 64, 48);
            return [...small.getContext("2d").getImageData(0, 0, 64, 48).data];
        }"""
    )


def test_a_label_within_three_seconds_and_an_overlay_that_follows(tab, arrivals):
    page = tab()
    files = sorted(arrivals.rglob("*"))
    start(page)
    wait_for_label(page, 3000)
    assert page.locator(".card").count() == 1
    assert re.match(r"\d+ frames/s · \d+ ms", page.inner_text(".rate"))
    pictures = []
    for _ in range(4):
        page.wait_for_timeout(400)
        pictures.append(picture(page))
    assert max(pictures[0]) > 0  # something is drawn
    assert len({tuple(p) for p in pictures}) > 1  # and it changes with the stream
    before = int(state(page)["frames"])
    page.wait_for_timeout(1000)
    assert int(state(page)["frames"]) > before
    assert sorted(arrivals.rglob("*")) == files  # no frame is on the disk


def test_the_mirror_moves_the_box_to_the_other_side(tab):
    page = tab()
    start(page)
    wait_for_label(page, 5000)
    page.wait_for_timeout(600)
    assert page.locator("video.mirrored").count() == 1
    page.get_by_label("Mirror").uncheck()
    page.wait_for_timeout(200)
    assert page.locator("video.mirrored").count() == 0


def test_attention_is_shown_on_request(tab):
    page = tab()
    start(page)
    wait_for_label(page, 5000)
    assert page.locator(".card .maps canvas").count() == 0
    page.get_by_label("Show where the network looks").check()
    page.wait_for_selector(".card .maps canvas")
    assert page.locator(".card .maps figcaption").all_inner_texts() == ["all", "head 1", "head 2", "head 3", "head 4"]


def test_two_tabs_stream_at_once(tab):
    pages = [tab(), tab()]
    for page in pages:
        start(page)
    for page in pages:
        wait_for_label(page, 6000)
    before = [int(state(page)["frames"]) for page in pages]
    pages[0].wait_for_timeout(1500)
    assert all(int(state(page)["frames"]) > n for page, n in zip(pages, before))


def test_the_session_can_be_downloaded_and_forgotten(tab):
    page = tab()
    start(page)
    wait_for_label(page, 5000)
    page.wait_for_selector(".timeline", state="visible")
    page.wait_for_timeout(800)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the session").click()
    lines = Path(download.value.path()).read_text().splitlines()
    names = "seconds,face,x1,y1,x2,y2,label,confidence,unsure,size,sharpness,brightness,yaw,pitch,roll,neutral"
    assert lines[0].startswith(names)
    assert len(lines) > 3 and len(lines[-1].split(",")) == 23
    assert page.locator(".plane").is_hidden() and page.locator(".card .va").all_inner_texts() == [""]
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Delete it").click()
    page.wait_for_selector(".timeline", state="hidden")


def test_a_sample_is_shown_until_the_camera_starts(tab):
    """Through the same engine; the session knows nothing of it."""
    page = tab()
    assert page.locator(".tag").inner_text() == "Sample photo" and max(picture(page)) > 0
    assert page.locator(".card h3").inner_text().startswith("happiness")
    assert page.locator(".card .maps canvas").count() == 5
    before = picture(page)
    page.get_by_label("Show where the network looks").check()
    assert picture(page) != before
    page.get_by_label("Show where the network looks").uncheck()
    assert page.locator(".timeline").is_hidden() and state(page)["frames"] == "0"
    start(page)
    wait_for_label(page, 5000)
    assert page.locator(".tag").is_hidden() and page.locator(".stage canvas").count() == 1
    page.wait_for_selector(".timeline", state="visible")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the session").click()
    _, *rows = Path(download.value.path()).read_text().splitlines()
    assert 0 < len(rows) <= int(state(page)["frames"])
    assert {row.split(",")[1] for row in rows} == {"0"}  # the first face that the tracker has seen


def test_without_a_sample_the_page_works(tab):
    page = tab()
    frames = re.compile("component_server")
    page.route(frames, lambda route: route.abort())
    page.reload()
    page.get_by_role("button", name="Start the camera").wait_for()
    page.wait_for_timeout(1000)
    assert state(page)["state"] == "off" and page.locator(".hint.shown, .card, .tag:visible").count() == 0
    page.unroute(frames)
    start(page)
    wait_for_label(page, 8000)


def test_the_timeline_is_as_wide_as_the_page_from_the_beginning(tab):
    page = tab()
    start(page)
    page.wait_for_selector(".timeline", state="visible")
    timeline, live = (page.locator(name).bounding_box() for name in (".timeline", ".live"))
    assert timeline["width"] > 0.95 * live["width"] and 80 < timeline["height"] < 120
    assert page.locator(".legend li").all_inner_texts() == page.locator(".card .bar > .name").all_inner_texts()
    columns = """() => {
        const { width } = document.querySelector(".timeline");
        const { data } = document.querySelector(".timeline").getContext("2d").getImageData(0, 20, width, 1);
        return [...Array(width).keys()].filter((x) => data[4 * x + 3]).length / width;
    }"""
    page.wait_for_function(f"({columns})() > 0.3", timeout=20_000)  # it takes ten seconds to fill it, not sixty


def test_valence_and_arousal_where_the_network_gives_them(tab, serve, va_checkpoint):
    page = tab(address=serve(weights=va_checkpoint))
    start(page)
    wait_for_label(page, 5000)
    page.wait_for_selector(".plane", state="visible")
    page.wait_for_timeout(3000)
    assert re.fullmatch(r"valence [+−]\d\.\d\d, arousal [+−]\d\.\d\d", page.inner_text(".card .va"))
    colourful = page.evaluate(
        """() => {
            const plane = document.querySelector(".plane");
            const { data } = plane.getContext("2d").getImageData(0, 0, plane.width, plane.height);
            return [...data.keys()].filter((i) => i % 4 == 0 && data[i] != data[i + 1]).length;
        }"""
    )
    assert colourful > 50  # the point and its trail; axes and words are gray
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the session").click()
    header, *lines = Path(download.value.path()).read_text().splitlines()
    assert header.endswith(",contempt,valence,arousal")
    assert all(-1 <= float(value) <= 1 for line in lines for value in line.split(",")[-2:])


def test_stop_frees_the_camera_and_start_goes_on(tab):
    page = tab()
    start(page)
    wait_for_label(page, 5000)
    page.get_by_role("button", name="Stop").click()
    assert page.evaluate("document.querySelector('.stage video').srcObject") is None
    page.wait_for_selector(".live[data-state=sample]")  # as before the camera started
    before = int(state(page)["frames"])
    start(page)
    page.wait_for_function(f"Number(document.querySelector('.live').dataset.frames) > {before + 2}", timeout=5000)


def test_a_hidden_view_does_not_stream(tab):
    page = tab()
    start(page)
    wait_for_label(page, 5000)
    page.get_by_role("tab", name="About").click()
    page.wait_for_timeout(700)
    before = state(page)["frames"]
    page.wait_for_timeout(1000)
    assert state(page)["frames"] == before
    page.get_by_role("tab", name="Live").click()
    page.wait_for_function(f"Number(document.querySelector('.live').dataset.frames) > {before}", timeout=5000)


@pytest.mark.parametrize(
    ("kind", "permissions", "expected"),
    [("none", ["camera"], "No camera was found"), ("none", [], "No camera was found|was refused")],
)
def test_why_there_is_no_camera(tab, kind, permissions, expected):
    page = tab(kind, permissions)
    start(page)
    page.wait_for_selector(".hint.shown")
    assert re.search(expected, page.inner_text(".hint"))
    assert page.get_by_role("button", name="Start the camera").is_enabled()


def test_a_page_that_is_not_safe_says_so(tab):
    page = tab()
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
    page.evaluate("Object.defineProperty(window, 'isSecureContext', {value: false})")
    start(page)
    page.wait_for_selector(".hint.shown")
    assert "https://" in page.inner_text(".hint")


def test_a_server_that_fails_is_tried_again(tab):
    page = tab()
    start(page)
    wait_for_label(page, 5000)
    frames = re.compile("component_server")
    page.route(frames, lambda route: route.abort())
    page.wait_for_function("document.querySelector('.hint').textContent.includes('does not answer')", timeout=8000)
    page.unroute(frames)
    before = int(state(page)["frames"])
    page.wait_for_function(f"Number(document.querySelector('.live').dataset.frames) > {before + 2}", timeout=15000)


def test_a_slow_server_lowers_the_rate_and_builds_up_no_delay(tab, monkeypatch):
    quick = LiveView.look
    monkeypatch.setattr(LiveView, "look", lambda view, request: time.sleep(0.4) or quick(view, request))
    page, under_way = tab(), []
    waiting = {"now": 0}

    def count(step: int) -> None:
        waiting["now"] += step
        under_way.append(waiting["now"])

    page.on("request", lambda r: "component_server" in r.url and count(1))
    page.on("requestfinished", lambda r: "component_server" in r.url and count(-1))
    start(page)
    wait_for_label(page, 8000)
    page.wait_for_timeout(4000)
    assert max(under_way) == 1  # the next picture is taken when the answer has come
    assert float(state(page)["latency"]) < 1200
    assert float(state(page)["rate"]) < 2.6


def upload(page, name: str, files: list[dict]) -> None:
    page.get_by_role("tab", name=name).click()
    panel = page.locator(".on-server:visible input[type=file]")
    panel.set_input_files(files)


def as_file(name: str, data: bytes) -> dict:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def test_photos_and_broken_uploads(tab, arrivals):
    page = tab()
    sample = (SAMPLES / "astronaut.jpg").read_bytes()
    files = [as_file("a.jpg", sample), as_file("empty.jpg", b""), as_file("virus.jpg", b"MZ" + bytes(2000))]
    upload(page, "Photo", files)
    page.wait_for_selector(".photo .card")
    assert "happiness" in page.inner_text(".photo .card h3")
    assert page.locator(".photo .maps img").count() == 5
    (face,) = EmotionRecognizer.from_pretrained(device="cpu")(read_image(SAMPLES / "astronaut.jpg"))
    assert page.locator(".photo .label").inner_text() == f"happiness {face.confidence:.0%}"
    assert page.locator(".problem").all_inner_texts() == [
        "empty.jpg: the file is empty",
        "virus.jpg: not an image file",
    ]
    assert not [p for p in arrivals.rglob("*") if p.is_file() and p.stat().st_size and p.name in ("a.jpg", "virus.jpg")]


def test_samples_are_one_click_away(tab):
    page = tab()
    page.get_by_role("tab", name="Photo").click()
    page.wait_for_function(
        "[...document.querySelectorAll('button img.button-icon')].filter((i) => i.naturalWidth > 1).length == 2"
    )
    page.get_by_role("button", name="grace hopper").click()
    page.wait_for_selector(".photo .card")
    assert (SAMPLES / "grace_hopper.jpg").exists()


def faces_in_a_row() -> bytes:
    """A picture of 2,000 pixels with six faces, close to each other."""
    face = read_image(SAMPLES / "astronaut.jpg")[30:230, 150:320]
    return encode_image(cv2.resize(np.hstack([face] * 6), (2000, 392)), "jpeg", 90)


@pytest.mark.parametrize("phone", [False, True])
def test_labels_can_be_read_however_small_the_picture_is_shown(tab, phone):
    page = tab(viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 900})
    upload(page, "Photo", [as_file("row.jpg", faces_in_a_row())])
    page.wait_for_selector(".photo .label")
    page.wait_for_timeout(300)
    labels = page.locator(".photo .label")
    sizes = labels.evaluate_all("(labels) => labels.map((label) => parseFloat(getComputedStyle(label).fontSize))")
    assert len(sizes) == 6 and min(sizes) >= 13
    places = [labels.nth(i).bounding_box() for i in range(6)]
    edges = sorted((place["x"], place["x"] + place["width"]) for place in places)
    assert all(right <= left for (_, right), (left, _) in zip(edges, edges[1:]))  # none covers another
    shown = page.locator(".photo .picture").bounding_box()
    assert shown["x"] <= edges[0][0] and edges[-1][1] <= shown["x"] + shown["width"]
    assert [name.split()[0] for name in labels.all_inner_texts()] == list("123456")
    assert page.evaluate("document.documentElement.scrollHeight") < (2000 if phone else 1300)


def test_a_card_and_its_face_point_to_each_other(tab):
    page = tab()
    upload(page, "Photo", [as_file("row.jpg", faces_in_a_row())])
    page.wait_for_selector(".photo .card")

    def pointed() -> list[str]:
        return page.locator(".pointed").evaluate_all("(parts) => parts.map((p) => p.dataset.face + p.tagName)")

    page.locator('.card[data-face="3"]').hover()
    assert pointed() == ["3DIV", "3ARTICLE"] and "happiness" in page.locator(".face.pointed .label").inner_text()
    page.locator('.face[data-face="5"] .box').hover()
    assert pointed() == ["5DIV", "5ARTICLE"]
    page.mouse.move(0, 0)
    assert pointed() == []
    page.locator('.face[data-face="6"] .box').focus()
    page.keyboard.press("Tab")  # the download
    page.keyboard.press("Tab")
    assert pointed() == ["1DIV", "1ARTICLE"] and page.evaluate("document.activeElement.tagName") == "ARTICLE"
    box = page.get_by_role("button", name=re.compile("^face 4: happiness"))
    box.focus()
    assert pointed() == ["4DIV", "4ARTICLE"]


def test_a_batch_of_an_archive(tab):
    page = tab()
    data = archive({"../up.jpg": (SAMPLES / "astronaut.jpg").read_bytes(), "notes.txt": b"hello"})
    upload(page, "Batch", [as_file("photos.zip", data), as_file("broken.zip", b"PK no")])
    page.wait_for_selector("a.download")
    assert "photos.zip/notes.txt" in page.inner_text(".problem") and "broken.zip" in page.inner_text(".problem")
    assert page.locator(".emotion h2").inner_text().startswith("happiness")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 4


def test_the_reason_why_a_face_is_unsure_does_not_flicker(tab, monkeypatch):
    """Reasons that come and go with every frame are shown all the time, and hints whose number changes."""
    said: dict = {"hints": ["Too dark to read: turn towards a light.", ""], "unsure": "too dark"}
    look, turns, tracked = LiveView.look, iter(range(10**6)), []

    def say(view, request: dict) -> dict:
        if not tracked:  # later frames get the same answer, soon
            answer = look(view, request)
            tracked.extend([answer] if any(face["track"] is not None for face in answer["faces"]) else [])
        answer, turn = tracked[0] if tracked else answer, next(turns)
        hint = said["hints"][turn % len(said["hints"])].replace("N", str(17 + turn % 3))
        faces = [face | {"unsure": said["unsure"] if hint else ""} for face in answer["faces"]]
        said["last"] = time.monotonic() if hint else said.get("last")
        return answer | {"hint": hint, "faces": faces}

    def stays(script: str, value: str) -> bool:
        """Whether all of 25 looks in a row see `value`; tried again, as answers come late on a busy machine."""

        def watch() -> set:
            return {page.wait_for_timeout(40) or page.evaluate(script) for _ in range(25)}

        return any(watch() == {value} for _ in range(6))

    monkeypatch.setattr(LiveView, "look", say)
    page = tab()
    start(page)
    page.wait_for_selector(".live[data-state=on] .card h3 small:has-text('too dark')")
    title = "document.querySelector('.card h3 span').textContent"
    assert stays(title, "unsure")
    said.update(hints=["Move closer: the face is only N pixels wide."], unsure="too small")
    page.wait_for_selector(".hint.shown:has-text('Move closer: the face is only 1')")
    assert stays("document.querySelector('.hint').className", "hint shown")
    said.update(hints=[""])
    page.wait_for_selector(".hint:not(.shown)", state="attached")
    assert time.monotonic() - said["last"] > 0.7
    page.wait_for_function(f"{title} !== 'unsure'")


def test_the_page_says_why_a_face_is_not_to_be_believed(tab):
    page = tab("spoilt camera")
    page.set_default_timeout(60_000)
    start(page)
    for reason, advice in (
        ("too dark", "It is very dark here: more light would help."),
        ("blurred", "Blurred: hold still"),
    ):
        page.wait_for_selector(f".card h3 small:has-text('{reason}')")
        page.wait_for_selector(f".hint.shown:has-text('{advice}')")


EVIL = "<img src=x onerror=window.caught=1>${window.caught=1}{{this}}"


def test_names_of_a_checkpoint_or_archive_are_not_run(tab, serve):
    page = tab(address=serve(tuple(f"{EVIL}{i}" for i in range(8))))
    start(page)
    wait_for_label(page, 6000)
    assert page.locator(".card .bar > .name").all_inner_texts() == [f"{EVIL}{i}" for i in range(8)]
    assert EVIL in page.inner_text(".card h3")
    upload(page, "Batch", [as_file("a.zip", archive({EVIL: b"x", "b.jpg": (SAMPLES / "astronaut.jpg").read_bytes()}))])
    page.wait_for_selector("a.download")
    assert EVIL in page.inner_text(".problem") and EVIL in page.inner_text(".emotion h2")
    page.get_by_role("tab", name="About").click()
    page.wait_for_timeout(300)
    assert EVIL in page.locator("[role=tabpanel]:visible").inner_text()
    assert page.evaluate("window.caught") is None


@pytest.mark.slow
def test_a_video_comes_back_annotated(tab, tmp_path):
    from fractions import Fraction

    from fer.io.video import VideoWriter

    writer = VideoWriter(tmp_path / "clip.mp4", Fraction(15))
    for i, frame in enumerate(camera_frames()[:20]):
        writer.write(frame, i / 15)
    writer.close()
    page = tab()
    upload(page, "Video", [as_file("clip.mp4", (tmp_path / "clip.mp4").read_bytes())])
    page.wait_for_selector("video[controls]", timeout=60_000)
    page.wait_for_function("document.querySelector('video[controls]').duration > 1", timeout=10_000)
    assert page.evaluate("document.querySelector('video[controls]').videoWidth") == 640


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(tab, scheme):
    page = tab(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    for name in ("Live", "Photo", "Batch", "Video", "About"):
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_camera_can_be_started_by_keyboard(tab):
    page = tab()
    page.get_by_role("tab", name="Live").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "start":
            break
    page.keyboard.press("Enter")
    wait_for_label(page, 6000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(tab, scheme):
    """On each tab, with results; what axe-core cannot decide, as text over a picture, is not counted."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    page = tab(color_scheme=scheme)

    settled = """[...document.querySelectorAll(".results")].every((part) => {
        while (part && getComputedStyle(part).opacity === "1") part = part.parentElement;
        return !part;
    })"""

    def findings() -> list[str]:
        page.wait_for_function(settled)  # Gradio dims what it is about to replace
        violations = axe.run(page).response["violations"]
        return [f"{v['impact']} {v['id']} {node['target']}" for v in violations for node in v["nodes"]]

    assert findings() == []
    page.get_by_label("Show where the network looks").check()
    start(page)
    page.wait_for_selector(".live[data-state=on] .maps canvas")
    page.wait_for_selector(".timeline", state="visible")
    assert findings() == []
    page.get_by_role("button", name="Stop").click()
    sample = read_image(SAMPLES / "astronaut.jpg")
    unsure = as_file("blurred.png", encode_image(cv2.GaussianBlur(sample, (0, 0), 7), "png"))
    files = [as_file("row.jpg", faces_in_a_row()), unsure, as_file("empty.jpg", b"")]
    for name, ready in (("Photo", ".photo .card .reason"), ("Batch", "a.download")):
        upload(page, name, files)
        page.wait_for_selector(f"[role=tabpanel]:visible {ready}")
        assert findings() == []
    for name in ("Video", "About"):
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(300)
        assert findings() == []


def test_nothing_can_be_clicked_before_its_script_is_there(tab):
    page = tab()
    page.route("**/browser/browser/*.js", lambda route: None)  # they never arrive
    page.goto(page.url)
    page.wait_for_selector(".start")
    assert page.locator(".start").is_disabled() and page.get_by_label("Compute in this tab").is_disabled()


@pytest.fixture
def sent(site_files) -> list:
    """What `compute_in_tab` sees the page ask for, except for the files of the engine."""
    return []


def compute_in_tab(page, sent: list) -> None:
    page.get_by_label("Compute in this tab").check()
    page.on("request", lambda r: (r.method, "/browser/" in r.url) == ("GET", True) or sent.append((r.method, r.url)))
    page.wait_for_function(
        "document.querySelector('.switch [role=status]').textContent.startsWith('Nothing leaves')", timeout=90_000
    )


def test_no_frame_leaves_a_tab_that_computes(tab, sent):
    page = tab()
    start(page)
    wait_for_label(page, 5000)
    compute_in_tab(page, sent)
    before = int(state(page)["frames"])
    page.wait_for_function(f"Number(document.querySelector('.live').dataset.frames) > {before + 5}")
    assert page.evaluate("crossOriginIsolated")  # so that WebAssembly may use threads
    assert "in the tab" in page.inner_text(".rate") and page.inner_text(".privacy") == "Pictures stay in this tab."
    assert state(page)["label"]
    page.get_by_label("Show where the network looks").check()
    page.wait_for_selector(".card .maps canvas")
    assert sent == []
    page.get_by_label("Compute in this tab").uncheck()  # and back
    page.wait_for_function("document.querySelector('.rate').textContent.includes('in the server')")
    assert any(method == "POST" for method, _ in sent)


def test_no_photo_leaves_a_tab_that_computes(tab, sent, tmp_path, arrivals):
    page = tab()
    files = sorted(arrivals.rglob("*"))
    compute_in_tab(page, sent)
    (tmp_path / "no.jpg").write_bytes(b"no picture")
    chosen = [*sorted(SAMPLES.glob("*.jpg")), tmp_path / "no.jpg"]
    page.get_by_role("tab", name="Photo").click()
    page.locator(".in-tab input:visible").set_input_files(chosen)
    page.get_by_role("button", name="Download the rows").wait_for()
    shown = page.locator(".in-tab:visible")
    assert [name.split()[0] for name in shown.locator("h2").all_inner_texts()] == ["astronaut.jpg", "grace_hopper.jpg"]
    assert shown.locator(".problem").inner_text() == "no.jpg: not a picture that this browser can read"
    assert shown.locator(".card h3").first.inner_text().startswith("happiness")
    box, picture = (shown.locator(name).first.bounding_box() for name in (".box", ".picture"))
    assert picture["x"] < box["x"] < box["x"] + box["width"] < picture["x"] + picture["width"]
    shown.locator(".box").first.hover()
    assert shown.locator(".card.pointed").count() == 1
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the rows").click()
    header, *rows = Path(download.value.path()).read_text().splitlines()
    assert header.startswith("file,face,status,error,x1") and header.endswith("anger,contempt")
    assert [row.split(",")[:3] for row in rows] == [
        ["astronaut.jpg", "0", "ok"],
        ["grace_hopper.jpg", "0", "ok"],
        ["no.jpg", "", "error"],
    ]
    page.get_by_role("tab", name="Batch").click()
    page.locator(".in-tab input:visible").set_input_files(chosen)
    page.get_by_role("button", name="Download the rows").wait_for()
    assert page.locator(".in-tab:visible .emotion h2").first.inner_text() == "happiness 1"
    assert page.locator(".in-tab:visible summary").all_inner_texts() == ["Could not be read: 1"]
    page.get_by_role("tab", name="Video").click()
    assert "on the server only" in page.locator(".in-tab:visible").inner_text()
    assert [url for method, url in sent if method != "GET"] == [] and sorted(arrivals.rglob("*")) == files


def test_a_tab_that_cannot_compute_stops_the_camera(tab):
    page = tab()
    page.route("**/browser/settings.json", lambda route: route.fulfill(status=503, body="no ONNX file"))
    start(page)
    wait_for_label(page, 5000)
    page.get_by_label("Compute in this tab").check()
    page.wait_for_function("document.querySelector('.switch [role=status]').textContent.includes('no ONNX file')")
    assert not page.get_by_label("Compute in this tab").is_checked()
    assert page.evaluate("document.querySelector('.stage video').srcObject") is None
