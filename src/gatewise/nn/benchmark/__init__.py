"""Benchmark of the layers against torch.nn's in the same run; ``gatewise bench`` and ``benchmarks/layers.py``.

``timing`` takes the samples, ``parity`` compares results first, ``cases`` holds the shapes, ``extras`` further
measurements (options, ragged batches, streams, scans, memory), ``run`` collects one record.
"""

from gatewise.nn.benchmark.run import run_benchmark

__all__ = ["run_benchmark"]
