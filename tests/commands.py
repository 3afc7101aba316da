"""The command `gatewise` in the process of the test: its exit code, and what it says."""

from collections.abc import Iterable

import pytest

from gatewise.cli import main


def exit_code(words: Iterable[object]) -> int:
    """Run a command; its exit code."""
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0)


def ran(words: Iterable[object], capture: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run a command; its exit code, standard output and standard error."""
    capture.readouterr()
    left = exit_code(words)
    captured = capture.readouterr()
    return left, captured.out, captured.err


def refused(words: Iterable[object], capture: pytest.CaptureFixture[str]) -> str:
    """Run a command that is refused; its message in one line."""
    left, _, said = ran(words, capture)
    assert left == 2 and "Traceback" not in said, said
    return " ".join(said.split())
