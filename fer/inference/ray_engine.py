"""Recognition by the processes of Ray, on this machine or on a cluster; the results are those of `predict_files`."""

from __future__ import annotations

import logging
import math
import os
import pickle
import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby, islice
from pathlib import Path
from textwrap import shorten
from unittest.mock import patch

from ..errors import FerError
from ..io.paths import kind_of
from ..results.types import ImageResult
from .files import predict_files

log = logging.getLogger("fer")

PIECE = 64  # images that a process takes at a time, at most; a video or a Parquet file is taken alone
CHUNK = 64  # results that travel together
BLOCK_BYTES = 2**16  # a process hands on what it has when it is as large as this
STORE_BYTES = 256 * 2**20  # shared memory of a cluster that we start; paths and results are small


def predict_with_ray(
    paths: Sequence[str | os.PathLike],
    options: dict,
    every: int = 1,
    workers: int | None = None,
    address: str | None = None,
) -> Generator[ImageResult, None, None]:
    """The results of files, in the order of `paths`, as `predict_files` gives them, computed by Ray Data's actors.

    On the machines of a cluster this package must be installed, and files and weights lie at the same paths. Relative
    paths begin at the current folder. Warnings of the actors are logged here.

    Args:
        options: arguments of `EmotionRecognizer.from_pretrained`; each actor calls it once. With the device cuda, or auto
            where the cluster has GPUs, the actors share these.
        every: of a video, see `predict_video`.
        workers: actors; None takes one per CPU of the cluster.
        address: see `ray_cluster`.

    Raises:
        FerError: an actor failed; also what `ray_cluster` raises.
    """
    if not paths:
        return
    with ray_cluster(address, workers) as cpus:
        import ray

        try:
            for row in _to_dataset(paths, options, every, min(workers or cpus, cpus)).iter_rows():
                results, warnings = pickle.loads(row["results"])
                for level, message in warnings:
                    log.log(level, "%s", message)
                yield from results
        except ray.exceptions.RayError as error:
            raise FerError(f"Ray: a worker failed: {shorten(_last_line(error), 300)}") from error


@contextmanager
def ray_cluster(address: str | None = None, workers: int | None = None) -> Iterator[int]:
    """The number of CPUs of a Ray cluster, which this process belongs to as long as the context lasts.

    Args:
        address: HOST:PORT of a running cluster, or auto for that of this machine; None starts one here, of `workers` CPUs,
            and ends it afterwards. Where Ray is initialised already, that is taken, and left as it is.

    Raises:
        ValueError: `workers` is less than 1, or no cluster answers at `address`.
        ModuleNotFoundError: Ray is not installed (extra `ray`).
    """
    if workers is not None and workers < 1:
        raise ValueError(f"--workers with Ray takes a number of at least 1, not {workers}")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # we raise what it would print
    own = not ray.is_initialized()
    if own:
        quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address:
            _connect(address, quiet)
        else:
            _start(workers, quiet)
    try:
        yield int(ray.cluster_resources().get("CPU", 1))
    finally:
        if own:
            ray.shutdown()


def _start(workers: int | None, quiet: dict) -> None:
    """A cluster that no other machine can reach, and that asks none."""
    import ray

    # Ray listens on every network, and learns its own address by a socket to 8.8.8.8. Where clusters of several machines
    # are switched off, as on Windows and macOS, it stays on 127.0.0.1: this process, and those that it starts.
    local = patch("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False)
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    # The dashboard's process asks the metadata servers of clouds whose machine this is, even where usage stats are off
    # and the dashboard is left out. (None, None) says that it was not started.
    no_dashboard = patch("ray._private.services.start_api_server", lambda *_, **__: (None, None))
    try:
        with local, no_dashboard:
            ray.init("local", num_cpus=workers, include_dashboard=False, object_store_memory=STORE_BYTES, **quiet)
    finally:
        del os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"]


def _connect(address: str, quiet: dict) -> None:
    import ray

    try:
        if address != "auto":  # Ray itself tries for minutes, and then ends the process
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=5).close()
        ray.init(address, **quiet)
    except (OSError, ValueError, RuntimeError, SystemExit) as error:
        raise ValueError(
            f"--address {address}: no Ray cluster answers ({error}); expected HOST:PORT of one that runs, or auto"
        ) from None


def _to_dataset(paths: Sequence[str | os.PathLike], options: dict, every: int, workers: int):
    """A Ray dataset whose column `results` holds pickled chunks of results, in order."""
    import ray

    pieces = list(_to_pieces(paths, min(PIECE, math.ceil(len(paths) / (4 * workers)))))
    items = [{"paths": pickle.dumps(piece)} for piece in pieces]
    dataset = ray.data.from_items(items, override_num_blocks=len(items))
    dataset.context.execution_options.preserve_order = True
    dataset.context.target_max_block_size = BLOCK_BYTES
    return dataset.map_batches(
        _Recognition,
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(pieces))),
        fn_constructor_args=(str(Path.cwd()), options, every),
        num_cpus=1,
        num_gpus=_share_gpus(options.get("device", "auto"), workers),
    )


def _to_pieces(paths: Sequence[str | os.PathLike], size: int) -> Iterator[list[str | os.PathLike]]:
    for kind, group in groupby(paths, kind_of):
        while piece := list(islice(group, size if kind == "image" else 1)):
            yield piece


def _share_gpus(device: str, workers: int) -> float:
    """The part of a GPU that each actor takes."""
    import ray

    gpus = int(ray.cluster_resources().get("GPU", 0))
    if not device.startswith("cuda") and not (device == "auto" and gpus):
        return 0
    if not gpus:
        raise ValueError(f"--device {device}: the Ray cluster has no GPU")
    return 1 / math.ceil(workers / gpus)


def _last_line(error: Exception) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)


class _Recognition:
    """What an actor does: pieces of paths -> chunks of results."""

    def __init__(self, folder: str, options: dict, every: int):
        import cv2

        from .recognizer import EmotionRecognizer

        with suppress(OSError):  # another machine may not have it; absolute paths do without
            os.chdir(folder)
        cv2.setNumThreads(1)
        self.warnings = _Warnings()
        log.addHandler(self.warnings)
        self.recognizer, self.every = EmotionRecognizer.from_pretrained(**options).for_threads(1), every

    def __call__(self, batch: dict) -> Iterator[dict]:
        for piece in batch["paths"]:
            results = predict_files(self.recognizer, pickle.loads(piece), self.every, workers=0)
            while chunk := list(islice(results, CHUNK)):
                yield {"results": [pickle.dumps((chunk, self.warnings.take()))]}


class _Warnings(logging.Handler):
    """Keeps what is logged until it travels with the next results."""

    def __init__(self):
        super().__init__()
        self.kept: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append((record.levelno, record.getMessage()))

    def take(self) -> list[tuple[int, str]]:
        kept, self.kept = self.kept, []
        return kept
