"""From a run folder to a target; targets know the graph, never a kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.export.to_onnx.runtime import require

if TYPE_CHECKING:
    from gatewise.export.graph import Example, Graph
    from gatewise.export.to_c.export import ExportC
    from gatewise.export.to_onnx.export import Export

__all__ = ["EXAMPLES", "TARGETS", "export_run", "export_run_to_c"]

TARGETS = ("onnx", "c")
EXAMPLES = 100
"""Test examples with which an export is checked."""


def export_run(run: str | Path, out: str | Path) -> Export:
    """Export a finished run to ONNX, checked on its own test examples.

    Args:
        run: the run folder.
        out: the folder to write.

    Raises:
        ConversionError: onnx or onnxruntime is missing, or the network cannot be expressed, or differs.
        RunError: no finished, sound run.
        DataError: its data are not there any more.
        OptionError: the folder holds something else.
    """
    require("onnx", "onnxruntime")
    from gatewise.export.to_onnx.export import check_folder, export_graph

    check_folder(Path(out))
    return export_graph(*_opened(run), out, _about(run))


def export_run_to_c(run: str | Path, out: str | Path, *, name: str = "model", most: int | None = None) -> ExportC:
    """Export a finished run to C, checked on its own test examples where there is a compiler.

    Args:
        run: the run folder.
        out: the folder to write.
        name: of files, functions and types.
        most: greatest number of steps where whole sequences have to be kept.

    Raises:
        ConversionError: the network cannot be expressed, or differs.
        RunError: no finished, sound run.
        DataError: its data are not there any more.
        OptionError: the folder holds something else, or ``name`` is none in C.
    """
    from gatewise.export.to_c.export import check_options, export_graph

    check_options(Path(out), name, most)
    return export_graph(*_opened(run), out, _about(run), name=name, most=most)


def _opened(run: str | Path) -> tuple[Graph, Sequence[Example]]:
    """What a run computes, and test examples."""
    from gatewise.training.run_place import checked_run
    from gatewise.training.trained import load_data, load_run

    _, spec = checked_run(run)
    trained = load_run(run)
    return trained.graph(), trained.graph_examples(load_data(run, spec), EXAMPLES)


def _about(run: str | Path) -> dict[str, Any]:
    from gatewise.training.run_place import checked_run

    _, spec = checked_run(run)
    return {"run": Path(run).resolve().name, "task": spec.task, "cell": spec.model.cell}
