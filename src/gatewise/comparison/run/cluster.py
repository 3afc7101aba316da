"""Trials on a Dask cluster, through joblib's backend."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatewise.errors import OptionError, RunError

__all__ = ["check_cluster", "cluster_died", "connected"]

_SECONDS_TO_ANSWER = 10


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Run joblib's tasks on a cluster within this context.

    Args:
        address: of its scheduler: ``tcp://host:8786``.

    Raises:
        OptionError: no scheduler answers, or dask.distributed is not installed.
    """
    import joblib

    with _client(address) as client, joblib.parallel_config(backend="dask", client=client):
        yield client


def check_cluster(address: str, folder: Path) -> int:
    """Check that a cluster answers, has workers, and that they see the comparison's folder.

    Args:
        address: of its scheduler.
        folder: the comparison's; it exists.

    Returns:
        How many trials the cluster runs at the same time.

    Raises:
        OptionError: no scheduler answers, or it has no worker.
        RunError: a worker does not see the folder.
    """
    folder = folder.resolve()
    token = secrets.token_hex(8)
    place = folder / f".seen-{token}"
    with _client(address) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            raise OptionError(
                f"the cluster at {address} has no worker", fix=f"start some: dask worker {address} --nthreads 1"
            )
        try:
            place.write_text(token)
            seen = client.run(_sees, str(place), token)
        finally:
            place.unlink(missing_ok=True)
        blind = [name for name, sees in seen.items() if not sees]
        if blind:
            raise RunError(
                f"the cluster's worker {blind[0]} does not see the folder {folder}",
                expected="a folder that every worker sees under the same name",
                fix="choose one on a shared file system with --out",
            )
        return len(workers)


def cluster_died(error: BaseException) -> bool:
    """Whether an error means that a cluster's workers died repeatedly during one trial."""
    try:
        from distributed import KilledWorker
    except ImportError:
        return False
    return isinstance(error, KilledWorker)


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise OptionError(
            "--cluster needs dask.distributed", fix="install it: pip install 'gatewise[cluster]'"
        ) from error
    try:
        client = Client(address, timeout=_SECONDS_TO_ANSWER, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise OptionError(
            f"no cluster answers at {address}",
            expected="the address of a Dask scheduler, such as tcp://host:8786",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            fix="start one: dask scheduler; and workers: dask worker tcp://host:8786 --nthreads 1",
        ) from error
    try:
        yield client
    finally:
        client.close()


def _sees(place: str, token: str) -> bool:
    try:
        return Path(place).read_text() == token
    except OSError:
        return False
