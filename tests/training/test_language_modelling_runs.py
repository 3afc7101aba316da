"""Language models through the whole loop: the same bits after a stop, exact figures, averaged SGD, recipes."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest
import torch
from torch import nn

from gatewise.errors import DataError, OptionError
from gatewise.kinds.language_modelling.corpora import load_corpus
from gatewise.training import Interrupted, StepDone, TrainingSpec, kind_of, load_run, train_run
from gatewise.training.assembly import make_spec
from gatewise.training.optimisation import Optimisation
from gatewise.training.problem import StepLoss
from gatewise.training.recipes import load_recipe, recipes
from small_text import LANGUAGE_SETTINGS, write_text_file

TASK = "language-modelling"


def spec_for(path, **settings):
    return make_spec(TASK, str(path), {**LANGUAGE_SETTINGS, "cell": "lstm", **settings})


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_text_file(tmp_path_factory.mktemp("text") / "small.txt", lines=300)


@pytest.fixture(scope="module")
def corpus(path):
    return load_corpus(path)


@pytest.fixture(scope="module")
def whole(path, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    train_run(spec_for(path, weight_dropout=0.2, averaging=0.9), corpus, folder)
    return folder


def outcome(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    figures = [(line["training"], line["validation"], line["learning_rate"]) for line in lines]
    return (folder / "best.safetensors").read_bytes(), figures


@pytest.mark.parametrize("steps", [41, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 80))])
def test_a_stopped_run_ends_in_the_same_bits(path, corpus, whole, tmp_path, steps):
    done = 0

    def press(event):
        nonlocal done
        done += isinstance(event, StepDone)
        if isinstance(event, StepDone) and done == steps:
            signal.raise_signal(signal.SIGINT)

    spec = spec_for(path, weight_dropout=0.2, averaging=0.9)
    with pytest.raises(Interrupted):
        train_run(spec, corpus, tmp_path / "run", on_event=press)
    train_run(spec, corpus, tmp_path / "run")
    assert outcome(tmp_path / "run") == outcome(whole)


def test_it_learns_and_its_figures_are_exact(corpus, whole):
    trained = load_run(whole)
    test = trained.test(corpus)
    assert len(test.contributions) == len(corpus.test) == test.metrics["tokens"]
    assert test.metrics["perplexity"] == pytest.approx(np.exp(test.contributions.mean()))
    assert test.metrics["perplexity"] < 8 < len(corpus.vocabulary)
    validation = trained.test(corpus, "validation").metrics["perplexity"]
    best = min(
        json.loads(line)["validation"]["perplexity"] for line in (whole / "metrics.jsonl").read_text().splitlines()
    )
    assert validation == pytest.approx(best, rel=1e-5)
    text = "\n".join(corpus.test_lines)
    assert trained.perplexity(text) == pytest.approx(test.metrics["perplexity"], rel=1e-5)


def test_the_rest_of_what_a_report_asks(corpus, whole):
    trained = load_run(whole)
    inputs = trained.stacks(corpus, 3, 12)["recurrent"]
    assert inputs.inputs.shape == (12, 3, 8) and inputs.recurrent(inputs.inputs)[0].shape == (12, 3, 12)
    assert len(trained.predictor(corpus)(17)) == 17
    details = trained.details(corpus)
    assert details["next_tokens"]["tokens"][0]["probability"] > 0
    assert details == trained.details(corpus)
    json.dumps(details)
    described = kind_of(TASK).describe(corpus)
    assert described["tokens"]["test"] == len(corpus.test) and described["vocabulary_size"] == len(corpus.vocabulary)
    shown = trained.test(corpus).predictions
    assert len(shown["tokens"]) == len(shown["nats"]) == min(300, len(corpus.test))


def test_baselines_answer_for_the_same_tokens(path, corpus, whole):
    spec = spec_for(path)
    names = []
    for baseline in kind_of(TASK).baselines(spec.data):
        baseline.fit(corpus)
        found = baseline.test(corpus)
        assert len(found.contributions) == len(corpus.test) and baseline.parameters > 0
        assert len(baseline.predictor(corpus)(5)) == 5
        names.append((baseline.name, found.metrics["perplexity"]))
    (first, counted), (second, unigram) = names
    assert (first, second) == ("kneser-ney", "unigram")
    assert counted < unigram / 2


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "rnn", "tied": False},
        {"cell": "gru", "num_layers": 2, "last_size": 6},
        {"tied": False, "adaptive_softmax": True, "cell": "gru"},
        {"tokens": "character", "epochs": 2, "steps": 40, "batch_size": 8},
        {"optimizer": "sgd", "learning_rate": 1.0, "activation_regularisation": 1.0, "temporal_regularisation": 1.0},
    ],
)
def test_other_networks_learn_too(path, settings, tmp_path):
    spec = spec_for(path, **settings)
    data = kind_of(TASK).load(spec.data)
    result = train_run(spec, data, tmp_path / "run")
    perplexities = [epoch.validation["perplexity"] for epoch in result.epochs]
    assert perplexities[-1] < perplexities[0]
    assert load_run(tmp_path / "run").test(data).metrics["perplexity"] < len(data.vocabulary)


def test_an_adaptive_softmax_cannot_be_tied(path):
    with pytest.raises(OptionError, match="no-tied"):
        spec_for(path, adaptive_softmax=True)


def line(start=4.0):
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, start)
    return model


def descend(optimisation, steps):
    for _ in range(steps):
        weight = optimisation.model.weight
        loss = (weight**2).sum() * 0.5 + weight.sum() * 0.1 * (-1) ** optimisation.done
        optimisation.step(StepLoss(loss, loss, 1), "a step")


def nt_asgd(**options):
    spec = TrainingSpec(optimizer="nt-asgd", learning_rate=0.5, schedule="constant", clip_norm=100.0, **options)
    return Optimisation(line(), spec, 100)


def test_nt_asgd_averages_from_where_validation_stalls():
    """The mean is that of all weights since then, the one at that moment included."""
    optimisation = nt_asgd()
    descend(optimisation, 3)
    optimisation.observe([5.0, 4.0, 3.0, 2.0, 1.5, 1.4, 1.3])
    assert torch.equal(optimisation.weights_to_keep()["weight"], optimisation.model.weight)
    optimisation.observe([5.0, 1.0, 3.0, 2.0, 1.5, 1.4, 1.3])
    seen = [optimisation.model.weight.detach().clone()]
    for _ in range(4):
        descend(optimisation, 1)
        seen.append(optimisation.model.weight.detach().clone())
    assert torch.allclose(optimisation.weights_to_keep()["weight"], torch.stack(seen).mean(dim=0), atol=1e-6)


def test_nt_asgd_is_taken_up_where_it_was():
    first = nt_asgd()
    descend(first, 3)
    first.observe([1.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0])
    descend(first, 2)
    second = nt_asgd()
    second.load_state(first.state(), first.done)
    for optimisation in (first, second):
        descend(optimisation, 3)
    assert torch.equal(first.weights_to_keep()["weight"], second.weights_to_keep()["weight"])


def test_nt_asgd_has_no_other_average():
    with pytest.raises(OptionError, match="nt-asgd"):
        TrainingSpec(optimizer="nt-asgd", averaging=0.9)


def test_every_recipe_is_a_whole_run():
    for recipe in recipes():
        assert recipe.spec().task == recipe.task and recipe.description
    spec = load_recipe("ptb-articles").spec(cell="rnn", epochs=2)
    assert (spec.model.cell, spec.model.hidden_size, spec.model.num_layers, spec.training.epochs) == ("rnn", 128, 1, 2)


def test_the_weight_dropped_recipe_has_its_24_million_parameters():
    from gatewise.kinds.language_modelling.model import LanguageModel

    spec = load_recipe("ptb-awd").spec().model
    with torch.device("meta"):
        network = LanguageModel(
            10_000, cell="lstm", hidden_size=spec.hidden_size, embedding_size=spec.embedding_size,
            num_layers=spec.num_layers, last_size=spec.last_size,
        )  # fmt: skip
    assert 24.0e6 < sum(value.numel() for value in network.parameters()) < 24.3e6


def test_a_recipe_of_ones_own(tmp_path, path):
    file = tmp_path / "mine.toml"
    file.write_text(f'task = "{TASK}"\ndata = {json.dumps(str(path))}\n[settings]\nhidden_size = 7\n')
    assert load_recipe(file).spec().model.hidden_size == 7
    file.write_text(f'task = "{TASK}"\n[settings]\nhidden_size = 7\n')
    with pytest.raises(OptionError, match="names no data"):
        load_recipe(file).spec()
    assert load_recipe(file).spec("novel.txt").data.data == "novel.txt"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("task = ", "not TOML"),
        ('data = "ptb"', "names no task"),
        (f'task = "{TASK}"\nsetings = 3', "did you mean 'settings'"),
        (f'task = "{TASK}"\nsettings = 3', "damaged"),
    ],
)
def test_files_that_are_no_recipe(tmp_path, content, said):
    (tmp_path / "recipe.toml").write_text(content)
    with pytest.raises(DataError, match=said):
        load_recipe(tmp_path / "recipe.toml")


def test_recipes_that_do_not_exist(tmp_path):
    with pytest.raises(OptionError, match="ptb-awd"):
        load_recipe("wikitext")
    with pytest.raises(DataError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")
