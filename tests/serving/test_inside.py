"""Inside the server: the worker, the opening of runs, the key, streams that are ended."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from service_of import Plain, serving, until

import gatewise
from gatewise.errors import DataError, RunError
from gatewise.files import write_bytes
from gatewise.serving.guard import Limits
from gatewise.serving.metrics import Metrics
from gatewise.serving.models import Model, open_model
from gatewise.serving.state import _make_key, read_key
from gatewise.serving.streams import Streams, StreamSettings
from gatewise.serving.worker import Busy, Worker
from gatewise.training.streaming import Advance
from gatewise.training.trained import load_run

Runs = Callable[[str], Path]


def test_a_cancelled_message_is_not_computed_for_nobody(runs: Runs) -> None:
    """A worker with a queue of streams that have gone goes on with those that have not."""
    model, metrics = load_run(runs("reviews")).streaming(), Metrics()
    worker = Worker(metrics, most_waiting=2)
    work = Advance(model.initial({}), model.arrived({"text": "a film ", "end": True}, "", {}).steps, False, {})
    blocked = threading.Event()

    async def main() -> None:
        first = asyncio.create_task(worker.call(lambda: blocked.wait(5)))
        await asyncio.sleep(0.05)
        gone = [asyncio.create_task(worker.advance(model, "m", work)) for _ in range(20)]
        kept = asyncio.create_task(worker.advance(model, "m", work))
        waiting = [asyncio.create_task(worker.call(lambda: 1)) for _ in range(2)]
        await asyncio.sleep(0.01)
        with pytest.raises(Busy):
            await worker.call(lambda: 1)
        for each in gone:
            each.cancel()
        await asyncio.sleep(0.01)
        blocked.set()
        assert (await kept).answers and await first and await asyncio.gather(*waiting) == [1, 1]

    asyncio.run(main())
    worker.stop()
    assert metrics.value("steps_total", model="m") == 2


def test_no_fault_ends_the_worker_and_its_end_leaves_nobody_waiting(runs: Runs) -> None:
    class Broken(Metrics):
        def count(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("outside the network")

    model, worker = load_run(runs("reviews")).streaming(), Worker(Broken())
    work = Advance(model.initial({}), model.arrived({"text": "a film ", "end": True}, "", {}).steps, False, {})

    async def main() -> None:
        with pytest.raises(RuntimeError, match="outside the network"):
            await asyncio.wait_for(worker.advance(model, "m", work), 5)
        for wrong in (lambda: next(iter(())), lambda: exit(3)):
            with pytest.raises(RuntimeError, match=r"StopIteration|SystemExit"):
                await asyncio.wait_for(worker.call(wrong), 5)
        assert worker.alive and await worker.call(lambda: 1) == 1
        blocked = threading.Event()
        first = asyncio.create_task(worker.call(lambda: blocked.wait(5)))
        await asyncio.sleep(0.05)
        left = asyncio.create_task(worker.call(lambda: 1))
        await asyncio.sleep(0)
        worker._stopped = True
        blocked.set()
        assert await first
        for waiting in (left, worker.call(lambda: 1), worker.advance(model, "m", work)):
            with pytest.raises(RunError, match="has ended"):
                await asyncio.wait_for(waiting, 5)
        assert not worker.alive

    asyncio.run(main())


def test_a_worker_that_has_ended_is_no_health(runs: Runs) -> None:
    with serving({"reviews": runs("reviews")}) as (url, service, _):
        service.worker.stop()
        for ask in (lambda: gatewise.Client(url).health(), lambda: gatewise.Client(url, timeout=5).predict(["x"])):
            with pytest.raises((RunError, DataError), match=r"503|has ended"):
                ask()


def test_long_inputs_are_computed_one_by_one_and_none_after_the_requests_time(runs: Runs) -> None:
    asked: list[int] = []
    going = threading.Event()

    def open_slow(name: str, place: Path) -> Model:
        found = open_model(name, place)

        class Slow(Model):
            def answer(self, inputs: list[Any]) -> list[dict[str, Any]]:
                asked.append(len(inputs))
                if len(inputs[0]) > 10_000:
                    going.wait(5)
                return found.answer(["x"] * len(inputs))

        return Slow(**{each.name: getattr(found, each.name) for each in dataclasses.fields(found)})

    limits = Limits(seconds=0.3)
    with serving({"reviews": runs("reviews")}, limits=limits, open_one=open_slow) as (url, _, _):
        with pytest.raises(RunError, match=r"no answer within 0\.3 s"):
            gatewise.Client(url).predict(["x" * 15_000] * 8)
        going.set()
        assert len(gatewise.Client(url).predict(["short"] * 9)) == 9
    assert asked == [1, 8, 1]


def test_a_run_that_changes_while_it_is_opened_is_opened_again(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, loaded = tmp_path / "run", list[int]()
    shutil.copytree(runs("reviews"), place)

    def changing(folder: Path) -> Any:
        found = load_run(folder)
        loaded.append(1)
        if len(loaded) < most:
            write_bytes(folder / "best.safetensors", (folder / "best.safetensors").read_bytes())
        return found

    monkeypatch.setattr("gatewise.training.trained.load_run", changing)
    most = 3
    opened = open_model("m", place)
    assert len(loaded) == 3
    assert opened.weights == hashlib.sha256((place / "best.safetensors").read_bytes()).hexdigest()
    most = 100
    with pytest.raises(RunError, match="changes while it is opened"):
        open_model("m", place)


def test_a_stream_that_reads_again_while_another_is_ended_is_not_idle() -> None:
    class Idle:
        def __init__(self) -> None:
            self.last, self.busy, self.ended = 0.0, False, ""

        async def end(self, reason: str, words: str, code: int) -> None:
            self.ended = reason
            for other in both:
                other.busy = True

    both = [Idle(), Idle()]
    streams = Streams(None, StreamSettings(idle_seconds=0.01))  # type: ignore[arg-type]
    streams.open |= set(both)  # type: ignore[arg-type]
    asyncio.run(streams.end_idle())
    assert sorted(each.ended for each in both) == ["", "idle"]


def test_a_key_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "state" / "key"

    def crash(count: int) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("gatewise.serving.state.secrets.token_bytes", crash)
        read_key(place)
    assert not list(place.parent.iterdir())
    key = read_key(place)
    assert len(key) == 32 and read_key(place) == key and place.stat().st_mode & 0o077 == 0
    _make_key(place)  # another server that is slower
    assert read_key(place) == key and list(place.parent.iterdir()) == [place]


def test_what_is_asked_by_a_client_that_has_gone_is_not_computed_to_its_end(runs: Runs) -> None:
    asked: list[int] = []
    going, begun = threading.Event(), threading.Event()

    def open_slow(name: str, place: Path) -> Model:
        found = open_model(name, place)
        assert found.stream is not None
        advance = found.stream.advance

        class Slow(Model):
            def answer(self, inputs: list[Any]) -> list[dict[str, Any]]:
                asked.append(len(inputs))
                begun.set()
                going.wait(5)
                return found.answer(inputs)

        def slowly(streams: Any) -> Any:
            asked.append(len(streams[0].steps))
            begun.set()
            going.wait(5)
            return advance(streams)

        found.stream.advance = slowly  # type: ignore[method-assign]
        return Slow(**{each.name: getattr(found, each.name) for each in dataclasses.fields(found)})

    with serving({"reviews": runs("reviews")}, open_one=open_slow) as (url, service, log):
        host, port = url.removeprefix("http://").split(":")
        body = json.dumps({"inputs": ["a film"] * 80}).encode()
        head = f"POST /v1/models/reviews/predict HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(head.encode() + body)
            assert begun.wait(5)
        until(lambda: '"status": 499' in log.getvalue() or '"status":499' in log.getvalue())
        begun.clear()
        going.set()
        until(lambda: not service.worker.waiting)
        assert asked == [8]  # of 80: the batch that had begun
        going.clear()
        with Plain(url, "reviews") as plain:
            plain.begin()
            plain.send({"type": "steps", "text": "film " * 500})
            assert begun.wait(5)
        until(lambda: not service.streams.open)
        going.set()
        until(lambda: not service.worker.waiting)
        assert asked == [8, 16]  # of 499 steps: those of one round
        with gatewise.Client(url).stream("reviews") as stream:  # a long message of a client that stays is read wholly
            stream.send(text="film " * 500, end=True)
            stream.send(text="film ", end=True)
            assert stream.steps == 501
