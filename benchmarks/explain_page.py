"""From a keystroke to the redrawn page of `gatewise explain`, measured in the browser.

    python benchmarks/explain_page.py [--cell lstm] [--tokens 256] [--hidden 128] [--keys 60]

A text classifier, trained for a moment since its weights do not matter here, reads a text of so many tokens. Chromium
types at its end, one character after another. Per key:

- `ms`: from the `input` event to the first task after the frame that shows the new reading, so that drawing and
  painting are in it (the page's own clock, `performance.now()`). A screen of 60 Hz alone waits for 8 ms on average.
- `server_cpu_ms`: processor time of the thread that computes the reading.
- `page_cpu_ms`: processor time of the page's main thread, in which the cut of the old reasons is too.

The processor times say what an idle machine needs, also where this one is busy.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_TYPE = """
(key) => new Promise((resolve) => {
  const page = globalThis.gatewisePage, box = document.getElementById("text");
  const channel = new MessageChannel();
  channel.port1.onmessage = () => resolve(performance.now() - start);
  box.value += key;
  const start = performance.now();
  box.dispatchEvent(new Event("input"));
  const look = () => {
    const shown = page.views.every((view) => view.reading.of === page.key);
    if (shown) channel.port2.postMessage(null);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})
"""


def main() -> None:
    arguments = _arguments()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from playwright.sync_api import sync_playwright

    from gatewise.serving.explain.app import guarded_page
    from gatewise.serving.explain.networks import Network, Networks
    from gatewise.serving.running import running

    server: list[float] = []
    frame = Network.frame

    def timed(network: Network, *given: Any, **named: Any) -> bytes:
        begun = time.thread_time()
        found = frame(network, *given, **named)
        server.append(1e3 * (time.thread_time() - begun))
        return found

    Network.frame = timed  # type: ignore[method-assign]
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next((found for name in names if (found := shutil.which(name))), None)
    with tempfile.TemporaryDirectory() as folder:
        networks = Networks([_run(Path(folder), cell, arguments) for cell in arguments.cell.split(",")])
        text = " ".join(f"word{number % 90}" for number in range(arguments.tokens - 1)) + " w"
        with running(guarded_page(networks)) as url, sync_playwright() as player:
            browser = player.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.getuid() == 0 else [])
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.goto(url)
            page.wait_for_selector(".run:not(.empty)")
            page.fill("#text", text)
            page.wait_for_timeout(2000)
            steps = page.evaluate("gatewisePage.views[0].reading.length")
            metrics = page.context.new_cdp_session(page)
            metrics.send("Performance.enable", {"timeDomain": "threadTicks"})
            server.clear()
            before = _task_seconds(metrics)
            taken = [page.evaluate(_TYPE, letter) for letter in ("ord" + "0123456789" * 30)[: arguments.keys]]
            page_cpu = 1e3 * (_task_seconds(metrics) - before) / len(taken)
            browser.close()
    runs = len(arguments.cell.split(","))
    cpu = statistics.median(server[: runs * len(taken)]) * runs
    result = {
        "cells": arguments.cell,
        "tokens": steps,
        "hidden": arguments.hidden,
        "keys": len(taken),
        "median_ms": round(statistics.median(taken), 1),
        "p90_ms": round(sorted(taken)[int(0.9 * len(taken))], 1),
        "least_ms": round(min(taken), 1),
        "server_cpu_ms": round(cpu, 1),
        "page_cpu_ms": round(page_cpu, 1),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result))


def _task_seconds(session: Any) -> float:
    found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return float(found["TaskDuration"])


def _run(folder: Path, cell: str, arguments: argparse.Namespace) -> Path:
    """A classifier of made-up texts."""
    table = folder / "texts.csv"
    if not table.exists():
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for row in range(120):
                words = " ".join(f"word{(row * 7 + place * 13) % 90}" for place in range(20 + row % 20))
                writer.writerow([words, "ab"[row % 2]])
    out = folder / cell
    command = [
        sys.executable,
        "-m",
        "gatewise",
        "train",
        str(table),
        "--cell",
        cell,
        "--epochs",
        "1",
        "--out",
        str(out),
    ]
    command += ["--hidden-size", str(arguments.hidden), "--max-tokens", str(max(400, arguments.tokens))]
    subprocess.run(command, check=True, capture_output=True)
    return out


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cell", default="lstm", help="one to three, with commas")
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--keys", type=int, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    main()
