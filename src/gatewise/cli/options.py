"""Options that several commands share: every field of a run's spec is a flag of its name, whatever the task."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from gatewise.training.assembly import ALIASES, PARTS, setting_fields, setting_types
from gatewise.training.run_spec import TASKS

__all__ = ["SETTING_HELP", "DataArgument", "RecipeOption", "TaskOption", "with_settings"]

SETTING_HELP = {
    "text": "Column of the texts.",
    "label": "Column of the labels.",
    "test": "Second file, used only for testing.",
    "unlabelled": "File with further texts, one a line, for --pretrain.",
    "download": "Fetch the official files if they are not at hand.",
    "time": "Column with the time of each row.",
    "target": "Column to forecast; several separated by commas.",
    "features": "Further columns to read, separated by commas.",
    "group": "Column that tells series apart.",
    "horizon": "Steps to forecast.",
    "lookback": "Steps to forecast from.",
    "transform": "What is learnt: value, difference or log-return.",
    "tokens": "What a token is: word, character or bpe.",
    "length": "Steps of a probe's sequences.",
    "data_seed": "Seed from which a probe's sequences are drawn.",
    "examples": "Examples to learn from, at most.",
    "hidden_size": "Units per recurrent layer and direction.",
    "embedding_size": "Numbers per word or token.",
    "num_layers": "Recurrent layers on top of each other.",
    "last_size": "Units of the last recurrent layer, if it differs.",
    "bidirectional": "Read each sequence in both directions.",
    "pooling": "How the steps become one vector: last, mean, max, mean+max, last+mean+max.",
    "dropout": "Probability of zeroing an input or feature while training.",
    "word_dropout": "Probability of blanking a whole word while training.",
    "vocabulary_size": "Words or tokens kept, the most frequent of the training part.",
    "max_tokens": "Longer texts keep their first and last halves of this many tokens.",
    "decoding": "How the future is written: direct, recursive or segments.",
    "segment_length": "Steps per segment, for --decoding segments.",
    "normalisation": "Of each window: none, last or standard.",
    "channel_independent": "Treat each target as a series of its own.",
    "quantiles": "Quantiles to forecast, separated by commas: 0.1,0.9.",
    "loss": "What the forecast is trained with: squared or absolute error.",
    "steps": "Tokens through which the gradient flows back.",
    "tied": "Let the output layer use the embedding's weights.",
    "layer_dropout": "Probability of zeroing a feature between layers while training.",
    "output_dropout": "Probability of zeroing a feature of the last layer while training.",
    "embedding_dropout": "Probability of blanking a token everywhere while training.",
    "weight_dropout": "Probability of zeroing a recurrent weight while training.",
    "activation_regularisation": "Weight of the outputs' mean square in the loss.",
    "temporal_regularisation": "Weight of the mean square of the outputs' changes in the loss.",
    "adaptive_softmax": "Give rare tokens a smaller output layer.",
    "epochs": "Passes over the training part, at most.",
    "batch_size": "Sequences per training step.",
    "optimizer": "adam or sgd.",
    "learning_rate": "The optimizer's learning rate at its height.",
    "warm_up": "Fraction of all steps in which the rate climbs to its height.",
    "weight_decay": "Pull of the weights towards zero, decoupled from the gradient.",
    "schedule": "Learning rate over the run: constant, linear or cosine.",
    "clip_norm": "Largest Euclidean norm of the gradient.",
    "averaging": "Decay per step of averaged weights; 0 for none.",
    "patience": "Stop after this many epochs without a better figure on the validation part.",
    "seed": "Start of all random numbers.",
    "threads": "CPU threads; all cores if not given.",
    "device": "cpu, cuda, cuda:0 ...",
    "pretrain": "Train embedding and recurrent layers as a language model of the texts first.",
    "pretraining_epochs": "Passes of the language model over the texts.",
    "pretraining_batch_size": "Windows per step of the language model.",
    "pretraining_steps": "Words per window, about.",
    "pretraining_learning_rate": "The language model's learning rate at its height.",
    "pretraining_dropout": "Probability of zeroing an input or output feature of the language model.",
    "discriminative_rate": "In fine-tuning, how many times slower each layer learns than the one above it.",
    "gradual_unfreezing": "In fine-tuning, let one more layer learn with each epoch, the last one first.",
}
_PANELS = {"data": "Data", "model": "Model", "training": "Training", "pretraining": "Pre-training"}

DataArgument = Annotated[str, typer.Argument(metavar="DATA", help="Registry name (see `gatewise datasets`) or a file.")]
RecipeOption = Annotated[
    str | None,
    typer.Option("--recipe", metavar="NAME", help="Start from a recipe (see `gatewise recipes`) or a .toml file."),
]
TaskOption = Annotated[
    str | None,
    typer.Option("--task", metavar="NAME", help=f"{', '.join(TASKS)}; found from DATA and its options if not given."),
]


def with_settings(*, omit: tuple[str, ...] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command one flag per setting of any task; it receives those that were given as ``settings``.

    Args:
        omit: settings that the command names in a way of its own.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        parameters = _parameters(omit)
        names = {entry.name for entry in parameters}

        @wraps(command)
        def called(**given: Any) -> Any:
            settings = {name: given.pop(name) for name in list(given) if name in names}
            return command(**given, settings={name: value for name, value in settings.items() if value is not None})

        own = [
            entry for entry in inspect.signature(command, eval_str=True).parameters.values() if entry.name != "settings"
        ]
        # typer reads the signature and the annotations to learn a command's options.
        called.__signature__ = inspect.Signature([*own, *parameters])  # type: ignore[attr-defined]
        called.__annotations__ = {entry.name: entry.annotation for entry in (*own, *parameters)}
        del called.__wrapped__  # type: ignore[attr-defined]
        return called

    return decorate


def _parameters(omit: tuple[str, ...]) -> list[inspect.Parameter]:
    """A flag for each setting that any task has, those of the first task first."""
    found: dict[str, inspect.Parameter] = {}
    for part in PARTS:
        for task in TASKS:
            for name, hint in setting_types(task, part).items():
                if name not in (*omit, "data", "cell", *found):
                    found[name] = _setting(name, hint, part)
    return list(found.values())


def _setting(name: str, hint: Any, part: str) -> inspect.Parameter:
    """A flag whose value is None where it was not given; the help shows the usual values."""
    kinds = [kind for kind in (typing.get_args(hint) or (hint,)) if kind is not type(None)]
    flag = "--" + name.replace("_", "-")
    aliases = [f"--{alias}" for alias, meant in ALIASES.items() if meant == name]
    # some are true where nobody says otherwise, so each can be switched off, too
    flags = (f"{flag}/--no-{flag[2:]}",) if kinds[0] is bool and name != "pretrain" else (flag, *aliases)
    option = typer.Option(
        *flags, help=SETTING_HELP[name] + _usual(name), show_default=False, rich_help_panel=_PANELS[part]
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kinds[0] | None, option]
    )


def _usual(name: str) -> str:
    """The usual value in words, and for which tasks, where not all have the setting or they differ."""
    usual = {task: fields[name] for task in TASKS for part in PARTS if name in (fields := setting_fields(task, part))}
    if all(isinstance(value, bool) or value is None or value == "" for value in usual.values()):
        return "" if len(usual) == len(TASKS) else f" ({', '.join(usual)})"
    if len(set(usual.values())) == 1:
        only = "" if len(usual) == len(TASKS) else f"{', '.join(usual)}; "
        return f" ({only}default {next(iter(usual.values()))})"
    told = [f"{'all' if value is None else value} for {task}" for task, value in usual.items()]
    return f" (default {', '.join(told)})"
