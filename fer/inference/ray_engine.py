"""Recognition in processes of Ray, on this machine or a cluster, with the same results as `predict_files`."""

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

PIECE = 64  # images that a process takes at a time, at most; a video or a Parquet file is a piece by itself
CHUNK = 64  # results that are sent together
BLOCK_BYTES = 2**16  # size of the blocks in which a process sends its results
STORE_BYTES = 256 * 2**20  # shared memory of a cluster that is started here; paths and results are small


def predict_with_ray(
    paths: Sequence[str | os.PathLike],
    options: dict,
    every: int = 1,
    workers: int | None = None,
    address: str | None = None,
) -> Generator[ImageResult, None, None]:
    """The results of `predict_files`, in the order of `paths`, computed by actors of Ray Data.

    All machines of the cluster need this package, and the files and weights at the same paths.
    Relative paths start at the current folder. Warnings of the actors are logged here.

    Args:
        options: arguments of `EmotionRecognizer.from_pretrained`, which each actor calls once. With
            the device cuda, or with auto if the cluster has GPUs, the actors share the GPUs.
        every: see `EmotionRecognizer.predict_video`.
        workers: number of actors; None takes one per CPU of the cluster.
        address: see `ray_cluster`.

    Raises:
        FerError: an actor failed. See also `ray_cluster`.
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
    """Connect to a Ray cluster within a `with` block; gives the number of its CPUs.

    If Ray is initialised already, that cluster is used and not changed.

    Args:
        address: HOST:PORT of a running cluster, or auto for the one of this machine. None starts a cluster here, with
            `workers` CPUs, and stops it afterwards.

    Raises:
        ValueError: `workers` is less than 1, or no cluster answers at `address`.
        ModuleNotFoundError: Ray is not installed (extra `ray`).
    """
    if workers is not None and workers < 1:
        raise ValueError(f"--workers with Ray takes a number of at least 1, not {workers}")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage reports
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # its errors are raised here
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
    """Start a cluster that other machines cannot reach, and that contacts none."""
    import ray

    # By default Ray listens on all networks, and finds its own address by a socket to 8.8.8.8. With clusters of several
    # machines switched off, as on Windows and macOS, this process and its children stay on 127.0.0.1.
    local = patch("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False)
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    # The dashboard's process queries cloud metadata servers even if usage statistics and the
    # dashboard are off. The result (None, None) means that it was not started.
    no_dashboard = patch("ray._private.services.start_api_server", lambda *_, **__: (None, None))
    try:
        with local, no_dashboard:
            ray.init("local", num_cpus=workers, include_dashboard=False, object_store_memory=STORE_BYTES, **quiet)
    finally:
        del os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"]


def _connect(address: str, quiet: dict) -> None:
    import ray

    try:
        if address != "auto":  # Ray itself would retry for minutes, then end the process
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=5).close()
        ray.init(address, **quiet)
    except (OSError, ValueError, RuntimeError, SystemExit) as error:
        raise ValueError(
            f"--address {address}: no Ray cluster answers ({error}); expected HOST:PORT of one that runs, or auto"
        ) from None


def _to_dataset(paths: Sequence[str | os.PathLike], options: dict, every: int, workers: int):
    """A Ray dataset with pickled chunks of results, in order, in the column `results`."""
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
    """The fraction of a GPU for each actor."""
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
    """An actor: pieces of paths -> chunks of results."""

    def __init__(self, folder: str, options: dict, every: int):
        import cv2

        from .recognizer import EmotionRecognizer

        with suppress(OSError):  # another machine may not have this folder; absolute paths work without
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
