"""Running text: what is split where, what is learnt from which part, and which files are refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gatewise.errors import DataError, OptionError, RunError
from gatewise.kinds.language_modelling.corpora import corpus_from_text, corpus_infos, load_corpus
from gatewise.kinds.language_modelling.kind import LanguageModellingKind
from gatewise.kinds.language_modelling.tokens import TokenVocabulary
from gatewise.statistics import paired_difference
from gatewise.training import task_of
from small_text import small_text, write_text_file

SHARED = Path(os.environ.get("GATEWISE_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
needs_ptb = pytest.mark.skipif(not corpus_infos(SHARED)[0].at_hand, reason="the Penn Treebank is not at hand")


@pytest.mark.parametrize("tokens", ["word", "character", "bpe"])
def test_parts_follow_each_other_and_lose_nothing(tmp_path, tokens):
    path = write_text_file(tmp_path / "text.txt")
    corpus = load_corpus(path, tokens=tokens, vocabulary_size=400)
    parts = [corpus.vocabulary.decode(part) for part in (corpus.train, corpus.validation, corpus.test)]
    assert "".join(parts) == path.read_text()
    assert 0.75 < len(parts[0]) / len(path.read_text()) < 0.85
    assert all(part.endswith("\n") for part in parts)


@pytest.mark.parametrize("tokens", ["word", "character", "bpe"])
def test_what_comes_later_changes_nothing_that_was_learnt(tmp_path, tokens):
    """Other words of the same length after the training part: same tokens, same numbers of the training text."""
    text = small_text()
    first = load_corpus(write_text_file(tmp_path / "a.txt"), tokens=tokens, vocabulary_size=300)
    learnt = len(first.vocabulary.decode(first.train))
    shuffled = "".join("z" if letter not in " \n" else letter for letter in text[learnt:])
    (tmp_path / "b.txt").write_text(text[:learnt] + shuffled)
    second = load_corpus(tmp_path / "b.txt", tokens=tokens, vocabulary_size=300)
    assert first.vocabulary.to_dict() == second.vocabulary.to_dict()
    assert np.array_equal(first.train, second.train)
    assert first.fingerprint != second.fingerprint


def test_words_are_numbered_by_falling_frequency(tmp_path):
    corpus = load_corpus(write_text_file(tmp_path / "text.txt"))
    counts = np.bincount(corpus.train, minlength=len(corpus.vocabulary))
    assert (np.diff(counts) <= 0).all()
    assert {"<eos>", "<unk>"} <= set(corpus.vocabulary.tokens)


def test_rare_words_are_learnt_as_the_unknown_one():
    corpus = corpus_from_text(small_text() + "once zebras\n" + small_text(seed=4), vocabulary_size=50)
    vocabulary = corpus.vocabulary
    assert "zebras" not in vocabulary.tokens
    assert np.sum(corpus.train == vocabulary.unknown) == 2
    assert vocabulary.unknown_tokens("the zebras and the zebras of spain") == ["zebras", "of", "spain"]


def test_unknown_words_are_reported(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(small_text() + "strange creatures roam\n" * 20)
    assert any("unknown words" in note for note in load_corpus(path).notes)


@pytest.mark.parametrize("tokens", ["character", "bpe"])
def test_any_text_comes_back_from_its_tokens(tokens):
    text = "Größe 你好 — naïve\n" * 5 + small_text()
    corpus = corpus_from_text(text, tokens=tokens, vocabulary_size=330)
    vocabulary = TokenVocabulary.from_dict(corpus.vocabulary.to_dict())
    sample = "naïve 你好 is the sky\nGröße"
    assert vocabulary.decode(vocabulary.encode_prompt(sample)) == sample


def test_words_are_put_together_as_they_are_written():
    text = "“Don't go (yet),” she said; why?\n" * 20
    vocabulary = corpus_from_text(text).vocabulary
    assert vocabulary.decode(vocabulary.encode_prompt(text.splitlines()[0])) == text.splitlines()[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n \n", "is empty"),
        (b"word", "too short"),
        (b"the sky " * 5, "too short"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 40, "not UTF-8|NUL byte"),
        (b"text\0with\0holes " * 40, "NUL byte"),
        (("the sky\n" * 40).encode("utf-16-le"), "UTF-16 without its mark"),
        (b"same same same same\n" * 40, "fewer than two different tokens"),
    ],
)
def test_unusable_files_are_refused_by_name(tmp_path, content, said):
    path = tmp_path / "corpus.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        load_corpus(path)


def test_a_text_without_line_feeds_is_cut_between_words():
    corpus = corpus_from_text("the clouds are in the sky and the cat is on the mat " * 30)
    assert corpus.sizes["train"] > corpus.sizes["validation"] > 0


def test_errors_name_the_fix(tmp_path):
    with pytest.raises(DataError, match="did you mean 'reviews'"):
        load_corpus("revews")
    with pytest.raises(DataError, match="does not exist"):
        load_corpus(tmp_path / "none.txt")
    with pytest.raises(DataError, match="--download"):
        load_corpus("ptb", cache=tmp_path)
    with pytest.raises(OptionError, match="words"):
        load_corpus(write_text_file(tmp_path / "a.txt"), tokens="words")
    with pytest.raises(OptionError, match="256 bytes"):
        load_corpus(write_text_file(tmp_path / "a.txt"), tokens="bpe", vocabulary_size=100)


def test_a_changed_penn_treebank_is_refused(tmp_path):
    (tmp_path / "ptb").mkdir()
    for name in ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"):
        (tmp_path / "ptb" / name).write_text("no it was n't black monday\n")
    with pytest.raises(DataError, match="not the known file"):
        load_corpus("ptb", cache=tmp_path)


def test_a_download_is_checked_and_its_failure_explained(tmp_path, monkeypatch):
    import pooch

    def fail(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(pooch, "retrieve", fail)
    with pytest.raises(DataError, match=r"could not be downloaded.*no route"):
        load_corpus("ptb", cache=tmp_path, download=True)
    asked = []

    def deliver(url, *, known_hash, fname, path, progressbar):
        asked.append((url.rsplit("/", 1)[1] == fname, known_hash.startswith("sha256:"), len(known_hash)))
        (path / fname).write_text("another text\n")
        return str(path / fname)

    monkeypatch.setattr(pooch, "retrieve", deliver)
    with pytest.raises(DataError, match="not the known file"):
        load_corpus("ptb", cache=tmp_path, download=True)
    assert asked == [(True, True, 71)]


@pytest.mark.parametrize(
    "record", [{}, {"format_version": 1, "tokenisation": "word", "tokens": ["a"]}, {"format_version": 9}]
)
def test_a_damaged_vocabulary_is_refused(record):
    with pytest.raises(RunError):
        TokenVocabulary.from_dict(record)


@needs_ptb
@pytest.mark.shared_data
def test_penn_treebank_has_the_sizes_of_the_literature():
    corpus = load_corpus("ptb", cache=SHARED)
    assert corpus.sizes == {"train": 929_589, "validation": 73_760, "test": 82_430}
    assert len(corpus.vocabulary) == 10_000
    assert corpus.vocabulary.decode(corpus.test[:6]) == "no it was n't black monday"


ARTICLE = ("= Cloud {0} =", "A cloud hangs in the sky .", "== Kinds ==", "There are {0} kinds of cloud .")


def test_documents_are_found_where_the_text_marks_them(tmp_path: Path) -> None:
    path = tmp_path / "wiki.txt"
    lines = [line.format(number) for number in range(200) for line in ARTICLE]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for tokens in ("word", "character"):
        corpus = load_corpus(path, tokens=tokens)
        starts = (0, *corpus.test_borders)
        texts = [
            corpus.vocabulary.decode(corpus.test[first:last])
            for first, last in zip(starts, (*starts[1:], len(corpus.test)), strict=True)
        ]
        assert 18 <= len(texts) <= 22
        assert all(text.lstrip().startswith("= Cloud") and text.count("Kinds") == 1 for text in texts[1:])
        assert any(f"{len(texts)} documents" in note for note in corpus.notes)
        measure = LanguageModellingKind().measure(corpus)
        assert measure.borders == corpus.test_borders and measure.to_dict()["documents"] == len(texts)
    path.write_text("\n".join(line for line in lines if not line.startswith("= ")), encoding="utf-8")
    plain = load_corpus(path)
    assert plain.test_borders == () and LanguageModellingKind().measure(plain).to_dict()["documents"] is None


def test_intervals_of_marked_documents_are_over_documents(tmp_path: Path) -> None:
    path = tmp_path / "few.txt"
    article = "".join(f"word{number % 7} word{number % 11} word{number % 3}\n" for number in range(400))
    path.write_text("".join(f"{article}<|endoftext|>\n" for _ in range(40)), encoding="utf-8")
    corpus = load_corpus(path)
    measure = LanguageModellingKind().measure(corpus)
    documents = len(corpus.test_borders) + 1
    assert documents in (4, 5)
    one, two = np.random.default_rng(0).normal(4.0, 1.0, (2, 3, len(corpus.test)))
    found = paired_difference(one, two + 0.5, np.random.default_rng(1), measure=measure)
    assert found.blocks is not None and found.blocks <= documents and not found.enough


@pytest.mark.parametrize("name", ["novel.txt", "notes.md", "server.log", "program.py"])
def test_running_text_is_modelled_by_its_ending(tmp_path: Path, name: str) -> None:
    assert task_of(str(write_text_file(tmp_path / name))) == "language-modelling"


def test_labelled_lines_stay_classification_whatever_their_ending(tmp_path: Path) -> None:
    path = tmp_path / "reviews.log"
    path.write_text("".join(f"__label__{('good', 'bad')[number % 2]} a film {number}\n" for number in range(40)))
    assert task_of(str(path)) == "classification"
