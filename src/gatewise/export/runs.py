"""From a run folder to a target; targets know the graph, never a kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.export.to_onnx.runtime import require

if TYPE_CHECKING:
    from gatewise.export.to_onnx.export import Export

__all__ = ["EXAMPLES", "TARGETS", "export_run"]

TARGETS = ("onnx",)
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
    from gatewise.training.run_place import checked_run
    from gatewise.training.trained import load_data, load_run

    check_folder(Path(out))
    _, spec = checked_run(run)
    trained = load_run(run)
    graph = trained.graph()
    examples = trained.graph_examples(load_data(run, spec), EXAMPLES)
    about: dict[str, Any] = {"run": Path(run).resolve().name, "task": spec.task, "cell": spec.model.cell}
    return export_graph(graph, examples, out, about)
