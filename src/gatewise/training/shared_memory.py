"""Memory that all processes of one machine see, and a barrier between them.

Both are without a name (an anonymous file, pipes), so that nothing is left behind however the processes end. The
others reach them through ``/proc``, which only Linux has; elsewhere there is none of it (`shared_memory` gives None).
"""

from __future__ import annotations

import json
import mmap
import os
import secrets
import select
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

__all__ = ["Barrier", "SharedMemory", "shared_memory"]

_TOKEN = 64
_SECONDS_AWAKE = 0.0005
_MOST_MILLISECONDS = 2**31 - 1


class Barrier:
    """Lets processes of one machine wait for each other.

    In round k of a wait each process tells the one whose number is 2^k higher that it has come, and waits for the one
    whose number is 2^k lower; after as many rounds as N has binary digits all have come (Hensgen, Finkel and Manber,
    1988, the dissemination barrier). It looks for a short time before it sleeps: a process that sleeps needs longer to
    wake up than most of these waits take.

    Args:
        rank: number of this process, from 0.
        processes: N.
        seconds: after so long another process counts as ended.

    Example:
        >>> alone = Barrier(0, 1)
        >>> alone.connect([alone.ends])
        >>> alone.wait()
    """

    def __init__(self, rank: int, processes: int, seconds: float = 3600.0) -> None:
        self._distances = [2**power for power in range((processes - 1).bit_length())]
        self._rank, self._processes = rank, processes
        self._milliseconds = min(int(1000 * seconds), _MOST_MILLISECONDS)
        pipes = [os.pipe() for _ in self._distances]
        self._heard = [heard for heard, _ in pipes]
        self._own = [own for _, own in pipes]
        self._told: list[int] = []
        self._sleeping = [select.poll() for _ in pipes]
        for heard, sleeping in zip(self._heard, self._sleeping, strict=True):
            os.set_blocking(heard, False)
            sleeping.register(heard, select.POLLIN)

    @property
    def ends(self) -> list[str]:
        """Where other processes find the ends of this one's pipes, a round each."""
        return [f"/proc/{os.getpid()}/fd/{own}" for own in self._own]

    def connect(self, ends: Sequence[Sequence[str]]) -> None:
        """Open the pipes to the others.

        Args:
            ends: of every process, by number.

        Raises:
            OSError: one cannot be opened.
        """
        for power, distance in enumerate(self._distances):
            path = ends[(self._rank + distance) % self._processes][power]
            self._told.append(os.open(path, os.O_WRONLY | os.O_CLOEXEC))

    def begin(self) -> None:
        """To be called when all have connected: the end of another process is noticed from here on."""
        while self._own:
            os.close(self._own.pop())

    def wait(self) -> None:
        """Return when all processes have come here.

        Raises:
            ConnectionError: one has ended.
        """
        for told, heard, sleeping in zip(self._told, self._heard, self._sleeping, strict=True):
            os.write(told, b"\0")
            self._hear(heard, sleeping)

    def _hear(self, heard: int, sleeping: select.poll) -> None:
        asleep_at = time.perf_counter() + _SECONDS_AWAKE
        while True:
            try:
                if os.read(heard, 1):
                    return
            except BlockingIOError:
                if time.perf_counter() < asleep_at:
                    os.sched_yield()  # where there are fewer cores than processes, the other one goes first
                elif not sleeping.poll(self._milliseconds):
                    raise ConnectionError("another process is silent") from None
            else:
                raise ConnectionError("another process has ended")

    def close(self) -> None:
        """Leave; processes that wait for this one notice it."""
        for ends in (self._own, self._told, self._heard):
            while ends:
                with suppress(OSError):
                    os.close(ends.pop())


class SharedMemory:
    """Memory of several processes, all zero at first.

    Attributes:
        content: the bytes, to be read and written.
        barrier: of these processes.
    """

    def __init__(self, content: memoryview, barrier: Barrier) -> None:
        self.content, self.barrier = content, barrier


def shared_memory(
    rank: int, processes: int, size: int, gather: Callable[[bytes], list[bytes]], seconds: float
) -> SharedMemory | None:
    """Make memory that several processes share; all of them have to call it.

    Args:
        rank: number of this process; the first makes the memory.
        processes: how many there are.
        size: bytes.
        gather: the bytes of every process, in all of them.
        seconds: after so long without a sign another process counts as ended.

    Returns:
        The memory; None, in all processes, where one of them cannot have it.
    """
    kept: list[int] = []
    barrier = content = None
    offer: dict[str, Any] = {}
    try:
        barrier = Barrier(rank, processes, seconds)
        offer = {"ends": barrier.ends}
        if rank == 0:
            kept.append(os.memfd_create("gatewise"))
            os.ftruncate(kept[0], size + _TOKEN)
            content = memoryview(mmap.mmap(kept[0], size + _TOKEN))
            content[:_TOKEN] = secrets.token_bytes(_TOKEN)
            offer |= {"memory": f"/proc/{os.getpid()}/fd/{kept[0]}", "token": bytes(content[:_TOKEN]).hex()}
    except (AttributeError, OSError, ValueError):  # another system, or too little memory
        offer = {}
    offers = [json.loads(each) for each in gather(json.dumps(offer).encode())]
    ready = False
    if all(offers) and barrier is not None:
        with suppress(OSError, ValueError):
            if content is None:
                kept.append(os.open(offers[0]["memory"], os.O_RDWR | os.O_CLOEXEC))
                content = memoryview(mmap.mmap(kept[0], size + _TOKEN))
            # another memory, where the processes number each other differently (containers)
            if bytes(content[:_TOKEN]).hex() == offers[0]["token"]:
                barrier.connect([each["ends"] for each in offers])
                ready = True
    every = gather(b"1" if ready else b"0")
    for each in kept:
        os.close(each)
    if barrier is None or content is None or b"0" in every:
        if barrier is not None:
            barrier.close()
        return None
    barrier.begin()
    return SharedMemory(content[_TOKEN:], barrier)
