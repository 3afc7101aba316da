"""``gatewise listen``: a sound file as a stream, words as they come."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gatewise.screen import say

if TYPE_CHECKING:
    from gatewise.kinds.speech.listening import Listener
    from gatewise.kinds.speech.sound import Sound
    from gatewise.kinds.speech.trained import TrainedRecogniser

__all__ = ["listen"]


def listen(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Run folder of a network of one direction that transcribes, or a comparison of some: its best run.",
        ),
    ],
    file: Annotated[Path, typer.Option("--file", metavar="FILE", help="Read this sound file, as a stream.")],
    chunk: Annotated[
        float, typer.Option("--chunk", metavar="MS", help="Milliseconds of sound that come at once.")
    ] = 10,
    beam: Annotated[
        int | None, typer.Option("--beam", metavar="N", help="Prefixes of a beam search; the best path if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Hear a sound file as a stream and print words as they come, with the time each took.

    Examples:

        gatewise listen my-digits --file call.wav

        gatewise listen my-digits --file call.wav --beam 8 --json
    """
    from gatewise.errors import OptionError
    from gatewise.training.request import check_beam

    if not 1 <= chunk <= 10_000:
        raise OptionError("chunk is out of range", expected="1 to 10,000 milliseconds", got=chunk, fix="--chunk 10")
    check_beam(beam, "--beam 8")
    from gatewise.kinds.speech.listening import Listener
    from gatewise.kinds.speech.sound import read_sound

    recogniser = _recogniser(run)
    listener = Listener(recogniser, beam)
    sound = read_sound(file.expanduser(), str(file), recogniser.bank.rate)
    for note in sound.notes:
        say(f"Note: {file}: {note}", err=True)
    text, times = _heard(listener, sound, max(1, round(sound.rate * chunk / 1000)), show=not as_json)
    spent = sum(times)
    order = sorted(times)
    figures = {
        "text": text,
        "seconds": sound.seconds,
        "computing_seconds": spent,
        "real_time_factor": spent / sound.seconds,
        "chunk_ms": chunk,
        "chunk_median_ms": 1000 * order[len(order) // 2],
        "chunk_slowest_ms": 1000 * order[-1],
        "window_ms": 1000 * listener.window_seconds,
    }
    if as_json:
        typer.echo(json.dumps(figures, ensure_ascii=False))
        return
    typer.echo(text)
    typer.echo(
        f"{sound.seconds:.2f} s of sound in {spent:.3f} s: real-time factor {figures['real_time_factor']:.4f}; a chunk "
        f"of {chunk:g} ms takes {figures['chunk_median_ms']:.2f} ms (slowest {figures['chunk_slowest_ms']:.2f}); a "
        f"step reads {figures['window_ms']:.0f} ms of sound",
        err=True,
    )


def _heard(listener: Listener, sound: Sound, size: int, *, show: bool) -> tuple[str, list[float]]:
    """The text, and the seconds that each chunk of so many samples took, and the end; words are shown as they come."""
    shown, times = "", []
    for start in range(0, len(sound.samples), size):
        began = time.perf_counter()
        text = listener.accept(sound.samples[start : start + size])
        times.append(time.perf_counter() - began)
        if show and text != shown:
            _show(shown, text, min(start + size, len(sound.samples)) / sound.rate)
            shown = text
    began = time.perf_counter()
    text = listener.finish()
    times.append(time.perf_counter() - began)
    if show and text != shown:
        _show(shown, text, sound.seconds)
    return text, times


def _show(before: str, text: str, seconds: float) -> None:
    """A line with the time and what is new; marked and with the whole text where a beam changed what it had written."""
    grown = text.startswith(before)
    typer.echo(f"{seconds:7.2f} s  {text[len(before) :].strip() if grown else f'corrected: {text}'}")


def _recogniser(run: Path) -> TrainedRecogniser:
    """The network of a run folder, if it recognises speech."""
    from gatewise.training.trained import load_run_of

    trained = load_run_of(
        "speech",
        run,
        needed="`gatewise listen` needs a network that recognises speech",
        fix="train one: gatewise train spoken-digits --strings 7 --no-bidirectional --normalisation running",
    )
    return cast("TrainedRecogniser", trained)
