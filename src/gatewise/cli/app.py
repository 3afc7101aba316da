"""The command ``gatewise``: gathers the commands and turns errors into one message and exit code 2."""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import os
import sys
import warnings
from typing import Annotated, Any

import typer

import gatewise
from gatewise.cli.audit import audit
from gatewise.cli.bench import bench
from gatewise.cli.compare import compare
from gatewise.cli.datasets import datasets
from gatewise.cli.doctor import doctor
from gatewise.cli.evaluate import evaluate
from gatewise.cli.explain import explain
from gatewise.cli.export import export
from gatewise.cli.help import Command, Commands
from gatewise.cli.inspect import inspect
from gatewise.cli.options import with_imports
from gatewise.cli.plan import plan
from gatewise.cli.predict import predict
from gatewise.cli.recipes import recipes
from gatewise.cli.report import report
from gatewise.cli.serve import serve
from gatewise.cli.suite import suite
from gatewise.cli.train import train
from gatewise.errors import DataError, GatewiseError, OptionError, StorageError
from gatewise.screen import escape_what_cannot_be_written, say
from gatewise.training.registry import kinds

_SHOWN_NAME = 60
_NAMES = "name a file or folder there; see --help for what stands where"
_UsageError: Any = typer.BadParameter.__mro__[1]
"""The base of typer's errors of usage, which has no public name in every version."""

_REPORTS_LEAKS = ("triton", "jaxlib")

app = typer.Typer(
    name="gatewise",
    cls=Commands,
    help="Which gate should I use, and what does it cost? Train, compare and use recurrent networks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gatewise {gatewise.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold the options that belong to no command."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OF_A_RUN = (predict, evaluate, explain, export, serve, report, audit, plan, inspect)
for _command in (compare, train, *_OF_A_RUN, suite, datasets, recipes, doctor, bench):
    app.command(cls=Command, no_args_is_help=_command in _OF_A_RUN)(_command)
for _kind in kinds():
    for _name, _home in _kind.commands.items():
        _module, _, _function = _home.partition(":")
        _command = with_imports(getattr(importlib.import_module(_module), _function))
        app.command(_name, cls=Command, no_args_is_help=True)(_command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    Args:
        arguments: the words after ``gatewise``; default: those of the process.

    Exit codes: 0 done; 1 an internal error; 2 the input or an option is wrong; 130 stopped by Ctrl-C.
    """
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    atexit.register(_end_quickly)
    escape_what_cannot_be_written()
    try:
        code = app(arguments, prog_name="gatewise", standalone_mode=False)
        if sys.stdout is not None:  # None: it was closed before the start
            sys.stdout.flush()
    except GatewiseError as error:
        print(render_error(error), file=sys.stderr)
        code = 2
    except BrokenPipeError:  # whoever read the output has ended, as `head` does
        _write_nowhere()
        code = 1
    except OSError as error:
        if error.errno not in (*_FULL, errno.ENAMETOOLONG):
            raise
        code = _show_long_name(error) if error.errno == errno.ENAMETOOLONG else _show_full(error)
    except _UsageError as error:
        code = _show_usage_error(error)
    except typer.Abort:
        code = 1
    raise SystemExit(code if isinstance(code, int) else 0)


def _show_long_name(error: OSError) -> int:
    """Say that a text, as a sentence in the place of a folder, is no name of a file."""
    name = str(error.filename)
    shown = name if len(name) <= _SHOWN_NAME else f"{name[:_SHOWN_NAME]}..."
    print(render_error(DataError(f"{shown!r} is too long for the name of a file", fix=_NAMES)), file=sys.stderr)
    return 2


def _show_full(error: OSError) -> int:
    """Say that the output has no room."""
    full = StorageError("cannot write the output", got=error.strerror, fix="make room, or write it somewhere else")
    print(render_error(full), file=sys.stderr)
    _write_nowhere()
    return 2


def _write_nowhere() -> None:
    """Let the interpreter end without trying to write the rest of the output."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)


def _end_quickly() -> None:
    """Spare the interpreter the last search for garbage in all that torch made.

    Not beside modules made with nanobind: at the very end they report on standard error, as leaked, what is left.
    """
    if not any(name in sys.modules for name in _REPORTS_LEAKS):
        gc.freeze()


def _show_usage_error(error: Any) -> int:
    """Print what is wrong with the words of a command as any other error; the help where there are none."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        path = "gatewise" if error.ctx is None else error.ctx.command_path
        print(render_error(_usage_error(error, f"see `{path} --help`")), file=sys.stderr)
    return int(error.exit_code)


_NUMBERS = {"int_parsing": "a whole number", "int_from_float": "a whole number", "float_parsing": "a number"}


def _usage_error(error: Any, fix: str) -> OptionError:
    """What typer says of the words of a command; of a value that is no number, what is said for all other settings."""
    details: list[Any] = getattr(error.__context__, "errors", list)()
    number = _NUMBERS.get(details[0].get("type")) if details and getattr(error, "param", None) is not None else None
    if number is None:
        return OptionError(" ".join(error.format_message().split()).rstrip("."), fix=fix)
    name = error.param.opts[0]
    return OptionError(
        f"{name} has the wrong type", expected=number, got=repr(details[0].get("input")), fix=f"give {name} {number}"
    )


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as one line, without its place in the code."""
    say(f"Warning: {message}", err=True)


def render_error(error: GatewiseError) -> str:
    """One error for the terminal: the message, then expected, got and fix, one line each."""
    lines = [f"Error: {error.message}"]
    lines += [
        f"  {name}: {value}" for name, value in (("expected", error.expected), ("got", error.got)) if value is not None
    ]
    if error.fix is not None:
        lines.append(f"  fix: {error.fix}")
    return "\n".join(lines)
