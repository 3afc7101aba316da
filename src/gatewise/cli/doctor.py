"""``gatewise doctor``: this machine, and which kernel each cell would run on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from gatewise.screen import console

if TYPE_CHECKING:
    from gatewise.kernels.doctor import Diagnosis

__all__ = ["doctor"]


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Report which kernel each cell would use on this machine, and why not a faster one.

    Looks at the CPU, threads, compiler, PyTorch and the compiled kernels.
    """
    from gatewise.kernels.doctor import diagnose

    found = diagnose()
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    _print_tables(found)


def _print_tables(found: Diagnosis) -> None:
    from rich.markup import escape
    from rich.table import Table

    screen = console()
    machine = Table(show_header=False, box=None, padding=(0, 2, 0, 0), title="Machine", title_justify="left")
    machine.add_column(style="bold", no_wrap=True)
    machine.add_column()
    rows = {
        "CPU": f"{found.cpu} ({found.machine}, {found.cpus} usable)",
        "threads": f"{found.threads}",
        "PyTorch": f"{found.torch} ({found.torch_capability}), Python {found.python}",
        "GPU": ", ".join(found.cuda) or "none",
        "Triton": found.triton,
        "compiler": found.compiler or "none",
        "OpenMP": ", ".join(found.openmp) or "none loaded",
        "kernel forced": found.forced or "no (GATEWISE_KERNEL is not set)",
        "compiled kernels": found.folder,
        "calls through C": found.binding,
    }
    for name, value in rows.items():
        machine.add_row(name, escape(value))
    screen.print(machine)
    variants = Table(title="Compiled variants, fastest first", title_justify="left")
    for heading in ("variant", "used", "why"):
        variants.add_column(heading)
    for name, reason in found.variants.items():
        variants.add_row(name, "yes" if name == found.chosen else "", escape(reason))
    screen.print(variants)
    cells = Table(title="Which kernel each cell would use", title_justify="left")
    for heading in ("cell", "kernel", "why"):
        cells.add_column(heading, no_wrap=heading == "kernel")
    for cell in found.cells:
        words = [cell.cell, *([f"({', '.join(cell.options)})"] if cell.options else [])]
        words += [cell.dtype] if cell.dtype != "float32" else []
        words += ["on a GPU"] if cell.device == "cuda" else []
        cells.add_row(" ".join(words), cell.implementation, escape(cell.reason))
    screen.print(cells)
    for line in found.advice:
        screen.print(f"[bold]advice[/bold]: {escape(line)}", soft_wrap=False)  # as wide as the tables above
