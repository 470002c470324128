"""The Gradio page: tabs wired to handlers. All logic is in `handlers`, `live` and `views`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from fer.inference.recognizer import EmotionRecognizer
from fer.io.paths import VIDEO_SUFFIXES
from fer.resources import resource_folder

from . import views
from .addresses import LocalBlocks, RefuseAddresses
from .engine import view_props
from .handlers import MAX_FILES, MAX_PHOTOS, Handlers
from .isolation import Isolate
from .live import LiveView
from .uploads import SeparateUploads
from .video import MAX_FRAMES, MAX_SECONDS
from .web import PATH, serve_files

STATIC = Path(__file__).parent / "static"
SAMPLES = resource_folder("samples")
TITLE = "dan-fer: what a network sees in a face"
JOBS = 2  # uploads processed at the same time, per tab; the live view does not wait for them
KEEP = 600  # seconds after which an upload that was never processed is deleted

# Browsers cannot play or seek in a long data URL; replace it with a Blob.
PLAY = """
watch("value", async () => {
  const video = element.querySelector("video");
  if (video?.src.startsWith("data:")) video.src = URL.createObjectURL(await (await fetch(video.src)).blob());
});
"""


def build_page(recognizer: EmotionRecognizer, handlers: Handlers | None = None) -> gr.Blocks:
    """Build the page; launch it with `launch_options`.

    Args:
        handlers: those of `recognizer`, if others use them, too, so that the limit of decoded pixels is shared.
    """
    handlers = handlers or Handlers(recognizer, Path(get_upload_folder()))
    with LocalBlocks(title=TITLE, analytics_enabled=False, delete_cache=(60, KEEP)) as page:
        gr.Markdown(
            "# What a network sees in a face\n"
            "Expressions, not feelings. Nothing leaves the computer that runs this page."
        )
        gr.HTML(html_template=(STATIC / "switch.html").read_text(), js_on_load=_call("switch", "makeSwitch(element)"))
        with gr.Tab("Live"):
            _live(LiveView(recognizer))
        for title, fill, in_tab in (
            ("Photo", _photo, "{}"),
            ("Batch", _batch, "{ gallery: true }"),
            ("Video", _video, ""),
        ):
            with gr.Tab(title):
                with gr.Column(elem_classes="on-server"):
                    fill(handlers)
                with gr.Column(elem_classes="in-tab"):
                    _choose(in_tab)
        with gr.Tab("About"):
            gr.Markdown(handlers.about())
        _api(handlers)
    return page.queue(max_size=32, default_concurrency_limit=JOBS)


def launch_options(recognizer: EmotionRecognizer, runtime: str | None = None) -> dict:
    """Keyword arguments of `launch`: theme, limits, middleware, and the files of the engine in the browser.

    Args:
        runtime: see `load_runtime`.
    """
    return {
        "theme": _theme(),
        "css": views.SPECTRUM + (STATIC / "page.css").read_text(),
        "footer_links": ["api"],
        "share": False,
        "ssr_mode": False,
        "run_history": False,
        "enable_monitoring": False,
        "max_file_size": "200mb",
        "app_kwargs": {
            "routes": [serve_files(recognizer, runtime)],
            "middleware": [
                Middleware(RefuseAddresses),
                Middleware(Isolate),
                Middleware(SeparateUploads, arrivals=Path(get_upload_folder())),
            ],
        },
    }


def _theme() -> gr.themes.Base:
    """Gradio's Soft, with system fonts and more contrast."""
    theme = gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    links = {f"link_text_color{state}_dark": "*primary_400" for state in ("", "_active", "_hover", "_visited")}
    return theme.set(
        body_text_color_subdued="*neutral_600",
        block_label_text_color="*primary_700",
        block_title_text_color="*primary_700",
        color_accent="*primary_600",
        background_fill_primary="*neutral_50",  # of Soft, which `set` forgets
        border_color_primary="*neutral_300",
        checkbox_border_color="*neutral_500",
        **links,
    )


