"""Sharing a checkpoint on the Hugging Face Hub; needs no PyTorch if its ONNX file is beside it."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

from ..description import Description
from ..hub import LIBRARY, find_suffix, hub_errors, is_hub_name, progress_bars, shorten_error
from ..models.descriptions import read_description
from ..resources import WEIGHTS_SUFFIXES, find_checkpoint, find_weights
from ..runtimes.networks import read_onnx_description
from .hub_card import add_metadata, is_known_licence, make_metadata, write_short_card

log = logging.getLogger("fer")


def collect_files(repository: str, weights: str | os.PathLike, card: str | os.PathLike = "") -> dict[str, bytes]:
    """What a repository gets: model.safetensors, model.onnx, README.md and, for terms of one's own, LICENSE.

    Args:
        repository: user/name.
        weights: one of the two files, which lie side by side, or a name, see `find_weights`. A missing ONNX file is
            exported, which needs the extra `train`.
        card: a Markdown file; metadata are added to its header. By default a short card is written.

    Returns:
        the content of each file by its name.

    Raises:
        ValueError: see `find_weights`, `read_description`, `add_metadata`; the ONNX file is missing or of another
            checkpoint; or `repository` is no such name.
    """
    if not is_hub_name(repository) or "@" in repository:
        raise ValueError(f"{repository}: expected the name of a repository, user/name")
    checkpoint, graph = _find_pair(weights)
    description = read_description(checkpoint)
    _warn(checkpoint, description)
    files = {"model.safetensors": checkpoint.read_bytes(), "model.onnx": _read_graph(checkpoint, graph, description)}
    licence = _read_licence(checkpoint, description)
    name = repository.split("/")[1]
    metadata = make_metadata(name, description, [description.metrics], "LICENSE" if licence else "")
    try:
        text = Path(card).read_text(encoding="utf-8") if card else write_short_card(repository, description)
    except OSError as error:
        raise ValueError(f"--card {card}: {error.strerror}") from None
    files["README.md"] = add_metadata(text, metadata).encode()
    return files | ({"LICENSE": licence} if licence else {})


def _find_pair(weights: str | os.PathLike) -> tuple[Path, Path | None]:
    """A checkpoint, and its ONNX file if there is one."""
    if find_suffix(weights) in WEIGHTS_SUFFIXES:
        path = find_weights(weights)
        checkpoint, graph = path.with_suffix(".safetensors"), path.with_suffix(".onnx")
        if not checkpoint.is_file():
            raise ValueError(
                f"{checkpoint}: no such file; the checkpoint is shared too, so that others can train it on"
            )
        return checkpoint, graph if graph.is_file() else None
    checkpoint = find_checkpoint(weights)
    try:
        return checkpoint, find_weights(weights, (".onnx",))
    except ValueError:  # a repository may hold the checkpoint alone
        return checkpoint, None


def _read_graph(checkpoint: Path, graph: Path | None, description: Description) -> bytes:
    if graph is None:
        return _export(checkpoint)
    if read_onnx_description(graph) != description:
        raise ValueError(f"{graph}: not of {checkpoint.name}; write it again: fer export {checkpoint} --out {graph}")
    return graph.read_bytes()


def _export(checkpoint: Path) -> bytes:
    out = checkpoint.with_suffix(".onnx")
    log.info("exporting %s, because there is no %s", checkpoint, out.name)
    with tempfile.TemporaryDirectory() as folder:
        try:
            from ..models.export import export_onnx

            export_onnx(checkpoint, Path(folder, "model.onnx"))
        except ModuleNotFoundError as error:
            raise ValueError(
                f"{out}: no such file; fer export {checkpoint} --out {out} writes it, which needs {error.name}: "
                "pip install 'dan-fer[train]'"
            ) from None
        return Path(folder, "model.onnx").read_bytes()


def _read_licence(checkpoint: Path, description: Description) -> bytes:
    """The terms: a file beside the weights, or what the description says; b"" for none and for well-known ones."""
    if is_known_licence(description.licence):
        return b""
    file = checkpoint.with_name(f"LICENSE-{checkpoint.stem}.txt")
    return file.read_bytes() if file.is_file() else f"{description.licence}\n".encode() if description.licence else b""


def _warn(checkpoint: Path, description: Description) -> None:
    if not description.licence:
        log.warning(
            "%s states no licence, so that nobody may use it without asking you: put one into --card, or fer publish "
            "--licence",
            checkpoint,
        )
    if places := [str(description.recipe[name]) for name in ("data", "out") if description.recipe.get(name)]:
        log.warning(
            "%s names folders of this machine (%s); fer publish writes one that does not", checkpoint, ", ".join(places)
        )


def push_files(
    repository: str, files: dict[str, bytes], message: str, revision: str = "", private: bool = False
) -> tuple[str, str]:
    """Upload files in one commit to a repository of the Hub, which is created if needed.

    Args:
        repository: user/name.
        files: the content of each file by its name.
        message: of the commit.
        revision: a branch, which is created if needed; "" stands for main.
        private: only its owner sees a new repository.

    Returns:
        the address of the repository, and the commit.

    Raises:
        ValueError: no valid token, no right to write, the Hub refuses the files or cannot be reached; or the repository
            exists and is public, against `private`.
        ModuleNotFoundError: huggingface_hub is not installed.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(library_name=LIBRARY)
    operations = [CommitOperationAdd(name, content) for name, content in files.items()]
    with hub_errors(repository), progress_bars():
        address = api.create_repo(repository, private=private or None, exist_ok=True)
        if private and not api.model_info(repository).private:
            raise ValueError(
                f"{repository} exists and is public: make it private in its settings, or leave out --private"
            )
        if revision:
            api.create_branch(repository, branch=revision, exist_ok=True)
        try:
            commit = api.create_commit(repository, operations, commit_message=message, revision=revision or None)
        except RuntimeError as error:  # of a single file
            raise ValueError(f"{repository}: {error} ({shorten_error(error.__cause__ or error)})") from None
    return str(address), commit.oid
