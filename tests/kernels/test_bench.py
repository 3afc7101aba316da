"""``gatewise bench``: the record is complete, and nothing is called fast that is wrong."""

import json

import pytest
import torch
from typer.testing import CliRunner

from gatewise.cli.app import app
from gatewise.errors import OptionError
from gatewise.nn.benchmark import cases, others, parity, run, timing
from gatewise.nn.benchmark.cases import Case, make_pair
from gatewise.nn.benchmark.parity import check_parity, largest_difference

TINY = Case("2,5,3,4", 2, 5, 3, 4, counted=True)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(run, "cases", lambda quick: (TINY, Case("ragged", 3, 6, 3, 4, ragged=True)))
    monkeypatch.setattr(run, "matmul_peak", lambda size: 1e9)


def test_the_command_writes_a_complete_record(tiny, tmp_path):
    target = tmp_path / "bench.json"
    done = CliRunner().invoke(
        app, ["bench", "--quick", "--threads", "1", "--seconds", "0", "--no-extras", "--json", str(target)]
    )
    assert done.exit_code == 0, done.output
    record = json.loads(target.read_text())
    assert record["parity_holds"]
    assert [(row["shape"], row["cell"]) for row in record["rows"]] == [
        (shape, cell) for shape in ("2,5,3,4", "ragged") for cell in ("rnn", "gru", "lstm")
    ]
    for row in record["rows"]:
        assert row["inference"]["ratio"] > 0 and row["training"]["ratio"] > 0
    assert set(record["means"]["training"]) == {"rnn", "gru", "lstm"}
    assert {goal["relation"] for goal in record["goals"]} == {">=", "<="}
    # what was measured is printed, not what its makers wish for
    assert "training speed over torch, gru" in done.output
    assert ", 1 thread, torch" in done.output
    assert "share of peak, torch -> Gatewise: arithmetic per second" in done.output
    assert not any(word in done.output for word in ("goal", "met ", "missed", ">=", "<="))


@pytest.mark.parametrize("cores", [1, 3])
def test_threads_are_as_many_as_this_process_may_use(monkeypatch, cores):
    given = []

    def measured(**options):
        given.append(options["threads"])
        raise OptionError("enough was seen")

    monkeypatch.setattr("gatewise.nn.benchmark.run_benchmark", measured)
    monkeypatch.setattr("gatewise.training.checks.usable_cores", lambda: cores)
    for words in ([], ["--threads", "2"]):
        assert CliRunner().invoke(app, ["bench", "--quick", *words]).exit_code
    assert given == [cores, 2]


