"""Weights from elsewhere: repositories of the Hugging Face Hub, and files at https addresses.

Only `.onnx` and `.safetensors` files are downloaded, which hold no code. The cache, the token (HF_TOKEN), the address
(HF_ENDPOINT) and the offline mode (HF_HUB_OFFLINE) are those of the package huggingface_hub. Files from addresses are
kept by their checksum.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

log = logging.getLogger("fer")
EXTRA = "pip install 'dan-fer[hub]'"
LIBRARY = "dan-fer"  # as huggingface_hub names us to the Hub
LOG_IN = "hf auth login, or set HF_TOKEN"
_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*(@[^@\s]+)?", re.ASCII)
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")


def is_hub_name(weights: str | os.PathLike) -> bool:
    """Whether this may be the name of a repository on the Hugging Face Hub: user/name or user/name@REVISION."""
    return _NAME.fullmatch(str(weights)) is not None


def is_address(weights: str | os.PathLike) -> bool:
    """Whether this is an http or https address."""
    return str(weights).lower().startswith(("https://", "http://"))


def find_suffix(weights: str | os.PathLike) -> str:
    """The suffix of a file or of the file at an address."""
    return PurePosixPath(urlsplit(str(weights)).path).suffix if is_address(weights) else Path(weights).suffix


def download_from_hub(weights: str, suffixes: tuple[str, ...]) -> Path:
    """The file of weights in a repository of the Hugging Face Hub, from its cache or downloaded into it.

    Args:
        weights: user/name, or user/name@REVISION: a branch, a tag or a commit. The newest commit of the branch or tag
            is asked for each time; without a connection it is the last one in the cache.
        suffixes: kinds of files. The first kind that exists is taken: the file `model` of this kind, or the only one.

    Raises:
        ValueError: no such repository, revision or kind of file; or the Hub cannot be reached, and the file is not in
            the cache.
        ModuleNotFoundError: huggingface_hub is not installed.
    """
    _import("huggingface_hub", weights)
    from huggingface_hub import hf_hub_download

    repository, _, revision = weights.partition("@")
    with hub_errors(weights, "no such file here, and "):
        names, cached = _list_files(repository, revision or None, suffixes)
        name = _choose_file(weights, names, suffixes)
        with progress_bars():
            file = hf_hub_download(
                repository, name, revision=revision or None, local_files_only=cached, library_name=LIBRARY
            )
    commit = Path(file).parents[name.count("/")].name
    log.info("weights: %s of %s@%s%s", name, repository, commit, ", from the cache" if cached else "")
    return Path(file)


def _list_files(repository: str, revision: str | None, suffixes: tuple[str, ...]) -> tuple[list[str], bool]:
    """The files of a repository; if the Hub cannot be reached, those in the cache, and True."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        info = HfApi(library_name=LIBRARY).model_info(repository, revision=revision)
        return [file.rfilename for file in info.siblings or []], False
    except (RepositoryNotFoundError, RevisionNotFoundError):
        raise
    except (HTTPError, OSError) as error:
        try:
            wanted = [f"*{suffix}" for suffix in suffixes]
            folder = Path(
                snapshot_download(repository, revision=revision, local_files_only=True, allow_patterns=wanted)
            )
        except LocalEntryNotFoundError:
            raise error from None
        return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()], True


def _choose_file(weights: str, names: list[str], suffixes: tuple[str, ...]) -> str:
    for suffix in suffixes:
        of_kind = [name for name in names if name.endswith(suffix)]
        if f"model{suffix}" in of_kind or len(of_kind) == 1:
            return f"model{suffix}" if f"model{suffix}" in of_kind else of_kind[0]
        if of_kind:
            raise ValueError(f"{weights}: {', '.join(sorted(of_kind))}: expected one {suffix} file, or model{suffix}")
    hint = f"; it has {', '.join(sorted(names)[:10]) or 'no files'}"
    if any(name.endswith(".safetensors") for name in names):
        hint += f"; PyTorch runs its checkpoint: --runtime torch; or fer export {weights} --out FILE.onnx"
    elif any(name.endswith(_PICKLES) for name in names):
        hint += "; pickles are never loaded, because they can run any code: ask its author to share it by fer push"
    raise ValueError(f"{weights}: no {' or '.join(suffixes)} file in this repository{hint}")


