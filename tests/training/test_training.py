"""What a run reports, when it stops, and what it refuses."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from moods import moods, small_spec

from gatewise.errors import DataError, DivergenceError, OptionError, RunError, StorageError
from gatewise.kinds.classification.network import SequenceClassifier, classification_loss
from gatewise.kinds.classification.problem import ClassificationProblem
from gatewise.training import EpochDone, RunFinished, RunSpec, RunStarted, StepDone, TrainingSpec, load_run, train_run
from gatewise.training.optimisation import Optimisation, learning_rate, seed_step
from gatewise.training.problem import StepLoss
from run_folders import without_checksums


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    events = []
    data = moods(folder)
    result = train_run(small_spec(epochs=8, patience=8), data, folder / "run", on_event=events.append)
    return data, result, events


@pytest.fixture
def copied(finished, tmp_path):
    for entry in finished[1].folder.iterdir():
        (tmp_path / entry.name).write_bytes(entry.read_bytes())
    return tmp_path


def test_it_learns(finished):
    data, result, _ = finished
    assert load_run(result.folder).evaluate(data.test.texts, data.test.labels).accuracy > 0.9
    assert result.epochs[-1].training["loss"] < result.epochs[0].training["loss"] / 2


def test_its_recurrent_inputs_can_be_differentiated(finished):
    data, result, _ = finished
    recurrent, inputs, lengths, _ = load_run(result.folder).stacks(data, 3, 4)["recurrent"]
    assert inputs.shape[:2] == (4, 3) and lengths.max() <= 4 and not inputs.is_inference()
    inputs.requires_grad_(True)
    output, _ = recurrent(inputs)
    output.sum().backward()
    assert inputs.grad.abs().sum() > 0


def test_events_come_in_order_and_add_up(finished):
    _, result, events = finished
    assert isinstance(events[0], RunStarted)
    assert events[0].steps_per_epoch == 11
    assert isinstance(events[-1], RunFinished)
    assert events[-1].result == result
    steps = [event for event in events if isinstance(event, StepDone)]
    assert [(event.epoch, event.step) for event in steps] == [(e, s) for e in range(1, 9) for s in range(1, 12)]
    assert steps[-1].seconds_left == 0
    assert all(event.examples_per_second > 0 and event.seconds_left >= 0 for event in steps)
    assert tuple(event.record for event in events if isinstance(event, EpochDone)) == result.epochs


def test_the_run_folder(finished):
    data, result, _ = finished
    assert {entry.name for entry in result.folder.iterdir()} == {
        "spec.json",
        "environment.json",
        "seen.json",
        "vocabulary.json",
        "metrics.jsonl",
        "best.safetensors",
        "calibration.json",
        "result.json",
    }
    environment = json.loads((result.folder / "environment.json").read_text())
    assert environment["threads"] == 1
    assert environment["kernel"] == result.kernel
    assert environment["kernel"]["implementation"] != "not run yet"
    assert environment["kernel"]["reason"]
    assert environment["data"]["fingerprint"] == data.fingerprint
    assert environment["data"]["sizes"] == {"train": 168, "validation": 24, "test": 48}
    assert environment["versions"]["torch"] == torch.__version__
    lines = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 9))
    assert RunSpec.from_dict(json.loads((result.folder / "spec.json").read_text())) == result.spec


def test_vocabulary_knows_the_training_part_only(finished):
    data, result, _ = finished
    words = set(load_run(result.folder).vocabulary.words)
    outside = {text.split()[-1] for text in (*data.validation.texts, *data.test.texts)}
    assert {text.split()[-1] for text in data.train.texts} <= words
    assert not outside & words


@pytest.mark.parametrize(
    ("accuracies", "best", "epochs"),
    [
        # 24 validation texts: one standard error below 0.9 is 0.839
        ([0.6, 0.9, 0.7, 0.85, 0.8], 4, 5),
        ([0.6, 0.9, 0.7, 0.83, 0.8], 2, 5),
        ([0.6, 0.8, 0.9, 0.7, 0.95, 0.92], 6, 6),
        # patience counts from the best figure, not from the epoch that is kept
        ([0.6, 0.9, 0.9, 0.9, 0.9, 0.9], 5, 5),
    ],
)
def test_the_last_epoch_within_a_standard_error_of_the_best_is_kept(accuracies, best, epochs, tmp_path, monkeypatch):
    figures = iter(accuracies)
    weights_seen = []

    def validate(self, weights):
        weights_seen.append({name: value.clone() for name, value in weights.items()})
        return {"loss": 0.5, "accuracy": next(figures), "macro_f1": 0.5}

    monkeypatch.setattr(ClassificationProblem, "validate", validate)
    data = moods(tmp_path)
    assert len(data.validation.texts) == 24
    result = train_run(small_spec(epochs=len(accuracies), patience=3), data, tmp_path / "run")
    assert (result.best_epoch, len(result.epochs)) == (best, epochs)
    kept = load_run(result.folder).kept_weights()
    assert all(torch.equal(kept[name], value) for name, value in weights_seen[best - 1].items())


def test_patience_stops_early(tmp_path):
    result = train_run(small_spec(epochs=40, patience=1, learning_rate=0.05), moods(tmp_path), tmp_path / "run")
    assert result.stopped == "patience"
    assert len(result.epochs) < 40


@pytest.mark.parametrize("cell", ["rnn", "lstm", "mingru", "minlstm"])
def test_every_cell_trains(tmp_path, cell):
    result = train_run(small_spec(cell, epochs=1), moods(tmp_path), tmp_path / "run")
    assert load_run(result.folder).spec.model.cell == cell
    assert math.isfinite(result.epochs[0].validation["loss"])


def test_forced_kernel_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWISE_KERNEL", "reference")
    result = train_run(small_spec(epochs=1), moods(tmp_path, 40), tmp_path / "run")
    assert result.kernel["implementation"] == "reference"


def test_divergence_is_said_and_never_kept(tmp_path):
    spec = small_spec(learning_rate=1e38, clip_norm=1e38)
    with pytest.raises(DivergenceError, match=r"epoch 1, step \d+ of 11") as caught:
        train_run(spec, moods(tmp_path), tmp_path / "run")
    assert "--learning-rate" in caught.value.fix
    assert not (tmp_path / "run" / "best.safetensors").exists()
    assert not (tmp_path / "run" / "result.json").exists()


def one_loss(model):
    scores = model(torch.ones(3, 2, dtype=torch.long), torch.tensor([3, 2]))
    loss = classification_loss(scores, torch.tensor([0, 1]))
    return StepLoss(loss, loss, 2)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_gradient_that_is_not_finite_leaves_the_weights(value):
    model = SequenceClassifier(10, 2, hidden_size=4, embedding_size=4)
    optimisation = Optimisation(model, TrainingSpec(), 10)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    model.head.bias.register_hook(lambda gradient: gradient * value)
    with pytest.raises(DivergenceError, match="gradient"):
        optimisation.step(one_loss(model), "epoch 1")
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())


def test_clipping_bounds_the_gradient():
    model = SequenceClassifier(10, 2, hidden_size=4, embedding_size=4)
    optimisation = Optimisation(model, TrainingSpec(clip_norm=1e-3), 10)
    optimisation.step(one_loss(model), "epoch 1")
    norm = torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in model.parameters()]))
    assert float(norm) == pytest.approx(1e-3, rel=1e-2)


def test_seeding_a_step_is_torchs_and_writes_down_no_stack(monkeypatch):
    """Where there is no accelerator; formatting the stack took a tenth of a small network's step."""
    number = int(np.random.SeedSequence([3, 1, 4]).generate_state(1, np.uint64)[0] >> np.uint64(1))
    expected = torch.rand(3, generator=torch.Generator().manual_seed(number))
    stacks = []
    if not torch.accelerator.is_available():
        monkeypatch.setattr("traceback.format_stack", lambda *_: stacks.append(1) or [])
    seed_step(3, 1, 4)
    assert torch.equal(torch.rand(3), expected) and not stacks