def _call(module: str, call: str) -> str:
    """JavaScript for `js_on_load` that calls a function of a module in `browser/`."""
    function = call.partition("(")[0]
    address = f"${{window.gradio_config.root.replace(/\\/$/, '')}}{PATH}/browser/{module}.js"
    return f"import(`{address}`).then(({{ {function} }}) => {call});"


def _live(view: LiveView) -> None:
    def look(request: dict) -> dict:
        return view.look(request)

    gr.HTML(
        html_template=(STATIC / "live.html").read_text(),
        css_template=(STATIC / "live.css").read_text(),
        js_on_load=_call("live", "makeLiveView(element, props, server)"),
        server_functions=[look],
        **view_props(view.recognizer),
    )


def _photo(handlers: Handlers) -> None:
    file = gr.File(label=f"Photos, up to {MAX_PHOTOS}", file_count="multiple", height=150)
    samples = sorted(SAMPLES.glob("*.jpg"))
    gr.set_static_paths(samples)  # served in place; copies among the uploads would be deleted
    buttons = []
    if samples:
        with gr.Row(elem_classes="samples"):
            gr.Markdown("Or try a sample:")
            buttons = [gr.Button(p.stem.replace("_", " "), icon=p, size="sm") for p in samples]
    output = gr.HTML(elem_classes="results", js_on_load=_call("pointing", "pointFaces(element)"))

    def show(paths: list[str]) -> tuple[None, str]:
        return None, handlers.show_photos(paths)

    file.upload(show, file, [file, output], api_visibility="private")
    for button, sample in zip(buttons, samples):
        button.click(lambda sample=sample: handlers.show_sample(sample), None, output, api_visibility="private")


def _batch(handlers: Handlers) -> None:
    file = gr.File(label="Photos, zip archives", file_count="multiple", height=150)
    gr.Markdown(
        f"<small>Up to {MAX_FILES:,} photos, also inside zip archives; files that cannot be read are listed.</small>"
    )
    _work(file, handlers.show_batch)


def _video(handlers: Handlers) -> None:
    suffixes = ", ".join(sorted(s[1:] for s in VIDEO_SUFFIXES))
    file = gr.File(label="A video", height=150)
    gr.Markdown(
        f"<small>{suffixes}; the first {MAX_SECONDS // 60} minutes are processed, "
        f"at most {MAX_FRAMES:,} frames.</small>"
    )
    _work(file, handlers.show_video, PLAY)


def _work(file: gr.File, handler: Callable[..., Iterator[str]], js: str | None = None) -> None:
    """Run `handler` on uploaded files, show the HTML that it yields, and add a button that stops it."""
    stop = gr.Button("Stop", size="sm", visible=False)
    output = gr.HTML(elem_classes="results", js_on_load=js)

    def show(uploaded: str | list[str]) -> Iterator[tuple]:
        yield None, views.progress("starting"), gr.Button(visible=True)
        for html in handler(uploaded):
            yield None, html, gr.Button()
        yield None, gr.HTML(), gr.Button(visible=False)

    work = file.upload(show, file, [file, output, stop], show_progress="hidden", api_visibility="private")
    stopped = views.progress("stopped; nothing was stored", 0)
    stop.click(
        lambda: (stopped, gr.Button(visible=False)), None, [output, stop], cancels=work, api_visibility="private"
    )


def _choose(options: str) -> None:
    """What a tab offers while the browser computes: photos by `makeTabChooser`, or nothing."""
    if options:
        gr.HTML(js_on_load=_call("switch", f"makeTabChooser(element, {options})"))
    else:
        gr.Markdown("Videos are processed on the server only: switch off “Compute in this tab” to upload one.")


def _api(handlers: Handlers) -> None:
    def photo(file: dict) -> list:
        """The rows of one picture, one for each face, as `fer predict` writes them."""
        return handlers.rows([file["path"]], 1)

    def batch(files: list) -> list:
        """The rows of pictures, or of zip archives of pictures."""
        return handlers.rows([file["path"] for file in files])

    gr.api(photo, api_name="photo")
    gr.api(batch, api_name="batch")
