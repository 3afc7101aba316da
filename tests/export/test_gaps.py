"""What is printed of the check of an export."""

from __future__ import annotations

import pytest

from gatewise.cli.export import _print_check
from gatewise.export.gaps import Check


@pytest.mark.parametrize(
    ("examples", "shortest", "longest", "said"),
    [
        (100, 2, 50, "Checked on 100 test examples of 2 to 50 steps: "),
        (100, 6, 6, "Checked on 100 test examples of 6 steps: "),
        (1, 1, 1, "Checked on 1 test example of 1 step: "),
        (8, None, None, "Checked on 8 test examples: "),
    ],
)
def test_lengths_of_the_examples(
    examples: int, shortest: int | None, longest: int | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _print_check(Check(examples, shortest, longest, {"onnxruntime, trained network": 1e-7}))
    assert capsys.readouterr().out.startswith(said + "greatest difference 1.0e-07")
    _print_check(Check(examples, shortest, longest, {"C, NumPy": 0.0}, limit=0.0))
    assert capsys.readouterr().out.startswith(said + "equal bit for bit")