@pytest.mark.parametrize("share", [0.5, 0.999999, 1.0, 1.000001, 2.0])
def test_clipping_gives_torchs_bits_and_skips_what_needs_none(share, monkeypatch):
    model = SequenceClassifier(10, 2, hidden_size=4, embedding_size=4)
    loss = one_loss(model)
    loss.loss.backward(retain_graph=True)
    norm = float(torch.nn.utils.get_total_norm([each.grad for each in model.parameters()]))
    torch.nn.utils.clip_grad_norm_(model.parameters(), share * norm)
    expected = [each.grad.clone() for each in model.parameters()]
    scaled, clip = [], torch.nn.utils.clip_grads_with_norm_
    monkeypatch.setattr(torch.nn.utils, "clip_grads_with_norm_", lambda *given: scaled.append(clip(*given)))
    Optimisation(model, TrainingSpec(clip_norm=share * norm), 10).step(loss, "epoch 1")
    assert all(torch.equal(each.grad, other) for each, other in zip(model.parameters(), expected, strict=True))
    assert share > 1.5 or scaled
    assert share < 1.5 or not scaled


@pytest.mark.parametrize(
    ("schedule", "expected"), [("constant", [1, 1, 1]), ("linear", [1, 0.5, 0.1]), ("cosine", [1, 0.5, 0.0245])]
)
def test_schedules(schedule, expected):
    spec = TrainingSpec(learning_rate=1.0, schedule=schedule)
    assert [learning_rate(spec, step, 10) for step in (0, 5, 9)] == pytest.approx(expected, abs=1e-3)


