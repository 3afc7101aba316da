"""What clients should not do: each gets a clear error, the others notice nothing, nothing piles up."""

from __future__ import annotations

import dataclasses
import gc
import io
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from service_of import Plain, serving, until

import gatewise
from gatewise.errors import DataError, RunError
from gatewise.serving.application import Service
from gatewise.serving.guard import Limits
from gatewise.serving.models import Model, open_model
from gatewise.serving.streams import StreamSettings
from gatewise.training.streaming import Advance, Streaming

Runs = Callable[[str], Path]
Served = tuple[str, Service, io.StringIO]
LIMITS = Limits(body=50_000, seconds=1.5, head_seconds=1.0)
STREAMS = StreamSettings(open_seconds=1.5, most_steps=300)


@pytest.fixture(scope="module")
def served(runs: Runs) -> Iterator[Served]:
    places = {"reviews": runs("reviews"), "series": runs("series")}
    with serving(places, limits=LIMITS, streams=STREAMS) as found:
        yield found
    log = found[2].getvalue()
    assert "Traceback" not in log
    assert all(json.loads(line) for line in log.splitlines())


@pytest.fixture
def neighbour(served: Served) -> Iterator[None]:
    """A stream beside the test, which has to give the same as before it."""
    client = gatewise.Client(served[0])
    with client.stream("reviews") as beside:
        first = beside.send(text="a great film ", end=True)
        yield
        beside.send(text="dull ", end=True)
        assert beside.resumed == 0 and beside.number == 2
    with client.stream("reviews") as again:
        assert again.send(text="a great film ", end=True) == first


MESSAGES: list[tuple[str, Any, str]] = [
    ("reviews", "{", "not JSON"),
    ("reviews", "", "not JSON"),
    ("reviews", b"\xff\xfe{}", "not JSON"),
    ("reviews", "[1]", "not an object"),
    ("reviews", "[" * 20_000, "not JSON"),
    ("reviews", {"type": "nothing"}, "type is unknown"),
    ("reviews", {"type": ["steps"]}, "type is unknown"),
    ("reviews", {"type": "steps"}, "no text"),
    ("reviews", {"type": "steps", "text": 5}, "no text"),
    ("reviews", {"type": "steps", "text": "x", "__class__": 1}, "__class__"),
    ("reviews", {"type": "steps", "text": "x ", "number": 7}, "another number"),
    ("reviews", {"type": "steps", "text": "x ", "number": True}, "another number"),
    ("reviews", {"type": "steps", "text": "x " * 301, "end": True}, "too many steps"),
    ("reviews", {"type": "open"}, "type is unknown"),
    ("series", '{"type": "steps", "values": [[NaN, 1]]}', "not JSON"),
    ("series", '{"type": "steps", "values": [[1e999, 1]]}', "not"),
    ("series", {"type": "steps", "values": [[1, 2, 3]]}, "another number of values"),
    ("series", {"type": "steps", "values": [[1, "2"]]}, "not a finite number"),
    ("series", {"type": "steps", "values": [[1, None]]}, "not a finite number"),
    ("series", {"type": "steps", "values": {"a": 1}}, "no values"),
    ("series", {"type": "steps", "values": [[1, 2**2000]]}, "not"),
]


@pytest.mark.usefixtures("neighbour")
def test_messages_that_cannot_be_read_leave_the_stream_where_it_was(served: Served) -> None:
    with Plain(served[0], "reviews") as text, Plain(served[0], "series") as rows:
        text.begin()
        rows.begin()
        plain = {"reviews": text, "series": rows}
        for name, message, words in MESSAGES:
            binary = isinstance(message, bytes)
            plain[name].send(message, opcode=2 if binary else 1)
            found = plain[name].read()
            assert found["type"] == "error" and words in found["error"]["message"], (message, found)
            assert found["number"] == 0 and len(json.dumps(found)) < 1000
        assert text.ask(type="steps", text="dull ", end=True, number=1)["steps"] == 1
        assert rows.ask(type="steps", values=[[1, 2]])["steps"] == 1


