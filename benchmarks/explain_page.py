"""From a keystroke to the redrawn page of `gatewise explain`, measured in the browser.

    python benchmarks/explain_page.py [--cell lstm] [--tokens 256] [--hidden 128] [--keys 60]

A classifier with freshly drawn weights reads a text of so many tokens; Chromium types at its end, one character after
another, and the time from each `input` event to the frame that shows the new reading is taken with the page's own
clock (`performance.now()`), twice `requestAnimationFrame` after drawing, so that painting is in it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

_WAIT = """
([key]) => new Promise((resolve) => {
  const page = globalThis.gatewisePage, box = document.getElementById("text");
  const before = page.readings, start = performance.now();
  box.value += key;
  box.dispatchEvent(new Event("input"));
  const look = () => {
    if (page.readings < before + page.views.length) { requestAnimationFrame(look); return; }
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - start)));
  };
  requestAnimationFrame(look);
})
"""


def main() -> None:
    arguments = _arguments()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from playwright.sync_api import sync_playwright

    from gatewise.serving.explain.app import guarded_page
    from gatewise.serving.explain.networks import Networks
    from gatewise.serving.running import running

    program = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    with tempfile.TemporaryDirectory() as folder:
        places = [_run(Path(folder), cell, arguments) for cell in arguments.cell.split(",")]
        networks = Networks(places)
        text = " ".join(f"word{number % 90}" for number in range(arguments.tokens - 1)) + " w"
        with running(guarded_page(networks)) as url, sync_playwright() as player:
            browser = player.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.getuid() == 0 else [])
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.goto(url)
            page.wait_for_selector(".run:not(.empty)")
            page.fill("#text", text)
            page.wait_for_timeout(1500)
            steps = page.evaluate("gatewisePage.views[0].reading.length")
            taken = [page.evaluate(_WAIT, [letter]) for letter in ("ord" + "0123456789" * 20)[: arguments.keys]]
            server = page.evaluate(
                "performance.getEntriesByType('resource').filter(e => e.name.endsWith('api/read')).slice(-20)"
                ".map(e => e.duration)"
            )
            browser.close()
    result = {
        "cells": arguments.cell, "tokens": steps, "hidden": arguments.hidden, "keys": len(taken),
        "median_ms": round(statistics.median(taken), 1),
        "p90_ms": round(sorted(taken)[int(0.9 * len(taken))], 1),
        "request_median_ms": round(statistics.median(server), 1),
    }  # fmt: skip
    print(json.dumps(result))


def _run(folder: Path, cell: str, arguments: argparse.Namespace) -> Path:
    """A run of a classifier, trained for a moment on made-up texts: its weights do not matter here."""
    import csv
    import subprocess
    import sys

    table = folder / "texts.csv"
    if not table.exists():
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for row in range(120):
                words = " ".join(f"word{(row * 7 + n * 13) % 90}" for n in range(20 + row % 20))
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
