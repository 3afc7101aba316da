"""The server of models: what answers each address, put together behind the guard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gatewise import __version__
from gatewise.errors import DataError, did_you_mean
from gatewise.serving.guard import Guard
from gatewise.serving.log import Log
from gatewise.serving.metrics import Metrics
from gatewise.serving.models import Model, Models, open_model
from gatewise.serving.openapi import description_of
from gatewise.serving.requests import CLIENT_GONE, Finished, Limits, error_body
from gatewise.serving.running import require_serving
from gatewise.serving.streams import Streams, StreamSettings
from gatewise.serving.worker import Busy, Worker

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["Service", "ServiceSettings"]

_AT_ONCE = 8
_SIZE_AT_ONCE = 20_000
_PREDICT = "/v1/models/{name}/predict"
_MOST_INPUTS = 1000
_LONGEST_INPUT = 100_000
_MEDIA = ("audio/", "image/", "video/")
_JSON_NAMES: Mapping[type, str] = {
    str: "string", int: "number", float: "number", bool: "boolean", list: "list", dict: "object", type(None): "null"
}  # fmt: skip


@dataclass(frozen=True)
class ServiceSettings:
    """How models are served.

    Attributes:
        limits: of requests.
        streams: limits of streams.
        reload_seconds: between two looks at the run folders; 0: none.
        most_waiting: requests that may wait for the worker.
        most_in_round: streams whose steps are computed in one call.
    """

    limits: Limits = field(default_factory=Limits)
    streams: StreamSettings = field(default_factory=StreamSettings)
    reload_seconds: float = 2.0
    most_waiting: int = 64
    most_in_round: int = 256


class Service:
    """Models over HTTP and WebSocket.

    Args:
        places: of the runs by name.
        key: that states are signed with.
        settings: limits.
        log: of events.
        open_one: opens a run.
        guarding: further arguments of the `Guard`: bind, hosts, origins, token.

    Attributes:
        app: the ASGI application, behind its guard.

    Raises:
        OptionError: the packages of the extra ``serve`` are missing, or an argument is unfitting.
        RunError: a run cannot be opened.
    """

    def __init__(
        self,
        places: Mapping[str, Path],
        key: bytes,
        settings: ServiceSettings | None = None,
        log: Log | None = None,
        open_one: Callable[[str, Path], Model] = open_model,
        **guarding: Any,
    ) -> None:
        require_serving()
        self.key, self.settings, self.log, self.metrics = key, settings or ServiceSettings(), log or Log(), Metrics()
        self.begun = time.time()
        self.app = Guard(
            self._routes(),
            limits=self.settings.limits,
            public=("/health",),
            finished=self._finished,
            **guarding,
        )
        self.models = Models(places, self.metrics, self.log, open_one)
        self.worker = Worker(self.metrics, self.settings.most_waiting, self.settings.most_in_round)

    def _routes(self) -> Any:
        from starlette.responses import Response
        from starlette.routing import Router, WebSocketRoute

        route = _route_class()
        self.streams = Streams(self, self.settings.streams)

        async def unknown(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
                return
            error = DataError("there is nothing here", got=scope["path"][:80], fix="/openapi.json says what there is")
            if scope["path"].startswith("/v1/models/") and scope["path"].endswith("/stream"):
                error = DataError("a stream is a WebSocket", got="a plain request", fix="open ws://.../stream")
            body = error_body(error, scope["state"]["request_id"])
            await Response(body, 404, media_type="application/json")(scope, receive, send)

        return Router(
            [
                route("/health", _named("/health", self._health), methods=["GET"]),
                route("/metrics", _named("/metrics", self._metrics), methods=["GET"]),
                route("/openapi.json", _named("/openapi.json", self._openapi), methods=["GET"]),
                route("/v1/models", _named("/v1/models", self._list), methods=["GET"]),
                route("/v1/models/{name}", _named("/v1/models/{name}", self._describe), methods=["GET"]),
                route(_PREDICT, _named(_PREDICT, self._predict), methods=["POST"]),
                WebSocketRoute("/v1/models/{name}/stream", self.streams),
            ],
            default=unknown,
            redirect_slashes=False,
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Any) -> Any:
        tasks = [asyncio.create_task(self._watch_streams())]
        if self.settings.reload_seconds > 0:
            tasks.append(asyncio.create_task(self._watch_models()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(self.worker.stop)

    async def _watch_streams(self) -> None:
        pause = max(0.05, min(1.0, self.settings.streams.idle_seconds / 4))
        while True:
            await asyncio.sleep(pause)
            await self.streams.end_idle()

    async def _watch_models(self) -> None:
        while True:
            await asyncio.sleep(self.settings.reload_seconds)
            try:
                await asyncio.to_thread(self.models.refresh)
            except Exception as error:  # a look that fails must not be the last one
                self.log("models not looked at", "error", error=f"{type(error).__name__}: {error}")

    async def stopping(self) -> None:
        """End all streams, each with its state; requests go on to their end."""
        self.log("stopping", streams=len(self.streams.open))
        await self.streams.end_all()

    async def _health(self, request: Request) -> Response:
        status = "stopping" if self.streams.stopping else "ok" if self.worker.alive else "failed"
        record: dict[str, Any] = {"status": status, "version": __version__}
        if request.scope["state"]["trusted"]:
            record["models"] = {model.name: "opened" for model in self.models}
            record["models"] |= dict.fromkeys(self.models.failed, "opened; its changed folder cannot be")
        return _json(record, 200 if status == "ok" else 503)

    async def _metrics(self, request: Request) -> Response:
        from starlette.responses import PlainTextResponse

        self.metrics.set("streams_open", len(self.streams.open))
        self.metrics.set("waiting", self.worker.waiting)
        self.metrics.set("uptime_seconds", round(time.time() - self.begun, 1))
        return PlainTextResponse(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def _openapi(self, request: Request) -> Response:
        return _json(description_of(list(self.models)))

    async def _list(self, request: Request) -> Response:
        return _json({"models": [model.description() for model in self.models]})

    async def _describe(self, request: Request) -> Response:
        return _json(self._model(request).description())

    async def _predict(self, request: Request) -> Response:
        """Answer inputs, some at a time, so that streams go on in between; none for a client that has gone."""
        model = self._model(request)
        body = await request.body()
        kind = request.headers.get("content-type", "").lower()
        own = model.trained.body_types
        if kind.startswith(_MEDIA) and not kind.startswith(own):
            raise _Status(
                415,
                DataError(
                    f"{model.name} takes no {kind.partition('/')[0]}",
                    expected='{"inputs": [...]}' + "".join(f", or {each}..." for each in own),
                    got=kind[:60],
                    fix=f"see its inputs at /v1/models/{model.name}",
                ),
            )
        inputs = [body] if own and kind.startswith(own) else _inputs(body, own)
        if not 1 <= len(inputs) <= _MOST_INPUTS:
            raise DataError(
                "the number of inputs is out of range", expected=f"1 to {_MOST_INPUTS}", got=str(len(inputs)),
                fix="send them in several requests" if inputs else "send at least one",
            )  # fmt: skip
        # where a whole body may be an input, a string is a file in base 64: the limit on bodies is its own
        long = 0 if own else max((len(each) for each in inputs if isinstance(each, str)), default=0)
        if long > _LONGEST_INPUT:
            wanted = f"at most {_LONGEST_INPUT:,} characters"
            raise DataError("a text is too long", expected=wanted, got=f"{long:,}", fix="send it in parts")
        answers = await unless_gone(request, self._answers(model, inputs))
        if answers is None:
            return _json(None, CLIENT_GONE)
        return _json({"model": model.name, "weights": model.weights, "answers": answers})

    async def _answers(self, model: Model, inputs: list[Any]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        for part in _parts(inputs):
            try:
                answers += await self.worker.call(partial(model.answer, part))
            except Busy as error:
                raise _Status(503, error) from None
        return answers

    def _model(self, request: Request) -> Model:
        try:
            return self.models.get(request.path_params["name"])
        except DataError as error:
            raise _Status(404, error) from None

    def _finished(self, ended: Finished) -> None:
        route = ended.route or "other"
        self.metrics.count("requests_total", route=route, status=str(ended.status))
        if ended.kind == "http":
            self.metrics.observe("request_seconds", ended.seconds, route=route)
        self.log(
            "request",
            "error" if ended.error else "info",
            request_id=ended.request_id,
            method=ended.method or "WEBSOCKET",
            path=ended.path[:200],
            status=ended.status,
            seconds=round(ended.seconds, 6),
            client=ended.client,
            error=ended.error,
        )


class _Status(Exception):
    """An answer with another status than 422."""

    def __init__(self, status: int, error: Any) -> None:
        super().__init__(str(error))
        self.status, self.error = status, error


def _named(route: str, handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A handler that writes down its route, and gives its errors their status."""
    from starlette.responses import Response

    async def handle(request: Any) -> Any:
        request.scope["state"]["route"] = route
        try:
            return await handler(request)
        except _Status as error:
            body = error_body(error.error, request.scope["state"]["request_id"])
            return Response(body, error.status, media_type="application/json")

    return handle


