"""Compare in a process of its own, which a test kills as a power cut would."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import gatewise
from gatewise.comparison.events import TrialDone, TrialStatus
from small_data import SETTINGS


def main() -> None:
    """Arguments: data, folder, jobs, and what is to be seen before the end: done:N, step:NAME or nothing."""
    data, folder, jobs, when = sys.argv[1:]
    done = 0

    def listen(event: object) -> None:
        nonlocal done
        done += isinstance(event, TrialDone)
        stepped = isinstance(event, TrialStatus) and event.step > 0 and when == f"step:{event.name}"
        if when == f"done:{done}" or stepped:
            os.kill(os.getpid(), signal.SIGKILL)

    gatewise.compare(
        data,
        cells=["rnn", "gru"],
        seeds=2,
        grid={"dropout": [0.0, 0.5]},
        out=folder,
        jobs=int(jobs),
        cost=False,
        text="review",
        label="mood",
        on_event=listen,
        **SETTINGS,
    )


if __name__ == "__main__":
    main()
