r"""Parts of the Python programs that exports carry: they need onnxruntime and numpy, and nothing of Gatewise.

A kind of problem puts its program together with `assembled` and gives it to `GraphBuilder.graph`; the `README.md` of
the export shows it. The parts say the same as the modules that they name, and the tests run each program beside
`gatewise predict`.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

__all__ = ["BYTE_PAIRS", "MODEL", "SEARCH", "SPACES", "TEXT_OF_PIECES", "assembled", "source_of"]

MODEL = """\
session = onnxruntime.InferenceSession("model.onnx")
about = json.loads(session.get_modelmeta().custom_metadata_map["gatewise"])["metadata"]
"""
"""Opens ``model.onnx`` as ``session``, and what its metadata hold as ``about``."""

SPACES = r'''
def is_space(sign):
    """White space of Unicode, to which the separators of ASCII do not belong."""
    return sign.isspace() and not "\x1c" <= sign <= "\x1f"
'''
"""``is_space(sign)``."""

BYTE_PAIRS = r'''
def byte_signs():
    """The sign that stands for each byte."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in own]
    return {**{byte: chr(byte) for byte in own}, **{byte: chr(256 + place) for place, byte in enumerate(others)}}


SIGNS = byte_signs()
SIGN = {"L": "A", "N": "0"}
PARTS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


def in_parts(text):
    """Words, numbers and other signs, each with the space before it, that no piece reaches beyond."""
    kinds = "".join(
        sign if sign.isascii() and sign.isalnum() or sign in " '"
        else "\t" if is_space(sign)
        else SIGN.get(unicodedata.category(sign)[0], ".")
        for sign in text
    )
    return [text[found.start() : found.end()] for found in PARTS.finditer(kinds)]


def pieces_of(text, tokenizer):
    """The pieces of a text by byte-pair encoding: the two that were merged first in the training are merged first."""
    ranks = {tuple(each.split(" ") if isinstance(each, str) else each): rank
             for rank, each in enumerate(tokenizer["model"]["merges"])}
    steps = tokenizer["pre_tokenizer"].get("pretokenizers") or [tokenizer["pre_tokenizer"]]
    if tokenizer["normalizer"]:
        text = "".join(sign.lower() for sign in text)
    if text and steps[0]["add_prefix_space"] and not text.startswith(" "):
        text = " " + text
    parts = ["".join(SIGNS[byte] for byte in part.encode("utf-8")) for part in in_parts(text)]
    if len(steps) > 1:
        parts = [each for part in parts for each in re.split("([0-9])", part) if each]
    pieces = []
    for part in parts:
        found = list(part)
        while len(found) > 1:
            rank, place = min((ranks.get(pair, len(ranks)), place) for place, pair in enumerate(zip(found, found[1:])))
            if rank == len(ranks):
                break
            found[place : place + 2] = ["".join(found[place : place + 2])]
        pieces += found
    return pieces
'''
"""``pieces_of(text, tokenizer)``, as the library tokenizers has it; needs `SPACES`, ``re`` and ``unicodedata``."""

TEXT_OF_PIECES = r'''
BYTES = {sign: byte for byte, sign in SIGNS.items()}


def text_of(pieces):
    """The text that pieces are."""
    return bytes(BYTES[sign] for piece in pieces for sign in piece).decode("utf-8", "replace")
'''
"""``text_of(pieces)``; needs `BYTE_PAIRS`."""

SEARCH = r'''
encoder, decoder = (onnxruntime.InferenceSession(f"{name}.onnx") for name in ("encoder", "decoder"))
about = json.loads(encoder.get_modelmeta().custom_metadata_map["gatewise"])["metadata"]
given = {each.name: each.shape for each in decoder.get_inputs()}
states = [name for name in given if f"{name}_next" in {each.name for each in decoder.get_outputs()}]