def _route_class() -> Any:
    """Starlette's route with an answer in JSON to a method that it does not have."""
    from starlette.responses import Response
    from starlette.routing import Route

    class JsonRoute(Route):
        async def handle(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["method"] in (self.methods or ()):
                await super().handle(scope, receive, send)
                return
            known = ", ".join(sorted(self.methods or ()))
            words = f"the method {scope['method'][:20]} does not go with {self.path}"
            error = DataError(words, expected=known, fix=f"send {'POST' if 'POST' in known else 'GET'}")
            body = error_body(error, scope["state"]["request_id"])
            await Response(body, 405, {"allow": known}, "application/json")(scope, receive, send)

    return JsonRoute


async def unless_gone(request: Request, work: Coroutine[Any, Any, Any]) -> Any:
    """The result of work for a client; None where it has gone, and the work is cancelled.

    Args:
        request: whose body has been read.
        work: what is to be done.
    """
    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        return await doing if doing.done() else None
    finally:
        doing.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _inputs(body: bytes, others: Sequence[str]) -> list[Any]:
    """The inputs of a body in JSON; ``others``: media types that the model takes besides."""
    expected = '{"inputs": [...]}'
    if others:
        expected += f", or a body whose Content-Type begins with {' or '.join(others)}"
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        fix = "send JSON" + (", or say what else it is in the header Content-Type" if others else "")
        raise _Status(
            400, DataError("the body is not JSON", expected=expected, got=str(error)[:200], fix=fix)
        ) from None
    if not isinstance(given, dict):
        got, fix = f"the JSON of a {_JSON_NAMES[type(given)]}", "put the inputs into an object"
        raise _Status(400, DataError("the body is not an object", expected=expected, got=got, fix=fix))
    unknown = [str(name)[:40] for name in given if name != "inputs"]
    if "inputs" not in given:
        got = ", ".join(map(repr, unknown[:5])) or "an empty object"
        fix = did_you_mean(unknown[0], ["inputs"]) if unknown else 'call it "inputs"'
        raise _Status(400, DataError("the body holds no inputs", expected=expected, got=got, fix=fix))
    if unknown:
        got = ", ".join(map(repr, unknown[:5]))
        raise _Status(400, DataError("the body holds more than inputs", expected=expected, got=got, fix="omit it"))
    inputs = given["inputs"]
    if not isinstance(inputs, list):
        got = f"a {_JSON_NAMES[type(inputs)]}"
        fix = 'put it in a list: {"inputs": [' + ('"..."' if isinstance(inputs, str) else "...") + "]}"
        raise _Status(400, DataError("inputs is not a list", expected=expected, got=got, fix=fix))
    return inputs


def _parts(inputs: list[Any]) -> Iterator[list[Any]]:
    """Inputs that are computed in one call: 8 at most, and few where they are long.

    A call that has begun cannot be stopped, so that this is also how long a request goes on after its time.
    """
    part: list[Any] = []
    size = 0
    for each in inputs:
        added = len(each) if isinstance(each, str | bytes) else len(msgspec.json.encode(each))
        if part and (len(part) >= _AT_ONCE or size + added > _SIZE_AT_ONCE):
            yield part
            part, size = [], 0
        part.append(each)
        size += added
    yield part


def _json(record: Any, status: int = 200) -> Response:
    from starlette.responses import Response

    return Response(msgspec.json.encode(record), status, media_type="application/json")
