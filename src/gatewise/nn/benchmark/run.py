"""One benchmark run: parity, times, means, extras and goals in one record."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch

from gatewise.kernels.doctor import diagnose
from gatewise.nn.benchmark import extras
from gatewise.nn.benchmark.cases import CELLS, Case, Pair, cases, make_pair
from gatewise.nn.benchmark.others import other_calls
from gatewise.nn.benchmark.parity import TOLERANCE, check_parity, largest_difference
from gatewise.nn.benchmark.timing import PAUSE, interleaved, matmul_peak

__all__ = ["geometric_mean", "measure_case", "run_benchmark"]

GOALS: dict[str, dict[str, float]] = {
    "inference": {"rnn": 3.0, "gru": 3.0, "lstm": 1.3},
    "training": {"rnn": 3.0, "gru": 3.2, "lstm": 1.45},
}
"""Geometric means over the counted shapes that two threads are to reach, torch's time over ours."""


def geometric_mean(values: list[float]) -> float:
    """The n-th root of the product.

    Example:
        >>> geometric_mean([1.0, 4.0])
        2.0
    """
    return math.exp(sum(map(math.log, values)) / len(values))


def _inference(run: Callable[[], object]) -> Callable[[], None]:
    def step() -> None:
        with torch.no_grad():
            run()

    return step


def measure_case(cell: str, case: Case, peak: float, seconds: float) -> dict[str, Any]:
    """Parity first; then, only if it holds, both libraries' times in turns.

    Args:
        cell: ``rnn``, ``gru`` or ``lstm``.
        case: the shape.
        peak: operations per second of the matrix product just measured.
        seconds: to spend per mode.

    Returns:
        A row of the record; without times where parity does not hold.

    Example:
        >>> row = measure_case("gru", Case("tiny", 2, 3, 4, 5), 1e9, 0.0)
        >>> row["parity"]["holds"], row["training"]["ratio"] > 0
        (True, True)
    """
    pair = make_pair(cell, case)
    parity = check_parity(pair)
    row: dict[str, Any] = {
        "cell": cell,
        "shape": case.name,
        "counted": case.counted,
        "kernel": pair.ours.kernel,
        "parity": asdict(parity) | {"holds": parity.holds},
        "peak_gigaflops": peak / 1e9,
    }
    if not parity.holds:
        return row
    operations = case.forward_operations(cell)
    others = {} if case.ragged or case.bidirectional or case.num_layers > 1 else _others(pair)
    row["others"] = {name: {"difference": gap} for name, (_, gap) in others.items()}
    if not all(gap <= TOLERANCE for _, gap in others.values()):
        worst = max(others, key=lambda name: others[name][1])
        row["parity"] |= {"holds": False, "output": others[worst][1], "worst": f"output of {worst}"}
        return row
    for mode, work, factor in _modes(pair):
        if mode == "inference":
            work |= {name: call for name, (call, _) in others.items()}
        # where others bring threads of their own, which would go on spinning
        apart = mode == "inference" and bool(others) and torch.get_num_threads() > 1
        times = interleaved(work, seconds=seconds, rounds=15 if apart else 7, pause=PAUSE if apart else 0.0)
        for name in others.keys() & times.keys():
            row["others"][name] |= {
                "ratio": times[name].seconds / times["gatewise"].seconds,
                "seconds": times[name].seconds,
            }
        row[mode] = {
            "ratio": times["torch"].seconds / times["gatewise"].seconds,
            "gatewise_seconds": times["gatewise"].seconds,
            "torch_seconds": times["torch"].seconds,
            "gatewise_share_of_peak": factor * operations / times["gatewise"].seconds / peak,
            "torch_share_of_peak": factor * operations / times["torch"].seconds / peak,
            "samples": times["gatewise"].samples,
            "disturbed": times["gatewise"].disturbed or times["torch"].disturbed,
        }
    return row


def _others(pair: Pair) -> dict[str, tuple[Callable[[], Any], float]]:
    """The other programs, each with how far its output is from torch's."""
    with torch.no_grad():
        expected = pair.run_theirs()[0]
    calls = other_calls(pair.theirs, pair.x.detach(), torch.get_num_threads())
    return {name: (call, largest_difference(torch.as_tensor(call()), expected)) for name, call in calls.items()}


def _modes(pair: Pair) -> list[tuple[str, dict[str, Callable[[], None]], float]]:
    """Name, what is timed, and operations as a multiple of the forward pass's."""
    training = {
        "gatewise": pair.training(pair.run_ours, pair.ours),
        "torch": pair.training(pair.run_theirs, pair.theirs),
    }
    inference = {"gatewise": _inference(pair.run_ours), "torch": _inference(pair.run_theirs)}
    return [("inference", inference, 1.0), ("training", training, 3.0)]


