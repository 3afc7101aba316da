"""A process of its own that measures: what it answers, and what is said where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatewise.comparison.cost.alone import measured_alone
from gatewise.errors import RunError

SOURCE = """
import sys, time
from gatewise.comparison.cost.alone import answer
print("what a library prints")
{body}
"""


def asked(place: Path, monkeypatch: pytest.MonkeyPatch, body: str, seconds: float = 60.0) -> Any:
    (place / "measuring_module.py").write_text(SOURCE.format(body=body))
    monkeypatch.setenv("PYTHONPATH", str(place), prepend=":")
    return measured_alone(
        "measuring_module", "one", "two words", seconds=seconds, late="the steps", failed="the steps are not known"
    )


def test_the_last_answer_counts_and_other_output_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "answer({'words': sys.argv[1:]}); print('the end')"
    assert asked(tmp_path, monkeypatch, body) == {"words": ["one", "two words"]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise MemoryError('no room')", "exit code 1: MemoryError: no room"),
        ("sys.exit(3)", "exit code 3: no message"),
        ("answer(float('nan'))", "exit code 1: ValueError: .*not JSON compliant"),
        ("pass", "exit code 0: no message"),
    ],
)
def test_a_process_without_an_answer_is_an_error(
    body: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunError, match=f"the steps are not known.*{said}"):
        asked(tmp_path, monkeypatch, body)


def test_a_process_that_takes_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match=r"measuring the steps took more than 0\.5 s"):
        asked(tmp_path, monkeypatch, "time.sleep(60)", seconds=0.5)
