"""Measurements beyond plain shapes: the cost of options, ragged rows, streams, scans and memory."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gatewise.kernels.dispatch import precision
from gatewise.nn.benchmark.cases import CELLS, Case, imdb_lengths, make_pair
from gatewise.nn.benchmark.timing import interleaved
from gatewise.nn.mingru import MinGRU
from gatewise.nn.minlstm import MinLSTM

__all__ = ["bf16_gain", "memory", "options_cost", "ragged_cost", "scans", "streaming", "training_memory"]


def _training(layer: Any, x: torch.Tensor, **arguments: Any) -> Any:
    def step() -> None:
        for parameter in layer.parameters():
            parameter.grad = None
        output, _ = layer(x, **arguments)
        output.sum().backward()

    return step


def options_cost(shape: Case, seconds: float) -> list[dict[str, Any]]:
    """Training with layer norm, zoneout and recurrent dropout together, over the plain layer's time."""
    rows = []
    x = torch.randn(shape.steps, shape.batch, shape.input_size)
    for cell, (kind, _) in CELLS.items():
        plain = kind(shape.input_size, shape.hidden_size)
        full = kind(shape.input_size, shape.hidden_size, layer_norm=True, zoneout=0.1, recurrent_dropout=0.2)
        times = interleaved({"plain": _training(plain, x), "full": _training(full, x)}, seconds=seconds)
        rows.append(
            {
                "cell": cell,
                "shape": shape.name,
                "plain_seconds": times["plain"].seconds,
                "options_seconds": times["full"].seconds,
                "ratio": times["full"].seconds / times["plain"].seconds,
                "kernel": full.kernel,
            }
        )
    return rows


def ragged_cost(shape: Case, seconds: float) -> list[dict[str, Any]]:
    """Training a ragged batch, over the padded batch's time scaled to the real steps; 1 is perfect."""
    lengths = imdb_lengths(shape.batch, shape.steps)
    share = float(lengths.sum()) / (shape.batch * shape.steps)
    x = torch.randn(shape.steps, shape.batch, shape.input_size)
    rows = []
    for cell, (kind, _) in CELLS.items():
        layer = kind(shape.input_size, shape.hidden_size)
        work = {"full": _training(layer, x), "ragged": _training(layer, x, lengths=lengths)}
        times = interleaved(work, seconds=seconds)
        ratio = times["ragged"].seconds / (times["full"].seconds * share)
        rows.append({"cell": cell, "shape": shape.name, "real_share": share, "ratio": ratio, "kernel": layer.kernel})
    return rows


def bf16_gain(seconds: float) -> list[dict[str, Any]]:
    """Inference with products of bfloat16: the speed gained and how far outputs move; empty where there are none."""
    rows: list[dict[str, Any]] = []
    for cell, (kind, _) in CELLS.items():
        for batch, steps, inputs, hidden in ((32, 200, 128, 128), (1, 200, 128, 128), (20, 35, 650, 650)):
            torch.manual_seed(0)
            layer, x = kind(inputs, hidden), torch.randn(steps, batch, inputs)

            def run(name: str, layer: Any = layer, x: torch.Tensor = x) -> torch.Tensor:
                with torch.no_grad(), precision(name):
                    output: torch.Tensor = layer(x)[0]
                return output

            exact, rounded = run("float32"), run("bf16")
            if not (layer.kernel or "").endswith("bf16"):
                return []
            times = interleaved({name: partial(run, name) for name in ("float32", "bf16")}, seconds=seconds)
            rows.append(
                {
                    "cell": cell,
                    "shape": f"{batch},{steps},{inputs},{hidden}",
                    "speed": times["float32"].seconds / times["bf16"].seconds,
                    "largest_difference": float((exact - rounded).abs().max()),
                    "mean_difference": float((exact - rounded).abs().mean()),
                }
            )
    return rows


