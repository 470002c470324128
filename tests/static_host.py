"""A plain web server for a folder of files, as a static host would be."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path


class StaticHost:
    """Serves a folder until it is stopped.

    Args:
        root: the folder.
        path: of the page below it.
        headers: added to every answer.
    """

    def __init__(self, root: Path, path: str = "", headers: dict[str, str] | None = None):
        self.asked: list[str] = []  # the paths of all requests
        asked = self.asked

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_request(self, *arguments) -> None:
                asked.append(self.path)

            def log_message(self, *arguments) -> None:
                pass

            def end_headers(self) -> None:
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                super().end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(root)))
        self.folder, self.address = root / path, f"http://127.0.0.1:{self.server.server_port}/{path}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
