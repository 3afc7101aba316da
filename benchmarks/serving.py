"""How much `gatewise serve` carries on this machine, load included: streams, steps, latency, batching, memory.

    python benchmarks/serving.py                 # all, about 100 s
    python benchmarks/serving.py --seconds 5 --sessions 2000

The server is a process of its own, the load is this one, both on the same cores. A text classifier (GRU, H = 128,
embeddings of 128) is made and trained for one epoch on a few made-up texts, since weights do not change the speed.

Goals: 1,000 streams and 20,000 steps/s in messages of up to ten steps; p99 of at most 20 ms at half that load; batching
at least 3 times as fast as one by one; memory after 20,000 sessions as before.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

WORDS = ["film", "story", "scene", "actor", "camera", "ending", "music", "plot", "hour", "script", "moving", "dull"]
MODEL = ["--hidden-size", "128", "--embedding-size", "128", "--cell", "gru", "--epochs", "1", "--threads", "1"]


def made_run(folder: Path) -> Path:
    chance = random.Random(0)
    rows = ["text,label"]
    rows += [f"{' '.join(chance.choices(WORDS, k=9))},{'good' if row % 2 else 'bad'}" for row in range(300)]
    (folder / "texts.csv").write_text("\n".join(rows) + "\n")
    command = [
        sys.executable,
        "-m",
        "gatewise",
        "train",
        str(folder / "texts.csv"),
        *MODEL,
        "--out",
        str(folder / "run"),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "run"


@contextlib.contextmanager
def server(run: Path) -> Iterator[tuple[int, psutil.Process]]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "gatewise", "serve", f"m={run}", "--port", str(port), "--no-log", "--no-reload"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_STATE_HOME": str(run.parent)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Serving"):
            break
    try:
        yield port, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def frame(message: object) -> bytes:
    """A WebSocket frame of a client, masked with zeros, so that the load costs little."""
    data = json.dumps(message).encode()
    size = len(data)
    head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, size)
    return head + b"\0\0\0\0" + data


OPEN = frame({"type": "open"})
CHANCE = random.Random(1)
MESSAGES = [frame({"type": "steps", "text": " ".join(CHANCE.choices(WORDS, k=10)) + " "}) for _ in range(50)]


class Stream(asyncio.Protocol):
    """One client: sends a message when asked to, and writes down how long its answer took."""

    def __init__(self, port: int) -> None:
        self.port, self.buffer, self.shaken = port, b"", False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent, self.answered, self.again, self.waiting = 0.0, 0, False, False
        self.latencies: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self.transport = transport
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        head = f"GET /v1/models/m/stream HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\n"
        transport.write(f"{head}Connection: Upgrade\r\n{key}".encode())  # type: ignore[attr-defined]

    def send(self) -> None:
        """Send the next message."""
        self.sent, self.waiting = time.perf_counter(), True
        self.transport.write(MESSAGES[CHANCE.randrange(50)])  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Cut what arrives into messages."""
        self.buffer += data
        if not self.shaken:
            head, sign, rest = self.buffer.partition(b"\r\n\r\n")
            if not sign:
                return
            assert b" 101 " in head, head
            self.shaken, self.buffer = True, rest
            self.transport.write(OPEN)  # type: ignore[attr-defined]
        while len(self.buffer) >= 2:
            size, start = self.buffer[1] & 127, 2
            if size == 126:
                if len(self.buffer) < 4:
                    return
                size, start = int.from_bytes(self.buffer[2:4]), 4
            if len(self.buffer) < start + size:
                return
            content, self.buffer = self.buffer[start : start + size], self.buffer[start + size :]
            self.message(content)

    def message(self, content: bytes) -> None:
        """Write down an answer."""
        if not self.ready.done():
            assert b'"ready"' in content, content
            self.ready.set_result(None)
            return
        assert b'"answer"' in content, content
        self.latencies.append(time.perf_counter() - self.sent)
        self.answered, self.waiting = self.answered + 1, False
        if self.again:
            self.send()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail whoever waits for the stream."""
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(str(error)))


async def opened(port: int, count: int) -> list[Stream]:
    loop, found = asyncio.get_running_loop(), []
    for start in range(0, count, 50):
        some = [
            (await loop.create_connection(lambda: Stream(port), "127.0.0.1", port))[1]
            for _ in range(min(50, count - start))
        ]
        await asyncio.gather(*(each.ready for each in some))
        found += some
    return found


async def throughput(port: int, process: psutil.Process, count: int, seconds: float) -> dict[str, float]:
    """As fast as answers come: every stream sends its next message when the last one is answered."""
    streams = await opened(port, count)
    for each in streams:
        each.again = True
        each.send()
    await asyncio.sleep(1.0)
    before, begun, used = sum(each.answered for each in streams), time.perf_counter(), cpu(process)
    own, system = time.process_time(), process.cpu_times().system
    await asyncio.sleep(seconds)
    answered, wall = sum(each.answered for each in streams) - before, time.perf_counter() - begun
    found = {
        "streams": count,
        "steps_per_second": 10 * answered / wall,
        "steps_per_cpu_second_of_the_server": 10 * answered / (cpu(process) - used),
        "server_cpu_share": (cpu(process) - used) / wall,
        "of_it_in_the_system": (process.cpu_times().system - system) / max(1e-9, cpu(process) - used),
        "load_cpu_share": (time.process_time() - own) / wall,
    }
    for each in streams:
        each.again = False
        each.transport.close()
    return found


async def latency(port: int, count: int, steps: float, seconds: float) -> dict[str, float]:
    """Messages at fixed times, spread evenly; each stream in its turn."""
    streams = await opened(port, count)
    pause, begun, late = 10 / steps, time.perf_counter(), 0
    for number in range(int(seconds * steps / 10)):
        due = begun + number * pause
        if (left := due - time.perf_counter()) > 0:
            await asyncio.sleep(left)
        each = streams[number % count]
        if each.waiting:
            late += 1
            continue
        each.send()
    await asyncio.sleep(0.5)
    found = sorted(value for each in streams for value in each.latencies)
    for each in streams:
        each.transport.close()
    return {
        "asked_steps_per_second": steps,
        "answered": len(found),
        "not_sent_as_the_answer_before_was_missing": late,
        "p50_ms": 1e3 * statistics.median(found),
        "p99_ms": 1e3 * found[int(0.99 * len(found))],
        "greatest_ms": 1e3 * found[-1],
    }


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def sessions(port: int, process: psutil.Process, count: int) -> dict[str, float]:
    """Connect, one message, leave; the memory of the server after a tenth of them, and after all."""
    memory, begun = [], time.perf_counter()
    for start in range(0, count, 100):
        some = await opened(port, min(100, count - start))
        for each in some:
            each.send()
        while any(each.waiting for each in some):
            await asyncio.sleep(0.002)
        for place, each in enumerate(some):
            each.transport.abort() if place % 2 else each.transport.close()  # type: ignore[attr-defined]
        memory.append(process.memory_info().rss / 1e6)
    early, late = memory[max(0, len(memory) // 10)], memory[-1]
    return {"sessions": count, "MB_after_a_tenth": early, "MB_after_all": late, "seconds": time.perf_counter() - begun}


def batching(run: Path, streams: int = 256, messages: int = 8) -> dict[str, float]:
    """The worker alone, without sockets, in turns: messages of ten steps in rounds of many streams, and one by one."""
    from gatewise.serving.metrics import Metrics
    from gatewise.serving.worker import Worker
    from gatewise.training.streaming import Advance
    from gatewise.training.trained import load_run

    model = load_run(run).streaming()

    async def measured(most: int, steps: int) -> float:
        worker, settings = Worker(Metrics(), most_streams=most), model.settings({})
        text = " ".join(CHANCE.choices(WORDS, k=steps)) + " "
        read = model.arrived({"text": text, "end": True}, "", settings).steps

        async def one() -> None:
            state = model.initial(settings)
            for _ in range(messages):
                state = (await worker.advance(model, "m", Advance(state, read, False, settings))).state

        begun = time.process_time()
        await asyncio.gather(*(one() for _ in range(streams)))
        spent = time.process_time() - begun
        worker.stop()
        return streams * messages * steps / spent

    found = {}
    for steps in (1, 10):
        turns = [[asyncio.run(measured(most, steps)) for most in (1, 256)] for _ in range(3)]
        alone, together = (statistics.median(column) for column in zip(*turns, strict=True))
        found |= {
            f"steps_per_cpu_second_one_by_one_{steps}": alone,
            f"steps_per_cpu_second_batched_{steps}": together,
            f"ratio_{steps}": together / alone,
        }
    return found


def show(title: str, numbers: dict[str, float]) -> None:
    print(f"\n{title}")
    for name, value in numbers.items():
        print(f"  {name.replace('_', ' '):<48}{value:>12,.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--sessions", type=int, default=20_000)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        run = made_run(Path(name))
        show("batching, the worker alone", batching(run))
        with server(run) as (port, process):
            show("as fast as it goes", asyncio.run(throughput(port, process, given.streams, given.seconds)))
            show("half the goal", asyncio.run(latency(port, given.streams, 10_000, given.seconds)))
            show("coming and going", asyncio.run(sessions(port, process, given.sessions)))


if __name__ == "__main__":
    main()
