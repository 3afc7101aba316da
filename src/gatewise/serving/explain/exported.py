"""The page as one file: readings and reasons computed beforehand, everything inside, for ``file://``.

Modules cannot import each other from a file, so they are joined into one; a policy of hashes allows exactly that
script and that style sheet, and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from gatewise.drawing.templates import shared_css
from gatewise.errors import DataError, OptionError, ShapeError
from gatewise.files import write_text
from gatewise.inspection.reasons import METHODS
from gatewise.serving.explain.network import Network, Question
from gatewise.serving.explain.networks import Networks
from gatewise.serving.explain.payload import first_place, place_id, places_of, reasons_record

__all__ = ["bundle", "write_page"]

_STATIC = Path(__file__).parent / "static"
_MOST_BYTES = 3_000_000
_EXAMPLES = 6
_IMPORT = re.compile(r'^import\s*\{[^}]*\}\s*from\s*"\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=async function|function|class|const)", re.MULTILINE)
_NEAREST = 3
_MOST_SETTLING = 1_000_000
"""Steps times the square of the units, up to which Newton sweeps are measured for the file."""


def write_page(
    places: Sequence[Path],
    inputs: Sequence[str] = (),
    out: str | Path = "page.html",
    *,
    examples: Sequence[int] = (),
    say: Callable[[str], object] = lambda sentence: None,
) -> Path:
    """Write the page with chosen inputs as one file that needs no network, below 3 MB.

    Args:
        places: run folders, one to three.
        inputs: texts, or tables' files; none: the first test examples.
        out: the file.
        examples: numbers of test examples, from 0.
        say: is called with a sentence where something had to be left out.

    Raises:
        OptionError: the runs do not read the same.
        DataError: there is nothing to show, or one input alone is too large for the file.
        RunError: a run cannot be opened, or its kind cannot be explained.
    """
    networks = Networks(places, inputs, examples, say)
    questions = networks.chosen or [
        Question(example=number) for number in range(min(_EXAMPLES, len(networks.networks[0].examples)))
    ]
    if not questions:
        raise DataError("there is nothing to show", fix="give a text after the run")
    kept, readings = _fitting(networks, questions, say)
    page = networks.describe(Question(example=0))
    del page["command"], page["file"]  # they need a server, whose paths are this machine's
    page["examples"] = [_example(networks, question) for question in kept]
    return write_text(out, _document({"page": page, "readings": readings}))


def bundle(folder: Path = _STATIC, first: str = "main.js") -> str:
    """The modules as one script, each after those it imports.

    Raises:
        OptionError: two of them declare the same name.
    """
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        for other in _IMPORT.findall((folder / name).read_text(encoding="utf-8")):
            visit(other)
        order.append(name)

    visit(first)
    parts = [_EXPORT.sub("", _IMPORT.sub("", (folder / name).read_text(encoding="utf-8"))) for name in order]
    script = "\n".join(parts)
    names = re.findall(r"^(?:async function|function|class|const|let) (\w+)", script, re.MULTILINE)
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError("modules of the page declare the same name", got=", ".join(double))
    return script


def _fitting(
    networks: Networks, questions: Sequence[Question], say: Callable[[str], object]
) -> tuple[list[Question], list[dict[str, Any]]]:
    """As many inputs as fit, at 16 bits a value, or 8 where that is too much."""
    room = _MOST_BYTES - len(_document({"page": networks.describe(Question(example=0)), "readings": []})) - 50_000
    for bits in (16, 8):
        kept: list[Question] = []
        found: list[dict[str, Any]] = []
        size = 0
        for question in questions:
            part = _readings(networks, question, len(kept), bits)
            size += sum(len(json.dumps(each)) for each in part)
            if size > room:
                break
            kept.append(question)
            found += part
        if len(kept) == len(questions):
            return kept, found
    if not kept:
        raise DataError("one input alone is too large for a file of 3 MB", fix="choose fewer runs or a shorter input")
    say(f"{len(kept)} of {len(questions)} inputs are in the file: more than that would pass 3 MB.")
    return kept, found


def _readings(networks: Networks, question: Question, example: int, bits: int) -> list[dict[str, Any]]:
    """One input as all networks read it: every layer and direction, and the reasons for the leading answers."""
    found = []
    explained = {network.input_of(question).place for network in networks.networks}
    for network in networks.networks:
        reading = network.reading(question)
        targets = _targets(list(reading.names), [float(each) for each in reading.final], reading.target)
        if reading.answers == "values":
            targets = targets[:1]
        once = _once(network, question, targets, explained - {None, network.input_of(question).place})
        places = places_of(reading)
        places.sort(key=lambda place: place != first_place(places_of(reading)))
        for number, place in enumerate(places):
            frame = zlib.compress(network.frame(question, place_id(place), bits=bits), 9)
            found.append(
                {
                    "run": network.number,
                    "example": example,
                    "place": place_id(place),
                    "bytes": base64.b64encode(frame).decode(),
                    **(once if number == 0 else {}),
                }
            )
    return found


def _once(
    network: Network, question: Question, targets: Sequence[str], elsewhere: Set[int | None] = frozenset()
) -> dict[str, Any]:
    """What is kept once for a network and an input: reasons by every method, and all that the page can unfold.

    Args:
        network: which reads.
        question: the input.
        targets: names of answers.
        elsewhere: steps that other networks explain, so that one step has the reasons of all.
    """
    reasons = [network.reasons(question, target, method) for method in METHODS for target in targets]
    found: dict[str, Any] = {"reasons": reasons, "more": network.more(question)}
    found["neighbours"] = _neighbours(network, question)
    found["parallel"] = _settling(network, question)
    written = network.input_of(question).written
    if not written:
        found["reasons"] += [
            network.reasons(question, None, method, at=at) for method in METHODS for at in sorted(elsewhere, key=str)
        ]
    if written:
        found["words"] = [_word(network, replace(question, word=word)) for word in range(len(written))]
        found["written"] = {}
        for method in METHODS:
            table = network.writing(question, method)
            found["written"][method] = {**table.record(), "drafts": []}  # they are in "more"
            found["reasons"] += [{**reasons_record(each), "at": word} for word, each in enumerate(table.reasons)]
    return found


def _word(network: Network, question: Question) -> dict[str, Any]:
    """The answers at one written word, with the names that they have there."""
    reading = network.reading(question)
    return {
        "names": list(reading.names),
        "target": reading.target,
        "turned": list(reading.turned),
        "after": [round(float(value), 4) for value in reading.after.ravel()],
    }


def _neighbours(network: Network, question: Question) -> dict[str, Any] | None:
    """Of every step of the layer shown first, by all units; None: there are no data to search."""
    titles: dict[str, int] = {}
    steps: list[list[Any] | None] = []
    found: dict[str, Any] = {}
    given = network.input_of(question)
    for step in range(max(len(given.steps), len(given.written))):
        try:
            found = network.neighbours(question, None, step)
        except OptionError:
            steps.append(None)
            continue
        steps.append(
            [
                [titles.setdefault(each["input"], len(titles)), each["example"], each["around"],
                 float(f"{each['distance']:.3g}")]
                for each in found["found"][:_NEAREST]
            ]
        )  # fmt: skip
    if not found:
        return None
    return {"place": found["place"], "sentence": found["sentence"], "titles": list(titles), "steps": steps}


def _settling(network: Network, question: Question) -> dict[str, Any] | None:
    """Whether the steps could be taken at once; None: it would take long, or there are too few."""
    given = network.input_of(question)
    stack = next(iter(network.reader.stacks(given).values())).recurrent
    if len(given.steps) * max(cell.hidden_size for cell in stack._cells) ** 2 > _MOST_SETTLING:
        return None
    try:
        return network.parallel(question)
    except ShapeError:
        return None


def _targets(names: list[str], final: list[float], target: int) -> list[str]:
    """The answers with reasons in the file: the network's own first, and the next two."""
    order = sorted(range(len(names)), key=lambda place: (place != target, -final[place]))
    return [names[place] for place in order[:3]]


def _example(networks: Networks, question: Question) -> dict[str, Any]:
    given = networks.networks[0].input_of(question)
    return {"title": given.title or given.text or "window", "text": given.text, "truth": given.truth}


def _document(content: dict[str, Any]) -> str:
    """The file: style, data and script, each allowed by its hash."""
    style = str(shared_css()) + (_STATIC / "explain.css").read_text(encoding="utf-8")
    script = bundle()
    data = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    data = data.encode("utf-8", "replace").decode()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    title = html.escape(content["page"]["kicker"])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy, quote=True)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<title>{title}</title>\n<link rel="icon" href="data:,">\n<style>{style}</style>\n</head>\n<body>\n'
        '<main id="page"></main>\n'
        f'<script type="application/json" id="content">{data}</script>\n'
        f'<script type="module">{script}</script>\n</body>\n</html>\n'
    )


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
