"""The server of models: what answers each address, put together behind the guard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gatewise import __version__
from gatewise.errors import DataError
from gatewise.serving.guard import Finished, Guard, Limits, error_body
from gatewise.serving.log import Log
from gatewise.serving.metrics import Metrics
from gatewise.serving.models import Model, Models, open_model
from gatewise.serving.openapi import description_of
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
        from starlette.routing import Route, Router, WebSocketRoute

        self.streams = Streams(self, self.settings.streams)

        async def unknown(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
                return
            words = "there is nothing here; /openapi.json describes what there is"
            body = error_body(words, scope["state"]["request_id"])
            await Response(body, 404, media_type="application/json")(scope, receive, send)

        return Router(
            [
                Route("/health", _named("/health", self._health), methods=["GET"]),
                Route("/metrics", _named("/metrics", self._metrics), methods=["GET"]),
                Route("/openapi.json", _named("/openapi.json", self._openapi), methods=["GET"]),
                Route("/v1/models", _named("/v1/models", self._list), methods=["GET"]),
                Route("/v1/models/{name}", _named("/v1/models/{name}", self._describe), methods=["GET"]),
                Route(
                    "/v1/models/{name}/predict", _named("/v1/models/{name}/predict", self._predict), methods=["POST"]
                ),
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
        """Answer inputs, some at a time, so that streams go on in between."""
        model = self._model(request)
        body = await request.body()
        kind = request.headers.get("content-type", "").lower()
        own = model.trained.body_types
        inputs = [body] if own and kind.startswith(own) else _inputs(body, own)
        if not 1 <= len(inputs) <= _MOST_INPUTS:
            raise DataError(
                "the number of inputs is out of range", expected=f"1 to {_MOST_INPUTS}", got=str(len(inputs))
            )
        long = max((len(each) for each in inputs if isinstance(each, str)), default=0)
        if long > _LONGEST_INPUT:
            wanted = f"at most {_LONGEST_INPUT:,} characters"
            raise DataError("a text is too long", expected=wanted, got=f"{long:,}", fix="send it in parts")
        answers: list[dict[str, Any]] = []
        for part in _parts(inputs):
            try:
                answers += await self.worker.call(partial(model.answer, part))
            except Busy as error:
                raise _Status(503, error) from None
        return _json({"model": model.name, "weights": model.weights, "answers": answers})

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


def _inputs(body: bytes, others: Sequence[str]) -> list[Any]:
    """The inputs of a body in JSON; ``others``: media types that the model takes besides."""
    expected = '{"inputs": [...]}'
    if others:
        expected += f", or a body whose Content-Type begins with {' or '.join(others)}"
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _Status(400, DataError("the body is not JSON", expected=expected, got=str(error)[:200])) from None
    inputs = given.get("inputs") if isinstance(given, dict) else None
    if not isinstance(inputs, list) or set(given) != {"inputs"}:
        raise _Status(400, DataError("the body holds no inputs", expected=expected))
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
