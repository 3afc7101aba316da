"""Compare in a process of its own, which a test kills as a power cut would."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from gatewise.comparison import make_plan, run_plan
from gatewise.comparison.run.events import TrialDone, TrialStatus


def main() -> None:
    """Arguments: data, folder, jobs, what is to be seen before the end (done:N or step:NAME), the plan as JSON."""
    data, folder, jobs, when, plan = sys.argv[1:]
    done = 0

    def listen(event: object) -> None:
        nonlocal done
        done += isinstance(event, TrialDone)
        stepped = isinstance(event, TrialStatus) and event.step > 0 and when == f"step:{event.name}"
        if when == f"done:{done}" or stepped:
            os.kill(os.getpid(), signal.SIGKILL)

    run_plan(make_plan(data, **json.loads(plan)), Path(folder), jobs=int(jobs), cost=False, on_event=listen)


if __name__ == "__main__":
    main()
