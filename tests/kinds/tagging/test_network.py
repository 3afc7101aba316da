"""The tagging network: ragged = one at a time, what each option does, and that it learns."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
import torch

from gatewise.errors import OptionError, ShapeError
from gatewise.kinds.tagging.encoding import EncodedSentences, encode
from gatewise.kinds.tagging.network import READERS, SequenceTagger
from gatewise.kinds.tagging.sentences import Sentence, TaggedSentences
from gatewise.kinds.tagging.tag_set import TagSet
from gatewise.kinds.tagging.vocabulary import WordVocabulary

SMALL: dict[str, Any] = {
    "hidden_size": 12,
    "word_size": 10,
    "character_size": 5,
    "character_hidden": 6,
    "shape_size": 3,
    "dropout": 0.2,
}


def made_up(count: int, seed: int = 0) -> TaggedSentences:
    """Sentences with names that only their ending and the word before distinguish."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        words: list[str] = []
        tags: list[str] = []
        for _ in range(chance.randint(1, 5)):
            stem = "".join(chance.choice("abcdefgh") for _ in range(4)).capitalize()
            if chance.random() < 0.4:
                words += ["in", stem + "burg"]
                tags += ["O", "B-LOC"]
            elif chance.random() < 0.5:
                words += ["Mr", stem, stem + "son"]
                tags += ["O", "B-PER", "I-PER"]
            else:
                words.append(chance.choice(["waits", "and", "saw", stem.lower()]))
                tags.append("O")
        rows.append(Sentence(tuple(words), tuple(tags), 10 * number + 1))
    return TaggedSentences(tuple(rows), "a.txt")


def prepared(
    count: int = 40, inside: str = "iobes"
) -> tuple[TaggedSentences, TagSet, WordVocabulary, EncodedSentences]:
    read = made_up(count)
    tags, _ = TagSet.fit(read, inside)
    vocabulary = WordVocabulary.fit(read)
    return read, tags, vocabulary, encode(read.sentences, vocabulary, tags.encode(read)[0])


def build(tags: TagSet, vocabulary: WordVocabulary, **options: Any) -> SequenceTagger:
    torch.manual_seed(0)
    sizes = vocabulary.word_count, vocabulary.character_count, len(tags)
    return SequenceTagger(*sizes, tags.moves(), **{**SMALL, **options})


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "mingru", "minlstm"])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("crf", [True, False])
def test_a_batch_is_its_sentences(cell: str, reader: str, crf: bool) -> None:
    _, tags, vocabulary, encoded = prepared()
    model = build(tags, vocabulary, cell=cell, character_reader=reader, crf=crf, num_layers=2).eval()
    rows = [3, 0, 7, 12]
    batch = encoded.batch(rows)
    together, answers, shares = model.emissions(batch), model.decode(batch), model.probabilities(batch)
    loss, words = 0.0, 0
    for column, row in enumerate(rows):
        alone = encoded.batch([row])
        length = int(alone.lengths[0])
        torch.testing.assert_close(model.emissions(alone)[:, 0], together[:length, column], rtol=1e-4, atol=1e-5)
        assert torch.equal(model.decode(alone)[:, 0], answers[:length, column])
        assert not answers[length:, column].any() and not shares[length:, column].any()
        torch.testing.assert_close(shares[:length, column].sum(dim=1), torch.ones(length))
        loss += float(model.loss(alone).detach()) * length
        words += length
    assert float(model.loss(batch).detach()) == pytest.approx(loss / words, rel=1e-5)


@pytest.mark.parametrize("crf", [True, False])
@pytest.mark.parametrize("inside", ["iob2", "iobes"])
def test_answers_keep_to_the_scheme(crf: bool, inside: str) -> None:
    _, tags, vocabulary, encoded = prepared(inside=inside)
    model = build(tags, vocabulary, crf=crf).eval()
    with torch.no_grad():
        model.head.weight.mul_(50)
    moves, starts, ends = tags.moves()
    batch = encoded.batch(range(len(encoded)))
    answers = model.decode(batch)
    assert len(answers.unique()) > 2
    for column, length in enumerate(batch.lengths.tolist()):
        path = answers[:length, column].tolist()
        assert starts[path[0]] and ends[path[-1]] and all(moves[a, b] for a, b in itertools.pairwise(path))


