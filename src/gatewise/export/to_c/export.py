"""From a trained network, or layers, to a checked C program in a folder. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gatewise
from gatewise.errors import OptionError
from gatewise.export.folder import RECORD, check_folder
from gatewise.export.gaps import refuse_gaps
from gatewise.export.graph import Example, Graph
from gatewise.export.graph.grids import GRID_NODES
from gatewise.export.graph.stream import way_round
from gatewise.export.integers import IntegerInterpreter, quantise_graph
from gatewise.export.precision import Material, Rounding, change_of, refuse_loss
from gatewise.export.to_c.check import Compiled, check_source
from gatewise.export.to_c.places import unsupported
from gatewise.export.to_c.program import emit_main, emit_makefile
from gatewise.export.to_c.readme import emit_readme, figures
from gatewise.export.to_c.source import MOST_STEPS, Source, check_name, emit_source
from gatewise.files import encoded_json, encoded_text, write_together

__all__ = ["RECORD", "ExportC", "check_options", "export_graph"]

_FORMAT_VERSION = 1
_AT_ONCE = 50


@dataclass(frozen=True)
class ExportC:
    """What was written.

    Attributes:
        folder: where.
        files: bytes by name.
        compiled: how it was checked; None: there is no compiler here.
        figures: flash, memory, arithmetic.
        no_step: why there is no ``step``; None where there is one.
        left_out: reason by output that ``step`` lacks.
        rounding: what a precision below float32 costs; None: it is float32.
    """

    folder: Path
    files: Mapping[str, int]
    compiled: Compiled | None
    figures: Mapping[str, int | None]
    no_step: str | None
    left_out: Mapping[str, str]
    rounding: Rounding | None = None


def check_options(out: Path, name: str, most: int | None) -> None:
    """Refuse what can be refused before the network is loaded.

    Raises:
        OptionError: the folder holds something else, or an option is out of range.
    """
    check_name(name)
    if most is not None and most < 1:
        raise OptionError("--max-steps is too small", expected="1 or more", got=most)
    check_folder(out, "c")


def export_graph(
    graph: Graph,
    examples: Sequence[Example],
    out: str | Path,
    about: Mapping[str, Any] | None = None,
    *,
    name: str = "model",
    most: int | None = None,
    programs: bool = True,
    material: Material | None = None,
) -> ExportC:
    """Write a graph as ``<name>.c`` and ``<name>.h``, with ``main.c``, ``Makefile``, ``README.md``, ``export.json``.

    Args:
        graph: what to export.
        examples: real examples to check it with before anything is written.
        out: the folder.
        about: for ``export.json``: which run it was.
        name: of files, functions and types.
        most: greatest number of steps where whole sequences have to be kept; None: ``max_tokens`` of the network, else
            256.
        programs: with ``main.c``, ``Makefile`` and ``README.md``.
        material: for a program in integers (int8); None: float32.

    Raises:
        ConversionError: the graph has no form in C, its program differs from the network, or it loses too much of the
            test figure; nothing is written.
        OptionError: the folder holds something else, or a bad name.
        StorageError: the folder cannot be written; it is as it was.
    """
    folder = Path(out)
    check_options(folder, name, most)
    if graph.writer is not None:
        raise unsupported("networks that write a sequence of their own")
    if any(isinstance(node, GRID_NODES) for node in graph.nodes):
        raise unsupported("convolutions over pictures")
    quantised = None if material is None else quantise_graph(graph, material.training)
    source = emit_source(graph, name, most or int(graph.metadata.get("max_tokens") or MOST_STEPS), quantised)
    files = {f"{name}.c": source.code, f"{name}.h": source.header}
    if programs:
        files |= {"main.c": emit_main(source), "Makefile": emit_makefile(source)}
    compiled = check_source(source, examples, files, () if material is None else material.examples)
    if compiled is not None:
        refuse_gaps(compiled.check)
    rounding = None if material is None else _rounding(source, compiled, material)
    if material is not None and rounding is not None:
        refuse_loss(rounding.change, material)
    if programs:
        files["README.md"] = emit_readme(source, compiled, _title(graph, about or {}), rounding)
    reasons = "; ".join(dict.fromkeys(source.left_out.values()))
    no_step = None if source.has_step else f"{reasons}{way_round(graph)}"
    left_out = dict(source.left_out) if source.has_step else {}
    record = encoded_json(_record(source, files, compiled, about or {}, no_step, left_out, rounding))
    contents = {file: encoded_text(content) for file, content in files.items()}
    write_together(folder, {**contents, RECORD: record})
    sizes = {file: len(content) for file, content in contents.items()}
    return ExportC(folder, sizes, compiled, figures(source, compiled), no_step, left_out, rounding)


def _rounding(source: Source, compiled: Compiled | None, material: Material) -> Rounding:
    """By the compiled program, or where there is none by NumPy, which computes the same."""
    quantised = source.quantised
    assert quantised is not None
    if compiled is not None and compiled.outcome is not None:
        found, gap = compiled.outcome.figures, compiled.outcome.gap
    else:
        oracle, gap = IntegerInterpreter(quantised), None
        found = []
        for start in range(0, len(material.examples), _AT_ONCE):
            part = oracle.run([each.inputs for each in material.examples[start : start + _AT_ONCE]])
            count = len(next(iter(part.values())))
            found = [*found, *({name: rows[row] for name, rows in part.items()} for row in range(count))]
    return Rounding(material.name, change_of(material, found), gap, quantised.all_mixed)


def _title(graph: Graph, about: Mapping[str, Any]) -> str:
    return f"{about['run']}: {about['cell']}, {about['task']}" if about else f"{graph.name} layers"


def _record(
    source: Source,
    files: Mapping[str, str],
    compiled: Compiled | None,
    about: Mapping[str, Any],
    no_step: str | None,
    left_out: Mapping[str, str],
    rounding: Rounding | None,
) -> dict[str, Any]:
    hashes = {file: hashlib.sha256(encoded_text(content)).hexdigest() for file, content in files.items()}
    return {
        "format_version": _FORMAT_VERSION,
        "target": "c",
        **about,
        "name": source.name,
        "max_steps": source.most,
        "precision": "float32" if rounding is None else rounding.precision,
        "rounding": None if rounding is None else rounding.to_dict(),
        "versions": {"gatewise": gatewise.__version__},
        "files": {file: {"bytes": len(encoded_text(files[file])), "sha256": hashes[file]} for file in files},
        "figures": figures(source, compiled),
        "check": None if compiled is None else compiled.check.to_dict(),
        "compiler": None
        if compiled is None
        else {"command": compiled.compiler, "flags": list(compiled.flags), "sanitised": compiled.sanitised},
        "step": {"left_out": left_out} if source.has_step else {"reason": no_step},
    }
