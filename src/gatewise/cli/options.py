"""Options that several commands share: every field of the model's and the training's spec is a flag of its name."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from gatewise.training.spec import DataSpec, ModelSpec, TrainingSpec

__all__ = ["DATA_OPTIONS", "SETTING_HELP", "with_settings"]

SETTING_HELP = {
    "hidden_size": "Units per recurrent layer and direction.",
    "embedding_size": "Numbers per word.",
    "num_layers": "Recurrent layers on top of each other.",
    "bidirectional": "Read each text in both directions.",
    "pooling": "How the steps become one vector: last, mean, max, mean+max, last+mean+max.",
    "dropout": "Probability of zeroing an input or a pooled feature while training.",
    "word_dropout": "Probability of blanking a whole word while training.",
    "vocabulary_size": "Words kept, the most frequent of the training part.",
    "max_tokens": "Longer texts keep their first and last halves of this many tokens.",
    "epochs": "Passes over the training part, at most.",
    "batch_size": "Texts per training step.",
    "learning_rate": "Adam's learning rate at its height.",
    "schedule": "Learning rate over the run: constant, linear or cosine.",
    "clip_norm": "Largest Euclidean norm of the gradient.",
    "averaging": "Decay per step of averaged weights; 0 for none.",
    "patience": "Stop after this many epochs without a better validation accuracy.",
    "seed": "Start of all random numbers.",
    "threads": "CPU threads; all cores if not given.",
    "device": "cpu, cuda, cuda:0 ...",
}
_ALIASES = {"hidden_size": ("--hidden",), "learning_rate": ("--lr",)}
_MODEL_PANEL, _TRAINING_PANEL, _DATA_PANEL = "Model", "Training", "Data"

DataArgument = Annotated[str, typer.Argument(metavar="DATA", help="Registry name (see `gatewise datasets`) or a file.")]
TextOption = Annotated[
    str | None, typer.Option("--text", metavar="COLUMN", help="Column of the texts.", rich_help_panel=_DATA_PANEL)
]
LabelOption = Annotated[
    str | None, typer.Option("--label", metavar="COLUMN", help="Column of the labels.", rich_help_panel=_DATA_PANEL)
]
TestOption = Annotated[
    str | None,
    typer.Option("--test", metavar="FILE", help="Second file, used only for testing.", rich_help_panel=_DATA_PANEL),
]
DownloadOption = Annotated[
    bool,
    typer.Option("--download", help="Fetch the official archive if it is not at hand.", rich_help_panel=_DATA_PANEL),
]
DATA_OPTIONS: dict[str, Any] = {
    "text": TextOption,
    "label": LabelOption,
    "test": TestOption,
    "download": DownloadOption,
}


def with_settings(*, omit: tuple[str, ...] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the data options and one flag per setting; it receives them as two dictionaries.

    Args:
        omit: settings that the command names in a way of its own.

    The decorated function takes ``data_options`` and ``settings``: the options of `DataSpec`, and those settings that
    were given on the command line (a setting left out keeps the spec's default).
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        parameters = _parameters(omit)

        @wraps(command)
        def called(**given: Any) -> Any:
            data_options = {name: given.pop(name) for name in DATA_OPTIONS}
            settings = {entry.name: given.pop(entry.name) for entry in parameters if entry.name in SETTING_HELP}
            chosen = {name: value for name, value in settings.items() if value is not None}
            return command(**given, data_options=data_options, settings=chosen)

        own = [
            entry
            for entry in inspect.signature(command, eval_str=True).parameters.values()
            if entry.name not in ("data_options", "settings")
        ]
        # typer reads the signature and the annotations to learn a command's options.
        called.__signature__ = inspect.Signature([*own, *parameters])  # type: ignore[attr-defined]
        called.__annotations__ = {entry.name: entry.annotation for entry in (*own, *parameters)}
        del called.__wrapped__  # type: ignore[attr-defined]
        return called

    return decorate


def _parameters(omit: tuple[str, ...]) -> list[inspect.Parameter]:
    defaults = DataSpec()
    parameters = [_parameter(name, annotation, getattr(defaults, name)) for name, annotation in DATA_OPTIONS.items()]
    for spec, panel in ((ModelSpec(), _MODEL_PANEL), (TrainingSpec(), _TRAINING_PANEL)):
        for entry in dataclasses.fields(spec):
            if entry.name not in omit and entry.name != "cell":
                parameters.append(_setting(entry.name, getattr(spec, entry.name), panel))
    return parameters


def _setting(name: str, default: Any, panel: str) -> inspect.Parameter:
    """A flag whose value is None where it was not given; the help shows the spec's default."""
    flag = "--" + name.replace("_", "-")
    if isinstance(default, bool):
        kind: Any = bool | None
        flags: tuple[str, ...] = (flag,)
    else:
        kind = (int if default is None else type(default)) | None
        flags = (flag, *_ALIASES.get(name, ()))
    shown = "" if default is None or isinstance(default, bool) else f" (default {default})"
    option = typer.Option(*flags, help=SETTING_HELP[name] + shown, show_default=False, rich_help_panel=panel)
    return _parameter(name, Annotated[kind, option], None)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
