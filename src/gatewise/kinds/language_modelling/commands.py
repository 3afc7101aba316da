"""``gatewise generate``, text from a language model, and ``gatewise evaluate``, its figures on another text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gatewise.errors import DataError
from gatewise.grammar import plural
from gatewise.screen import say

if TYPE_CHECKING:
    from gatewise.kinds.language_modelling.trained import TrainedLanguageModel
    from gatewise.training.kind import Request

__all__ = ["evaluate", "generate"]

_BAR = 40


def generate(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Run folder of a language model, or a comparison of some: its best run; DIR/gru: its best GRU.",
        ),
    ],
    prompt: Annotated[str, typer.Option("--prompt", metavar="TEXT", help="Beginning of the text.")] = "",
    tokens: Annotated[int, typer.Option("--tokens", metavar="N", help="How many tokens to write.")] = 50,
    temperature: Annotated[
        float, typer.Option("--temperature", metavar="T", help="Below 1 likelier words, above 1 rarer ones.")
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option("--top-k", metavar="K", help="Draw among the K likeliest tokens only.")
    ] = None,
    top_p: Annotated[
        float, typer.Option("--top-p", metavar="P", help="Draw among the fewest tokens that reach this probability.")
    ] = 1.0,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Start of the random numbers.")] = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="Allow the unknown word in the text.")] = False,
    next_only: Annotated[
        int | None, typer.Option("--next", metavar="N", help="Print the N likeliest next tokens instead of text.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --next: print one JSON object.")] = False,
) -> None:
    """Continue a text with a trained language model, word by word as it is written.

    Examples:

        gatewise generate my-model --prompt "the clouds are in the" --tokens 50 --temperature 0.8

        gatewise generate my-model --prompt "the clouds are in the" --next 10
    """
    from gatewise.errors import OptionError

    if as_json and next_only is None:
        raise OptionError("--json is for the table of next tokens", fix="add --next 10")
    if next_only is not None and next_only < 1:
        raise OptionError(
            "next is out of range", expected="a whole number of at least 1", got=next_only, fix="--next 5"
        )
    from gatewise.kinds.language_modelling.sampling import Sampling

    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, unknown=unknown)
    model = _language_model(run)
    unknown_words = model.vocabulary.unknown_tokens(prompt)
    if unknown_words:
        named = ", ".join(repr(word) for word in unknown_words[:5]) + (" ..." if len(unknown_words) > 5 else "")
        typer.echo(f"Not in the vocabulary, read as an unknown word: {named}", err=True)
    if next_only is not None:
        _table(model, prompt, next_only, as_json)
        return
    pieces = model.stream(prompt, tokens, sampling)
    first = next(pieces, "")
    typer.echo(prompt + first, nl=False)
    for piece in pieces:
        typer.echo(piece, nl=False)
    typer.echo()


def evaluate(model: TrainedLanguageModel, request: Request) -> None:
    """Print perplexity, bits per character and the share of unknown words of a file, or of the texts of a folder.

    Raises:
        DataError: the file cannot be used.
    """
    from gatewise.kinds.language_modelling.evaluating import evaluate_texts

    texts, read = _texts_of(request, model.spec.data.encoding)
    found = evaluate_texts(model, texts) if len(texts) > 1 else model.evaluate(texts[0])
    found = replace(found, notes=(*read, *found.notes))
    if request.as_json:
        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
        return
    for note in found.notes:
        say(f"Note: {note}", err=True)
    rows = [
        ("perplexity", found.perplexity, found.perplexity_interval, "{:,.4g}"),
        ("bits per character", found.bits_per_character, found.bits_per_character_interval, "{:.4g}"),
        ("bits per token", found.bits_per_token, None, "{:.4g}"),
    ]
    for name, value, interval, form in rows:
        ends = "" if interval is None else f"  ({form.format(interval[0])} to {form.format(interval[1])})"
        typer.echo(f"{name:<20}{form.format(value):>10}{ends}")
    typer.echo(f"{'unknown tokens':<20}{100 * found.unknown_share:>8.2f} %{_named(found.unknown)}")
    what = found.document + ("s" if found.documents != 1 else "")
    typer.echo(f"{found.tokens:,} tokens, {found.characters:,} characters, {found.documents:,} {what}")


def _texts_of(request: Request, fallback: str | None) -> tuple[list[str], list[str]]:
    """The texts to measure on, and notes on how they were read."""
    from gatewise.data.encodings import decode_as
    from gatewise.data.text_files import read_content
    from gatewise.data.text_folders import named, read_texts
    from gatewise.kinds.language_modelling.folders import texts_in

    assert request.file is not None
    path, encoding = request.file.expanduser(), request.settings.get("encoding")
    if not path.is_dir():
        text, notes = decode_as(read_content(path, "running text"), str(path), encoding, fallback)
        return [text], notes
    files, notes = read_texts(texts_in(path), encoding, fallback)
    if not files:
        raise DataError(f"the folder {path} holds no texts", got="empty files alone", fix="name another folder")
    names = named([each.path for each in files])
    read = f"{plural(len(files), 'file')} of {path.name} in the order of their names: {names}"
    return [each.text for each in files], [*notes, read]


def _named(tokens: Sequence[str]) -> str:
    """The most frequent unknown tokens."""
    return "  such as " + ", ".join(repr(token) for token in tokens) if tokens else ""


def _language_model(run: Path) -> TrainedLanguageModel:
    """The network of a run folder, if it is a language model."""
    from gatewise.training.trained import load_run_of

    trained = load_run_of(
        "language-modelling",
        run,
        needed="`gatewise generate` needs a language model",
        fix="train one: gatewise train novel.txt",
    )
    return cast("TrainedLanguageModel", trained)


def _table(model: TrainedLanguageModel, prompt: str, count: int, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(model.next_record(prompt, count), ensure_ascii=False))
        return
    found = model.next_tokens(prompt, count)
    shown = [
        (json.dumps(token, ensure_ascii=False) if token != token.strip() else token, chance) for token, chance in found
    ]
    width = max(len(token) for token, _ in shown)
    for token, chance in shown:
        typer.echo(f"{token:<{width}}  {100 * chance:5.1f} %  {'█' * round(_BAR * chance)}".rstrip())
