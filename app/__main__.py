"""`python -m app`: serve the page."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fer.commands.common import (
    EXIT_OK,
    EXIT_USAGE,
    add_detector,
    add_prior,
    add_runtime_files,
    add_weights,
    recognizer_options,
)
from fer.errors import FerError
from fer.terminal import set_up_streams

from .logins import Logins, read_logins

if TYPE_CHECKING:
    from gradio import Blocks

PORTS = range(7860, 7960)


HELP = "serve the page: live camera, photos, batches, videos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 admits other computers (default: this one only)")
    parser.add_argument("--port", type=_port, metavar="N", help=f"default: the first free port from {PORTS[0]}")
    parser.add_argument("--auth-file", metavar="FILE", help="users, one NAME:PASSWORD per line; also from FER_AUTH")
    parser.add_argument(
        "--auth",
        metavar="NAME:PASSWORD",
        action="append",
        default=[],
        help="a user; may be repeated; `ps` shows it to every user of this computer: prefer --auth-file",
    )
    parser.add_argument(
        "--ssl-keyfile",
        metavar="FILE",
        help="private key for HTTPS; browsers open a camera only over HTTPS or on localhost",
    )
    parser.add_argument("--ssl-certfile", metavar="FILE", help="certificate for HTTPS")
    parser.add_argument(
        "--ssl-keyfile-password",
        metavar="PASSWORD",
        default=os.environ.get("FER_SSL_KEYFILE_PASSWORD"),
        help="prefer FER_SSL_KEYFILE_PASSWORD, which `ps` does not show",
    )
    parser.add_argument("--share", action="store_true", help="also serve at a public address through Gradio's servers")
    parser.add_argument("--mcp", action="store_true", help="also offer the API as tools for language models, at /mcp")
    parser.add_argument("--open", action="store_true", help="open a browser")
    add_weights(parser)
    add_detector(parser)
    add_prior(parser)
    add_runtime_files(parser)


def main(argv: list[str] | None = None) -> int:
    set_up_streams()
    parser = argparse.ArgumentParser(prog="python -m app", description=HELP)
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until it is interrupted; returns the exit status."""
    try:
        _check_certificate(arguments.ssl_certfile, arguments.ssl_keyfile, arguments.ssl_keyfile_password)
        logins = read_logins(arguments.auth, arguments.auth_file, os.environ.get("FER_AUTH"))
        with tempfile.TemporaryDirectory(prefix="dan-fer-") as uploads:
            os.environ["GRADIO_TEMP_DIR"] = uploads  # deleted when the server stops
            os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # nothing leaves the machine
            _serve(arguments, logins)
    except (ValueError, OSError, FerError, ModuleNotFoundError) as error:
        unsaid = isinstance(error, ModuleNotFoundError) and "pip install" not in str(error)
        missing = "; the page needs more packages: pip install 'dan-fer[app]'" if unsaid else ""
        print(f"error: {error}{missing}", file=sys.stderr)
        return EXIT_USAGE
    return EXIT_OK


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 65535, not {text}")
    return int(text)


def choose_port(host: str, port: int | None) -> int:
    """Return `port` if it is free, or the first free one of PORTS if it is None.

    Raises:
        ValueError: the port is taken or not allowed, all of PORTS are taken, or `host` is no local address.
    """
    for candidate in PORTS if port is None else (port,):
        if _is_free(host, candidate):
            return candidate
    if port is None:
        raise ValueError(f"all ports from {PORTS[0]} to {PORTS[-1]} are taken; choose a free one with --port")
    raise ValueError(f"port {port} is taken by another program; choose another --port, or omit it")


def _is_free(host: str, port: int) -> bool:
    try:
        for address in dict.fromkeys((host.strip("[]"), "127.0.0.1")):  # Gradio needs the second one too
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            socket.create_server((address, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        if error.errno == errno.EACCES:
            raise ValueError(f"port {port} is reserved for administrators; choose one of at least 1024") from None
        raise ValueError(f"--host {host}: not an address of this computer") from None
    return True


def _check_certificate(certificate: str | None, key: str | None, password: str | None) -> None:
    """Raise ValueError if a server could not start with these files."""
    if not (certificate or key):
        return
    if not (certificate and key):
        raise ValueError("--ssl-certfile and --ssl-keyfile must be used together")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, lambda: password or "")
    except OSError as error:
        raise ValueError(f"--ssl-certfile {certificate}, --ssl-keyfile {key}: {error}") from None


def _end(*_) -> None:
    """Exit on SIGTERM with clean-up of temporary folders, which a second SIGTERM must not interrupt."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(EXIT_OK)


def _serve(arguments: argparse.Namespace, logins: dict[str, str]) -> None:
    port = choose_port(arguments.host, arguments.port)
    page, options = _build(arguments, Logins(logins) if logins else None)
    _, local, public = page.launch(
        **options,
        server_name=arguments.host,
        server_port=port,
        ssl_keyfile=arguments.ssl_keyfile,
        ssl_certfile=arguments.ssl_certfile,
        ssl_keyfile_password=arguments.ssl_keyfile_password,
        ssl_verify=False,  # the certificate may be self-signed
        inbrowser=arguments.open,
        prevent_thread_lock=True,
        quiet=True,
    )
    print(f"The page is at {' and '.join(filter(None, (local, public)))}; press Ctrl-C to stop it.", flush=True)
    if arguments.mcp:
        print(f"Its tools for language models (MCP) are at {(public or local).rstrip('/')}/mcp", flush=True)
    try:
        page.block_thread()
    finally:  # let requests in progress finish
        page.close(verbose=False)


def _build(arguments: argparse.Namespace, logins: Logins | None) -> tuple[Blocks, dict]:
    """The page, and the options to launch it with."""
    from fer.inference.recognizer import EmotionRecognizer

    from .handlers import Handlers
    from .page import build_page, launch_options

    offer_tools = _import_tools() if arguments.mcp else None
    recognizer = EmotionRecognizer.from_pretrained(**recognizer_options(arguments))
    signal.signal(signal.SIGTERM, _end)
    handlers = Handlers(recognizer, Path(os.environ["GRADIO_TEMP_DIR"]))
    options = launch_options(recognizer, arguments.runtime_files)
    options |= {"share": arguments.share, "auth": logins.check if logins else None}
    if offer_tools:
        tools = offer_tools(handlers, logins, None if arguments.share else arguments.host)
        options["app_kwargs"] |= tools | {"routes": options["app_kwargs"]["routes"] + tools["routes"]}
    return build_page(recognizer, handlers), options


def _import_tools() -> Callable[..., dict]:
    try:
        from .tools import offer_tools
    except ImportError as error:
        raise ModuleNotFoundError(f"--mcp needs the package mcp 2: pip install 'dan-fer[mcp]' ({error})") from None
    return offer_tools


if __name__ == "__main__":
    sys.exit(main())