@contextmanager
def hub_errors(repository: str, before: str = "") -> Iterator[None]:
    """Turn errors of huggingface_hub into ValueErrors that say what to do; `before` says what else was tried."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError:
        raise ValueError(f"{repository}: its owner must admit you: ask on its page, then {LOG_IN}") from None
    except RepositoryNotFoundError:
        raise ValueError(
            f"{repository}: {before}no such repository on the Hugging Face Hub; if it is private: {LOG_IN}"
        ) from None
    except RevisionNotFoundError:
        raise ValueError(f"{repository}: the repository has no such branch, tag or commit") from None
    except OfflineModeIsEnabled:
        raise ValueError(
            f"{repository}: {before}HF_HUB_OFFLINE forbids to ask the Hugging Face Hub: unset it, or take weights that "
            "are in the cache"
        ) from None
    except HfHubHTTPError as error:
        reason = error.server_message or shorten_error(error)
        what = _STATUS.get(error.response.status_code, f"the Hub answers with status {error.response.status_code}")
        raise ValueError(f"{repository}: {what} ({reason})") from None
    except (HTTPError, OSError) as error:
        raise ValueError(
            f"{repository}: {before}the Hugging Face Hub cannot be reached ({shorten_error(error)}): connect to "
            "the internet, or take weights that are in the cache"
        ) from None


_STATUS = {
    401: f"the Hub wants a valid token: {LOG_IN}",
    403: f"the token does not allow this: take one with the right to write, then {LOG_IN}",
}


def download_file(address: str, suffixes: tuple[str, ...]) -> Path:
    """The file of weights at an https address, from the user's cache folder or downloaded into it.

    Args:
        address: https://host/path/file.onnx#sha256=HEX, with the checksum of the file. Plain http is accepted from this
            computer only.
        suffixes: the kinds of files that are wanted.

    Raises:
        ValueError: another kind of file, no checksum, a wrong one, plain http, or the download fails.
        ModuleNotFoundError: pooch is not installed.
    """
    parts = urlsplit(address)
    place, name = parts._replace(fragment="").geturl(), PurePosixPath(unquote(parts.path)).name
    if parts.scheme.lower() == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError(f"{place}: expected an https address")
    if PurePosixPath(name).suffix not in suffixes:
        raise ValueError(f"{place}: expected the address of a {' or '.join(suffixes)} file")
    checksum = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", parts.fragment)
    if not checksum:
        raise ValueError(
            f"{place}: no checksum; add #sha256= and the 64 digits that its publisher states, or those that "
            f"`curl -L '{place}' | sha256sum` prints, if you trust this file"
        )
    _import("pooch", address)
    log.info("weights: %s", place)
    return fetch(place, checksum[1].lower(), re.sub(r"[^\w.-]", "_", name))


def fetch(address: str, checksum: str, name: str) -> Path:
    """A file from the user's cache folder, or downloaded into it as `name`.

    Args:
        checksum: SHA-256 of the file, in 64 digits.

    Raises:
        ValueError: the download fails, or the file has another checksum.
        ModuleNotFoundError: pooch is not installed.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)  # our own log says it
    try:
        return Path(pooch.retrieve(address, f"sha256:{checksum}", name, pooch.os_cache("dan-fer") / checksum[:16]))
    except ValueError as error:
        got = re.search(r"but got (\w+)", str(error))
        raise ValueError(
            f"{address}: its SHA-256 is {got[1] if got else 'another'}, not {checksum}; nothing was kept. Either the "
            "checksum is wrong, or the file has changed"
        ) from None
    except OSError as error:  # those of requests too
        raise ValueError(f"{address}: cannot be downloaded ({shorten_error(error)})") from None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shorten_error(error: BaseException) -> str:
    """The last line of the message of an error, or its name."""
    lines = str(error).strip().splitlines()
    return lines[-1][:300] if lines else type(error).__name__


def _import(package: str, weights: str) -> None:
    try:
        __import__(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ModuleNotFoundError(
            f"{weights}: no such file here; to download it, install {package}: {EXTRA}", name=package
        ) from None


@contextmanager
def progress_bars() -> Iterator[None]:
    """Progress bars only where we log progress."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    silence = not log.isEnabledFor(logging.INFO) and not are_progress_bars_disabled()
    if silence:
        disable_progress_bars()
    try:
        yield
    finally:
        if silence:
            enable_progress_bars()