def run_benchmark(
    *,
    threads: int = 2,
    quick: bool = False,
    seconds: float | None = None,
    cells: tuple[str, ...] = tuple(CELLS),
    with_extras: bool = True,
    on_row: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Measure everything.

    Args:
        threads: torch's threads while it runs; restored afterwards.
        quick: three small shapes, little time each: shows that everything works, not how fast it is.
        seconds: per mode, cell and shape; default 1.0, quick 0.05.
        cells: which of ``rnn``, ``gru``, ``lstm``.
        with_extras: also options, ragged rows, streams, scans and memory.
        on_row: called with each finished row.

    Returns:
        The record, plain JSON values: ``machine``, ``rows``, ``means``, ``extras``, ``goals``, ``parity_holds``.
    """
    spend = seconds if seconds is not None else 0.05 if quick else 1.0
    former = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        rows = []
        for case in cases(quick):
            peak = matmul_peak(512 if quick else 2048)
            for cell in cells:
                rows.append(measure_case(cell, case, peak, spend))
                if on_row is not None:
                    on_row(rows[-1])
        more = _extras(quick, spend, threads) if with_extras else {}
        machine = diagnose().to_dict()
    finally:
        torch.set_num_threads(former)
    means = _means(rows)
    return {
        "format_version": 1,
        "threads": threads,
        "quick": quick,
        "machine": {name: machine[name] for name in ("cpu", "machine", "cpus", "torch", "compiler", "chosen")},
        "parity_holds": all(row["parity"]["holds"] for row in rows),
        "rows": rows,
        "means": means,
        "extras": more,
        "goals": _goals(means, more),
    }


def _extras(quick: bool, seconds: float, threads: int) -> dict[str, Any]:
    small = Case("8,32,32,32", 8, 32, 32, 32)
    result: dict[str, Any] = {
        "options": extras.options_cost(small if quick else Case("32,200,128,128", 32, 200, 128, 128), seconds),
        "ragged": extras.ragged_cost(small if quick else Case("32,256,128,128", 32, 256, 128, 128), seconds),
        "streaming": extras.streaming(seconds),
        "bf16": [] if quick else extras.bf16_gain(seconds),
        "scans": extras.scans(seconds, (1, 10) if quick else (1, 10, 100, 1000, 5000)),
    }
    linux = sys.platform.startswith("linux")
    return result | {"memory": extras.memory(threads)} if linux and not quick else result


def _means(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Geometric means of the ratios over the counted shapes, and of cells' training times over each other."""
    means: dict[str, Any] = {}
    counted = [row for row in rows if row["counted"]]
    for mode in ("inference", "training"):
        for cell in CELLS:
            of_cell = [row for row in counted if row["cell"] == cell]
            if of_cell and all(mode in row for row in of_cell):
                means.setdefault(mode, {})[cell] = geometric_mean([row[mode]["ratio"] for row in of_cell])
    times = {(row["cell"], row["shape"]): row["training"]["gatewise_seconds"] for row in counted if "training" in row}
    for cell in ("rnn", "gru"):
        shares = [
            time / times["lstm", shape]
            for (name, shape), time in times.items()
            if name == cell and ("lstm", shape) in times
        ]
        if shares:
            means.setdefault("training_time_over_lstm", {})[cell] = geometric_mean(shares)
    return means


def _goals(means: dict[str, Any], more: dict[str, Any]) -> list[dict[str, Any]]:
    """Each goal with its measured value; at least or at most as its relation says."""
    goals: list[tuple[str, str, float, float]] = []
    for mode, wanted in GOALS.items():
        for cell, goal in wanted.items():
            if cell in means.get(mode, {}):
                goals.append((f"{mode} speed over torch, {cell}", ">=", goal, means[mode][cell]))
    for cell, goal in (("gru", 0.80), ("rnn", 0.35)):
        if cell in means.get("training_time_over_lstm", {}):
            goals.append((f"training time over LSTM, {cell}", "<=", goal, means["training_time_over_lstm"][cell]))
    for name, goal, title in (("options", 1.4, "options over plain"), ("ragged", 1.1, "ragged over real steps")):
        goals += [(f"{title}, {row['cell']}", "<=", goal, row["ratio"]) for row in more.get(name, [])]
    for row in more.get("streaming", []):
        goals.append((f"streaming step from Python, µs, {row['cell']}", "<=", 15.0, row["tensor_microseconds"]))
        if "inside_microseconds" in row:
            goals.append((f"streaming step inside, µs, {row['cell']}", "<=", 8.0, row["inside_microseconds"]))
    for row in more.get("scans", []):
        for key, title in (("mingru", "MinGRU"), ("minlstm", "MinLSTM")):
            name = f"GRU over {title}, {row['mode']}, T={row['steps']}"
            goals.append((name, ">=", 1.0, row[f"gru_over_{key}"]))
    goals += [(f"training memory over torch, {row['cell']}", "<=", 1.0, row["ratio"]) for row in more.get("memory", [])]
    return [
        {"name": name, "relation": relation, "goal": goal, "measured": value, "met": _met(relation, goal, value)}
        for name, relation, goal, value in goals
    ]


def _met(relation: str, goal: float, value: float) -> bool:
    return value >= goal if relation == ">=" else value <= goal
