"""Words of sentences to numbers, and numbers to tags, in C: as taggers read and write them. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import Viterbi
from gatewise.export.to_c.literals import array, text
from gatewise.export.to_c.words import PLANES, SURROGATES, look_up_of, pairs, small_forms

__all__ = ["Sentences", "sentences_of"]

_PARTS = Path(__file__).parent / "parts"
_LAST = {"iobes": ("E", "S"), "bilou": ("L", "U")}
_SIGMA = "\u03a3"
_FINAL = "\u03c2"


@dataclass(frozen=True)
class Sentences:
    """The look-up of words one by one, and the names of tags.

    Attributes:
        declarations: for the header.
        code: for the `.c`.
        bytes: of its tables.
        inputs: of the graph that a word has a number of, or characters.
        tags: the output whose numbers are tags.
    """

    declarations: str
    code: str
    bytes: int
    inputs: tuple[str, ...]
    tags: str


def sentences_of(graph: Graph, name: str, most: int) -> Sentences | None:
    """The look-up of a graph's metadata; None where it reads something else.

    Args:
        graph: with the ``vocabulary`` of words and characters and the ``tag_set`` in its metadata.
        name: of functions.
        most: characters of a word, at most.
    """
    vocabulary, tag_set = graph.metadata.get("vocabulary"), graph.metadata.get("tag_set")
    if not isinstance(vocabulary, Mapping) or not isinstance(tag_set, Mapping) or "characters" not in vocabulary:
        return None
    inputs = tuple(given.name for given in graph.inputs)
    tags = next((out for out, value in graph.outputs.items() if isinstance(graph.values[value], Viterbi)), None)
    if tags is None or not set(inputs) <= {"words", "characters", "shapes"}:
        return None
    known, size = look_up_of(vocabulary["words"] or ["\ud800"])  # a word that no text in UTF-8 has
    classes, small = _classes(), _small()
    parts = [
        array("uint32_t", "character_classes", classes, "first character of each range, times 512, and its classes"),
        pairs("small_letters", small),
        known,
    ]
    size += 4 * len(classes) + sum(4 * len(row) for row in small)
    if "characters" in inputs:
        signs = sorted((ord(sign), number) for number, sign in enumerate(vocabulary["characters"], start=2))
        parts.append(pairs("known_characters", signs or [(0, 1)]))
        size += 8 * len(signs)
    written = _written(graph.metadata["tags"], tag_set, name)
    parts.append(_word(name, inputs, most, written))
    return Sentences(_declared(name, inputs, most), "\n".join(parts), size, inputs, tags)


def _word(name: str, inputs: Sequence[str], most: int, written: str) -> str:
    template = (_PARTS / "sentences.h").read_text(encoding="utf-8")
    for part in ("characters", "shapes"):
        start, end = f"WHERE_{part.upper()}\n", f"END_{part.upper()}\n"
        if part in inputs:
            template = template.replace(start, "\n").replace(end, "")
        else:
            template = re.sub(f"{start}.*?{end}", "", template, flags=re.DOTALL)
    lines = {"words": "*words = word_number(word);", "shapes": "*shapes = shape_of(word);"}
    statements = [lines[each] for each in inputs if each in lines]
    statements.append("return spell(word, characters);" if "characters" in inputs else "return 0;")
    return (
        template.replace("PARAMETERS", _parameters(inputs))
        .replace("STATEMENTS", "\n".join(f"    {each}" for each in statements))
        .replace("MOST_CHARACTERS", str(most))
        .replace("NAME_", f"{name}_")
        .replace("TAGS\n", written)
    )


def _parameters(inputs: Sequence[str]) -> str:
    return ", ".join(["const char *word", *(f"uint32_t *{each}" for each in inputs)])


def _declared(name: str, inputs: Sequence[str], most: int) -> str:
    lines = [
        "/* A word in UTF-8, as it is written, as the numbers that the network reads: one of each",
        "   input of a step",
    ]
    if "characters" in inputs:
        lines[1] += f", and of its characters at most {most}. Returns how many characters these are"
    return "\n".join(
        [
            *lines[:1],
            f"{lines[1]}. */",
            f"size_t {name}_word({_parameters(inputs)});",
            "",
            "/* The tag of word t of a sentence of so many steps, as the training file writes it. */",
            f"const char *{name}_tag(const uint32_t *tags, size_t steps, size_t t);",
        ]
    )


def _written(tags: Sequence[str], tag_set: Mapping[str, Any], name: str) -> str:
    """The function that names a tag, in the scheme of the training file."""
    scheme = tag_set["scheme"]
    if scheme == "plain":
        rows = "\n".join(f"    {text(str(each))}," for each in tags)
        return (
            f"static const char *const tag_names[{len(tags)}] = {{\n{rows}\n}};\n\n"
            f"const char *{name}_tag(const uint32_t *tags, size_t steps, size_t t)\n{{\n    (void)steps;\n"
            "    return tag_names[tags[t]];\n}\n"
        )
    types = {str(kind): number for number, kind in enumerate(tag_set["names"])}
    last, single = _LAST.get(scheme, ("I", "B"))
    spans = []
    for kind in types:
        letters = ("B", "I", last, single)
        spans.append("    {" + ", ".join(text(f"{each}-{kind}" if kind else each) for each in letters) + "},")
    before = ""
    if scheme == "iob1":  # B only where another span of the type ends right before
        before = (
            "    if (first) {\n"
            "        const int follows = t > 0 && tag_letters[tags[t - 1]] != 'O'\n"
            "                            && tag_types[tags[t - 1]] == tag_types[tags[t]];\n"
            "        return names[follows ? 0 : 1];\n    }\n"
        )
    return (
        (_PARTS / "spans.h")
        .read_text(encoding="utf-8")
        .replace("LETTERS", ", ".join(f"'{each[0]}'" for each in tags))
        .replace("TYPES", ", ".join(str(types.get(each[2:], 0)) for each in tags))
        .replace("COUNT", str(len(tags)))
        .replace("KINDS", str(max(1, len(types))))
        .replace("SPANS", "\n".join(spans or ['    {"B", "I", "I", "B"},']))
        .replace("BEFORE", before)
        .replace("NAME_", f"{name}_")
    )


@cache
def _classes() -> list[int]:
    """The classes of all characters, as Python has them, which looked the words up in training: runs by their first."""
    found: list[int] = [0]
    for plane in PLANES:
        for code in plane:
            if code in SURROGATES:
                continue
            classes = _classes_of(chr(code))
            if classes != found[-1] % 512:
                found.append(code * 512 + classes)
        if found[-1] % 512:
            found.append(plane.stop * 512)
    return found


def _classes_of(sign: str) -> int:
    cased = (sign + _SIGMA).lower()[-1] == _FINAL
    ignored = not cased and ("A" + sign + _SIGMA).lower()[-1] == _FINAL
    flags = (
        sign.isdecimal(),
        sign.isdigit(),
        sign.isalpha(),
        sign.isupper(),
        sign.istitle() and not sign.isupper(),
        sign.islower(),
        sign.lower() != sign,
        cased,
        ignored,
    )
    return sum(flag << place for place, flag in enumerate(flags))


@cache
def _small() -> list[tuple[int, ...]]:
    everything = [code for plane in PLANES for code in plane if code not in SURROGATES]
    return small_forms(everything, [chr(code).lower() for code in everything])