def streaming(seconds: float, input_size: int = 40, hidden_size: int = 128) -> list[dict[str, Any]]:
    """Microseconds per time step of one stream: inside the session, from Python, and torch.nn step by step."""
    rows = []
    x = torch.randn(1, input_size)
    array = x.numpy()
    for cell, (kind, torch_kind) in CELLS.items():
        ours, theirs = kind(input_size, hidden_size).eval(), torch_kind(input_size, hidden_size).eval()
        session, held = ours.session(), [None]
        fused = session._fused

        def torch_step(layer: Any = theirs, held: list[Any] = held) -> None:
            with torch.no_grad():
                _, held[0] = layer(x[None], held[0])

        work: dict[str, Any] = {
            "tensor": lambda s=session: s(x),
            "array": lambda s=session: s(array),
            "torch": torch_step,
        }
        if fused is not None:
            output = torch.empty(1, hidden_size)
            call = (fused._handle, x.data_ptr(), output.data_ptr())
            work["inside"] = lambda f=fused, a=call: f._step(*a)
        times = interleaved(work, seconds=seconds)
        row = {f"{name}_microseconds": timing.seconds * 1e6 for name, timing in times.items()}
        rows.append({"cell": cell, "input_size": input_size, "hidden_size": hidden_size} | row)
        rows[-1]["kernel"] = session.implementation
    return rows


def scans(seconds: float, lengths: tuple[int, ...] = (1, 10, 100, 1000, 5000)) -> list[dict[str, Any]]:
    """The GRU's time over that of MinGRU and MinLSTM of its width, for short and long sequences."""
    rows = []
    for steps in lengths:
        x = torch.randn(steps, 32 if steps <= 1000 else 8, 128)
        layers = {"gru": CELLS["gru"][0](128, 128), "mingru": MinGRU(128, 128), "minlstm": MinLSTM(128, 128)}

        def inference(layer: Any, x: torch.Tensor = x) -> Any:
            def step() -> None:
                with torch.no_grad():
                    layer(x)

            return step

        modes = {
            "inference": {name: inference(layer) for name, layer in layers.items()},
            "training": {name: _training(layer, x) for name, layer in layers.items()},
        }
        for mode, work in modes.items():
            times = interleaved(work, seconds=seconds)
            row: dict[str, Any] = {"steps": steps, "batch": x.shape[1], "mode": mode}
            for name in ("mingru", "minlstm"):
                row[f"gru_over_{name}"] = times["gru"].seconds / times[name].seconds
            rows.append(row | {f"{name}_seconds": timing.seconds for name, timing in times.items()})
    return rows


def training_memory(library: str, cell: str, threads: int) -> float:
    """Mebibytes that three training steps of (32,200,128,128) add to this process at its peak; for a fresh process."""
    torch.set_num_threads(threads)
    pair = make_pair(cell, Case("", 32, 200, 128, 128))
    layer, run = (pair.ours, pair.run_ours) if library == "gatewise" else (pair.theirs, pair.run_theirs)
    torch.mm(torch.randn(256, 256), torch.randn(256, 256))
    warm = make_pair(cell, Case("", 2, 2, 8, 8))
    warm.training(warm.run_ours if library == "gatewise" else warm.run_theirs, warm.ours)()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts again from here
    before = _peak_kibibytes()
    step = pair.training(run, layer)
    for _ in range(3):
        step()
    return (_peak_kibibytes() - before) / 1024


def _peak_kibibytes() -> int:
    """This process's largest resident size so far; unlike ``ru_maxrss`` it does not begin with its parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def memory(threads: int) -> list[dict[str, Any]]:
    """Peak training memory of both libraries, each measured in a separate process."""
    rows = []
    for cell in CELLS:
        row: dict[str, Any] = {"cell": cell, "shape": "32,200,128,128"}
        for library in ("gatewise", "torch"):
            call = f"training_memory({library!r}, {cell!r}, {threads})"
            code = f"from gatewise.nn.benchmark.extras import training_memory; print({call})"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            row[f"{library}_mebibytes"] = float(done.stdout)
        rows.append(row | {"ratio": row["gatewise_mebibytes"] / max(row["torch_mebibytes"], 1e-9)})
    return rows
