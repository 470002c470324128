"""The folder of `fer web` on a plain web server, in headless Chromium, whose camera is a video file."""

from __future__ import annotations

from collections import Counter

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright: pip install playwright")
pytest.importorskip("markdown_it", reason="the page needs markdown-it-py: pip install 'dan-fer[web]'")

from app import web  # noqa: E402
from app.benchmark import CHROMIUM, FLAGS, SAMPLE, camera_flags, read_frames, write_y4m  # noqa: E402
from fer import EmotionRecognizer  # noqa: E402
from static_host import StaticHost  # noqa: E402

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
]
LABEL = ".live[data-label]:not([data-label=''])"
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # no other host can be reached
TIMEOUT = 120_000  # ms; on a machine with little to do a label takes two seconds


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    clip = write_y4m(tmp_path_factory.mktemp("camera") / "face.y4m", read_frames(SAMPLE))
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, OFFLINE, *camera_flags(clip)])
        yield browser
        browser.close()


@pytest.fixture
def publish(site_files, tmp_path):
    """Writes the folder and starts a server for it."""
    hosts = []

    def start(headers: dict[str, str] | None = None) -> StaticHost:
        hosts.append(StaticHost(tmp_path, "user/live/", headers))
        web.write_folder(site_files, hosts[-1].folder)
        return hosts[-1]

    yield start
    for host in hosts:
        host.stop()


@pytest.fixture
def visit(browser):
    """Opens the page in a browser profile of its own, or again in that of `page`; requests elsewhere fail the test."""
    contexts, elsewhere, broken = [], [], []

    def open_page(host: StaticHost, page=None, script: str = "", **options):
        if page is None:
            contexts.append(browser.new_context(permissions=["camera"], **options))
        page = (page.context if page else contexts[-1]).new_page()
        page.set_default_timeout(TIMEOUT)
        page.add_init_script(script)
        page.loads = []
        page.on("framenavigated", lambda frame: page.loads.append(frame.url))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("request", lambda r: r.url.startswith((host.address, "blob:", "data:")) or elsewhere.append(r.url))
        page.goto(host.address)
        return page

    open_page.elsewhere = elsewhere
    yield open_page
    for context in contexts:
        context.close()
    assert (elsewhere, broken) == ([], [])


def start(page) -> None:
    page.wait_for_selector(".start:enabled")
    page.get_by_role("button", name="Start the camera").click()


def isolated(page) -> bool:
    return page.evaluate("crossOriginIsolated")


def kept(page) -> list[str]:
    """The files in the cache of the service worker."""
    urls = page.evaluate(
        "caches.keys().then((names) => Promise.all(names.map(async (n) => (await (await caches.open(n)).keys()))))"
        ".then((lists) => lists.flat().map(({ url }) => new URL(url).pathname))"
    )
    return sorted(url.removeprefix("/user/live/") for url in urls)


def needed(files: dict[str, bytes]) -> set[str]:
    """The files that stay in the cache: without those for WebGPU, which Chromium does not have here."""
    return {name for name in files if "jspi" not in name} - {"sw.js"}


def wait_until(page, holds, timeout: float = 30) -> None:
    for _ in range(int(10 * timeout)):
        if holds():
            return
        page.wait_for_timeout(100)
    pytest.fail("waited in vain")


def test_a_label_without_any_other_host_and_then_without_the_server(publish, visit, site_files):
    host = publish()
    page = visit(host)
    start(page)
    page.wait_for_selector(LABEL)
    assert page.get_attribute(".live", "data-label") == "happiness"
    assert len(page.loads) == 2 and isolated(page)  # loaded again once, so that WebAssembly may use threads
    assert page.inner_text(".runtime").startswith("WebAssembly, ")
    assert all(path.startswith("/user/live/") for path in host.asked)
    once = Counter(host.asked)
    assert {once[f"/user/live/{name}"] for name in ("network.onnx", "yunet.onnx")} == {1}
    assert once["/user/live/runtime/ort-wasm-simd-threaded.wasm"] == 1
    wait_until(page, lambda: set(kept(page)) == needed(site_files))
    host.stop()
    again = visit(host, page)
    start(again)
    again.wait_for_selector(LABEL)
    assert len(again.loads) == 1 and isolated(again)
    again.locator(".photos input").set_input_files(SAMPLE)
    again.wait_for_selector(".photos .card h3:has-text('happiness')")


def test_a_host_that_isolates_the_page_itself(publish, visit):
    page = visit(publish(web.HEADERS))
    page.wait_for_selector(".start:enabled")
    assert len(page.loads) == 1 and isolated(page)