def test_folder_with_another_run(finished):
    data, result, _ = finished
    with pytest.raises(RunError, match="holds another run") as caught:
        train_run(small_spec(epochs=8, patience=8, hidden_size=9), data, result.folder)
    assert caught.value.expected == "hidden_size 9"
    assert caught.value.got == "hidden_size 8"


def test_folder_with_the_same_run_on_other_data(finished, tmp_path):
    _, result, _ = finished
    with pytest.raises(RunError, match="other data"):
        train_run(result.spec, moods(tmp_path, 200), result.folder)


def test_folder_with_something_else(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match="not a run folder and not empty"):
        train_run(small_spec(), moods(tmp_path), tmp_path / "run")
    assert (tmp_path / "run" / "thesis.txt").read_text() == "precious"
    assert len(list((tmp_path / "run").iterdir())) == 1


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(StorageError):
        train_run(small_spec(), moods(tmp_path), tmp_path / "run")


def test_a_folder_that_cannot_be_written(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    if os.geteuid() == 0:
        folder = Path("/proc/gatewise-run")  # not even root may write here
    with pytest.raises(StorageError, match="cannot write"):
        train_run(small_spec(), moods(tmp_path), folder / "run")


@pytest.mark.parametrize("name", ["spec.json", "vocabulary.json", "result.json", "metrics.jsonl", "best.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "missing"])
def test_damaged_run_folder(copied, name, damage):
    content = (copied / name).read_bytes()
    if damage == "missing":
        (copied / name).unlink()
    else:
        (copied / name).write_bytes(content[: len(content) // 2] if damage == "cut" else b"\x00\xff garbage")
    with pytest.raises(RunError):
        load_run(copied)


@pytest.mark.parametrize("name", ["spec.json", "vocabulary.json", "result.json"])
def test_newer_version(copied, name):
    record = json.loads((copied / name).read_text())
    record["format_version"] = 99
    (copied / name).write_text(json.dumps(record))
    without_checksums(copied)
    with pytest.raises(RunError, match="newer Gatewise"):
        load_run(copied)


def test_weights_of_another_model(copied):
    record = json.loads((copied / "spec.json").read_text())
    record["model"]["hidden_size"] = 5
    (copied / "spec.json").write_text(json.dumps(record))
    without_checksums(copied)
    with pytest.raises(RunError, match="does not fit"):
        load_run(copied)


def test_damaged_checkpoint(finished, tmp_path):
    data, result, _ = finished
    for name in ("spec.json", "environment.json", "vocabulary.json"):
        (tmp_path / name).write_bytes((result.folder / name).read_bytes())
    (tmp_path / "checkpoint.safetensors").write_bytes(b"cut")
    with pytest.raises(RunError, match="damaged"):
        train_run(result.spec, data, tmp_path)
    (tmp_path / "checkpoint.safetensors").write_bytes((result.folder / "best.safetensors").read_bytes())
    with pytest.raises(RunError, match="damaged"):
        train_run(result.spec, data, tmp_path)


def test_unfinished_run_is_not_opened(copied):
    (copied / "result.json").unlink()
    with pytest.raises(RunError, match="not finished"):
        load_run(copied)


def test_no_run_folder(tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"spec\.json is missing"):
        load_run(tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is available")
def test_absent_device(tmp_path):
    with pytest.raises(OptionError, match="not available"):
        train_run(small_spec(device="cuda"), moods(tmp_path), tmp_path / "run")


def test_a_texts_probability_does_not_depend_on_its_neighbours(finished):
    data, result, _ = finished
    trained = load_run(result.folder)
    together = trained.predict_proba(data.test.texts)
    for place in range(0, 40, 7):
        alone = trained.predict_proba([data.test.texts[place]])[0]
        assert alone == pytest.approx(together[place], abs=1e-6)


def test_tokens_are_what_the_network_reads(finished):
    assert load_run(finished[1].folder).tokens("Good<br />GOOD!!") == ["good", "good", "!!"]


def test_strange_texts_are_predicted(finished):
    chances = load_run(finished[1].folder).predict_proba(["", " ", "🙂" * 3, "word " * 200_000, "\ud800"])
    assert chances.shape == (5, 2)
    assert chances.sum(axis=1) == pytest.approx([1] * 5)


def test_bad_questions(finished):
    trained = load_run(finished[1].folder)
    with pytest.raises(DataError, match="one text"):
        trained.predict_proba("a string")
    with pytest.raises(DataError, match="text 1 is not a string"):
        trained.predict_proba(["fine", None])
    with pytest.raises(DataError, match="'happy' is not a class"):
        trained.evaluate(["fine"], ["happy"])
    with pytest.raises(DataError, match="do not fit"):
        trained.evaluate(["fine"], [])


def test_evaluation_by_name_and_by_index_agree(finished):
    data, result, _ = finished
    trained = load_run(result.folder)
    names = [trained.label_names[label] for label in data.test.labels]
    assert trained.evaluate(data.test.texts, names) == trained.evaluate(data.test.texts, data.test.labels)
