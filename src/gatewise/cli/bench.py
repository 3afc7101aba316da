"""``gatewise bench``: how fast the layers are here, compared with torch.nn's in the same run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewise import words
from gatewise.screen import console

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["bench"]


def bench(
    threads: Annotated[
        int | None,
        typer.Option("--threads", metavar="N", min=1, help="CPU threads of both sides; all cores if not given."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small shapes, seconds instead of minutes.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the whole record here too, as JSON.")
    ] = None,
    cell: Annotated[
        list[str] | None, typer.Option("--cell", metavar="NAME", help="rnn, gru or lstm. May be given several times.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="X", min=0.0, help="To spend per shape, cell and mode.")
    ] = None,
    extras: Annotated[bool, typer.Option(help="Options, ragged rows, streams, scans and memory too.")] = True,
) -> None:
    """Time the layers against torch.nn in turns, after checking that both give the same results.

    Inference is timed against onnxruntime, JAX and a plain loop in C as well, each where it is there (the loop needs
    a compiler). A row whose outputs or gradients differ shows no speed, and the exit code is then 1.
    """

    from gatewise.errors import OptionError, did_you_mean
    from gatewise.files import write_json
    from gatewise.nn.benchmark import run_benchmark
    from gatewise.nn.benchmark.cases import CELLS
    from gatewise.training.checks import usable_cores

    for name in cell or ():
        if name not in CELLS:
            raise OptionError(f"--cell {name} is not measured", fix=did_you_mean(name, CELLS))
    screen = console()
    screen.print(_heading(), soft_wrap=True)
    record = run_benchmark(
        threads=threads or usable_cores(),
        quick=quick,
        seconds=seconds,
        cells=tuple(cell) if cell else tuple(CELLS),
        with_extras=extras,
        on_row=lambda row: screen.print(_line(row), soft_wrap=True),
    )
    if json_file is not None:
        write_json(json_file, json.loads(json.dumps(record)))
    _print_summary(screen, record)
    if not record["parity_holds"]:
        raise typer.Exit(1)


def _heading() -> str:
    return (
        f"{'B,T,I,H':<42}{'cell':<6}{'kernel':<15}"
        f"{'inference':>10}{'share of peak':>15}{'training':>10}{'share of peak':>15}  other programs, inference"
    )


def _line(row: dict[str, Any]) -> str:
    text = f"{row['shape']:<42}{row['cell']:<6}{row['kernel'] or '':<15}"
    parity = row["parity"]
    if not parity["holds"]:
        worst = max(parity["output"], parity["gradient"])
        return f"{text}results differ from torch's by {worst:.1e} ({parity['worst']}): no speed shown"
    for mode in ("inference", "training"):
        part = row[mode]
        shares = f"{part['torch_share_of_peak']:.0%} -> {part['gatewise_share_of_peak']:.0%}"
        text += f"{part['ratio']:>8.2f}x{'~' if part['disturbed'] else ' '}{shares:>15}"
    others = "".join(f"  {name} {other['ratio']:.2f}x" for name, other in row.get("others", {}).items())
    return text + others


def _print_summary(screen: Console, record: dict[str, Any]) -> None:
    machine = record["machine"]
    threads = words.plural(record["threads"], "thread")
    screen.print(f"\n{machine['cpu']}, {threads}, torch {machine['torch']}, kernels: {machine['chosen']}")
    screen.print("ratios: the other's time over Gatewise's, both in this run; ~: the machine was busy")
    screen.print(
        "share of peak, torch -> Gatewise: arithmetic per second, as a share of what torch's own product of two large "
        "matrices reached in this run\n",
        soft_wrap=True,
    )
    parts = [row[mode] for row in record["rows"] for mode in ("inference", "training") if mode in row]
    busy = sum(part["disturbed"] for part in parts)
    if busy:
        was = "timing was" if len(parts) == 1 else "timings was" if busy == 1 else "timings were"
        screen.print(
            f"{busy} of {len(parts)} {was} taken while the machine was busy: repeat the benchmark when it is idle"
        )
    if record["goals"]:
        screen.print("\nSummary (speeds and shares: geometric means over the shapes)")
    mark = "~" if busy else ""
    for row in record["goals"]:
        screen.print(f"  {row['name']:<48} {row['measured']:>8.2f}{mark}")
