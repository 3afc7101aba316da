"""``gatewise serve``: trained networks over HTTP and WebSocket."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewise.cli.options import ImportsOption
from gatewise.errors import OptionError
from gatewise.screen import say

if TYPE_CHECKING:
    from gatewise.serving.application import ServiceSettings

__all__ = ["serve"]

_TOKEN = "GATEWISE_TOKEN"


RunsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="Run folders, or comparisons: their best run. NAME=RUN names the model, else the folder does.",
    ),
]
HostOption = Annotated[
    str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on; 0.0.0.0 lets other machines in.")
]
PortOption = Annotated[int, typer.Option("--port", metavar="N", help="Port to listen on; 0: one that is free.")]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file", metavar="FILE", help=f"Clients must show the token in it; or in the variable {_TOKEN}."
    ),
]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="NAME",
        help="A further name by which clients may call the server. May be given several times.",
    ),
]
AllowOriginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-origin", metavar="URL", help="Pages of this origin may use the server. May be given several times."
    ),
]
MaxStreamsOption = Annotated[
    int, typer.Option("--max-streams", metavar="N", help="Streams that are open at once, at most.")
]
IdleSecondsOption = Annotated[
    float, typer.Option("--idle-seconds", metavar="X", help="Seconds without a message after which a stream is ended.")
]
MaxBodyOption = Annotated[
    int, typer.Option("--max-body", metavar="N", help="Bytes of a request or of a stream's message, at most.")
]
MaxSecondsOption = Annotated[
    float, typer.Option("--max-seconds", metavar="X", help="Seconds that a request may take, at most.")
]
StateKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--state-key", metavar="FILE", help="Key that signs the states that clients keep; made where there is none."
    ),
]
ReloadOption = Annotated[bool, typer.Option("--reload/--no-reload", help="Open a run again when its folder changes.")]
LogOption = Annotated[bool, typer.Option("--log/--no-log", help="Events on standard error, a JSON object a line.")]


def serve(
    runs: RunsArgument,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    token_file: TokenFileOption = None,
    allow_host: AllowHostOption = None,
    allow_origin: AllowOriginOption = None,
    max_streams: MaxStreamsOption = 2000,
    idle_seconds: IdleSecondsOption = 600.0,
    max_body: MaxBodyOption = 1 << 20,
    max_seconds: MaxSecondsOption = 30.0,
    state_key: StateKeyOption = None,
    reload: ReloadOption = True,
    log: LogOption = True,
    imports: ImportsOption = None,
) -> None:
    """Answer requests and streams with trained networks, until Ctrl-C.

    Requests: POST /v1/models/NAME/predict. Streams with their state on the server: WebSocket /v1/models/NAME/stream.
    Also /health, /metrics and /openapi.json.

    Examples:

        gatewise serve my-run

        gatewise serve films=runs/imdb prices=runs/stocks --port 8080

        gatewise serve my-run --host 0.0.0.0 --token-file token.txt --allow-host models.example.org
    """
    from gatewise.serving.application import ServiceSettings
    from gatewise.serving.guard import is_loopback
    from gatewise.serving.models import named_runs
    from gatewise.serving.requests import Limits
    from gatewise.serving.running import bound_socket, require_serving
    from gatewise.serving.streams import StreamSettings

    require_serving()
    _check(max_streams=max_streams, idle_seconds=idle_seconds, max_body=max_body, max_seconds=max_seconds)
    places, token = named_runs(runs), _token(token_file)
    if token is None and not is_loopback(host):
        say("Warning: other machines can use this server without a token; --token-file asks for one", err=True)
    settings = ServiceSettings(
        Limits(body=max_body, seconds=max_seconds, connections=2 * max_streams + 100),
        StreamSettings(most=max_streams, idle_seconds=idle_seconds),
        reload_seconds=2.0 if reload else 0.0,
    )
    guarding = {"bind": host, "hosts": allow_host or (), "origins": allow_origin or (), "token": token}
    with bound_socket(host, port) as bound:
        _serve(bound, places, settings, guarding, state_key or _default_key(), log=log, imports=imports or ())


def _serve(
    bound: socket.socket,
    places: Mapping[str, Path],
    settings: ServiceSettings,
    guarding: Mapping[str, Any],
    key: Path,
    *,
    log: bool,
    imports: Sequence[str],
) -> None:
    """Open the runs, then serve them until Ctrl-C."""
    from gatewise.serving.application import Service
    from gatewise.serving.log import Log
    from gatewise.serving.running import run
    from gatewise.serving.state import read_key
    from gatewise.training.registry import import_modules

    import_modules(imports)
    service = Service(places, read_key(key), settings, Log(on=log), **guarding)

    def ready(url: str) -> None:
        for model in service.models:
            what = "requests" if model.stream is None else "requests and streams"
            say(f"{model.name}: {what} ({model.description()['task']}, {model.folder})")
        typer.echo(f"Serving on {url} (Ctrl-C ends it)")

    run(service.app, bound=bound, limits=settings.limits, ready=ready, stopping=service.stopping)


def _check(**numbers: float) -> None:
    for name, value in numbers.items():
        if value <= 0:
            flag = f"--{name.replace('_', '-')}"
            raise OptionError(f"{flag} is out of range", expected="more than 0", got=f"{value:g}", fix=f"omit {flag}")


def _token(file: Path | None) -> str | None:
    """The token of the file or of the environment; never of the command line, which other users can see."""
    if file is None:
        return os.environ.get(_TOKEN) or None
    try:
        return file.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"cannot read the token file {file}", got=str(error), fix="--token-file FILE") from error


def _default_key() -> Path:
    import platformdirs

    return Path(platformdirs.user_state_dir("gatewise", appauthor=False)) / "serve.key"
