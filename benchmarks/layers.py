"""Speed of the layers beside torch.nn in the same run; the same as ``gatewise bench``.

python benchmarks/layers.py [--threads 2] [--quick] [--json FILE] [--cell gru]
"""

import typer

from gatewise.cli.bench import bench

if __name__ == "__main__":
    typer.run(bench)
