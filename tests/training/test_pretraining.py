"""A language model first, the classifier from it: what it may see, what is taken over, and the same bits every time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import signal
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from moods import moods, small_spec

from fresh_processes import fresh
from gatewise.cli import main
from gatewise.comparison.run.trials import trial_key
from gatewise.errors import DataError, OptionError, RunError
from gatewise.kinds.classification.estimator import TextClassifier
from gatewise.kinds.classification.pretraining import LayerRates, pretraining_run
from gatewise.kinds.classification.spec import DataSpec, ModelSpec, PretrainingSpec
from gatewise.kinds.classification.unlabelled import read_unlabelled, with_unlabelled
from gatewise.training import EpochDone, Interrupted, RunSpec, RunStarted, StepDone, load_run, train_run
from gatewise.training.assembly import make_spec
from gatewise.training.phase import Phase, phase_key
from gatewise.training.run_folder import RunFolder
from run_folders import without_checksums

STEPS = 11  # of an epoch, in either phase: 168 texts in batches of 16
SMALL = PretrainingSpec(pretraining_epochs=2, pretraining_batch_size=16, pretraining_steps=16)


def pretrained_spec(cell="gru", *, bidirectional=True, pretraining=SMALL, **training):
    spec = small_spec(cell, **training)
    return dataclasses.replace(
        spec, model=dataclasses.replace(spec.model, bidirectional=bidirectional), pretraining=pretraining
    )


def outcome(folder):
    """All that has to be equal: the weights of both phases as bytes, and every figure that is not a time."""
    lines = []
    for place in (folder / "pretraining", folder):
        for line in (place / "metrics.jsonl").read_text().splitlines():
            record = json.loads(line)
            lines.append({name: value for name, value in record.items() if "second" not in name})
    return [(place / "best.safetensors").read_bytes() for place in (folder / "pretraining", folder)], lines


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    events = []
    train_run(pretrained_spec(), moods(folder), folder / "run", on_event=events.append)
    return folder / "run", outcome(folder / "run"), events


def test_both_phases_are_told_and_kept(whole):
    folder, _, events = whole
    assert [(event.phase, event.unit) for event in events if isinstance(event, RunStarted)] == [
        ("pretraining", "words"),
        ("training", "texts"),
    ]
    phases = [event.record.phase for event in events if isinstance(event, EpochDone)]
    assert phases == ["pretraining"] * 2 + ["training"] * 3
    records = [event.record for event in events if isinstance(event, EpochDone)]
    assert records[1].validation["perplexity"] < records[0].validation["perplexity"] < 200
    assert records[0].validation["perplexity"] == pytest.approx(np.exp(records[0].validation["loss"]))
    result = train_run(pretrained_spec(), moods(folder.parent), folder)
    assert [record.phase for record in result.epochs] == ["training"] * 3
    assert result.pretraining_seconds == pytest.approx(sum(record.seconds for record in records[:2]))
    assert result.seconds == pytest.approx(sum(record.seconds for record in records))


def test_the_finished_classifier_predicts(whole):
    folder, _, _ = whole
    chances = load_run(folder).predict_proba(["a good film", "a dull film"])
    assert chances[0, 0] > chances[1, 0]


def test_same_spec_same_bits(tmp_path, whole):
    train_run(pretrained_spec(), moods(tmp_path), tmp_path / "run")
    assert outcome(tmp_path / "run") == whole[1]


@pytest.mark.parametrize(
    "steps", [STEPS + 3, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2 * STEPS, 2 * STEPS + 5))]
)
def test_ctrl_c_in_either_phase_resumes_to_the_same_bits(tmp_path, whole, steps):
    done = 0

    def press(event):
        nonlocal done
        done += isinstance(event, StepDone)
        if isinstance(event, StepDone) and done == steps:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        train_run(pretrained_spec(), moods(tmp_path), tmp_path / "run", on_event=press)
    assert caught.value.folder == tmp_path / "run"
    assert (tmp_path / "run" / "pretraining" / "result.json").exists() == (steps > 2 * STEPS)
    train_run(pretrained_spec(), moods(tmp_path), tmp_path / "run")
    assert outcome(tmp_path / "run") == whole[1]


@pytest.mark.slow
@pytest.mark.parametrize("steps", [STEPS + 4, 2 * STEPS + 4])
def test_killed_in_either_phase_resumes_to_the_same_bits(tmp_path, whole, steps):
    code = (
        f"import os, signal, sys; sys.path[:0] = {[str(place) for place in Path(__file__).parents[:2]]!r}\n"
        "from pathlib import Path\n"
        "from test_pretraining import *\n"
        "from gatewise.training import loop\n"
        "loop.CHECKPOINT_SECONDS, done = 0.0, 0\n"
        "def listen(event):\n"
        "    global done\n"
        "    done += isinstance(event, StepDone)\n"
        f"    if done == {steps}:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "train_run(pretrained_spec(), moods(folder), folder / 'run', on_event=listen)\n"
    )
    killed = fresh(["-c", code], tmp_path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    train_run(pretrained_spec(), moods(tmp_path), tmp_path / "run")
    assert outcome(tmp_path / "run") == whole[1]


def test_test_texts_and_labels_are_not_looked_at(tmp_path, whole):
    """Other test texts, other training and validation labels: the language model keeps its bits."""
    data = moods(tmp_path)
    changed = dataclasses.replace(
        data,
        test=data.test._replace(texts=tuple("quite other words here" for _ in data.test.texts)),
        train=data.train._replace(labels=1 - data.train.labels),
        validation=data.validation._replace(labels=1 - data.validation.labels),
    )
    train_run(pretrained_spec(epochs=1), changed, tmp_path / "run")
    assert outcome(tmp_path / "run")[0][0] == whole[1][0][0]


@pytest.mark.slow
def test_fine_tunings_share_a_language_model_where_all_it_depends_on_is_equal(tmp_path):
    data, shared = moods(tmp_path), tmp_path / "shared"
    once = dataclasses.replace(SMALL, pretraining_epochs=1)
    slower = dataclasses.replace(once, discriminative_rate=2.0)
    specs = {
        "first": pretrained_spec(pretraining=once, epochs=1),
        "slower": pretrained_spec(pretraining=slower, epochs=1, learning_rate=1e-3, schedule="constant"),
        "seed": pretrained_spec(pretraining=once, epochs=1, seed=1),
        "cell": pretrained_spec("lstm", pretraining=once, epochs=1),
    }
    kept = {}
    for name, spec in specs.items():
        events = []
        result = train_run(spec, data, tmp_path / name, pretrained=shared, on_event=events.append)
        kept[name] = len(list(shared.iterdir()))
        phases = {event.phase for event in events if isinstance(event, RunStarted)}
        assert phases == ({"training"} if name == "slower" else {"pretraining", "training"})
        assert 0 < result.pretraining_seconds < result.seconds
        assert not (tmp_path / name / "pretraining").exists()
    assert kept == {"first": 1, "slower": 1, "seed": 2, "cell": 3}


def test_gradual_unfreezing_leaves_lower_layers_alone(tmp_path):
    spec = pretrained_spec(pretraining=dataclasses.replace(SMALL, gradual_unfreezing=True), epochs=1)
    train_run(spec, moods(tmp_path), tmp_path / "run")
    before = safetensors.torch.load_file(tmp_path / "run" / "pretraining" / "best.safetensors")
    after = safetensors.torch.load_file(tmp_path / "run" / "best.safetensors")
    lower = [name for name in after if not name.startswith("head.")]
    assert len(lower) == 9
    assert all(torch.equal(after[name], before[name]) for name in lower)


def test_layers_learn_from_the_top_down():
    names = ["embedding.weight", "recurrent.weight_ih_l0", "recurrent.bias_hh_l1", "recurrent.weight_hh_l1_reverse"]
    rates = LayerRates(PretrainingSpec(discriminative_rate=2.0, gradual_unfreezing=True), [*names, "head.bias"])
    assert rates.layers == [["head.bias"], names[2:], [names[1]], [names[0]]]
    assert [rates.factors(done) for done in (0.0, 1.0, 2.5, 3.0)] == [
        [1.0, 0.0, 0.0, 0.0],
        [1.0, 0.5, 0.0, 0.0],
        [1.0, 0.5, 0.25, 0.0],
        [1.0, 0.5, 0.25, 0.125],
    ]


# The spec, and texts without labels


def test_spec_survives_json():
    spec = pretrained_spec(pretraining=PretrainingSpec(pretraining_epochs=3, gradual_unfreezing=True))
    assert RunSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    plain = small_spec()
    assert RunSpec.from_dict(json.loads(json.dumps(plain.to_dict()))) == plain
    older = {name: value for name, value in plain.to_dict().items() if name != "pretraining"}
    assert RunSpec.from_dict(older) == plain
    with pytest.raises(RunError, match="unknown key 'pretraining_epoch'"):
        RunSpec.from_dict({**spec.to_dict(), "pretraining": {"pretraining_epoch": 3}})


def test_language_models_run_is_pretrained_alike_whatever_comes_after():
    spec = pretrained_spec()
    other = dataclasses.replace(
        spec,
        model=dataclasses.replace(spec.model, pooling="mean", dropout=0.1, word_dropout=0.3, max_tokens=9),
        training=dataclasses.replace(spec.training, epochs=9, averaging=0.9, learning_rate=1e-4),
    )
    assert pretraining_run(spec) == pretraining_run(other)
    assert pretraining_run(spec) != pretraining_run(pretrained_spec(bidirectional=False))


def test_a_language_model_belongs_to_its_number_of_processes(tmp_path):
    data, spec = moods(tmp_path), pretrained_spec()
    two = dataclasses.replace(spec, training=dataclasses.replace(spec.training, processes=2))
    first, shared = pretraining_run(spec), pretraining_run(two)
    assert shared.training.processes == 2
    assert phase_key(Phase("pretraining", first, lambda: None), data, 1) != phase_key(
        Phase("pretraining", shared, lambda: None), data, 1
    )
    # stopped in its pre-training, a run has the pre-training's spec alone
    environment = {"data": {"fingerprint": data.fingerprint}}
    (tmp_path / "run" / "pretraining").mkdir(parents=True)
    RunFolder(tmp_path / "run" / "pretraining").begin(shared, environment, {})
    with pytest.raises(RunError, match="pretraining holds another run; expected: processes 1; got: processes 2"):
        train_run(spec, data, tmp_path / "run")


def test_one_process_and_float32_have_the_keys_of_before_there_were_others(tmp_path):
    """Hashes of a spec's fields, as versions without these settings made them."""
    data, spec = moods(tmp_path), pretrained_spec()
    spec = dataclasses.replace(spec, model=dataclasses.replace(spec.model, recurrent_start=1.0))
    first = pretraining_run(spec)

    def older(run):
        later = ("processes", "precision", "recurrent_start")
        parts = {part: run.to_dict()[part] for part in ("training", "model")}
        return run.to_dict() | {
            part: {name: value for name, value in record.items() if name not in later} for part, record in parts.items()
        }

    def hashed(content):
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    phase = {"phase": "pretraining", "spec": older(first), "fingerprint": data.fingerprint, "threads": 1}
    assert phase_key(Phase("pretraining", first, lambda: None), data, 1) == hashed(phase)[:16]
    record = older(dataclasses.replace(spec, data=DataSpec("no-such.csv")))
    del record["data"]["download"]
    trial = dataclasses.replace(spec, data=DataSpec("no-such.csv"))
    assert trial_key(trial, "f", "1") == hashed({"spec": record, "fingerprint": "f", "code": "1"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pretraining_epochs": 3}, "--pretraining-epochs is for pre-training only"),
        ({"unlabelled": "more.txt"}, "texts without labels are for pre-training only"),
        ({"pretrain": True, "num_layers": 2}, "several bidirectional layers cannot be pre-trained"),
        ({"pretrain": True, "pretraining_steps": 2}, "pretraining_steps is out of range"),
        ({"pretrain": True, "pretraining_dropout": 1.0}, "pretraining_dropout is out of range"),
        ({"pretrain": True, "discriminative_rate": 0.5}, "discriminative_rate is out of range"),
        ({"pretrain": True, "processes": 4, "pretraining_batch_size": 3}, "at most 3 .*raise --pretraining-batch-size"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(OptionError, match=message):
        make_spec("classification", "imdb", settings)


def test_two_layers_of_one_direction_can_be_pretrained(tmp_path):
    spec = pretrained_spec(bidirectional=False, epochs=1)
    spec = dataclasses.replace(spec, model=dataclasses.replace(spec.model, num_layers=2))
    assert train_run(spec, moods(tmp_path), tmp_path / "run").stopped == "epochs"


def test_only_texts_can_be_pretrained_on():
    with pytest.raises(OptionError, match="there is no such pre-training for language-modelling"):
        dataclasses.replace(make_spec("language-modelling", "ptb", {}), pretraining=PretrainingSpec())


def test_default_settings_with_pretraining_can_be_overridden():
    assert make_spec("classification", "imdb", {"pretrain": True}).model.bidirectional
    given = make_spec("classification", "imdb", {"pretrain": True, "bidirectional": False, "num_layers": 2})
    assert (given.model.bidirectional, given.model.num_layers) == (False, 2)
    assert make_spec("classification", "imdb", {}).model == ModelSpec()


def test_unlabelled_texts_are_learnt_from_and_leak_nothing(tmp_path):
    data = moods(tmp_path)
    path = tmp_path / "more.txt"
    lines = ["a zebra crossed the road", "a zebra  crossed the road", "", "the zebra was good", data.test.texts[0]]
    path.write_text("\n".join([*lines, data.validation.texts[0], data.train.texts[0]]) + "\n")
    more = with_unlabelled(data, read_unlabelled(path), "more.txt")
    assert more.unlabelled == ("a zebra crossed the road", "the zebra was good")
    assert more.fingerprint != data.fingerprint
    assert "2 texts without labels from more.txt" in more.notes[-1]
    assert "3 that are in the data set already were left out" in more.notes[-1]
    spec = pretrained_spec(pretraining=dataclasses.replace(SMALL, pretraining_epochs=1), epochs=1)
    train_run(dataclasses.replace(spec, data=DataSpec("moods.csv", unlabelled=str(path))), more, tmp_path / "run")
    words = json.loads((tmp_path / "run" / "vocabulary.json").read_text())["words"]
    assert "zebra" in words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\x7fELF\x00\x01\x02", "NUL byte"),
        ("größer".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_unusable_unlabelled_files_are_refused(tmp_path, capsys, content, message):
    moods(tmp_path)
    path = tmp_path / "more.txt"
    if content is not None:
        path.write_bytes(content)
    words = [
        "train",
        str(tmp_path / "moods.csv"),
        "--pretrain",
        "--unlabelled",
        str(path),
        "--out",
        str(tmp_path / "run"),
    ]
    with pytest.raises(SystemExit) as leave:
        main(words)
    shown = capsys.readouterr().err
    assert leave.value.code == 2
    assert message in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "run").exists()


def test_texts_with_nothing_new_are_refused(tmp_path):
    data = moods(tmp_path)
    with pytest.raises(DataError, match=r"more\.txt has no text that is not in moods\.csv already"):
        with_unlabelled(data, data.train.texts[:3], "more.txt")


def test_the_estimator_pretrains_too():
    texts = [f"{word} film number {number}" for number in range(12) for word in ("good", "bad")]
    classifier = TextClassifier(hidden_size=8, embedding_size=8, epochs=1, threads=1, pretraining=SMALL)
    more = ["a zebra crossed the road", "the zebra was good"]
    fitted = classifier.fit(texts, ["glad", "sad"] * 12, unlabelled=more)
    assert fitted.result_.pretraining_seconds > 0
    assert "zebra" in fitted._trained.vocabulary.words
    with pytest.raises(OptionError, match="texts without labels are for pre-training only"):
        TextClassifier(threads=1).fit(texts, ["glad", "sad"] * 12, unlabelled=more)


def test_a_language_model_of_another_shape_is_refused(tmp_path):
    data = moods(tmp_path)
    train_run(pretrained_spec(epochs=1), data, tmp_path / "run")
    place = tmp_path / "run" / "pretraining" / "best.safetensors"
    weights = safetensors.torch.load_file(place)
    for change in ({"embedding.weight": torch.zeros(3, 3)}, {}):
        broken = {name: value for name, value in weights.items() if not name.startswith("embedding.")} | change
        safetensors.torch.save_file(broken, place)
        (tmp_path / "run" / "result.json").unlink(missing_ok=True)
        if change:
            without_checksums(tmp_path / "run" / "pretraining")
        with pytest.raises(RunError, match="language model in"):
            train_run(pretrained_spec(epochs=1), data, tmp_path / "run")
