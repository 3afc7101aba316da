"""The network's pooling and padding, the metrics against scikit-learn, the baseline."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.errors import OptionError, ShapeError
from gatewise.kinds.classification.figures import classification_metrics
from gatewise.kinds.classification.network import SequenceClassifier, pool
from gatewise.kinds.classification.spec import POOLINGS
from gatewise.kinds.classification.tfidf import TfidfLogisticRegression

CELLS = ("rnn", "lstm", "gru", "mingru", "minlstm")


def network(cell="gru", pooling="mean+max", **options):
    torch.manual_seed(0)
    return SequenceClassifier(40, 3, cell=cell, hidden_size=6, embedding_size=5, pooling=pooling, **options)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", CELLS)
def test_padding_never_changes_a_result(cell, pooling, bidirectional):
    model = network(cell, pooling, bidirectional=bidirectional, num_layers=2).eval()
    lengths = torch.tensor([7, 1, 4, 3])
    tokens = torch.randint(2, 40, (7, 4))
    for row, length in enumerate(lengths):
        tokens[length:, row] = 0
    longer = torch.cat([tokens, torch.full((5, 4), 9)])
    together = model(tokens, lengths)
    assert torch.allclose(together, model(longer, lengths), atol=1e-6)
    for row, length in enumerate(lengths):
        alone = model(tokens[:length, row : row + 1], length[None])
        assert torch.allclose(alone[0], together[row], atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_gets_no_gradient(pooling):
    model = network(pooling=pooling, dropout=0.0)
    tokens = torch.tensor([[5, 6], [7, 8], [9, 8]])
    model(tokens, torch.tensor([3, 1])).sum().backward()
    touched = model.embedding.weight.grad.abs().sum(dim=1) > 0
    assert set(touched.nonzero().flatten().tolist()) <= {5, 6, 7, 9}
    assert not touched[8]


def test_pooling_by_hand():
    output = torch.tensor([[[1.0, -2.0]], [[3.0, -4.0]], [[0.0, 0.0]]])
    lengths = torch.tensor([2])
    assert pool(output, lengths, "last").tolist() == [[3, -4]]
    assert pool(output, lengths, "mean").tolist() == [[2, -3]]
    assert pool(output, lengths, "max").tolist() == [[3, -2]]
    assert pool(output, lengths, "mean+max").tolist() == [[2, -3, 3, -2]]
    assert pool(output, lengths, "last", bidirectional=True).tolist() == [[3, -2]]


def test_last_pooling_is_the_final_state():
    model = network(pooling="last", bidirectional=True).eval()
    tokens, lengths = torch.randint(2, 40, (6, 3)), torch.tensor([6, 2, 4])
    output, final = model.recurrent(model.embedding(tokens), lengths=lengths)
    expected = torch.cat([final[0], final[1]], dim=1)
    assert torch.allclose(pool(output, lengths, "last", bidirectional=True), expected, atol=1e-6)


def test_unknown_pooling():
    with pytest.raises(OptionError, match="did you mean 'mean'"):
        network(pooling="meen")


def test_kernel_is_known_after_a_call():
    model = network()
    assert model.kernel["implementation"] == "not run yet"
    model(torch.ones(2, 1, dtype=torch.long), torch.tensor([2]))
    assert model.kernel["implementation"] in model.recurrent.explain_kernel()


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 1000))
def test_metrics_agree_with_scikit_learn(classes, count, seed):
    from sklearn import metrics

    generator = np.random.default_rng(seed)
    chances = generator.dirichlet(np.ones(classes), size=count)
    labels = generator.integers(0, classes, size=count)
    names = [f"class {n}" for n in range(classes)]
    figures = classification_metrics(chances, labels, names)
    predicted = chances.argmax(axis=1)
    assert figures.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert figures.loss == pytest.approx(metrics.log_loss(labels, chances, labels=range(classes)))
    per_class = metrics.f1_score(labels, predicted, labels=range(classes), average=None, zero_division=0)
    assert list(figures.f1_per_class.values()) == pytest.approx(per_class.tolist())
    assert figures.macro_f1 == pytest.approx(per_class.mean())
    assert figures.confusion == metrics.confusion_matrix(labels, predicted, labels=range(classes)).tolist()
    assert figures.n == count
    assert figures.to_dict()["n"] == count


def test_certain_and_wrong_is_finite():
    assert 80 < classification_metrics([[1.0, 0.0]], [1], ["a", "b"]).loss < 100


@pytest.mark.parametrize(
    ("chances", "labels"),
    [([[0.5, 0.5]], [0, 1]), ([0.5, 0.5], [0, 1]), ([[1.0]], [0]), ([], []), ([[0.5, 0.5]], [2]), ([[0.5, 0.5]], [-1])],
)
def test_metrics_refuse_what_does_not_fit(chances, labels):
    with pytest.raises(ShapeError):
        classification_metrics(chances, labels, ["a", "b"])


def reviews(count, seed=0):
    generator = np.random.default_rng(seed)
    words = (("bad", "poor"), ("good", "fine"), ("odd", "queer"))
    labels = [n % 3 for n in range(count)]
    return [f"the film was {generator.choice(words[label])} {generator.integers(9)}" for label in labels], labels


@pytest.mark.parametrize("count", [30, 1200])
def test_baseline_learns_words(count):
    texts, labels = reviews(count)
    model = TfidfLogisticRegression().fit(texts, labels)
    chances = model.predict_proba(reviews(60, seed=1)[0])
    assert (chances.argmax(axis=1) == reviews(60, seed=1)[1]).mean() == 1
    assert chances.sum(axis=1) == pytest.approx(np.ones(60))
    assert model.parameters % 3 == 0


def test_baseline_is_the_same_every_time():
    texts, labels = reviews(60)
    first, second = (TfidfLogisticRegression().fit(texts, labels).predict_proba(texts) for _ in range(2))
    assert np.array_equal(first, second)


def test_baseline_takes_unseen_and_empty_texts():
    texts, labels = reviews(30)
    assert TfidfLogisticRegression().fit(texts, labels).predict_proba(["", "unseen"]).shape == (2, 3)
