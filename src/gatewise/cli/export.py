"""``gatewise export``: takes a trained network along, as ONNX or C."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewise import words
from gatewise.cli.options import ImportsOption, RunArgument
from gatewise.errors import OptionError, did_you_mean
from gatewise.screen import say

if TYPE_CHECKING:
    from gatewise.export.gaps import Check
    from gatewise.export.precision import Rounding
    from gatewise.export.to_c.export import ExportC
    from gatewise.export.to_onnx.export import Export

__all__ = ["export"]


def export(
    run: RunArgument,
    to: Annotated[str, typer.Option("--to", metavar="TARGET", help="onnx or c.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for the result. (default RUN-onnx or RUN-c)")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="c: name of files and functions. (default model)")
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            "--max-steps",
            metavar="N",
            help="c: longest sequence of networks that have to keep it, such as bidirectional ones. (default 256, "
            "of texts those of the training)",
        ),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            metavar="NAME",
            help="float32; int8: weights in 8 bits, in C integers throughout; onnx: fp16 too.",
        ),
    ] = "float32",
    max_loss: Annotated[
        float | None,
        typer.Option(
            "--max-loss", metavar="SHARE", help="Greatest share of the test figure that may be lost. (default 0.05)"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: what export.json holds.")] = False,
    imports: ImportsOption = None,
) -> None:
    """Write a trained network as ONNX or as C: whole sequences, and single steps with their states for streams.

    Before anything is written, the export runs on 100 test examples, ONNX in onnxruntime, C compiled by this machine's
    compiler, and is compared with the trained network; a difference over 1e-5 is an error.

    Examples:

        gatewise export my-run --to onnx --out my-model

        gatewise predict my-model/model.onnx "a film that I would see again"

        gatewise export my-run --to c --out my-program

        gatewise export my-run --to c --precision int8 --out my-small-program
    """
    from gatewise.cli.opening import note
    from gatewise.export.precision import MOST_LOSS
    from gatewise.export.runs import export_run, export_run_to_c
    from gatewise.training.registry import import_modules
    from gatewise.training.run_place import find_run

    _check(to, precision, max_loss, only_c=name is not None or max_steps is not None)
    import_modules(imports or ())
    place = find_run(run, say=note)
    folder = out or place.with_name(f"{place.name}-{to}")
    accuracy: dict[str, Any] = {"precision": precision, "most_loss": MOST_LOSS if max_loss is None else max_loss}
    show: Callable[[], None]
    if to == "c":
        show = partial(_print_c, export_run_to_c(place, folder, name=name or "model", most=max_steps, **accuracy))
    else:
        show = partial(_print, export_run(place, folder, **accuracy))
    if as_json:
        typer.echo((folder / "export.json").read_text(encoding="utf-8").strip())
        return
    show()


def _check(to: str, precision: str, max_loss: float | None, *, only_c: bool) -> None:
    """Refuse what can be refused before the run is opened."""
    _check_target(to, precision, only_c=only_c)
    _check_loss(max_loss, precision)


def _check_target(to: str, precision: str, *, only_c: bool) -> None:
    """Refuse a target or precision that does not exist, and options of C for another target."""
    from gatewise.export.runs import PRECISIONS, TARGETS

    if to not in TARGETS:
        raise OptionError(f"there is no target {to!r}", expected=", ".join(TARGETS), fix=did_you_mean(to, TARGETS))
    if to != "c" and only_c:
        raise OptionError("--name and --max-steps go with --to c", got=f"--to {to}", fix="omit them")
    if precision not in PRECISIONS[to]:
        raise OptionError(
            f"--to {to} has no precision {precision!r}",
            expected=", ".join(PRECISIONS[to]),
            fix=did_you_mean(precision, PRECISIONS[to]),
        )


def _check_loss(max_loss: float | None, precision: str) -> None:
    """Refuse a greatest loss that is no share, or goes with nothing that could lose."""
    if max_loss is None:
        return
    if precision == "float32":
        raise OptionError("--max-loss goes with --precision", got="float32, which loses nothing", fix="omit --max-loss")
    if not max_loss >= 0:
        raise OptionError("--max-loss is out of range", expected="0 or more", got=max_loss, fix="--max-loss 0.05")


def _print(made: Export) -> None:
    """What was written, and how it was checked."""
    operators = ", ".join(name if count == 1 else f"{count} x {name}" for name, count in made.operators.items())
    operators = f" ({operators})" if operators else ""
    what = {"model.onnx": f"whole sequences{operators}", "step.onnx": "one step, states in and out"}
    what |= {"encoder.onnx": f"reads the input{operators}", "decoder.onnx": "one step of writing, states in and out"}
    for name, size in made.files.items():
        typer.echo(f"{name:<12}{_size(size):>9}  {what[name]}")
    if made.no_step is not None:
        say(f"No step.onnx: {made.no_step}.")
    for name, reason in made.left_out.items():
        say(f"step.onnx lacks {name}: {reason}.")
    _print_check(made.check)
    if made.rounding is not None:
        if made.rounding.gap is not None:
            typer.echo(f"  {'onnxruntime, trained network':<36}{made.rounding.gap:.1e}  (rounding)")
        _print_rounding(made.rounding)
    typer.echo(f"Written to {shlex.quote(str(made.folder))}")


def _print_check(check: Check) -> None:
    checked = f"Checked on {words.plural(check.examples, 'test example')}{_lengths(check)}"
    if check.limit == 0.0:
        say(f"{checked}: equal bit for bit to the integers in NumPy.")
        return
    say(f"{checked}: greatest difference {check.greatest:.1e} of the greatest number (limit {check.limit:.0e}).")
    for name, gap in check.gaps.items():
        typer.echo(f"  {name:<36}{gap:.1e}")
    if check.differing_tags:
        say(f"  {check.differing_tags} with another answer of the same score")


def _lengths(check: Check) -> str:
    """The number of steps of the examples, or its range; nothing where steps mean nothing."""
    if check.shortest is None or check.longest is None:
        return ""
    if check.shortest == check.longest:
        return f" of {words.plural(check.longest, 'step')}"
    return f" of {check.shortest:,} to {check.longest:,} steps"


def _print_c(made: ExportC) -> None:
    """The same for C."""
    what = {"main.c": "reads lines, prints predictions", "Makefile": "make, then ./program", "README.md": ""}
    for file, size in made.files.items():
        typer.echo(f"{file:<12}{_size(size):>9}  {what.get(file, '')}".rstrip())
    figures = made.figures
    flash = figures["code_and_weight_bytes"] or figures["weight_bytes"] or 0
    kind = "code and weights" if figures["code_and_weight_bytes"] else "weights"
    say(f"Flash {_size(flash)} ({kind}), RAM {_size(figures['memory_bytes'] or 0)} per instance.")
    products, steps = figures["multiply_adds_per_step"], figures["steps_of_run"]
    if products is not None:
        say(f"{products:,} multiply-adds per step.")
    else:
        run = "" if steps is None else f" of {words.plural(int(steps), 'step')}"
        say(f"{figures['multiply_adds_per_run']:,} multiply-adds per sequence{run}.")
    if made.no_step is not None:
        say(f"No single steps: {made.no_step}.")
    for name, reason in made.left_out.items():
        say(f"Single steps lack {name}: {reason}.")
    if made.compiled is None:
        say("Unchecked: there is no C compiler here, so this program has never been compiled or run.")
    else:
        _print_check(made.compiled.check)
        if made.rounding is not None and made.rounding.gap is not None:
            typer.echo(f"  {'C, trained network':<36}{made.rounding.gap:.1e}  (rounding)")
        say(f"  compiled with {made.compiled.compiler} {' '.join(made.compiled.flags)}")
        if made.compiled.sanitised:
            say("  no report from AddressSanitizer and UndefinedBehaviorSanitizer")
    if made.rounding is not None:
        _print_rounding(made.rounding)
    typer.echo(f"Written to {shlex.quote(str(made.folder))}")


def _print_rounding(rounding: Rounding) -> None:
    """What a precision costs."""
    from gatewise.export.precision import NOTABLE_LOSS, changed

    for stack, reason in rounding.mixed.items():
        say(f"{stack}: float32 between the products, because of {reason}.")
    if rounding.change is None:
        return
    say(changed(rounding.change))
    loss = rounding.change.loss
    if abs(loss) < 5e-5:
        return
    much = ", which is much: compare with float32 before you rely on it" if loss > NOTABLE_LOSS else ""
    say(f"{'Loss' if loss > 0 else 'Gain'} of {abs(100 * loss):.2f} % of the figure{much}.")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
