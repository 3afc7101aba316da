"""What clients should not do: each gets a clear error, the others notice nothing, nothing piles up."""

from __future__ import annotations

import dataclasses
import gc
import io
import json
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from service_of import Plain, serving, until

import gatewise
from gatewise.errors import DataError
from gatewise.serving.application import Service
from gatewise.serving.guard import Limits
from gatewise.serving.models import Model, open_model
from gatewise.serving.streams import StreamSettings
from gatewise.training.streaming import Streaming

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
        with gatewise.Client(served[0]).stream("reviews") as other:  # answered while the flood still waits
            assert other.send(text="dull ", end=True)
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
    assert len(service.streams.open) <= 1  # the neighbour's


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


def test_every_error_is_json_and_says_what_to_do(served: Served) -> None:
    url = served[0]
    for method, path, body, status, words, fix in (
        ("GET", "/v1/models/reviews/predict", None, 405, "the method GET does not go with", "send POST"),
        ("DELETE", "/health", None, 405, "the method DELETE", "send GET"),
        ("GET", "/nowhere", None, 404, "nothing here", "/openapi.json"),
        ("GET", "/v1/models/reviews/stream", None, 404, "a stream is a WebSocket", "ws://"),
        ("GET", "/v1/models/review", None, 404, "no model 'review'", "reviews"),
        ("POST", "/v1/models/reviews/predict", b'{"inputs": "text"}', 400, "inputs is not a list", "put it in a list"),
        ("POST", "/v1/models/reviews/predict", b'{"input": ["a"]}', 400, "holds no inputs", "inputs"),
        ("POST", "/v1/models/reviews/predict", b'["a"]', 400, "not an object", "put the inputs into an object"),
        ("POST", "/v1/models/reviews/predict", b'{"inputs": ["a"], "b": 1}', 400, "more than inputs", "omit it"),
        ("POST", "/v1/models/reviews/predict", b'{"inputs": []}', 422, "out of range", "at least one"),
        ("POST", "/v1/models/reviews/predict", b"{", 400, "not JSON", "send JSON"),
        ("POST", "/v1/models/reviews/predict", b"x" * 60_000, 413, "longer than", "in parts"),
    ):
        request = urllib.request.Request(url + path, body, method=method)
        with pytest.raises(urllib.error.HTTPError) as found:
            urllib.request.urlopen(request)
        answer = found.value
        record = json.loads(answer.read())
        assert answer.code == status and answer.headers["content-type"] == "application/json", (method, path)
        assert words in record["error"]["message"] and fix in record["error"]["fix"], record
        assert record["request_id"] == answer.headers["x-request-id"]
        assert (answer.headers["allow"] is not None) == (status == 405)


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