def test_without_moves_the_softmax_answers_each_word_alone() -> None:
    _, tags, vocabulary, encoded = prepared()
    torch.manual_seed(0)
    model = SequenceTagger(vocabulary.word_count, vocabulary.character_count, len(tags), crf=False, **SMALL).eval()
    batch = encoded.batch([1, 2, 3])
    best = model.emissions(batch).argmax(dim=2)
    for column, length in enumerate(batch.lengths.tolist()):
        assert torch.equal(model.decode(batch)[:length, column], best[:length, column])


def test_rare_words_are_replaced_in_training_only_and_by_torchs_generator() -> None:
    _, tags, vocabulary, encoded = prepared()
    model = build(tags, vocabulary, dropout=0.0, unknown_rate=1.0)
    batch = encoded.batch(range(10))
    assert batch.rare.any()
    trained, known = model.emissions(batch), model.eval().emissions(batch)
    assert not torch.allclose(trained, known)
    replaced = batch._replace(words=batch.words.masked_fill(batch.rare, 1))
    torch.testing.assert_close(model.emissions(replaced), trained)
    model = build(tags, vocabulary).train()
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        losses.append(float(model.loss(batch).detach()))
    assert losses[0] == losses[1] != losses[2]


def test_every_weight_gets_a_gradient_and_padding_none() -> None:
    _, tags, vocabulary, encoded = prepared()
    for reader in ("recurrent", "convolution"):
        model = build(tags, vocabulary, character_reader=reader)
        model.loss(encoded.batch(range(40))).backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None and weight.grad.isfinite().all() and weight.grad.any(), name
        assert model.embedding.weight.grad is not None and not model.embedding.weight.grad[0].any()


@pytest.mark.parametrize(("reader", "crf", "locked"), [("recurrent", True, False), ("convolution", False, True)])
def test_it_learns_names_from_their_characters(reader: str, crf: bool, locked: bool) -> None:
    _, tags, vocabulary, encoded = prepared(200)
    model = build(tags, vocabulary, character_reader=reader, crf=crf, locked=locked, cell="gru")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    order = np.random.default_rng(0)
    for _ in range(8):
        for rows in np.split(order.permutation(200), 20):
            optimizer.zero_grad()
            model.loss(encoded.batch(rows)).backward()
            optimizer.step()
    new = made_up(60, seed=1)
    fresh = encode(new.sentences, vocabulary)
    answers = model.eval().decode(fresh.batch(range(60))).T.tolist()
    right = [tags.decode(row[: len(s)]) == list(s.tags) for row, s in zip(answers, new.sentences, strict=True)]
    assert sum(right) / 60 > 0.9


def test_the_same_seed_gives_the_same_bits_and_weights_go_out_and_in() -> None:
    _, tags, vocabulary, encoded = prepared()
    one, other = build(tags, vocabulary), build(tags, vocabulary)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    with torch.no_grad():
        other.head.weight.add_(1)
    other.load_state_dict(one.state_dict())
    batch = encoded.batch([0, 1])
    assert torch.equal(one.eval().emissions(batch), other.eval().emissions(batch))
    assert one.kernel["implementation"] != "not run yet"


def test_wrong_use_is_refused() -> None:
    _, tags, vocabulary, encoded = prepared()
    with pytest.raises(OptionError, match="did you mean 'recurrent'"):
        build(tags, vocabulary, character_reader="recurent")
    with pytest.raises(ShapeError, match="needs the batch's tags"):
        build(tags, vocabulary).loss(encoded.batch([0])._replace(tags=None))
