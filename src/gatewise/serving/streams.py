"""One WebSocket, one stream: messages in, answers out, the state here.

::

    client   {"type": "open", "settings": {..}, "answers": "last" or "all", "state": TOKEN}
    server   {"type": "ready", "number": n, "steps": s, ..}
    client   {"type": "steps", "number": n + 1, "text": .. or "values": .., "end": false, "state": false}
    server   {"type": "answer", "number": n + 1, "steps": s, "answers": [..]}
    client   {"type": "state"}
    server   {"type": "state", "number": n, "steps": s, "state": TOKEN}
    server   {"type": "error", "number": n, "error": {..}}
    server   {"type": "closing", "reason": .., "state": TOKEN}

Where the model says so (`Streaming.binary`), a binary message is one of the type steps with nothing but that content.
A message is read wholly or not at all: after an error the stream is where it was. An answer acknowledges its message;
who keeps a state and the messages after it can go on at another server, or after this one was killed.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from gatewise.errors import DataError, GatewiseError, OptionError
from gatewise.serving.guard import TOKEN_PROTOCOL, Receive, Scope, Send
from gatewise.serving.state import Position, opened, sealed
from gatewise.training.streaming import MOST_STEPS, Advance, Advanced

if TYPE_CHECKING:
    from gatewise.serving.application import Service
    from gatewise.serving.models import Model
    from gatewise.training.streaming import Streaming

__all__ = ["PROTOCOL", "StreamSettings", "Streams"]

PROTOCOL = "gatewise.v1"
_MOST_ERRORS = 100
_FEW_STEPS = 64
"""Messages of so many steps are computed to their end, also where their client leaves: a look costs more."""
_NORMAL, _GOING, _POLICY, _INSIDE, _LATER = 1000, 1001, 1008, 1011, 1013
_OPEN_NAMES = {"type", "settings", "answers", "state"}
_STEP_NAMES = {"type", "number", "end", "state"}


@dataclass(frozen=True)
class StreamSettings:
    """Limits of streams.

    Attributes:
        most: open at once.
        idle_seconds: after which a stream without messages is ended.
        open_seconds: in which the first message has to come.
        most_steps: of one message.
    """

    most: int = 2000
    idle_seconds: float = 600.0
    open_seconds: float = 10.0
    most_steps: int = MOST_STEPS


class _Gone(Exception):
    """The client has left."""


class Streams:
    """All open streams; an ASGI application for each of them.

    Args:
        service: models, worker, metrics, log and key.
        settings: limits.
    """

    def __init__(self, service: Service, settings: StreamSettings) -> None:
        self.service, self.settings = service, settings
        self.open: set[_Stream] = set()
        self._opening = 0
        self.stopping = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        scope["state"]["route"] = "/v1/models/{name}/stream"
        await receive()  # websocket.connect
        offered = scope.get("subprotocols", ())
        chosen = PROTOCOL if PROTOCOL in offered else None
        if chosen is None and offered and not all(each.startswith(TOKEN_PROTOCOL) for each in offered):
            await send({"type": "websocket.close", "code": _POLICY})
            return
        await send({"type": "websocket.accept", "subprotocol": chosen, "headers": []})
        stream = _Stream(self, scope["path_params"]["name"], scope["state"]["request_id"], receive, send)
        if self.stopping or len(self.open) >= self.settings.most:
            words = "the server is stopping" if self.stopping else f"{self.settings.most} streams are open, the most"
            await stream.refuse(words, _LATER)
            return
        self.open.add(stream)
        try:
            await stream.run()
        finally:
            self.open.discard(stream)
            stream.count()

    async def end_idle(self) -> None:
        """End streams without a message for long."""
        limit = time.monotonic() - self.settings.idle_seconds
        words = f"no message came for {self.settings.idle_seconds:g} s"
        for stream in list(self.open):  # each is looked at in its turn: a message may come while another one is ended
            if stream.last < limit and not stream.busy and not stream.ended:
                await stream.end("idle", words, _GOING)

    async def end_all(self) -> None:
        """Let the messages that are being read be answered, then end all streams."""
        self.stopping = True
        ended = [each.end("stopping", "the server is stopping", _GOING) for each in list(self.open)]
        await asyncio.gather(*ended, return_exceptions=True)
        while self.open:
            await asyncio.sleep(0.01)


class _Stream:
    """One client's stream."""

    __slots__ = (
        "_ahead", "_ending", "_errors", "_every", "_model", "_name", "_owner", "_position", "_receive", "_request_id",
        "_send", "_streaming", "busy", "ended", "last", "session",
    )  # fmt: skip

    def __init__(self, owner: Streams, name: str, request_id: str, receive: Receive, send: Send) -> None:
        self._owner, self._name, self._request_id, self._receive, self._send = owner, name, request_id, receive, send
        self._model: Model | None = None
        self._streaming: Streaming | None = None
        self._position = Position({})
        self._every, self._errors = False, 0
        self._ahead: asyncio.Future[Any] | None = None  # the next event, where it is awaited beside a computation
        self._ending: tuple[str, str, int] | None = None
        self.session, self.last, self.busy, self.ended = secrets.token_hex(8), time.monotonic(), True, ""

    async def run(self) -> None:
        """Serve until one side ends it."""
        try:
            try:
                async with asyncio.timeout(self._owner.settings.open_seconds):
                    first = await self._event()
            except TimeoutError:
                await self.refuse(f"no message within {self._owner.settings.open_seconds:g} s", _POLICY)
                return
            try:
                await self._open(_decoded(first))
            except GatewiseError as error:
                await self.refuse(error, _POLICY)
                return
            while not self.ended:
                await self._next()
        except (_Gone, OSError):  # uvicorn's error for a connection that has ended is an OSError
            self.ended = self.ended or "left"
        finally:
            if self._ahead is not None:
                self._ahead.cancel()

    async def _next(self) -> None:
        if self._ending is not None:
            await self._close(*self._ending)
            return
        self.busy = False
        event = await self._event()
        if self.ended:
            return
        self.busy, self.last = True, time.monotonic()
        try:
            await self._answer(self._message(event))
            self._errors = 0
        except GatewiseError as error:
            await self._error(error)
        except (_Gone, OSError, asyncio.CancelledError):
            raise
        except Exception as error:
            self._owner.service.log(
                "error", "error", request_id=self._request_id, error=f"{type(error).__name__}: {error}"
            )
            await self._write(
                {"type": "error", "number": self._position.number, "error": {"message": "an error inside the server"}}
            )
            await self._shut(_INSIDE, "error")
        self.last = time.monotonic()

    async def _unless_gone(self, reading: Coroutine[Any, Any, Advanced]) -> Advanced:
        """The result of a long message; where its client leaves, the rest of it is not computed."""
        work = asyncio.ensure_future(reading)
        if self._ahead is None:
            self._ahead = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait((work, self._ahead), return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and self._ahead.result()["type"] == "websocket.disconnect":
                raise _Gone
            return await work
        finally:
            work.cancel()

    async def _event(self) -> str | bytes:
        ahead, self._ahead = self._ahead, None
        event = await (self._receive() if ahead is None else ahead)
        if event["type"] == "websocket.disconnect":
            raise _Gone
        text = event.get("text")
        return text if text is not None else event.get("bytes") or b""

    def _message(self, event: str | bytes) -> dict[str, Any]:
        """What was sent: JSON, or of some models the content of a step as it is."""
        if isinstance(event, bytes) and self._streaming is not None and self._streaming.binary is not None:
            return {"type": "steps", self._streaming.binary: event}
        return _decoded(event)

    async def _open(self, message: dict[str, Any]) -> None:
        """Choose the model, begin or go on."""
        if message.get("type") != "open":
            raise DataError(
                "a stream begins with a message of the type open", got=repr(message.get("type"))[:40],
                fix='send {"type": "open"} first',
            )  # fmt: skip
        _only(message, _OPEN_NAMES)
        answers, settings = message.get("answers", "last"), message.get("settings", {})
        if answers not in ("last", "all"):
            raise OptionError("answers is unknown", expected="last or all", got=repr(answers)[:40], fix="omit it")
        if not isinstance(settings, dict):
            raise OptionError("settings is not an object", got=type(settings).__name__, fix="omit it")
        service = self._owner.service
        self._model = service.models.get(self._name)
        self._streaming, self._every = self._model.streaming(), answers == "all"
        if message.get("state") is not None:
            self._position = opened(message["state"], service.key, self._model.weights)
            if settings and self._streaming.settings(settings) != self._position.settings:
                raise OptionError("the settings differ from those of the state", fix="omit them")
        else:
            chosen = self._streaming.settings(settings)
            self._position = Position(self._streaming.initial(chosen), chosen)
        service.metrics.count("streams_total", model=self._name)
        service.log("stream opened", request_id=self._request_id, model=self._name, session=self.session)
        await self._write(
            {
                "type": "ready",
                "session": self.session,
                "model": self._name,
                "weights": self._model.weights,
                "unit": self._streaming.unit,
                "idle_seconds": self._owner.settings.idle_seconds,
                "most_steps": self._owner.settings.most_steps,
                "notes": list(self._streaming.notes(self._position.settings)),
                **self._place(),
            }
        )

    async def _answer(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "steps":
            await self._steps(message)
        elif kind == "state":
            _only(message, {"type"})
            await self._write({"type": "state", **self._place(), "state": self._token()})
        elif kind == "close":
            await self._shut(_NORMAL, "closed")
        else:
            raise DataError(
                "the message's type is unknown", expected="steps, state or close", got=repr(kind)[:40],
                fix='send {"type": "steps", ...}',
            )  # fmt: skip

    async def _steps(self, message: dict[str, Any]) -> None:
        begun = time.perf_counter()
        assert self._streaming is not None
        streaming, before = self._streaming, self._position
        _only(message, _STEP_NAMES | set(streaming.message))
        number = message.get("number", before.number + 1)
        if number != before.number + 1 or isinstance(number, bool):
            raise DataError(
                "the message has another number", expected=str(before.number + 1), got=repr(number)[:40],
                fix="messages are numbered one after the other; a message that was answered is not read again",
            )  # fmt: skip
        steps, rest = streaming.arrived(message, before.rest, before.settings)
        if len(steps) > self._owner.settings.most_steps:
            raise DataError(
                "the message has too many steps",
                expected=f"at most {self._owner.settings.most_steps}",
                got=str(len(steps)),
                fix="send it in parts",
            )
        state, answers = before.state, list[dict[str, Any]]()
        if len(steps):
            work = Advance(before.state, steps, self._every, before.settings)
            reading = self._owner.service.worker.advance(streaming, self._name, work)
            state, answers = await (reading if len(steps) <= _FEW_STEPS else self._unless_gone(reading))
        self._position = replace(
            before, state=state, number=number, steps=before.steps + len(steps), rest="" if message.get("end") else rest
        )
        answer = {"type": "answer", **self._place(), "answers": answers}
        if message.get("state"):
            answer["state"] = self._token()
        self._owner.service.metrics.observe("message_seconds", time.perf_counter() - begun, model=self._name)
        await self._write(answer)

    async def _error(self, error: GatewiseError) -> None:
        self._errors += 1
        self._owner.service.metrics.count("stream_errors_total", model=self._name)
        await self._write({"type": "error", **self._place(), "error": _parts(error)})
        if self._errors >= _MOST_ERRORS:
            await self._shut(_POLICY, "errors")

    async def refuse(self, error: GatewiseError | str, code: int) -> None:
        """End a stream that has not begun."""
        parts = {"message": error} if isinstance(error, str) else _parts(error)
        try:
            await self._write({"type": "error", "number": 0, "error": parts, "retry": code == _LATER})
            await self._shut(code, "refused")
        except (_Gone, OSError):
            self.ended = "refused"

    async def end(self, reason: str, words: str, code: int) -> None:
        """End the stream from this side, once its present message is answered; the client gets its state."""
        if self.busy:
            self._ending = (reason, words, code)
            return
        self.busy = True
        try:
            await self._close(reason, words, code)
        except (_Gone, OSError):
            self.ended = self.ended or reason

    async def _close(self, reason: str, words: str, code: int) -> None:
        state = None if self._model is None else self._token()
        self.ended = reason
        await self._write({"type": "closing", "reason": reason, "message": words, **self._place(), "state": state})
        await self._shut(code, reason)

    def count(self) -> None:
        """Write down its end."""
        if self._model is not None:
            service = self._owner.service
            service.metrics.count("streams_ended_total", model=self._name, reason=self.ended or "left")
            service.log(
                "stream ended", request_id=self._request_id, model=self._name, session=self.session,
                reason=self.ended or "left", messages=self._position.number, steps=self._position.steps,
            )  # fmt: skip

    def _place(self) -> dict[str, int]:
        return {"number": self._position.number, "steps": self._position.steps}

    def _token(self) -> str:
        assert self._model is not None
        return sealed(self._position, self._owner.service.key, self._model.weights)

    async def _write(self, message: Mapping[str, Any]) -> None:
        await self._send({"type": "websocket.send", "text": msgspec.json.encode(message).decode()})

    async def _shut(self, code: int, reason: str) -> None:
        self.ended = self.ended or reason
        await self._send({"type": "websocket.close", "code": code, "reason": reason})


def _decoded(content: str | bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DataError("the message is not JSON", got=str(error)[:200], fix="send a JSON object") from None
    if not isinstance(found, dict):
        raise DataError("the message is not an object", got=type(found).__name__, fix='send {"type": ...}')
    return found


def _only(message: Mapping[str, Any], names: set[str]) -> None:
    unknown = [str(name)[:40] for name in message if name not in names]
    if unknown:
        raise DataError(
            f"the message has {', '.join(map(repr, unknown[:5]))}", expected=", ".join(sorted(names)), fix="omit it"
        )


def _parts(error: GatewiseError) -> dict[str, str]:
    parts = {"message": error.message, "expected": error.expected, "got": error.got, "fix": error.fix}
    return {name: str(part) for name, part in parts.items() if part is not None}
