"""Who may ask, how much and how long; the port; the end."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from service_of import until

from gatewise.errors import DataError, OptionError
from gatewise.serving.guard import Finished, Guard, Limits, is_loopback
from gatewise.serving.running import bound_socket, running

TOKEN = "not-a-real-token-0123"
LIMITS = Limits(body=1000, seconds=1.2, head_seconds=1.0, connections=40)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body; fails, or never ends, where the path says so."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/fails":
        raise RuntimeError("a secret of the inside")
    if scope["path"] == "/early":  # answers before it has read the body
        await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/wrong":
        raise DataError("that is wrong", expected="this", fix="write this")
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    if scope["path"] == "/early":
        return
    body = b"x" * 50_000_000 if scope["path"] == "/large" else str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, list[Finished]]]:
    ended: list[Finished] = []
    guard = Guard(
        echo, token=TOKEN, public=("/open",), limits=LIMITS, origins=["https://page.example"], finished=ended.append
    )
    with running(guard, limits=LIMITS) as url:
        yield url.removeprefix("http://"), ended


def ask(place: str, path: str = "/", method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection(place, timeout=5)
    given = {"Authorization": f"Bearer {TOKEN}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {name: value for name, value in given.items() if value})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer.headers


def test_answers_have_the_security_headers_and_the_requests_id(served: tuple[str, list[Finished]]) -> None:
    status, content, headers = ask(served[0], body=b"four", X_Request_ID="mine-1")
    assert (status, content) == (200, b"4")
    assert headers["X-Request-ID"] == "mine-1" and headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"] and "Server" not in headers
    assert ask(served[0], X_Request_ID="two words")[2]["X-Request-ID"] != "two words"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer another-token-01234"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "localhost:1"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "http://localhost:99999999"}, 403),
        ({"Host": "LocalHost:8000", "Origin": "http://localhost:8000"}, 200),
        ({"Origin": "https://page.example"}, 200),
    ],
)
def test_who_may_ask(served: tuple[str, list[Finished]], headers: dict[str, str], status: int) -> None:
    found, content, answered = ask(served[0], **headers)
    assert found == status
    if status != 200:
        error = json.loads(content)["error"]
        assert error["message"] and error["expected"] and error["fix"] and TOKEN.encode() not in content
        assert "--allow" not in error["message"] and ";" not in error["message"]
        for given in ("Host", "Origin"):
            assert status == 401 or given not in headers or error["got"] == headers[given]
    elif headers.get("Origin", "").startswith("https"):
        assert answered["Access-Control-Allow-Origin"] == headers["Origin"]
    assert all(TOKEN not in repr(each) for each in served[1])


def test_its_own_pages_may_ask_and_public_paths_need_no_token(served: tuple[str, list[Finished]]) -> None:
    assert ask(served[0], Origin=f"http://{served[0]}")[0] == 200
    assert ask(served[0], "/open", Authorization="")[0] == 200
    preflight = {"Access_Control_Request_Method": "POST", "Origin": "https://page.example", "Authorization": ""}
    assert ask(served[0], method="OPTIONS", **preflight)[0] == 204


def test_bodies_are_bounded_whether_or_not_they_state_their_length(served: tuple[str, list[Finished]]) -> None:
    assert ask(served[0], method="POST", body=b"x" * 1000)[0] == 200
    assert ask(served[0], method="POST", body=b"x" * 1001)[0] == 413
    assert ask(served[0], method="POST", body=iter([b"x" * 600] * 2))[0] == 413


def test_no_second_answer_begins_where_the_first_has_begun(served: tuple[str, list[Finished]]) -> None:
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ask(served[0], "/early", method="POST", body=iter([b"x" * 600] * 2))
    until(lambda: any(each.path == "/early" for each in served[1]))
    ended = next(each for each in served[1] if each.path == "/early")
    assert (ended.status, ended.error) == (200, "the body is longer than 1,000 bytes")


def test_an_error_inside_is_not_shown_and_one_of_gatewise_is(served: tuple[str, list[Finished]]) -> None:
    status, content, headers = ask(served[0], "/fails")
    assert status == 500 and b"secret" not in content and json.loads(content)["request_id"] == headers["X-Request-ID"]
    until(lambda: any(each.request_id == headers["X-Request-ID"] for each in served[1]))
    ended = next(each for each in served[1] if each.request_id == headers["X-Request-ID"])
    assert ended.error is not None and "a secret of the inside" in ended.error and "line" in ended.error
    status, content, _ = ask(served[0], "/wrong")
    assert status == 422
    assert json.loads(content)["error"] == {"message": "that is wrong", "expected": "this", "fix": "write this"}


def _ended(connection: socket.socket, within: float) -> bytes:
    """All that a connection sends until its end; fails where it does not end in time."""
    connection.settimeout(within)
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found


def test_half_a_head_half_a_body_and_silence_are_ended(served: tuple[str, list[Finished]]) -> None:
    host, port = served[0].split(":")
    head = f"POST / HTTP/1.1\r\nHost: {served[0]}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n"
    for sent, wanted in ((b"", b""), (b"GET / HT", b""), (head.encode() + b"\r\nhalf", b" 408 ")):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(sent)
            found = _ended(connection, 4)
            assert wanted in found and (b"408" not in wanted or b"connection: close" in found.lower())
    until(lambda: any(each.status == 408 for each in served[1]))
    assert ask(served[0])[0] == 200


def test_a_client_that_does_not_read_is_cut_off(served: tuple[str, list[Finished]]) -> None:
    host, port = served[0].split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"GET /large HTTP/1.1\r\nHost: {served[0]}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        connection.sendall(head.encode())
        time.sleep(2.2)
        assert len(_ended(connection, 4)) < 50_000_000
    assert ask(served[0])[0] == 200


def test_more_connections_than_allowed_are_refused_and_the_others_go_on(served: tuple[str, list[Finished]]) -> None:
    host, port = served[0].split(":")
    held = [socket.create_connection((host, int(port))) for _ in range(45)]
    try:
        assert ask(served[0])[0] == 503
    finally:
        for each in held:
            each.close()
    until(lambda: ask(served[0])[0] == 200)


def test_a_port_in_use_is_a_clear_error() -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=f"port {port} is in use"):
            bound_socket("127.0.0.1", port)
    with pytest.raises(OptionError, match="no host"):
        bound_socket("no.such.host.invalid", 0)
    with pytest.raises(OptionError, match="out of range"):
        bound_socket("127.0.0.1", 70000)


def test_the_end_waits_for_requests_that_have_begun() -> None:
    begun, found = threading.Event(), []

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await echo(scope, receive, send)
        import asyncio

        begun.set()
        await asyncio.sleep(0.4)
        return await echo(scope, receive, send)

    with running(Guard(slow)) as url:
        thread = threading.Thread(target=lambda: found.append(ask(url.removeprefix("http://"))[0]))
        thread.start()
        assert begun.wait(3)
    thread.join()
    assert found == [200]


def raw(place: str, head: str, *, leaves: bool = True) -> socket.socket:
    """A connection with a request by hand, which is closed a moment later, or stays."""
    host, port = place.split(":")
    connection = socket.create_connection((host, int(port)), timeout=5)
    connection.sendall(head.format(f"Host: {place}").replace("\n", "\r\n").encode())
    if leaves:
        time.sleep(0.1)
        connection.close()
    return connection


UPGRADE = (
    "GET {}?x HTTP/1.1\n{{}}\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"
)


@pytest.mark.parametrize(
    ("head", "leaves", "status"),
    [
        ("POST /body HTTP/1.1\n{}\nContent-Length: 100\n\nabc", True, 499),
        (UPGRADE.format("/socket"), True, 499),
        ("GET /unanswered HTTP/1.1\n{}\n\n", False, 500),
        (UPGRADE.format("/unanswered-socket"), False, 500),
        ("GET /waits HTTP/1.1\n{}\n\n", False, 503),
        (UPGRADE.format("/socket"), False, 101),
        ("GET /body HTTP/1.1\n{}\n\n", False, 200),
    ],
)
def test_every_request_ends_with_a_true_status(head: str, leaves: bool, status: int) -> None:
    """499: the client has gone; else what it was answered, by the server below too, as where that one stops."""
    import asyncio

    from starlette.requests import Request

    begun: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await echo(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await receive()
            await asyncio.sleep(0.4)
            if scope["path"] == "/socket":
                await send({"type": "websocket.accept"})
            return
        begun.append(scope["path"])
        await Request(scope, receive).body()
        await asyncio.sleep(30 if scope["path"] == "/waits" else 0)
        if scope["path"] == "/body":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    ended: list[Finished] = []
    with running(Guard(app, finished=ended.append), stop_seconds=0.5) as url:
        connection = raw(url.removeprefix("http://"), head, leaves=leaves)
        until(lambda: begun if "/waits" in head else ended)
    assert [each.status for each in ended] == [status]
    assert (ended[0].error is not None) == (status == 500)
    if not leaves:
        assert int(connection.recv(100).split()[1]) == status
        connection.close()


def test_an_error_of_the_inside_is_logged_where_the_client_has_gone() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await echo(scope, receive, send)
        while (await receive())["type"] != "http.disconnect":
            pass
        raise KeyError("a mistake")

    ended: list[Finished] = []
    with running(Guard(app, finished=ended.append)) as url:
        raw(url.removeprefix("http://"), "POST / HTTP/1.1\n{}\nContent-Length: 9\n\nabc")
        until(lambda: ended)
    assert ended[0].status == 499 and "KeyError" in str(ended[0].error)


def test_options_of_the_guard_are_checked() -> None:
    with pytest.raises(OptionError, match="token"):
        Guard(echo, token="short")
    for origin in ("page.example", "http://[", "http://page.example:99999999"):
        with pytest.raises(OptionError, match="origin"):
            Guard(echo, origins=[origin])
    assert not is_loopback("192.168.1.2") and is_loopback("127.8.8.8")


def test_where_others_reach_it_addresses_are_known_and_names_are_not() -> None:
    open_guard = Guard(echo, bind="0.0.0.0", hosts=["gatewise.example"])
    for host, known in (
        ("192.168.1.2:8000", True),
        ("[fe80::1]:8000", True),
        ("gatewise.example", True),
        ("other.example", False),
        ("a@127.0.0.1", False),
        ("", False),
    ):
        assert open_guard._known_host(host) is known, host
