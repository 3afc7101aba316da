"""Runs an application on uvicorn in this process: one port, a line when it is ready, an end that lets requests end."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gatewise.errors import OptionError
from gatewise.serving.guard import Application
from gatewise.serving.requests import Limits

if TYPE_CHECKING:
    import uvicorn

__all__ = ["address_of", "bound_socket", "require_serving", "run", "running"]


def require_serving() -> None:
    """Refuse to go on where the packages of the extra ``serve`` are missing.

    Raises:
        OptionError: naming the missing one and the command that installs them.
    """
    for name in ("starlette", "uvicorn", "websockets"):
        try:
            __import__(name)
        except ImportError as error:
            raise OptionError(
                f"serving needs {name}, which is not installed",
                fix="pip install 'gatewise[serve]'",
            ) from error


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket that is bound, so that the port is known and no other's before anything is loaded.

    Args:
        host: address or name of this machine.
        port: 0: any that is free.

    Raises:
        OptionError: the port is in use or reserved, or the host is none of this machine.

    Example:
        >>> with bound_socket("127.0.0.1", 0) as found:
        ...     found.getsockname()[1] > 0
        True
    """
    if not 0 <= port <= 65535:
        raise OptionError("port is out of range", expected="0 to 65535", got=port)
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise OptionError(f"there is no host {host!r}", got=error.strerror, fix="--host 127.0.0.1") from error
    found = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would let two processes share the port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(place)
        found.listen(2048)
    except OSError as error:
        found.close()
        raise _no_port(host, port, error) from error
    found.setblocking(False)
    return found


def _no_port(host: str, port: int, error: OSError) -> OptionError:
    if error.errno == errno.EADDRINUSE:
        return OptionError(
            f"port {port} is in use", expected="a free port", fix="--port 0 takes one that is free, or stop the other"
        )
    if error.errno == errno.EACCES:
        return OptionError(f"port {port} is reserved", expected="1024 to 65535", fix="--port 8000")
    if error.errno == errno.EADDRNOTAVAIL:
        return OptionError(f"{host} is no address of this machine", fix="--host 127.0.0.1")
    return OptionError(f"cannot listen on {host}, port {port}", got=error.strerror)


def address_of(bound: socket.socket) -> str:
    """The URL of a bound socket.

    Example:
        >>> with bound_socket("127.0.0.1", 0) as found:
        ...     address_of(found).startswith("http://127.0.0.1:")
        True
    """
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(
    app: Application,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    bound: socket.socket | None = None,
    limits: Limits | None = None,
    ready: Callable[[str], None] = print,
    stopping: Callable[[], Awaitable[None]] | None = None,
    stop_seconds: float = 10.0,
) -> None:
    """Serve until Ctrl-C or SIGTERM; then take no more connections, and let requests end.

    Args:
        app: an ASGI application, as a rule behind a `Guard`.
        host: where to listen, if not ``bound``.
        port: 0: any that is free.
        bound: a socket of `bound_socket`.
        limits: of connections.
        ready: called with the URL once requests are accepted.
        stopping: awaited before connections are closed.
        stop_seconds: after which what has not ended is cut off.

    Raises:
        OptionError: serving is not installed, or the port cannot be used.
    """
    require_serving()
    _allow_files((limits or Limits()).connections)
    with bound or bound_socket(host, port) as taken:
        url = address_of(taken)
        server = _server(app, limits or Limits(), lambda: ready(url), stopping, stop_seconds)
        try:
            server.run(sockets=[taken])
        except KeyboardInterrupt:  # uvicorn sends the signal on once it has ended
            return


@contextmanager
def running(app: Application, **options: Any) -> Iterator[str]:
    """An application that serves in a thread of its own while the block lasts; gives its URL.

    Args:
        app: as of `run`.
        options: of `run`; the port is a free one unless given.

    Raises:
        OptionError: as of `run`.
    """
    require_serving()
    taken = options.pop("bound", None) or bound_socket(options.pop("host", "127.0.0.1"), options.pop("port", 0))
    started = threading.Event()
    limits, seconds = options.pop("limits", None) or Limits(), options.pop("stop_seconds", 5.0)
    server = _server(app, limits, started.set, options.pop("stopping", None), seconds)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, name="serving", daemon=True)
    thread.start()
    try:
        while not started.wait(0.02):
            if not thread.is_alive():
                raise OptionError("the server did not start", fix="see the lines above")
        yield address_of(taken)
    finally:
        server.should_exit = True
        thread.join(seconds + 5)
        taken.close()


def _allow_files(connections: int) -> None:
    """Let the process have as many files open as connections need, as far as the system lets it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 100
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        warnings.warn(
            f"the system allows {hard} open files, fewer than the {connections} connections of the limits", stacklevel=3
        )
        wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _server(
    app: Application,
    limits: Limits,
    ready: Callable[[], None],
    stopping: Callable[[], Awaitable[None]] | None,
    stop_seconds: float,
) -> uvicorn.Server:
    import uvicorn

    from gatewise.serving.connections import protocols

    http, websocket = protocols(limits)

    class Server(uvicorn.Server):
        """Says when it is ready, and asks the application to end its streams before connections are closed."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for each in self.servers:
                each.close()
            if stopping is not None and not self.force_exit:
                try:
                    async with asyncio.timeout(stop_seconds):
                        await stopping()
                except TimeoutError:
                    pass
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        http=http,
        ws=websocket,
        loop="auto",
        lifespan="auto",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=limits.body,
        ws_per_message_deflate=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=max(1, int(limits.head_seconds)),
        timeout_graceful_shutdown=max(1, round(stop_seconds)),
    )
    return Server(config)