def test_without_service_workers_it_runs_in_one_thread(publish, visit):
    page = visit(publish(), script="delete Navigator.prototype.serviceWorker")
    start(page)
    page.wait_for_selector(LABEL)
    assert len(page.loads) == 1 and not isolated(page) and page.inner_text(".runtime") == "WebAssembly, 1 thread"


def test_it_can_be_installed_as_an_app(publish, visit):
    page = visit(publish())
    page.wait_for_selector(".start:enabled")
    errors = page.context.new_cdp_session(page).send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [error["errorId"] for error in errors if error["errorId"] != "in-incognito"] == []


def test_other_hosts_are_forbidden(publish, visit):
    host, other = publish(), publish()
    page = visit(host)
    page.wait_for_selector(".start:enabled")
    attempts = {
        "fetch": f"fetch('{other.address}settings.json', {{ mode: 'no-cors' }}).then(() => 'sent', () => 'refused')",
        "picture": f"new Promise((done) => Object.assign(new Image(), {{ src: '{other.address}icon-192.png',"
        " onload: () => done('sent'), onerror: () => done('refused') }))",
        "beacon": f"(navigator.sendBeacon('{other.address}', 'x'), new Promise((f) => setTimeout(f, 500, 'refused')))",
    }
    assert {name: page.evaluate(script) for name, script in attempts.items()} == dict.fromkeys(attempts, "refused")
    assert other.asked == []
    visit.elsewhere.clear()  # Chromium reports the picture that it refused
    policy = page.evaluate("fetch('browser/worker.js').then((r) => r.headers.get('Content-Security-Policy'))")
    assert policy == web.POLICY  # the worker obeys that of its own file


def test_an_update_loads_what_has_changed_and_deletes_what_is_old(publish, visit, site_files, monkeypatch):
    host = publish()
    page = visit(host)
    page.wait_for_selector(".start:enabled")
    wait_until(page, lambda: set(kept(page)) == needed(site_files))
    page.close()
    host.asked.clear()
    static = host.folder.parent / "static"
    static.mkdir()
    for path in web.STATIC.iterdir():
        (static / path.name).write_bytes(path.read_bytes())
    (static / "live.html").write_text((web.STATIC / "live.html").read_text().replace("Start the camera", "Begin"))
    monkeypatch.setattr(web, "STATIC", static)
    web.write_folder(web.collect_files(EmotionRecognizer.from_pretrained(device="cpu")), host.folder)
    page = visit(host, page)
    page.wait_for_selector(".update:not([hidden])")
    assert page.inner_text(".start") == "Start the camera"  # until then it is the old version, whole
    page.get_by_role("button", name="Restart with it").click()
    page.wait_for_selector(".start:has-text('Begin')")
    page.wait_for_selector(".start:enabled")
    assert Counter(kept(page))["index.html"] == 1  # the old one is deleted
    assert {path.removeprefix("/user/live/") for path in host.asked} == {"sw.js", ""}


def test_what_the_page_says_if_something_is_missing(publish, visit):
    host = publish()
    (host.folder / "network.onnx").unlink()
    page = visit(host)
    page.wait_for_selector(".state[role=alert]")
    assert "A part of the page is missing" in page.inner_text(".state") and "network.onnx" in page.inner_text(".state")
    assert page.locator(".start").is_disabled()
    page = visit(host, script="delete WebAssembly")
    page.wait_for_selector(".state[role=alert]")
    assert "has no WebAssembly" in page.inner_text(".state")
    page = visit(host, script="Object.defineProperty(Navigator.prototype, 'onLine', { get: () => false })")
    page.wait_for_selector(".state[role=alert]")
    assert "no connection" in page.inner_text(".state")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(publish, visit, scheme):
    page = visit(publish(), viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.wait_for_selector(".start:enabled")
    page.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "Nothing leaves this tab" in page.inner_text(".about")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(publish, visit, scheme):
    """Before and while the camera runs, with a photo and the text below; see test_browser.py."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    page = visit(publish(web.HEADERS), color_scheme=scheme)
    page.wait_for_selector(".live[data-state=sample]")
    page.locator("summary").click()
    page.locator("input[type=file]").set_input_files(SAMPLE)
    page.get_by_role("button", name="Download the rows").wait_for()
    for act in (lambda: None, lambda: (start(page), page.wait_for_selector(LABEL))):
        act()
        violations = axe.run(page).response["violations"]
        assert [f"{v['impact']} {v['id']} {node['target']}" for v in violations for node in v["nodes"]] == []
