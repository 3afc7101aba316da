"""What a comparison is given as its data, refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import gatewise
from commands import ran
from gatewise.errors import DataError, OptionError


@pytest.mark.parametrize("data", [pd.DataFrame({"text": ["a"], "label": ["b"]}), 5, ["imdb", 3]])
def test_a_table_is_not_taken_for_a_list_of_names(data: object) -> None:
    with pytest.raises(OptionError, match=r"data are given by name; .*got: (DataFrame|int); .*to_csv"):
        gatewise.compare(data)  # type: ignore[call-overload]


def test_a_test_part_of_one_window_is_trained_on_but_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nile.csv").write_text(
        "year,volume\n" + "".join(f"{1871 + n},{1120 + 40 * (n % 3)}\n" for n in range(5))
    )
    with pytest.raises(DataError, match=r"nile\.csv has 1 window; expected: at least 2"):
        gatewise.compare(tmp_path / "nile.csv", task="forecasting", cells=["gru"], epochs=1, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    words = ["train", tmp_path / "nile.csv", "--task", "forecasting", "--epochs", 1, "--threads", 1]
    code, said, _ = ran([*words, "--out", tmp_path / "run"], capsys)
    assert code == 0 and " on 1 window; trained" in " ".join(said.split())
