"""The commands that README and docs show, and how they are shortened to be run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
RUN_IN_FULL = ("README.md", "command-line.md", "tagging.md")
"""Pages whose commands are also carried out, in order, in one folder."""
SUBSTITUTES = {
    "imdb": ("reviews.csv", "--text", "review", "--label", "sentiment"),
    "rotten-tomatoes": ("reviews.csv", "--text", "review", "--label", "sentiment"),
    "ptb": ("novel.txt",),
    "conll2003": ("news.conll",),
}
"""Known data sets take long: their commands run on small files instead."""
_PLACEHOLDERS = ("[", "...", "FILE", "DIR", "TEXT", "NAME", "URL")
_DATA = ("multi30k", "translator", "spoken-digits", "listen strings", "sp500 adding")
_LONG = ("suite", "bench", "plan.toml", "--recipe", *_DATA)
NOT_CARRIED_OUT = (*_LONG, *_PLACEHOLDERS)
"""Commands with one of these words are parsed only: hours long, or placeholders."""
_FENCED = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SHELL = ("", "bash", "sh", "console")
_INDENTED = re.compile(r"^    (gatewise .*)$", re.MULTILINE)
_INLINE = re.compile(r"`(gatewise [a-z]+ [^`]+)`")


class Shown(NamedTuple):
    """A command as a page shows it: its words after ``gatewise``, and what is piped into it."""

    page: str
    line: str
    words: list[str]
    standard_input: str | None = None


def shown(*, inline: bool = False) -> list[Shown]:
    """All commands, those of code blocks or those inside the text."""
    return [each for page in PAGES for each in _of_page(page, inline)]


def _of_page(page: Path, inline: bool) -> Iterator[Shown]:
    text = page.read_text(encoding="utf-8")
    if inline:
        lines = [" ".join(found.split()) for found in _INLINE.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))]
    else:
        lines = [line for kind, block in _FENCED.findall(text) if kind in _SHELL for line in block.splitlines()]
        lines += _INDENTED.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in lines:
        piped = re.match(r"cat (\S+) \| (gatewise .*)", line)
        command = piped[2] if piped else line
        if command.startswith("gatewise "):
            words = shlex.split(re.split(r" [|>] ", command)[0], comments=True)[1:]
            yield Shown(page.name, line, words, piped[1] if piped else None)


def shortened(words: list[str]) -> list[str]:
    """The same command on small data, one short training for each cell."""
    command, rest = words[0], list(words[1:])
    if command in ("train", "compare"):
        if not rest or rest[0].startswith("-"):
            rest.insert(0, "imdb")
        rest += [] if "--out" in rest else ["--out", f"runs/{rest[0]}"]
        rest[:1] = SUBSTITUTES.get(rest[0], (rest[0],))
        rest += ["--epochs", "1", "--threads", "1"]
        rest += [] if "hidden=" in " ".join(rest) else ["--hidden", "8"]
        rest += ["--examples", "200"] if rest[0] == "adding" else []
    if command == "compare":
        rest += ["--seeds", "2", "--jobs", "1", "--no-cost"]
        rest += ["--trials", "2"] if "--search" in rest else []
    return [command, *rest]
