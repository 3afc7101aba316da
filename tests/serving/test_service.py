"""The server of models as its clients see it."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from service_of import Plain, serving, until

import gatewise
from gatewise.cli import main
from gatewise.errors import DataError, OptionError, RunError
from gatewise.serving.application import Service
from gatewise.serving.guard import Limits
from gatewise.serving.models import Model, named_runs, open_model
from gatewise.serving.running import bound_socket
from gatewise.serving.streams import StreamSettings
from gatewise.training.streaming import Advance
from gatewise.training.trained import load_run

Runs = Callable[[str], Path]
Served = tuple[str, Service, io.StringIO]
NAMES = ("reviews", "series", "words", "tags", "both")
TEXT = "a great film that I would see again , though it was long and hollow at times . "


@pytest.fixture(scope="module")
def served(runs: Runs) -> Iterator[Served]:
    with serving({name: runs(name) for name in NAMES}, limits=Limits(body=200_000, seconds=5)) as found:
        yield found


def test_requests_are_answered_as_the_network_answers(served: Served, runs: Runs) -> None:
    client = gatewise.Client(served[0])
    row = {"day": 20000.0, "a": 11.0, "b": 6.0}
    inputs = {"series": [[{**row, "day": row["day"] + day, "a": 10.0 + day % 7} for day in range(20)]]}
    for name in NAMES:
        given = inputs.get(name, ["a great film", "the envoy left Bonn ."])
        assert client.predict(given, name) == json.loads(json.dumps(load_run(runs(name)).answer(given)))
    assert {each["name"] for each in client.models()} == set(NAMES)
    assert client.health()["status"] == "ok"


def test_what_cannot_be_answered_says_why(served: Served) -> None:
    client = gatewise.Client(served[0])
    for inputs, name, words in (
        (["x"], "nobody", "no model 'nobody'"),
        ([1], "reviews", "not a text"),
        ([[]], "series", "list of rows"),
        ([[{"day": 1}]], "series", "column"),
        ([], "reviews", "out of range"),
        (["x"], None, "several models"),
    ):
        with pytest.raises(DataError, match=words):
            client.predict(inputs, name)
    with pytest.raises(DataError, match=r"bidirectional.*no-bidirectional"):
        client.stream("both")
    with pytest.raises(RunError, match="cannot be reached"):
        gatewise.Client("http://127.0.0.1:9").health()


def _alone(model: Any, parts: list[str]) -> list[Any]:
    state, rest, found = model.initial({}), "", []
    for place, part in enumerate(parts):
        steps, rest = model.arrived({"text": part, "end": place + 1 == len(parts)}, rest, {})
        if len(steps):
            ((state, answers),) = model.advance([Advance(state, steps, True, {})])
            found += answers
    return found


def test_many_streams_at_once_have_the_bits_of_each_alone(served: Served, runs: Runs) -> None:
    model, found = load_run(runs("reviews")).streaming(), {}
    texts = {number: [f"{TEXT} {number} ", TEXT[number:], f"film {number} dull"] * 4 for number in range(8)}

    def read(number: int) -> None:
        with gatewise.Client(served[0]).stream("reviews", answers="all") as stream:
            parts = texts[number]
            found[number] = [
                answer
                for place, part in enumerate(parts)
                for answer in stream.send(text=part, end=place + 1 == len(parts))
            ]

    threads = [threading.Thread(target=read, args=(number,)) for number in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, parts in texts.items():
        assert found[number] == _alone(model, parts)


def test_a_state_goes_on_elsewhere_and_only_where_it_belongs(served: Served, runs: Runs) -> None:
    client = gatewise.Client(served[0])
    with client.stream("reviews", answers="all") as stream:
        first = stream.send(text=TEXT)
        state = stream.state()
    with (
        serving({"reviews": runs("reviews")}) as (url, _, _),
        gatewise.Client(url).stream("reviews", answers="all", state=state) as stream,
    ):
        assert (stream.number, stream.steps) == (1, len(first))
        second = stream.send(text=" dull", end=True)
    assert first + second == _alone(load_run(runs("reviews")).streaming(), [TEXT, " dull"])
    with (
        serving({"reviews": runs("reviews")}, key=b"x" * 32) as (url, _, _),
        pytest.raises(DataError, match="not signed by this server"),
    ):
        gatewise.Client(url).stream("reviews", state=state)
    with pytest.raises(DataError, match="other weights"):
        client.stream("tags", state=state)
    head, content, signature = state.split(".")
    changed = content[:40] + ("A" if content[40] != "A" else "B") + content[41:]
    for token in (
        f"{head}.{changed}.{signature}",
        f"{head}.{content}.",
        "gw1..",
        state[:-2],
        f"gw2.{content}.{signature}",
        "é.é.é",
        5,
    ):
        with pytest.raises(DataError, match="state"):
            client.stream("reviews", state=token)  # type: ignore[arg-type]


def test_a_lost_connection_loses_no_message(served: Served, runs: Runs) -> None:
    parts = [f"{word} " for word in (TEXT * 3).split()]
    with gatewise.Client(served[0]).stream("reviews", answers="all", keep_every=7) as stream:
        found = []
        for place, part in enumerate(parts):
            if place in (3, 20, 21):
                assert stream._connection is not None
                stream._connection.socket.shutdown(2)
            found += stream.send(text=part, end=place + 1 == len(parts))
        assert stream.resumed == 3 and stream.number == len(parts)
    assert found == _alone(load_run(runs("reviews")).streaming(), parts)


def test_the_end_of_the_server_hands_out_states_and_the_next_one_goes_on(runs: Runs) -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
    places = {"reviews": runs("reviews")}
    parts = [TEXT, "dull and long ", "hollow"]
    with serving(places, port=port) as (url, _, _):
        stream = gatewise.Client(url).stream("reviews", answers="all", retry_seconds=10)
        found = stream.send(text=parts[0])
        plain = Plain(url, "reviews")
        plain.begin()
        plain.ask(type="steps", text=TEXT)
    closing = plain.read()
    assert closing["reason"] == "stopping" and closing["number"] == 1 and plain.read()[0] == 1001
    with serving(places, port=port) as (url, _, _):
        with Plain(url, "reviews") as again:
            assert again.begin(state=closing["state"])["steps"] == closing["steps"]
        found += stream.send(text=parts[1])
        found += stream.send(text=parts[2], end=True)
        stream.close()
    assert stream.resumed == 1
    assert found == _alone(load_run(runs("reviews")).streaming(), parts)


def test_a_stream_does_not_go_on_with_other_weights(runs: Runs) -> None:
    def open_other(name: str, place: Path) -> Model:
        return dataclasses.replace(open_model(name, place), weights="0" * 64)

    with bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
    places = {"reviews": runs("reviews")}
    with serving(places, port=port) as (url, _, _):
        stream, unread = (gatewise.Client(url).stream("reviews", retry_seconds=10) for _ in range(2))
        stream.send(text=TEXT)
        for each in (stream, unread):
            assert each._connection is not None
            each._connection.socket.shutdown(2)  # no last words: as when the server is killed
    with serving(places, port=port, open_one=open_other):
        with pytest.raises(DataError, match="trained again"):
            stream.send(text=TEXT)
        assert unread.send(text=TEXT)  # nothing was read yet
        unread.close()


def test_requests_that_have_begun_end_before_the_server_does(runs: Runs) -> None:
    found: list[int] = []
    with serving({"reviews": runs("reviews")}) as (url, service, _):
        client = gatewise.Client(url)
        thread = threading.Thread(target=lambda: found.append(len(client.predict([TEXT] * 900))))
        thread.start()
        deadline = time.monotonic() + 5
        while service.worker.waiting == 0 and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.0005)
    thread.join()
    assert found == [900]


def test_an_idle_stream_ends_with_a_message_and_can_go_on(runs: Runs) -> None:
    with serving({"reviews": runs("reviews")}, streams=StreamSettings(idle_seconds=0.2)) as (url, service, _):
        with Plain(url, "reviews") as plain:
            assert plain.begin()["idle_seconds"] == 0.2
            steps = plain.ask(type="steps", text=TEXT)["steps"]
            closing = plain.read()
            assert closing["reason"] == "idle" and "no message" in closing["message"] and closing["steps"] == steps
            assert plain.read() == (1001, "idle")
        with gatewise.Client(url).stream("reviews") as stream:
            stream.send(text=TEXT)
            time.sleep(0.5)
            stream.send(text=TEXT)
            assert (stream.number, stream.resumed) == (2, 1)
        assert service.metrics.value("streams_ended_total", model="reviews", reason="idle") >= 2


def test_more_streams_than_allowed_are_refused(runs: Runs) -> None:
    with (
        serving({"reviews": runs("reviews")}, streams=StreamSettings(most=2)) as (url, _, _),
        Plain(url, "reviews") as first,
        Plain(url, "reviews") as second,
        Plain(url, "reviews") as third,
    ):
        assert first.begin()["type"] == second.begin()["type"] == "ready"
        refused = third.read()
        assert refused["retry"] and "2 streams are open" in refused["error"]["message"]
        assert third.read()[0] == 1013
        assert first.ask(type="steps", text="dull ", end=True)["type"] == "answer"


def test_a_long_message_does_not_hold_up_the_others(served: Served) -> None:
    order: list[str] = []
    with Plain(served[0], "words") as long, Plain(served[0], "words") as short:
        long.begin(answers="all")
        short.begin()
        long.send({"type": "steps", "text": "one of the " * 400, "end": True})

        def wait() -> None:
            assert len(long.read()["answers"]) == 1200
            order.append("long")

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.01)
        assert short.ask(type="steps", text="the end", end=True)["steps"] == 2
        order.append("short")
        thread.join()
    assert order == ["short", "long"]


def test_a_model_that_is_trained_again_is_opened_again(runs: Runs, tmp_path: Path) -> None:
    place = tmp_path / "run"
    shutil.copytree(runs("reviews"), place)
    other = tmp_path / "other"
    data = json.loads((place / "spec.json").read_text())["data"]["data"]
    flags = ["--text", "review", "--label", "mood", "--hidden-size", "9", "--epochs", "1", "--threads", "1"]
    with pytest.raises(SystemExit):
        main(["train", data, *flags, "--out", str(other)])
    answers: list[list[dict[str, Any]]] = []
    with serving({"reviews": place}, reload_seconds=0.05) as (url, service, log):
        client = gatewise.Client(url)
        before = client.models()[0]["weights"]
        stopped = threading.Event()

        def ask() -> None:
            while not stopped.is_set():
                answers.append(client.predict([TEXT]))

        thread = threading.Thread(target=ask)
        thread.start()
        with client.stream(answers="all") as stream:
            first = stream.send(text=TEXT)
            state = stream.state()
            shutil.rmtree(place)
            shutil.copytree(other, place)
            deadline = time.monotonic() + 10
            while client.models()[0]["weights"] == before:
                assert time.monotonic() < deadline, log.getvalue()
                time.sleep(0.05)
            second = stream.send(text=" dull", end=True)  # the stream keeps the network that it began with
            assert stream.resumed == 0
        stopped.set()
        thread.join()
        assert first + second == _alone(load_run(runs("reviews")).streaming(), [TEXT, " dull"])
        assert len({json.dumps(each) for each in answers}) == 2
        with pytest.raises(DataError, match="trained again"):
            client.stream(state=state)
        (place / "best.safetensors").write_bytes(b"damaged")
        deadline = time.monotonic() + 10
        while not service.models.failed:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert client.predict([TEXT])  # what was opened stays


def test_what_it_says_of_itself(served: Served) -> None:
    url, _, log = served
    with gatewise.Client(url).stream("words") as stream:
        stream.send(text="one of the roads ")
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        metrics = answer.read().decode()
    for line in (
        'gatewise_steps_total{model="words"}',
        'gatewise_message_seconds_bucket{model="words",le="0.02"}',
        "gatewise_streams_open",
        'gatewise_requests_total{route="/v1/models/{name}/predict",status="200"}',
    ):
        assert line in metrics
    for line in metrics.splitlines():
        assert line.startswith("# TYPE gatewise_") or float(line.rpartition(" ")[2]) >= 0
    with urllib.request.urlopen(f"{url}/openapi.json") as answer:
        found = json.loads(answer.read())
    assert found["paths"]["/v1/models/words/stream"]["get"]["x-messages"]["open"]["settings"]["properties"]["count"]
    assert "/v1/models/both/stream" not in found["paths"] and "/v1/models/both/predict" in found["paths"]
    until(lambda: '"stream ended"' in log.getvalue())
    events = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {"request", "stream opened", "stream ended"} <= {event["event"] for event in events}
    assert all(event["request_id"] for event in events if event["event"] == "request")


def test_a_token_is_asked_for_and_never_written_down(runs: Runs) -> None:
    token = "not-a-real-token-for-tests"
    with serving({"reviews": runs("reviews")}, token=token) as (url, _, log):
        with pytest.raises(OptionError, match="token"):
            gatewise.Client(url).predict(["x"], "reviews")
        with pytest.raises(OptionError, match="token"):
            gatewise.Client(url, token=f"{token}x").stream("reviews")
        client = gatewise.Client(url, token=token)
        stranger = gatewise.Client(url).health()
        assert stranger["status"] == "ok" and "reviews" not in json.dumps(stranger)
        assert client.health()["models"] == {"reviews": "opened"} and client.predict(["x"])
        with client.stream() as stream:
            assert stream.send(text="dull ", end=True)
        # as a browser does, which cannot set a header
        with Plain(url, "reviews", headers=f"Sec-WebSocket-Protocol: gatewise.v1, bearer.{token}\r\n") as plain:
            assert plain.status == 101 and plain.begin()["type"] == "ready"
        with Plain(
            url, "reviews", headers=f"Origin: https://evil.example\r\nAuthorization: Bearer {token}\r\n"
        ) as plain:
            assert plain.status == 403
        assert token not in log.getvalue()


def test_names_of_models() -> None:
    assert named_runs(["a=x", "b/c d"]) == {"a": Path("x"), "c-d": Path("b/c d")}
    for words in (["a=x", "a=y"], ["a b=x"], ["=x"]):
        with pytest.raises(OptionError):
            named_runs(words)
    with pytest.raises(OptionError, match=r"a/b=run is neither a folder nor NAME=RUN.*fix: a-b=run"):
        named_runs(["a/b=run"])


def test_a_path_may_hold_an_equals_sign(tmp_path: Path) -> None:
    (tmp_path / "rate=0.1").mkdir()
    assert named_runs([str(tmp_path / "rate=0.1")]) == {"rate-0.1": tmp_path / "rate=0.1"}