def written(inputs, steps):
    """The most probable tokens after one input of so many steps, by the beam search of the training."""
    beam, power, end = about["beam"], about["length_power"], about["end"]
    names = [each.name for each in encoder.get_outputs()]
    read = dict(zip(names, encoder.run(names, inputs)))
    evidence = np.repeat(read["evidence"], beam, axis=0) if "evidence" in read and beam > 1 else None
    known = {name: np.repeat(read[name], beam, axis=0) for name in given if name in read and name not in states}
    if "lengths" in given:
        known["lengths"] = np.full(beam, steps)
    state = {name: np.repeat(read[name], beam, axis=0) if name in read
             else np.zeros((beam, given[name][1]), np.float32) for name in states}
    tokens, rows = np.full(beam, about["begin"]), [[]] * beam
    sums = np.array([0.0] + [-np.inf] * (beam - 1))
    best, best_score, ended = [], -np.inf, 0
    most = about["limit"][0] * steps + about["limit"][1]
    for length in range(1, most + 1):
        asked = ["log_probabilities", *(f"{name}_next" for name in states)]
        scores, *after = decoder.run(asked, {"token": tokens, **known, **state})
        if evidence is not None:  # of tokens that have not been written yet
            evidence[np.arange(beam), tokens] = 0.0
            scores = scores + evidence
        sums = sums[:, None] + scores
        order = np.argsort(-sums, axis=None, kind="stable")[: 2 * beam]
        found = [(sums.flat[place], *divmod(int(place), scores.shape[1])) for place in order]
        ends = [each for each in found[:beam] if each[2] == end and np.isfinite(each[0])]
        if length == most and best_score == -np.inf and not ends:
            ends = found[:1]  # none has ended: the likeliest one as it is
        ended += len(ends)
        for score, row, token in ends:
            if score / length**power > best_score:
                best, best_score = rows[row] + [token] * (token != end), score / length**power
        found = [each for each in found if each[2] != end][:beam]
        ahead = about.get("thorough", False) and found[0][0] / length**power > best_score
        if ended >= beam and not ahead:
            break
        sums = np.array([score for score, _, _ in found])
        tokens = np.array([token for _, _, token in found])
        origins = [row for _, row, _ in found]
        rows = [rows[row] + [token] for _, row, token in found]
        state = {name: value[origins] for name, value in zip(states, after)}
        evidence = None if evidence is None else evidence[origins]
    return best
'''
"""Opens ``encoder.onnx`` and ``decoder.onnx``; ``written(inputs, steps)`` as `gatewise.export.graph.search.search`."""


def assembled(does: str, imports: Iterable[str], *parts: str) -> str:
    """A program of parts.

    Args:
        does: what it does, and how it is called.
        imports: modules of the standard library that it needs besides json and sys.
        parts: in their order.

    Example:
        >>> made = assembled("Prints.", ["re"], "print(re.escape('.'))")
        >>> [line for line in made.splitlines() if line.startswith("import")]
        ['import json', 'import re', 'import sys', 'import numpy as np', 'import onnxruntime']
        >>> made.splitlines()[-1]
        "print(re.escape('.'))"
    """
    head = [f'"""{does}"""', "", "from __future__ import annotations", ""]
    head += [f"import {name}" for name in sorted({"json", "sys", *imports})]
    head += ["", "import numpy as np", "import onnxruntime", ""]
    head += ['sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")']
    whole = "\n".join(head) + "\n"
    for part in parts:
        apart = "\n\n" if part.lstrip().startswith(("def ", "@")) else "\n"
        whole += apart + part.strip("\n") + "\n"
    return whole


def source_of(thing: ModuleType | Callable[..., Any]) -> str:
    """The source of a module or function that needs nothing of Gatewise, without docstrings and imports.

    Example:
        >>> print(source_of(textwrap.dedent).splitlines()[0])
        def dedent(text):
    """
    source = textwrap.dedent(inspect.getsource(thing))
    lines, tree = source.splitlines(), ast.parse(source)
    left_out: set[int] = set()
    for node in ast.walk(tree):
        inner = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) and isinstance(inner, list):
            left_out |= set(range(inner[0].lineno, inner[0].end_lineno + 1))
        named = isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
        if isinstance(node, ast.stmt) and (named or isinstance(node, ast.Import | ast.ImportFrom)):
            left_out |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    kept = "\n".join(line for number, line in enumerate(lines, 1) if number not in left_out)
    while "\n\n\n\n" in kept:
        kept = kept.replace("\n\n\n\n", "\n\n\n")
    return kept.strip("\n") + "\n"
