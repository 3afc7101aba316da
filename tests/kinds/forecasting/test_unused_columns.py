"""Columns that nobody named, decimal commas that a run remembers, tables without times: found, said, kept."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gatewise import Forecaster
from gatewise.cli.app import main
from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.loading import load_series
from gatewise.training.registry import task_of

SMALL = {"horizon": 2, "lookback": 6}
FLAGS = ["--horizon", "2", "--lookback", "6", "--hidden-size", "4", "--epochs", "1", "--threads", "1"]
DAYS = pd.date_range("2025-01-01", periods=80)


def shop(**columns: object) -> pd.DataFrame:
    sales = [f"{100 + 9 * (n % 7)},{n % 10}5" for n in range(80)]
    return pd.DataFrame({"Datum": DAYS.strftime("%d.%m.%Y"), "Umsatz": sales, **columns})


def saved(folder: Path, frame: pd.DataFrame, name: str = "x.csv") -> Path:
    frame.to_csv(folder / name, index=False, sep=";")
    return folder / name


def said(path: Path, **settings: object) -> list[str]:
    notes = load_series(path, **SMALL, **settings).notes  # type: ignore[arg-type]
    return [note for note in notes if "not used; to read" in note]


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    return int(stop.value.code or 0)


ACTION = ["ja" if n % 9 == 0 else "nein" for n in range(80)]


def test_a_column_that_is_not_used_is_said_with_the_option_that_reads_it(tmp_path: Path) -> None:
    path = saved(tmp_path, shop(Aktion=ACTION))
    words = ["the column 'Aktion' is not used; to read it: --known Aktion (if known for the future too)"]
    assert said(path) == words
    assert said(path, known="Aktion") == []
    dataset = load_series(path, known="Aktion", **SMALL)  # type: ignore[arg-type]
    assert dataset.covariates.columns("known") == ("Aktion",), "the option does what it says"
    frame = pd.DataFrame({"sales": np.arange(80.0) % 7, "Aktion": ACTION}, index=DAYS)
    small = {"hidden_size": 4, "epochs": 1, "threads": 1}
    with pytest.warns(UserWarning, match="the column 'Aktion' is not used; to read it: --known Aktion"):
        fitted = Forecaster(**SMALL, **small).fit(frame)
    assert list(fitted.notes_) == words


def test_each_column_gets_the_option_that_is_apt(tmp_path: Path) -> None:
    frame = shop(Aktion=ACTION, Preis=["3,49", "2,99"] * 40, Besucher=[n % 13 for n in range(80)], holiday=[0, 1] * 40)
    assert said(saved(tmp_path, frame), target="Umsatz") == [
        "the columns 'Aktion', 'Preis', 'holiday' and 'Besucher' are not used; to read them: --known "
        "Aktion,Preis,holiday (if known for the future too), --features Besucher (known up to the present)"
    ]
    two = pd.concat([frame.assign(Filiale="a", Stadt="Ulm"), frame.assign(Filiale="b", Stadt="Bonn")])
    (note,) = said(saved(tmp_path, two), target="Umsatz", group="Filiale")
    assert "--static Stadt (constant in each series)" in note
    options = {"known": "Aktion,Preis,holiday", "features": "Besucher", "static": "Stadt"}
    found = load_series(tmp_path / "x.csv", target="Umsatz", group="Filiale", **options, **SMALL)  # type: ignore[arg-type]
    assert found.features == ("Besucher",)


@pytest.mark.parametrize(
    "column",
    [
        {"id": range(80)},
        {"Nr": range(7, 567, 7)},
        {"row": range(1, 81)},
        {"Jahr": [2025] * 80, "Monat": DAYS.month},
        {"Einheit": ["EUR", "USD"] * 40},
        {"Kommentar": [f"Zeile {n}" for n in range(80)]},
        {"Filiale": ["Nord"] * 80},
        {"geliefert": DAYS.strftime("%Y-%m-%d")},
    ],
)
def test_times_identities_units_and_constants_are_not_spoken_of(tmp_path: Path, column: dict[str, object]) -> None:
    assert said(saved(tmp_path, shop(**column)), target="Umsatz", time="Datum") == []


def test_the_columns_of_a_known_data_set_are_not_spoken_of() -> None:
    pytest.importorskip("arch")
    assert not [note for note in load_series("sp500", horizon=1).notes if "not used" in note]


def test_a_decimal_comma_that_was_found_is_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = saved(tmp_path, shop()), tmp_path / "run"
    assert run("train", str(path), *FLAGS, "--out", str(out)) == 0
    assert json.loads((out / "scaler.json").read_text())["decimal"] == ","
    later = pd.DataFrame({"Datum": DAYS[:12].strftime("%d.%m.%Y"), "Umsatz": [f"1,2{n:02}" for n in range(12)]})
    alone = saved(tmp_path, later, "later.csv")
    capsys.readouterr()
    assert run("predict", str(out), "--file", str(alone)) == 0, "1,200 may have either by itself"
    first = capsys.readouterr().out.splitlines()[1].split(";")[1]
    assert abs(float(first.replace(",", "."))) < 500, "read as 1.2 and not as 1200"
    assert run("evaluate", str(out), str(path), "--json") == 0


def test_a_file_of_several_decimal_marks_remembers_none(tmp_path: Path) -> None:
    path = saved(tmp_path, shop(Preis=["3.49", "2.99"] * 40))
    assert load_series(path, target="Umsatz", features="Preis", **SMALL).decimal == "."  # type: ignore[arg-type]
    assert load_series(path, target="Umsatz", **SMALL).decimal == ","  # type: ignore[arg-type]


def test_a_file_without_times_is_said_to_be_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = saved(tmp_path, shop()[::-1]), tmp_path / "run"
    assert load_series(path, **SMALL).time == "Datum"  # type: ignore[arg-type]
    dataset = load_series(path, time="none", **SMALL)  # type: ignore[arg-type]
    assert dataset.time is None and dataset.series[0].values[0, 0] == pytest.approx(100 + 9 * (79 % 7) + 0.95)
    assert not [note for note in dataset.notes if "time" in note]
    assert run("train", str(path), *FLAGS, "--time", "none", "--out", str(out)) == 0
    capsys.readouterr()
    assert run("predict", str(out), "--file", str(path)) == 0
    assert capsys.readouterr().out.startswith("step;Umsatz\n1;")
    frame = pd.DataFrame({"day": DAYS, "sales": np.arange(80.0) % 7})
    fitted = Forecaster(**SMALL, time="none", target="sales", hidden_size=4, epochs=1, threads=1).fit(frame)
    assert fitted.predict().index.tolist() == [80, 81]
    called = pd.DataFrame({"none": DAYS, "sales": np.arange(80.0) % 7})
    assert load_series(saved(tmp_path, called), time="none", **SMALL).time == "none"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "values", "further", "noted"),
    [
        ("sales", [62.838 + n for n in range(80)], {}, True),
        ("price", [1.234 + n / 971 for n in range(80)], {}, False),
        ("sales", [0.987 + n / 7 for n in range(80)], {}, False),
        ("sales", [12.345 + n for n in range(80)], {"other": [f"{n % 9}.49" for n in range(80)]}, False),
    ],
)
def test_prices_of_three_decimals_are_not_taken_for_thousands(
    tmp_path: Path, name: str, values: list[float], further: dict[str, list[str]], noted: bool
) -> None:
    frame = pd.DataFrame({"day": DAYS.strftime("%Y-%m-%d"), name: [f"{value:.3f}" for value in values], **further})
    notes = load_series(saved(tmp_path, frame), target=name, **SMALL).notes  # type: ignore[arg-type]
    assert any("--thousands" in note for note in notes) == noted


def test_numbers_of_a_workbook_have_decimal_points(tmp_path: Path) -> None:
    rows = "\n".join(json.dumps({"day": f"{day:%Y-%m-%d}", "x": 62.838 + n}) for n, day in enumerate(DAYS))
    (tmp_path / "x.jsonl").write_text(rows)
    assert not [note for note in load_series(tmp_path / "x.jsonl", **SMALL).notes if "--thousands" in note]  # type: ignore[arg-type]


def test_an_explanation_writes_times_as_the_file_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = saved(tmp_path, shop()), tmp_path / "run"
    assert run("train", str(path), *FLAGS, "--out", str(out)) == 0
    said_by_train = capsys.readouterr().out
    for further in ([], [str(path)]):
        assert run("explain", str(out), *further, "--text") == 0
        words = capsys.readouterr().out
        assert "2025-" not in words and ".2025" in words and "Umsatz +1: " in words and "1 step ahead" in words
    assert "up to 21.03.2025" in words and re.search(r"from \d\d\.03\.2025 on", said_by_train)
    assert "a block a step: how far it moves Umsatz +1" in words and "the answer goes from" in words


@pytest.mark.parametrize(
    ("header", "row", "kind"),
    [
        ("day,sales", "2026-01-{n:02},{n}", "forecasting"),
        ("Datum;Filiale;Umsatz", "{n:02}.01.2026;Nord;{n},50", "forecasting"),
        ("time\tload", "2026-01-01 {n:02}:00\t{n}.5", "forecasting"),
        ("date,comment,stars", "2026-01-{n:02},a long comment of several words,{n}", "classification"),
        ("datum,betreff,id", "2026-01-{n:02},Frage {n},{n}", "classification"),
        ("date,text,label", "2026-01-{n:02},fine,{n}", "classification"),
        ("day,shop", "2026-01-{n:02},north", "classification"),
        ("id,sales", "{n},{n}", "classification"),
    ],
)
def test_a_table_of_dates_and_numbers_without_texts_is_a_series(
    tmp_path: Path, header: str, row: str, kind: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("\n".join([header, *(row.format(n=n) for n in range(1, 24))]) + "\n")
    assert task_of(str(path)) == kind


def test_series_that_a_column_tells_apart_are_not_read_as_one(tmp_path: Path) -> None:
    shops = pd.concat([shop(Filiale="Nord"), shop(Filiale="Süd")])
    path = saved(tmp_path, shops)
    for target in (None, "Umsatz"):
        with pytest.raises(DataError, match="a time comes twice") as caught:
            load_series(path, target=target, **SMALL)  # type: ignore[arg-type]
        assert "one series each: --time Datum --group Filiale" in str(caught.value.fix)
    assert len(load_series(path, target="Umsatz", time="Datum", group="Filiale", **SMALL).series) == 2  # type: ignore[arg-type]
    assert len(load_series(path, target="Umsatz", time="none", **SMALL).series) == 1  # type: ignore[arg-type]
    with pytest.raises(DataError, match="--time Datum --group Filiale"):
        Forecaster(target="Umsatz", horizon=2, lookback=6).fit(shops)


def test_what_is_refused_in_training_is_still_forecast_by_a_network_of_one_series() -> None:
    network = Forecaster(target="Umsatz", horizon=2, lookback=6, hidden_size=4, epochs=1, threads=1)
    network.fit(shop().drop(columns="Datum").assign(Filiale="Nord"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(network.predict(frame=pd.concat([shop(Filiale="Nord"), shop(Filiale="Süd")]))) == 2
