"""How fast the layers are here, beside torch.nn's in the same run; ``gatewise bench`` and ``benchmarks/layers.py``.

``timing`` takes the samples, ``parity`` compares results first, ``cases`` holds the shapes, ``extras`` the questions
beyond them (options, ragged batches, streams, scans, memory), ``run`` puts it all into one record.
"""

from gatewise.nn.benchmark.run import run_benchmark

__all__ = ["run_benchmark"]
