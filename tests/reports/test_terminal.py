"""The tables fit the terminal and show every figure."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gatewise.reports import print_comparison
from made_up_comparison import made_up_record


def _printed(width: int, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    record = made_up_record({"baseline": 0.9, "rnn": 0.86, "lstm": 0.88, "gru": 0.885}, seeds=2)
    print_comparison(
        record,
        Console(file=stream, width=width, force_terminal=terminal, color_system="truecolor" if terminal else None),
    )
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 108, 120, 200])
def test_nothing_is_cut_off(width: int) -> None:
    text = _printed(width)
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
    for figure in ("RNN", "LSTM", "GRU", "scikit-learn", "2.69 M", "3.1 ms", "700 µs"):
        assert figure in text


def test_wide_is_one_table_and_narrow_two() -> None:
    assert _printed(80).count("model ") == 2
    assert _printed(120).count("model ") == 1


def test_colour_only_where_there_is_a_terminal() -> None:
    assert "\x1b[" not in _printed(80)
    assert "\x1b[" in _printed(80, terminal=True)
