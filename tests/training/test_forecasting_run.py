"""A forecasting run as a whole: nothing of the test part is learnt, the same windows for all, resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gatewise.errors import RunError
from gatewise.kinds.forecasting.series.table import read_frame
from gatewise.training import load_run, train_run
from gatewise.training.assembly import make_spec
from gatewise.training.registry import kind_of
from gatewise.training.run_folder import RunFolder
from run_folders import without_checksums

SETTINGS: dict[str, Any] = {
    "time": "day",
    "target": "load,heat",
    "features": "wind",
    "group": "place",
    "horizon": 4,
    "lookback": 12,
    "hidden_size": 6,
    "epochs": 2,
    "batch_size": 32,
    "threads": 1,
    "quantiles": "0.1,0.9",
}


def places(path: Path, rows: int = 90) -> pd.DataFrame:
    random = np.random.default_rng(0)
    parts = []
    for name, level in (("north", 10.0), ("south", 500.0)):
        walk = level + np.cumsum(random.normal(size=(rows, 2)), axis=0)
        parts.append(
            pd.DataFrame(
                {
                    "day": pd.date_range("2026-01-01", periods=rows, freq="D"),
                    "place": name,
                    "load": walk[:, 0],
                    "heat": walk[:, 1],
                    "wind": random.normal(size=rows),
                }
            )
        )
    frame = pd.concat(parts)
    frame.to_csv(path, index=False)
    return frame


def run(path: Path, out: Path, **settings: Any) -> tuple[Any, Any]:
    spec = make_spec("forecasting", str(path), {**SETTINGS, **settings})
    dataset = kind_of("forecasting").load(spec.data)
    train_run(spec, dataset, out)
    return load_run(out), dataset


@pytest.mark.parametrize("decoding", ["direct", "segments"])
def test_a_shuffled_future_changes_no_weight(tmp_path: Path, decoding: str) -> None:
    frame = places(tmp_path / "a.csv")
    later = frame["day"] >= pd.Timestamp("2026-01-01") + pd.Timedelta(days=72)
    changed = frame.copy()
    changed.loc[later, ["load", "heat", "wind"]] = (
        changed.loc[later, ["load", "heat", "wind"]].sample(frac=1, random_state=1).to_numpy() * 7
    )
    changed.to_csv(tmp_path / "b.csv", index=False)
    settings = {"decoding": decoding, "segment_length": 4, "channel_independent": decoding == "segments"}
    first, dataset = run(tmp_path / "a.csv", tmp_path / "first", **settings)
    second, other = run(tmp_path / "b.csv", tmp_path / "second", **settings)
    for name, value in first.model.state_dict().items():
        torch.testing.assert_close(value, second.model.state_dict()[name], rtol=0, atol=0)
    assert first.scalings["north"].to_dict() == second.scalings["north"].to_dict()
    assert first.test(dataset).metrics["loss"] != second.test(other).metrics["loss"]
    ridges = []
    for each in (dataset, other):
        ridge = kind_of("forecasting").baselines(None)[3]
        ridge.fit(each)
        ridges.append(ridge._model.weights)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(*ridges)


def test_networks_and_baselines_are_measured_on_the_same_windows(tmp_path: Path) -> None:
    places(tmp_path / "a.csv")
    trained, dataset = run(tmp_path / "a.csv", tmp_path / "run")
    kind = kind_of("forecasting")
    baselines = kind.baselines(trained.spec.data)
    assert [each.name for each in baselines] == ["persistence", "seasonal-naive", "drift", "ridge"]
    truths = []
    for each in (trained, *baselines):
        if each is not trained:
            each.fit(dataset)
        for part in ("validation", "test"):
            found = each.test(dataset, part)
            assert found.contributions.shape == (dataset.sizes[part],)
            assert found.contributions.mean() == pytest.approx(found.metrics[kind.measure(dataset).name])
            assert len(found.metrics["by_horizon"]) == 4
        truths.append([fan["truth"] for fan in found.predictions["fans"]])
    assert all(truth == truths[0] for truth in truths)
    assert set(trained.test(dataset).metrics["coverage"]) == {"0.1", "0.9"}
    description = kind.describe(dataset)
    assert description["series"] == ["north", "south"] and description["season"] == 7


def test_inputs_and_predictor_come_from_the_test_part(tmp_path: Path) -> None:
    places(tmp_path / "a.csv")
    trained, dataset = run(tmp_path / "a.csv", tmp_path / "run")
    inputs = trained.stacks(dataset, 3, 5)["recurrent"]
    assert inputs.inputs.shape == (5, 3, 3) and inputs.lengths is None and not inputs.inputs.is_inference()
    values, quantiles = trained.predictor(dataset)(2)
    whole, _ = trained.forecasts(dataset)
    np.testing.assert_allclose(values, whole[:2], rtol=1e-6)
    assert sorted(quantiles) == [0.1, 0.9]


def test_a_damaged_scaler_is_refused(tmp_path: Path) -> None:
    places(tmp_path / "a.csv")
    run(tmp_path / "a.csv", tmp_path / "run")
    place = tmp_path / "run" / "scaler.json"
    place.write_text(place.read_text().replace('"mean"', '"meen"'))
    without_checksums(tmp_path / "run")
    with pytest.raises(RunError, match=r"scaler\.json is damaged"):
        load_run(tmp_path / "run")


def test_a_stopped_run_ends_in_the_same_bits(tmp_path: Path) -> None:
    from gatewise.training.interruption import Interrupted

    places(tmp_path / "a.csv")
    whole, dataset = run(tmp_path / "a.csv", tmp_path / "whole")

    class Stop(Exception):
        pass

    def after_first(event: object) -> None:
        if type(event).__name__ == "EpochDone":
            raise Stop

    spec = make_spec("forecasting", str(tmp_path / "a.csv"), SETTINGS)
    with pytest.raises((Stop, Interrupted)):
        train_run(spec, dataset, tmp_path / "stopped", on_event=after_first)
    assert RunFolder(tmp_path / "stopped").result() is None
    train_run(spec, dataset, tmp_path / "stopped")
    taken_up = load_run(tmp_path / "stopped")
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(value, taken_up.model.state_dict()[name], rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.shared_data
def test_baselines_on_transformer_temperatures_are_the_published_ones() -> None:
    import os

    from gatewise.kinds.forecasting.series.loading import load_series

    folder = Path(os.environ.get("GATEWISE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (folder / "ett" / "ETTh1.csv.gz").is_file():
        pytest.skip("the transformer temperatures are not at hand")
    dataset = load_series("etth1", horizon=96, lookback=336, cache=folder)
    assert dataset.sizes == {"train": 8209, "validation": 2785, "test": 2785}
    persistence = kind_of("forecasting").baselines(None)[0]
    persistence.fit(dataset)
    figures = persistence.test(dataset).metrics
    # "Repeat" in Zeng et al. (2023): 1.295 and 0.713
    assert figures["mean_squared_error"] == pytest.approx(1.295, abs=1e-3)
    assert figures["mean_absolute_error"] == pytest.approx(0.713, abs=1e-3)


def test_a_look_back_that_is_derived_is_the_same_as_given(tmp_path: Path) -> None:
    """Runs of before look-backs were derived have 60 in their spec."""
    long, short = tmp_path / "long.csv", tmp_path / "short.csv"
    places(long, 400)
    places(short)
    for path, folder in ((long, tmp_path / "a"), (short, tmp_path / "b")):
        run(path, folder, lookback=60 if path == long else 20, horizon=1, epochs=1)
    before = (tmp_path / "a" / "result.json").read_bytes()
    run(long, tmp_path / "a", lookback=None, horizon=1, epochs=1)
    assert (tmp_path / "a" / "result.json").read_bytes() == before
    derived, dataset = run(long, tmp_path / "c", lookback=None, horizon=1, epochs=1)
    assert dataset.lookback == derived.lookback == 60
    run(long, tmp_path / "c", lookback=60, horizon=1, epochs=1)
    repeat = r"expected: lookback None; got: lookback 20; .*repeat the options of the run in it: --lookback 20$"
    with pytest.raises(RunError, match=repeat):
        run(short, tmp_path / "b", lookback=None, horizon=1, epochs=1)
    with pytest.raises(RunError, match=r"got: lookback 60; .*in it$"):
        run(long, tmp_path / "a", lookback=59, horizon=1, epochs=1)
    with pytest.raises(RunError, match=r"holds another run; expected: lookback 48; got: lookback None"):
        run(long, tmp_path / "c", lookback=48, horizon=1, epochs=1)


def test_rare_separators_of_series_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    frame = places(path)
    frame.to_csv(path, index=False, sep="~")
    assert kind_of("forecasting").load(make_spec("forecasting", str(path), SETTINGS).data).sizes["train"] > 0


def test_a_header_that_holds_a_comma_beside_its_separator_is_cut_at_the_separator(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("date;price, EUR\n2020-01-01;1\n2020-01-02;2\n")
    assert read_frame(path)[0].columns.tolist() == ["date", "price, EUR"]
