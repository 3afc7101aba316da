"""``gatewise explain``: how a network reads an input, and why it answers as it does."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewise.cli.options import ImportsOption
from gatewise.errors import OptionError, RunError
from gatewise.files import check_file

if TYPE_CHECKING:
    from gatewise.inspection.explaining import Explanation

__all__ = ["explain"]

_METHODS = ("integrated-gradients", "gradient-x-input", "occlusion")
_MOST_RUNS = 6


Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN... [INPUT]...",
        help="Run folders (or DIR/gru of a comparison), then what to read: texts, a table's file of series, "
        "symbols of a probe; `-`: the lines of standard input. Without an input: a test example.",
    ),
]
ExampleOption = Annotated[
    list[int] | None,
    typer.Option("--example", metavar="N", min=1, help="Read the N-th test example. May be given several times."),
]
TargetOption = Annotated[
    str | None, typer.Option("--target", metavar="NAME", help="The answer to explain. (default the leading one)")
]
MethodOption = Annotated[
    str | None,
    typer.Option("--method", metavar="NAME", help=f"{', '.join(_METHODS)}. (default the first; of pictures the last)"),
]
ParallelOption = Annotated[
    bool,
    typer.Option("--parallel", help="Say whether the network can be evaluated in parallel over time (takes seconds)."),
]
FlowOption = Annotated[
    bool,
    typer.Option("--flow", help="Follow the loss's gradient back through the steps, before and after training."),
]
LikeOption = Annotated[
    int | None,
    typer.Option("--like", metavar="STEP", min=1, help="Find test examples in the state of this step (1, 2, ...)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object per run and input.")]
GatesOption = Annotated[bool, typer.Option("--gates", help="With --json: every gate at every step.")]
PngOption = Annotated[
    Path | None, typer.Option("--png", metavar="FILE", help="Draw answers, reasons and gates here: .png or .svg.")
]
TextOption = Annotated[bool, typer.Option("--text", help="Print in the terminal instead of opening the page.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the page with these inputs here: one .html to pass on."),
]
PortOption = Annotated[
    int | None, typer.Option("--port", metavar="N", help="Serve the page at this port. (default one that is free)")
]
BrowserOption = Annotated[
    bool, typer.Option("--browser/--no-browser", help="Open the page in the browser, or print its address only.")
]


def explain(
    runs: Runs,
    example: ExampleOption = None,
    target: TargetOption = None,
    method: MethodOption = None,
    in_parallel: ParallelOption = False,
    with_flow: FlowOption = False,
    like: LikeOption = None,
    as_json: JsonOption = False,
    gates: GatesOption = False,
    png: PngOption = None,
    as_text: TextOption = False,
    out: OutOption = None,
    port: PortOption = None,
    browser: BrowserOption = True,
    imports: ImportsOption = None,
) -> None:
    """Show how a network reads an input: its answer after every step, the reasons, what its gates and units do.

    In a terminal a page opens that answers while one types (it needs `gatewise[serve]`); --text, --json, --png and the
    like print instead, and so does output that goes elsewhere.

    Examples:

        gatewise explain my-run "not only interesting but also profoundly moving"

        gatewise explain result/rnn result/lstm result/gru "I grew up in France and I speak fluent French"

        cat reviews.txt | gatewise explain my-run --json -

        gatewise explain my-forecaster --png why.png

        gatewise explain result/lstm result/gru --out page.html
    """
    from gatewise.cli.opening import note
    from gatewise.training.registry import import_modules
    from gatewise.training.run_place import find_run

    _check_method(method)
    _check_files(out, png)
    if gates and not as_json:
        raise OptionError("--gates goes with --json", fix="add --json, or --png FILE for a picture")
    import_modules(imports or ())
    named, inputs = split_words(runs)
    _check_inputs(inputs, example)
    inputs = _typed(inputs)
    places = [find_run(Path(each), say=note) for each in named]
    printed = as_json or png is not None or in_parallel or with_flow or like is not None or target is not None
    if out is not None or (not (printed or as_text) and (port is not None or not browser or sys.stdout.isatty())):
        _page(places, inputs, example or [], out, port, browser)
        return
    how: dict[str, Any] = {"target": target, "method": method, "in_parallel": in_parallel, "with_flow": with_flow}
    how["like"] = None if like is None else like - 1
    found = _explanations(places, inputs, example or [1], **how)
    _print(found, len(places), as_json=as_json, gates=gates, png=png)


def _check_method(method: str | None) -> None:
    if method is not None and method not in _METHODS:
        from gatewise.errors import did_you_mean

        raise OptionError(f"there is no method {method!r}", fix=did_you_mean(method, _METHODS))


def _check_files(out: Path | None, png: Path | None) -> None:
    """Refuse a page or picture that cannot be written, before anything is loaded."""
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"--out {out} would be a page", expected="a name that ends in .html", fix="change the ending")
    if png is not None:
        from gatewise.drawing.pictures import check_ending

        check_ending(png)
    for file in (out, png):
        if file is not None:
            check_file(file)


def _check_inputs(inputs: Sequence[str], examples: Sequence[int] | None) -> None:
    """Refuse inputs that say nothing or exclude each other, before anything is loaded."""
    if blank := [place for place, each in enumerate(inputs, 1) if not each.strip()]:
        raise OptionError(f"input {blank[0]} is empty", expected="a text, or the name of a file", fix="omit it")
    if inputs and examples:
        raise OptionError("inputs and --example exclude each other", fix="give either")


def _typed(inputs: Sequence[str]) -> list[str]:
    """The inputs; where they are ``-``, the lines of standard input that are not blank."""
    from gatewise.cli.opening import note
    from gatewise.data.encodings import decode_as
    from gatewise.training.request import inputs_of

    if not inputs or inputs_of(inputs):
        return list(inputs)
    if sys.stdin.isatty():
        note("Reading inputs from standard input, one a line; end with Ctrl-D.")
    content, notes = decode_as(sys.stdin.buffer.read(), "standard input")
    for each in notes:
        note(f"Note: {each}")
    found = [line.strip() for line in content.splitlines() if line.strip()]
    if not found:
        raise OptionError(
            "standard input holds nothing to read", expected="an input a line", fix="name it after the run"
        )
    return found


def _print(found: Sequence[Explanation], runs: int, *, as_json: bool, gates: bool, png: Path | None) -> None:
    """Explanations as JSON or in words, and the picture of the first input."""
    from gatewise.cli.opening import note

    if as_json:
        for each in found:
            typer.echo(json.dumps(each.to_dict(gates=gates), ensure_ascii=False, allow_nan=False))
    if png is not None:
        from gatewise.reports.explaining import save_explanation_picture

        if len(found) > runs:
            note(f"The picture shows the first of {len(found) // runs} inputs.")
        picture = save_explanation_picture([each.to_dict(gates=True) for each in found[:runs]], png)
        note(f"Picture: {picture}")
    if not as_json:
        from gatewise.cli.explain_display import show_explanations
        from gatewise.screen import console

        show_explanations(found, console())


def _page(
    places: Sequence[Path],
    inputs: Sequence[str],
    examples: Sequence[int],
    out: Path | None,
    port: int | None,
    browser: bool,
) -> None:
    """Write the page, or serve it until Ctrl-C."""
    from gatewise.cli.opening import note
    from gatewise.serving import explain as page

    numbers = [each - 1 for each in examples]
    if out is None:
        page.show(places, inputs, examples=numbers, port=port or 0, browser=browser, say=note)
        return
    written = page.write_page(places, inputs, out, examples=numbers, say=note)
    note(f"Page: {written} ({written.stat().st_size / 1e6:.1f} MB)")


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The runs at the beginning, and the inputs after them: the first word is a run, further ones that are folders too.

    Raises:
        OptionError: too many runs.

    Example:
        >>> split_words(["runs/gru", "a film"])
        (['runs/gru'], ['a film'])
    """
    count = 1
    while count < len(words) and _is_run(words[count]):
        count += 1
    if count > _MOST_RUNS:
        raise OptionError(
            "too many runs beside each other", expected=f"at most {_MOST_RUNS}", got=count, fix="name fewer runs"
        )
    return list(words[:count]), list(words[count:])


def _is_run(word: str) -> bool:
    """Whether a word names a run folder, a comparison, or a model of one (``DIR/gru``)."""
    from gatewise.training.run_place import find_run

    if not word or len(word) > 1_000 or "\n" in word or "\0" in word:
        return False
    try:
        return (find_run(Path(word)) / "spec.json").is_file()
    except (RunError, OSError):
        return False


def _explanations(
    places: Sequence[Path], inputs: Sequence[str], examples: Sequence[int], **how: Any
) -> list[Explanation]:
    """Of every input by every run, input by input."""
    from gatewise.inspection.explaining import explanation_of, inputs_of
    from gatewise.training.trained import load_data, load_run

    opened = []
    data: Any = None
    spec: Any = None
    for place in places:
        trained = load_run(place)
        if (not inputs or how["like"] is not None) and (data is None or trained.spec.data != spec):
            data, spec = load_data(place, trained.spec), trained.spec.data
        reader = trained.reader(data)
        opened.append((place, trained, reader, inputs_of(reader, inputs, examples=examples)))
    return [
        explanation_of(trained, reader, given[number], run=str(place), **how)
        for number in range(len(opened[0][3]))
        for place, trained, reader, given in opened
    ]
