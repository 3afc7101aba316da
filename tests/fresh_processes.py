"""Processes in which nothing of Gatewise has happened yet, without the seconds that loading torch and others takes.

A process loads the libraries once and forks for each command, so that a command finds an interpreter as `python -m`
would give it: no module of Gatewise loaded, nothing registered, its own folder, variables and search path. Tests of
what is loaded, of signals and of time start a process themselves.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LIBRARIES = ("torch", "safetensors.torch", "scipy.sparse.linalg", "sklearn.linear_model", "pandas", "matplotlib.pyplot")
TORCH = ("torch",)
"""Enough for programs of layers alone: half the time to load."""
LIBRARIES += ("pydantic", "typer", "rich.console", "tokenizers.trainers", "filelock")  # of every command
_FORKING = """
import gc, importlib, json, os, runpy, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
own = [os.path.abspath(place) for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
others = [place for place in sys.path if place and os.path.abspath(place) not in own]
gc.freeze()
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
# from here on the fork, which ends as any Python program does
os.chdir(asked["folder"])
os.environ.clear()
os.environ.update(asked["environment"])
for number, place in enumerate(asked["streams"]):
    handle = os.open(place, os.O_RDWR | os.O_CREAT)
    os.dup2(handle, number)
    os.close(handle)
paths = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
sys.path[:] = ["", *paths, *others]
sys.path_importer_cache.clear()
importlib.invalidate_caches()
option, *words = asked["words"]
what = option if option.endswith(".py") else words.pop(0)
if option.endswith(".py"):
    sys.path[0] = os.path.dirname(os.path.abspath(what))
    sys.argv = [what, *words]
    runpy.run_path(what, run_name="__main__")
elif option == "-m":
    sys.path[0] = os.getcwd()
    sys.argv = [what, *words]
    runpy.run_module(what, run_name="__main__", alter_sys=True)
else:
    sys.argv = ["-c", *words]
    exec(compile(what, "<string>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
"""


@cache
def _forking(libraries: tuple[str, ...]) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    process = subprocess.Popen(
        [sys.executable, "-c", _FORKING, json.dumps(libraries)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    atexit.register(process.kill)
    return process


def fresh(
    words: list[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    libraries: tuple[str, ...] = LIBRARIES,
) -> subprocess.CompletedProcess[str]:
    """As ``subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)``.

    Args:
        words: ``-m`` and a module, ``-c`` and a program, or a script's file, with their arguments.
        folder: the present one of the process.
        environment: its variables; None: those of this process.
        libraries: what is loaded before the fork, by one process for each tuple.
    """
    assert words[0] in ("-m", "-c") or words[0].endswith(".py"), words
    process = _forking(libraries)
    assert process.stdin is not None and process.stdout is not None
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place) / "out", Path(place) / "err"
        asked = {
            "words": words,
            "folder": str(folder),
            "environment": dict(os.environ if environment is None else environment),
            "streams": [os.devnull, str(out), str(err)],
        }
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        code = process.stdout.readline()
        assert code, "the process that forks has died"
        return subprocess.CompletedProcess([sys.executable, *words], int(code), out.read_text(), err.read_text())
