"""The routes of the page: its files, readings, reasons. Stands behind the guard, for this machine alone."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from gatewise.drawing.templates import shared_css
from gatewise.errors import DataError, GatewiseError, OptionError
from gatewise.inspection.reasons import METHODS, Stopped
from gatewise.serving.explain.networks import MOST_BYTES, MOST_CHARACTERS, Network, Networks, Question
from gatewise.serving.guard import Guard, Limits

__all__ = ["STATIC", "guarded_page"]

STATIC = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LIMITS = Limits(body=1 << 20, seconds=300.0, connections=64)
_LOOK_EVERY = 0.05
_FILE = "/api/file"


def guarded_page(networks: Networks) -> Guard:
    """The page as an ASGI application, behind the guard."""
    return Guard(_application(networks), limits=_LIMITS, bodies={_FILE: MOST_BYTES}, can_open=False)


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ready"})


def _application(networks: Networks) -> Router:
    page = json.dumps(networks.describe(), ensure_ascii=False).encode("utf-8", "replace")

    async def describe(request: Request) -> Response:
        return Response(page, media_type="application/json")

    async def read(request: Request) -> Response:
        network, question, given = await _asked(request, networks)
        place = given.get("place")
        frame = await run_in_threadpool(network.frame, question, place if isinstance(place, str) else None)
        return Response(frame, media_type="application/octet-stream")

    async def file(request: Request) -> Response:
        content, name = await request.body(), request.query_params.get("name", "")
        return JSONResponse(await run_in_threadpool(networks.add, content, name))

    async def reasons(request: Request) -> Response:
        network, question, given = await _asked(request, networks)
        target, method = given.get("target"), _method(given)
        wanted, at = target if isinstance(target, str) else None, given.get("at")
        step = at if isinstance(at, int) else None
        return await _unless_left(request, lambda stopped: network.reasons(question, wanted, method, stopped, at=step))

    async def more(request: Request) -> Response:
        network, question, _ = await _asked(request, networks)
        return JSONResponse(await run_in_threadpool(network.more, question))

    async def written(request: Request) -> Response:
        network, question, given = await _asked(request, networks)
        method = _method(given)
        return await _unless_left(request, lambda stopped: network.writing(question, method, stopped).record())

    async def neighbours(request: Request) -> Response:
        network, question, given = await _asked(request, networks)
        place, step, units = given.get("place"), given.get("step"), given.get("units")
        if not isinstance(step, int) or not (units is None or _numbers(units, int)):
            raise DataError("neighbours need a step and units", expected="step, a number; units, numbers or null")
        found = await run_in_threadpool(
            network.neighbours, question, place if isinstance(place, str) else None, step, units
        )
        return JSONResponse(found)

    async def parallel(request: Request) -> Response:
        network, question, _ = await _asked(request, networks)
        return JSONResponse(await run_in_threadpool(network.parallel, question))

    async def equation(request: Request) -> Response:
        network, question, given = await _asked(request, networks)
        step, unit = given.get("step"), given.get("unit")
        if not isinstance(step, int) or not isinstance(unit, int):
            raise DataError("an equation needs a step and a unit", expected="step and unit, numbers")
        lines = await run_in_threadpool(network.equation, question, given.get("place"), step, unit)
        return JSONResponse({"lines": lines})

    routes = [
        Route("/", _file("index.html")),
        Route("/static/family.css", _shared),
        Route("/static/{name}", _static),
        Route("/api/health", _health),
        Route("/api/page", describe),
        Route(_FILE, _refusing(file), methods=["POST"]),
        Route("/api/read", _refusing(read), methods=["POST"]),
        Route("/api/reasons", _refusing(reasons), methods=["POST"]),
        Route("/api/more", _refusing(more), methods=["POST"]),
        Route("/api/written", _refusing(written), methods=["POST"]),
        Route("/api/neighbours", _refusing(neighbours), methods=["POST"]),
        Route("/api/parallel", _refusing(parallel), methods=["POST"]),
        Route("/api/equation", _refusing(equation), methods=["POST"]),
    ]
    return Router(routes, redirect_slashes=False)  # no middleware: it would answer errors before the guard does


async def _unless_left(request: Request, compute: Callable[[Callable[[], bool]], dict[str, Any]]) -> Response:
    """Compute in a thread, and stop where the page has gone on to something else."""
    left = threading.Event()
    work = asyncio.ensure_future(run_in_threadpool(compute, left.is_set))
    try:
        while not work.done():
            await asyncio.wait([work], timeout=_LOOK_EVERY)
            if not work.done() and await request.is_disconnected():
                left.set()
        return JSONResponse(work.result())
    except Stopped:
        return JSONResponse({"message": "stopped"}, status_code=409)
    finally:
        left.set()


async def _asked(request: Request, networks: Networks) -> tuple[Network, Question, dict[str, Any]]:
    """Which network, and what it is to read.

    Raises:
        DataError: the request says neither a text nor an example.
    """
    try:
        given = await request.json()
    except ValueError as error:
        raise DataError("the request is not JSON") from error
    if not isinstance(given, dict):
        raise DataError("the request is no object", got=type(given).__name__)
    run, text, example = given.get("run", 0), given.get("text"), given.get("example")
    if not isinstance(run, int) or not 0 <= run < len(networks.networks):
        raise DataError(f"there is no run {run!r}", expected=f"0 to {len(networks.networks) - 1}")
    word = given.get("word")
    word = word if isinstance(word, int) and not isinstance(word, bool) else None
    if isinstance(text, str) and not networks.text:
        raise DataError("these networks read no text", fix="choose one of the windows")
    if isinstance(text, str):
        if len(text) > MOST_CHARACTERS:
            raise DataError(
                "the text is too long", expected=f"at most {MOST_CHARACTERS:,} characters", got=f"{len(text):,}"
            )
        return networks.networks[run], Question(text=text, word=word), given
    if isinstance(example, int) and not isinstance(example, bool):
        return networks.networks[run], Question(example=example, values=_values(given), word=word), given
    raise DataError("there is nothing to read", expected="text or example")


def _method(given: dict[str, Any]) -> str:
    method = given.get("method", METHODS[0])
    if method not in METHODS:
        raise OptionError(f"there is no method {method!r}", expected=", ".join(METHODS))
    return str(method)


def _values(given: dict[str, Any]) -> tuple[tuple[float, ...], ...] | None:
    """The numbers that a person made of an example's, a row for each step.

    Raises:
        DataError: they are no table of numbers.
    """
    rows = given.get("values")
    if rows is None:
        return None
    if not isinstance(rows, list) or not all(_numbers(row, (int, float)) for row in rows):
        raise DataError("the values are no table of numbers", expected="a list of rows of numbers")
    try:
        return tuple(tuple(float(each) for each in row) for row in rows)
    except OverflowError as error:
        raise DataError("a value is too large", expected="numbers below 1e308") from error


def _numbers(given: Any, kind: Any) -> bool:
    return isinstance(given, list) and all(isinstance(each, kind) and not isinstance(each, bool) for each in given)


def _refusing(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """A handler whose errors of Gatewise become answers."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except GatewiseError as error:
            return _refused(error)

    return handle


def _refused(error: GatewiseError) -> Response:
    parts = [error.message]
    parts += [f"expected: {error.expected}"] if error.expected is not None else []
    parts += [f"got: {error.got}"] if error.got is not None else []
    parts += [error.fix] if error.fix else []
    return JSONResponse({"message": "; ".join(parts)}, status_code=422)


def _file(name: str) -> Callable[[Request], Response]:
    content = (STATIC / name).read_bytes()

    def serve(request: Request) -> Response:
        return Response(content, media_type="text/html", headers={"content-security-policy": _POLICY})

    return serve


async def _shared(request: Request) -> Response:
    return Response(str(shared_css()), headers={"content-type": _TYPES[".css"]})


async def _static(request: Request) -> Response:
    """A file of the page; nothing else of the disk can be named."""
    name = request.path_params["name"]
    path = STATIC / name
    if Path(name).name != name or path.suffix not in _TYPES or not path.is_file():
        return JSONResponse({"message": "there is no such file"}, status_code=404)
    return Response(path.read_bytes(), headers={"content-type": _TYPES[path.suffix]})
