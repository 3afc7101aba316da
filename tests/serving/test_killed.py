"""The command: killed without warning, nothing that it acknowledged is lost; asked to end, it ends well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gatewise
from gatewise.cli import main
from gatewise.serving.running import bound_socket
from gatewise.training.streaming import Advance
from gatewise.training.trained import load_run

Runs = Callable[[str], Path]


def _server(run: Path, port: int, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gatewise", "serve", f"m={run}", "--port", str(port)]
    environment = {**os.environ, "XDG_STATE_HOME": str(folder), "OMP_NUM_THREADS": "1"}
    log = (folder / "log").open("a")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Serving on"):
            return process
    raise AssertionError((folder / "log").read_text())


@pytest.mark.slow
def test_what_was_acknowledged_survives_kill_9(runs: Runs, tmp_path: Path) -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
    run = runs("characters")
    parts = [f"{word} " for word in ("the clouds are in the sky and " * 12).split()]
    process, found = _server(run, port, tmp_path), []
    try:
        client = gatewise.Client(f"http://127.0.0.1:{port}")
        with client.stream(answers="all", keep_every=9, retry_seconds=60) as stream:
            for place, part in enumerate(parts):
                if place in (5, 40):  # before the first state was fetched, and long after
                    process.kill()
                    process.wait()
                    process = _server(run, port, tmp_path)
                found += stream.send(text=part)
            assert (stream.number, stream.resumed) == (len(parts), 2)
            assert stream.steps == sum(map(len, parts)) == len(found)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
    finally:
        process.kill()
    model: Any = load_run(run).streaming()
    settings = model.settings({})
    read = model.arrived({"text": "".join(parts), "end": True}, "", settings).steps
    ((_, wanted),) = model.advance([Advance(model.initial(settings), read, True, settings)])
    assert found == wanted
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert "stopping" in events
    assert (tmp_path / "gatewise" / "serve.key").stat().st_mode & 0o077 == 0


def _refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["serve", *words])
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_the_command_refuses_what_it_cannot_do(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    run = str(runs("reviews"))
    with bound_socket("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port} is in use" in _refused([run, "--port", port], capsys)
    assert "spec.json is missing" in _refused([str(tmp_path), "--port", "0"], capsys)
    assert "two models are called" in _refused([f"a={run}", f"a={run}"], capsys)
    assert "cannot read the token file" in _refused([run, "--token-file", str(tmp_path / "no")], capsys)
    (tmp_path / "token").write_text("short")
    assert "token cannot be used" in _refused([run, "--port", "0", "--token-file", str(tmp_path / "token")], capsys)
    assert "max-streams is out of range" in _refused([run, "--max-streams", "0"], capsys)
    (tmp_path / "key").write_bytes(b"short")
    assert "is no key" in _refused([run, "--port", "0", "--state-key", str(tmp_path / "key")], capsys)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'gatewise[serve]'" in _refused([run], capsys)