def test_no_ratio_while_results_differ(tiny, monkeypatch, tmp_path):
    """Where a layer's weights were touched, its row shows the difference and no speed, and the exit code is 1."""

    def wrong_pair(cell, case):
        pair = make_pair(cell, case)
        with torch.no_grad():
            pair.ours.weight_hh_l0.add_(0.01)
        return pair

    monkeypatch.setattr(run, "make_pair", wrong_pair)
    target = tmp_path / "bench.json"
    arguments = ["bench", "--quick", "--seconds", "0", "--no-extras", "--cell", "gru", "--json", str(target)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "no speed shown" in done.output and "x " not in done.output.splitlines()[1]
    record = json.loads(target.read_text())
    assert not record["parity_holds"] and record["means"] == {}
    assert all("training" not in row for row in record["rows"])


def test_unknown_cells_are_refused():
    done = CliRunner().invoke(app, ["bench", "--cell", "gur"])
    assert "gru" in str(done.exception)


def test_parity_sees_a_gradient_alone():
    pair = make_pair("lstm", TINY)
    assert check_parity(pair).holds
    hook = pair.ours.weight_hh_l0.register_hook(lambda gradient: gradient * 1.01)
    found = check_parity(pair)
    hook.remove()
    assert not found.holds and found.output <= parity.TOLERANCE < found.gradient
    assert found.worst == "gradient of weight_hh_l0"


def test_nan_never_counts_as_parity():
    assert not parity.Parity(float("nan"), 0.0, "output").holds
    assert largest_difference(torch.tensor([float("nan")]), torch.ones(1)) != 0.0
    assert largest_difference(torch.ones(2), torch.ones(3)) == float("inf")


def test_operations_of_two_layers_in_both_directions():
    case = Case("", 2, 3, 5, 7, num_layers=2, bidirectional=True)
    first, second = 2 * 6 * 2 * 4 * 7 * (5 + 7), 2 * 6 * 2 * 4 * 7 * (14 + 7)
    assert case.forward_operations("lstm") == first + second


def test_ragged_operations_count_real_steps_only():
    case = Case("", 4, 100, 5, 7, ragged=True)
    whole = Case("", 4, 100, 5, 7)
    share = float(cases.imdb_lengths(4, 100).sum()) / 400
    assert case.forward_operations("gru") == pytest.approx(whole.forward_operations("gru") * share)


def test_disturbed_samples_are_dropped_while_enough_are_left():
    found = timing._summary([(1.0, True)] * 5 + [(9.0, False)] * 3, False)
    assert (found.seconds, found.samples, found.dropped, found.disturbed) == (1.0, 5, 3, False)


def test_too_few_undisturbed_samples_of_one_function_change_the_yardstick_of_all(monkeypatch):
    """Both sides of a ratio are then fastest samples: a median beside a fastest one would not be fair."""
    clock = {
        "calm": iter([(float(n), True) for n in range(1, 40)]),
        "busy": iter([(float(n), False) for n in range(1, 40)]),
    }
    monkeypatch.setattr(timing, "_one", lambda function, repeats: next(clock[function()]))
    found = timing.interleaved({"calm": lambda: "calm", "busy": lambda: "busy"}, seconds=0.0, rounds=8)
    assert found["calm"].disturbed and found["busy"].disturbed
    assert found["calm"].seconds == found["busy"].seconds == 2.0


def test_the_script_is_the_command():
    import runpy
    from pathlib import Path

    place = Path(__file__).parents[2] / "benchmarks" / "layers.py"
    from gatewise.cli.bench import bench

    assert runpy.run_path(str(place))["bench"] is bench


def test_other_programs_have_columns_of_their_own(tiny, tmp_path):
    target = tmp_path / "bench.json"
    arguments = [
        "bench",
        "--quick",
        "--threads",
        "1",
        "--seconds",
        "0",
        "--no-extras",
        "--cell",
        "lstm",
        "--json",
        str(target),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    plain, ragged = json.loads(target.read_text())["rows"]
    assert ragged["others"] == {}
    assert plain["others"].keys() == others.other_calls(torch.nn.LSTM(1, 1), torch.zeros(1, 1, 1)).keys()
    assert (torch.tensor([1e-40]) * 1.0).item() > 0, "subnormal numbers must stay on after the loop in C"
    for name, found in plain["others"].items():
        assert found["ratio"] > 0 and found["difference"] <= parity.TOLERANCE
        assert f"  {name} " in done.output


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_other_programs_compute_the_same(cell):
    layer, x = getattr(torch.nn, cell)(3, 5), torch.randn(4, 2, 3)
    with torch.no_grad():
        expected, _ = layer(x)
        for name, call in others.other_calls(layer, x).items():
            for _ in range(2):
                assert largest_difference(torch.as_tensor(call()), expected) < 1e-5, name


def test_no_ratio_while_another_program_differs(tiny, monkeypatch):
    monkeypatch.setattr(run, "other_calls", lambda layer, x, threads: {"C": lambda: torch.zeros(5, 2, 4)})
    done = CliRunner().invoke(app, ["bench", "--quick", "--seconds", "0", "--no-extras", "--cell", "gru"])
    assert done.exit_code == 1 and "output of C): no speed shown" in done.output


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_a_side_with_threads_of_its_own_starts_when_all_others_sleep(monkeypatch, pause):
    """Each sample follows a pause and a call that is not timed; without one they follow each other."""
    happened = []
    sides = {name: lambda name=name: happened.append(name) for name in "ab"}

    def sampled(function, repeats):
        happened.append("timed")
        function()
        return 1.0, True

    monkeypatch.setattr(timing, "_one", sampled)
    monkeypatch.setattr(timing.time, "sleep", lambda seconds: happened.append(f"{seconds} s"))
    timing.interleaved(sides, seconds=0.0, rounds=1, pause=pause)
    before = [f"{pause} s", "a"] if pause else []
    assert happened[6:] == [*before, "timed", "a", *(["0.05 s", "b"] if pause else []), "timed", "b"]


@pytest.mark.parametrize(("threads", "pauses"), [(1, [0.0, 0.0]), (2, [timing.PAUSE, 0.0])])
def test_programs_with_threads_of_their_own_are_measured_with_pauses(monkeypatch, threads, pauses):
    """In inference with several threads; in training there is torch alone, which shares its threads with the layers."""
    given = []
    real = timing.interleaved

    def measured(work, *, seconds, rounds, pause):
        given.append(pause)
        return real(work, seconds=seconds, rounds=1)

    monkeypatch.setattr(run, "interleaved", measured)
    monkeypatch.setattr(run, "other_calls", lambda layer, x, threads: {"C": lambda: layer(x)[0].detach()})
    former = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        run.measure_case("gru", TINY, 1e9, 0.0)
    finally:
        torch.set_num_threads(former)
    assert given == pauses
