"""Train in a process of its own and kill it, as a power cut would, after a given number of steps."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from moods import moods, small_spec

from gatewise.training import StepDone, loop, train_run


def main() -> None:
    folder, steps, sign = Path(sys.argv[1]), int(sys.argv[2]), signal.Signals[sys.argv[3]]
    loop.CHECKPOINT_SECONDS = 0.0
    done = 0

    def listen(event: object) -> None:
        nonlocal done
        if isinstance(event, StepDone):
            done += 1
            if done == steps:
                os.kill(os.getpid(), sign)

    train_run(small_spec(averaging=0.9), moods(folder), folder / "run", on_event=listen)


if __name__ == "__main__":
    main()
