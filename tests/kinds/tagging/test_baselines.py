"""The neighbours without a network: counted by hand, exact against the definition, and their known figures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gatewise.errors import DataError
from gatewise.kinds.tagging.crf import log_partition, path_score
from gatewise.kinds.tagging.feature_crf import FeatureField
from gatewise.kinds.tagging.features import FeatureTable
from gatewise.kinds.tagging.figures import figure, span_contributions
from gatewise.kinds.tagging.most_frequent import MostFrequentTag
from gatewise.kinds.tagging.reading import read_tagged
from gatewise.kinds.tagging.schemes import allowed_moves, scheme_tags
from gatewise.kinds.tagging.tag_set import TagSet

SHARED = Path(os.environ.get("GATEWISE_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
WORDS = [["in", "Bonn", "he", "waits"], ["Mr", "Bonn", "waits"], ["he"], ["in", "Trier"], ["Mr", "Bern", "and", "he"]]
TAGS = [[0, 1, 0, 0], [0, 2, 0], [0], [0, 1], [0, 2, 0, 0]]


def test_the_most_frequent_tag_falls_back_on_form_ending_and_shape() -> None:
    words = [["Rome", "rome", "rome", "singing", "12", "X", "X"]]
    model = MostFrequentTag().fit(words, [[1, 0, 0, 2, 3, 4, 1]])
    cases = {"Rome": 1, "ROME": 0, "ringing": 2, "45": 3, "X": 1, "Quiz": 1, "?!": 0}
    assert dict(zip(cases, model.predict([list(cases)])[0].tolist(), strict=True)) == cases
    assert model.parameters > 0 and model.predict([[]])[0].tolist() == []
    with pytest.raises(DataError, match="no word"):
        MostFrequentTag().fit([], [])


def test_features_stand_where_they_should() -> None:
    table = FeatureTable(WORDS, minimum_count=1)
    groups = table.groups(WORDS)
    lengths = [len(row) for row in WORDS]
    assert [group.table.shape[1] for group in groups] == table.sizes and len(groups) == 7
    generator = np.random.default_rng(0)
    for group, columns in zip(groups, table._columns, strict=True):
        dense = group.table.toarray()[group.places]
        weights, gradient = generator.normal(size=(dense.shape[1], 3)), generator.normal(size=(sum(lengths), 3))
        np.testing.assert_allclose(group.scores(weights), dense @ weights, atol=1e-12)
        np.testing.assert_allclose(group.gradient(gradient), dense.T @ gradient, atol=1e-12)
        assert len(columns) == dense.shape[1]
    here, before, after, pair = 0, 1, 2, 5
    for number, name, places in (
        (here, "word=Bonn", [1, 5]),
        (here, "last=its", [3, 6]),
        (here, "pattern=Xx", [4, 10]),
        (before, "form=in", [1, 9]),
        (before, "form=", [0, 4, 7, 8, 10]),
        (after, "form=he", [1, 12]),
        (pair, "in bonn", [1]),
    ):
        column = table._columns[number][name]
        assert np.flatnonzero(groups[number].table.toarray()[groups[number].places][:, column]).tolist() == places, name


@pytest.mark.parametrize("limited", [False, True])
def test_the_field_learns_the_penalised_likelihood(limited: bool) -> None:
    moves = allowed_moves(scheme_tags(["X"], "iob2"), "iob2") if limited else None
    tags = [[0, 1, 0, 0], [1, 2, 0], [0], [0, 1], [1, 2, 2, 0]]
    model = FeatureField(3, moves, penalty=0.5, minimum_count=1, max_iterations=500, tolerance=1e-14)
    model.fit(WORDS, tags)
    groups = FeatureTable(WORDS, 1).groups(WORDS)
    weights = torch.from_numpy(model._weights).clone().requires_grad_()
    dense = torch.from_numpy(np.concatenate([group.table.toarray()[group.places] for group in groups], axis=1))
    sizes = [dense.shape[1] * 3, 9, 3, 3]
    parts = torch.split(weights, sizes)
    limits = [torch.from_numpy(limit) for limit in model._limits]
    field = [parts[1].view(3, 3) + limits[0], parts[2] + limits[1], parts[3] + limits[2]]
    loss, at = 0.25 * (weights**2).sum(), 0
    for row in tags:
        emissions = (dense[at : at + len(row)] @ parts[0].view(-1, 3))[:, None]
        length, numbers = torch.tensor([len(row)]), torch.tensor(row)[:, None]
        loss = loss + (log_partition(emissions, *field, length) - path_score(emissions, numbers, *field, length)).sum()
        at += len(row)
    loss.backward()
    assert weights.grad is not None and float(weights.grad.abs().max()) < 1e-4
    assert float(weights.detach().abs().max()) > 0.1


def test_the_field_is_deterministic_keeps_to_the_scheme_and_chooses_its_penalty() -> None:
    options: dict[str, Any] = {"minimum_count": 1}
    one, other = (FeatureField(3, **options).fit(WORDS, TAGS) for _ in range(2))
    assert np.array_equal(one._weights, other._weights) and one.parameters == len(one._weights)
    answers = one.predict([["in", "Hamm", "he"], [], ["Mr", "Hamm"]])
    assert [row.tolist() for row in answers] == [[0, 1, 0], [], [0, 2]]
    seen = []

    def score(model: FeatureField) -> float:
        seen.append(model.penalty)
        return -abs(model.penalty - 1.0)

    scores = other.choose(WORDS, TAGS, [0.1, 10.0, 1.0], score)
    assert seen == [10.0, 1.0, 0.1] and other.penalty == 1.0 and scores[1.0] == 0.0
    expected = FeatureField(3, penalty=1.0, **options).fit(WORDS, TAGS)
    np.testing.assert_allclose(other._weights, expected._weights, atol=0.02)
    with pytest.raises(DataError, match="no word"):
        FeatureField(3).fit([[]], [[]])


@pytest.mark.slow
@pytest.mark.shared_data
def test_their_figures_on_conll_2003() -> None:
    folder = SHARED / "conll2003"
    if not (folder / "test.txt").is_file():
        pytest.skip("the CoNLL-2003 texts are not at hand")
    train, test = (read_tagged(folder / f"{name}.txt", words=1, tags=2) for name in ("train", "test"))
    tags, _ = TagSet.fit(train, "iob2")
    words, numbers = [sentence.words for sentence in train.sentences], tags.encode(train)[0]
    field = FeatureField(len(tags), tags.moves(), penalty=1.0)
    for model, low, high in ((MostFrequentTag(), 0.54, 0.56), (field, 0.83, 0.845)):
        model.fit(words, numbers)
        answers = [tags.decode(row) for row in model.predict([sentence.words for sentence in test.sentences])]
        counts = span_contributions([sentence.tags for sentence in test.sentences], answers, tags.scheme)
        assert low < float(figure(counts.mean(axis=0))) < high
