"""``gatewise export``: takes a trained network along, as ONNX."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewise.cli.options import ImportsOption, RunArgument
from gatewise.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from gatewise.export.to_onnx.export import Export

__all__ = ["export"]


def export(
    run: RunArgument,
    to: Annotated[str, typer.Option("--to", metavar="TARGET", help="onnx.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Folder to write (default RUN-onnx).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what export.json holds.")] = False,
    imports: ImportsOption = None,
) -> None:
    """Write a trained network as ONNX: whole sequences, and single steps with their states for streams.

    Before anything is written, the models run in onnxruntime on 100 test examples and are compared with the trained
    network; a difference over 1e-5 is an error.

    Examples:

        gatewise export my-run --to onnx --out my-model

        gatewise predict my-model/model.onnx "a film that I would see again"
    """
    from gatewise.cli.opening import note
    from gatewise.export.runs import TARGETS, export_run
    from gatewise.training.registry import import_modules
    from gatewise.training.run_place import find_run

    if to not in TARGETS:
        raise OptionError(f"there is no target {to!r}", expected=", ".join(TARGETS), fix=did_you_mean(to, TARGETS))
    import_modules(imports or ())
    place = find_run(run, say=note)
    made = export_run(place, out or place.with_name(f"{place.name}-{to}"))
    if as_json:
        typer.echo((made.folder / "export.json").read_text(encoding="utf-8").strip())
        return
    _print(made)


def _print(made: Export) -> None:
    """What was written, and how it was checked."""
    operators = ", ".join(name if count == 1 else f"{count} x {name}" for name, count in made.operators.items())
    what = {"model.onnx": f"whole sequences ({operators})", "step.onnx": "one step, states in and out"}
    for name, size in made.files.items():
        typer.echo(f"{name:<12}{_size(size):>9}  {what[name]}")
    if made.no_step is not None:
        typer.echo(f"No step.onnx: {made.no_step}.")
    for name, reason in made.left_out.items():
        typer.echo(f"step.onnx lacks {name}: {reason}.")
    check: Any = made.check
    lengths = "" if check.shortest is None else f" of {check.shortest} to {check.longest} steps"
    typer.echo(
        f"Checked on {check.examples} test examples{lengths}: greatest difference {check.greatest:.1e} of the greatest "
        "number (limit 1e-05)."
    )
    for name, gap in check.gaps.items():
        typer.echo(f"  {name:<36}{gap:.1e}")
    if check.differing_tags:
        typer.echo(f"  {check.differing_tags} with other tags of the same score")
    typer.echo(f"Written to {shlex.quote(str(made.folder))}")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