@pytest.mark.usefixtures("neighbour")
def test_first_messages_that_do_not_open_a_stream(served: Served) -> None:
    for model, message, words in (
        ("reviews", {"type": "steps", "text": "x"}, "begins with"),
        ("reviews", {"type": "open", "answers": "some"}, "answers"),
        ("reviews", {"type": "open", "settings": []}, "settings"),
        ("reviews", {"type": "open", "settings": {"x": 1}}, "no setting"),
        ("reviews", {"type": "open", "state": "gw1.x.y"}, "state"),
        ("reviews", {"type": "open", "more": 1}, "more"),
        ("nobody", {"type": "open"}, "no model"),
        ("%2e%2e", {"type": "open"}, "no model"),
    ):
        with Plain(served[0], model) as plain:
            if plain.status != 101:
                assert model == "%2e%2e"
                continue
            plain.send(message)
            found = plain.read()
            assert words in found["error"]["message"] or words in json.dumps(found), found
            assert plain.read()[0] == 1008
    with Plain(served[0], "reviews") as silent:
        assert "no message within" in silent.read()["error"]["message"]
        assert silent.read()[0] == 1008


@pytest.mark.usefixtures("neighbour")
def test_messages_that_are_too_long_or_broken_end_their_connection(served: Served) -> None:
    with Plain(served[0], "reviews") as plain:
        plain.begin()
        plain.send({"type": "steps", "text": "x" * 60_000})
        assert plain.read()[0] == 1009
    with Plain(served[0], "reviews") as plain:  # in parts, each of them short
        plain.begin()
        plain.socket.sendall(b"\x01\x80" + b"\0\0\0\0")
        part = b"\x00\xfe" + (1000).to_bytes(2) + b"\0\0\0\0" + b"x" * 1000
        for _ in range(LIMITS.body // 1000 + 1):  # none after the limit: it would reset the connection
            plain.socket.sendall(part)
        assert plain.read()[0] == 1009
    for content in (b"\x81\x05plain", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", os.urandom(300)):
        with Plain(served[0], "reviews") as plain:
            plain.begin()
            plain.socket.sendall(content)
            found = plain.read()
            assert found is None or found[0] in (1002, 1007, 1009)


@pytest.mark.usefixtures("neighbour")
def test_a_client_of_errors_is_shown_the_door(served: Served) -> None:
    with Plain(served[0], "reviews") as plain:
        plain.begin()
        for _ in range(100):
            plain.send("{")
        found = [plain.read() for _ in range(101)]
        assert found[-1][0] == 1008


@pytest.mark.usefixtures("neighbour")
def test_a_flood_waits_in_its_own_connection(served: Served) -> None:
    """A client that sends without reading: its messages wait in the sockets, not in the server's memory."""
    _, service, _ = served
    with Plain(served[0], "reviews", receive_buffer=4096) as plain:
        plain.begin(answers="all")
        plain.socket.settimeout(0.3)
        message = {"type": "steps", "text": "film " * 200}
        sent = 0
        with pytest.raises((TimeoutError, ConnectionError)):
            while sent < 30_000:  # more than the buffers of both sockets hold
                plain.send(message)
                sent += 1
        begun = time.perf_counter()
        with gatewise.Client(served[0]).stream("reviews") as other:
            other.send(text="dull ", end=True)
        assert time.perf_counter() - begun < 5
    until(lambda: len(service.streams.open) <= 1)  # the neighbour's


@pytest.mark.usefixtures("neighbour")
def test_pings_are_answered_but_do_not_pile_up(served: Served) -> None:
    with Plain(served[0], "reviews", receive_buffer=4096) as plain:
        plain.begin()
        plain.socket.settimeout(0.5)
        with pytest.raises((TimeoutError, ConnectionError)):
            for _ in range(300_000):
                plain.socket.sendall((b"\x89\xfd" + b"\0\0\0\0" + b"x" * 125) * 100)


@pytest.mark.usefixtures("neighbour")
def test_half_open_connections_go(served: Served) -> None:
    _, service, _ = served
    held = [Plain(served[0], "reviews") for _ in range(20)]
    for plain in held[:10]:
        plain.begin()
    for plain in held:
        plain.close()
    until(lambda: len(service.streams.open) <= 1)


def test_requests_that_cannot_be_read(served: Served) -> None:
    url = served[0]
    host, port = url.removeprefix("http://").split(":")
    for body, status in (
        (b"{", 400),
        (b'{"inputs": "text"}', 400),
        (b'{"inputs": ["x"], "more": 1}', 400),
        (b'{"inputs": [NaN]}', 400),
        (b"[" * 40_000, 400),
        (b"\xff\xfe", 400),
        (b'{"inputs": [1]}', 422),
        (b'{"inputs": ["\\ud800"]}', 400),
        (b"x" * 50_001, 413),
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            head = f"POST /v1/models/reviews/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.replace("Host: x", f"Host: {host}:{port}").encode() + body)
            answer = connection.recv(100_000)
            assert int(answer.split()[1]) == status, (body[:40], answer[:300])
            assert b"Traceback" not in answer


class _Failing(Streaming):
    """Fails where a text says so: with an error of its own, or for all streams of a round."""

    unit, message = "token", {"text": {}}

    def __init__(self, inner: Streaming) -> None:
        self.inner = inner

    def initial(self, settings: Any) -> Any:
        return self.inner.initial(settings)

    def arrived(self, message: Any, rest: str, settings: Any) -> Any:
        found = self.inner.arrived(message, rest, settings)
        if "boom" in message.get("text", ""):
            return found._replace(steps=[-999] * len(found.steps))
        if "short" in message.get("text", ""):  # one outcome too few
            return found._replace(steps=[-998] * len(found.steps))
        return found

    def advance(self, streams: Any) -> Any:
        if any(each.steps[0] == -999 for each in streams):
            raise RuntimeError("a secret of the inside")
        found = self.inner.advance(streams)
        return found[1:] if any(each.steps[0] == -998 for each in streams) else found


def test_an_error_inside_ends_its_stream_alone_and_is_not_shown(runs: Runs) -> None:
    def open_failing(name: str, place: Path) -> Model:
        found = open_model(name, place)
        assert found.stream is not None
        return dataclasses.replace(found, stream=_Failing(found.stream))

    with serving({"reviews": runs("reviews")}, open_one=open_failing) as (url, _, log):
        plains = [Plain(url, "reviews") for _ in range(6)]
        for plain in plains:
            plain.begin()
        for place, plain in enumerate(plains):
            text = {3: "boom ", 4: "short "}.get(place, "film ")
            plain.send({"type": "steps", "text": text, "end": True})
        for place, plain in enumerate(plains):
            found = plain.read()
            assert found["type"] == ("error" if place in (3, 4) else "answer")
            assert "secret" not in json.dumps(found)
        assert plains[3].read()[0] == 1011
        assert plains[0].ask(type="steps", text="film ", end=True)["steps"] == 2
        assert "a secret of the inside" in log.getvalue()
        assert gatewise.Client(url).predict(["film"]) and gatewise.Client(url).health()["status"] == "ok"
        for plain in plains:
            plain.close()


def test_numbers_that_overflow_are_an_error_and_the_stream_stays(runs: Runs) -> None:
    with serving({"series": runs("series")}) as (url, _, _), gatewise.Client(url).stream("series") as stream:
        stream.send(values=[[1.0, 2.0]] * 12)
        with pytest.raises(DataError, match="not finite"):
            stream.send(values=[[1e299, -1e299]])
        assert stream.send(values=[[1.0, 2.0]])[0]["forecast"]
        assert stream.number == 2


def _memory() -> int:
    with Path("/proc/self/statm").open() as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _come_and_go(url: str, count: int) -> None:
    for number in range(count):
        with Plain(url, "reviews") as plain:
            plain.begin()
            plain.ask(type="steps", text="a dull film ", end=True)
            if number % 3 == 0:
                plain.send({"type": "steps", "text": "left before the answer ", "end": True})


@pytest.mark.parametrize("count", [60, pytest.param(1500, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_sessions(runs: Runs, count: int) -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")
    with serving({"reviews": runs("reviews")}) as (url, service, log):
        _come_and_go(url, 40)
        log.truncate(0)
        gc.collect()
        objects, memory = len(gc.get_objects()), _memory()
        _come_and_go(url, count)
        until(lambda: not service.streams.open)
        log.truncate(0)
        log.seek(0)
        gc.collect()
        assert not service.streams.open
        assert len(gc.get_objects()) - objects < 1000
        assert _memory() - memory < 6_000_000
        # the metrics too: a series for each kind of end, not for each session
        assert len(service.metrics.text().splitlines()) < 200


def test_a_cancelled_message_is_not_computed_for_nobody(runs: Runs) -> None:
    """A worker with a queue of streams that have gone goes on with those that have not."""
    import asyncio

    from gatewise.serving.metrics import Metrics
    from gatewise.serving.worker import Busy, Worker
    from gatewise.training.trained import load_run

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
    import asyncio

    from gatewise.serving.metrics import Metrics
    from gatewise.serving.worker import Worker
    from gatewise.training.trained import load_run

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
