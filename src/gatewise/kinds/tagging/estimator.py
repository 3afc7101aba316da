"""`SequenceTagger`: a recurrent tagger in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sklearn.utils.validation import check_is_fitted

from gatewise.errors import DataError
from gatewise.kinds.tagging.dataset import hold_out, tagging_dataset
from gatewise.kinds.tagging.evaluating import contributions_of, measure_of
from gatewise.kinds.tagging.sentences import Sentence, TaggedSentences
from gatewise.training.estimator import RunEstimator
from gatewise.training.events import Listener, RunResult
from gatewise.training.kind import Trained
from gatewise.training.run_folder import RunFolder

if TYPE_CHECKING:
    from gatewise.kinds.tagging.trained import TaggedText, TrainedTagger

__all__ = ["SequenceTagger"]

_PLACE = "sentences in memory"


class SequenceTagger(RunEstimator, task="tagging", first=("cell",), omit=("words", "tags", "validation")):
    """Tag the words of sentences: named entities, parts of speech; works in ``clone`` and with ``get_params``.

    {settings}

    Attributes:
        tags_: the tags, as the network numbers them.
        result_: the `gatewise.training.RunResult` of the fit: curves, kernel, time.

    Example:
        >>> sentences = [["to", f"Town{n}", "went", "he"] for n in range(30)] + [["he", "went", "home"]] * 3
        >>> tags = [["O", "B-LOC", "O", "O"]] * 30 + [["O", "O", "O"]] * 3
        >>> tagger = SequenceTagger("gru", hidden_size=12, epochs=8, batch_size=4, learning_rate=0.01, threads=1)
        >>> tagger.fit(sentences, tags).predict([["to", "Town99", "went", "he"]])
        [['O', 'B-LOC', 'O', 'O']]
    """

    _trained: TrainedTagger

    def fit(
        self,
        sentences: Iterable[Sequence[str]],
        tags: Iterable[Sequence[str]],
        validation_data: tuple[Iterable[Sequence[str]], Iterable[Sequence[str]]] | None = None,
        *,
        on_event: Listener | None = None,
    ) -> SequenceTagger:
        """Fit on tagged sentences.

        Args:
            sentences: N lists of words.
            tags: a tag for each word: IOB1, IOB2, IOBES, BILOU or plain tags.
            validation_data: sentences and tags for early stopping; None: a tenth, chosen by content.
            on_event: called with each training event.

        Raises:
            DataError: sentences and tags of other lengths, empty sentences, too few, or tags of no scheme.
            OptionError: an argument of the constructor is out of range.
        """
        spec = self._spec(_PLACE)
        train = whole = _read(sentences, tags, "training")
        if validation_data is None:
            validation, train = hold_out(train, 0.1, "validation")
        else:
            validation = _read(*validation_data, "validation")
        parts = {"train": train, "validation": validation, "test": TaggedSentences((), _PLACE)}
        note = "a part of the sentences decided when to stop; there is no test part"
        source = "sentences given to SequenceTagger.fit"
        dataset = tagging_dataset(_PLACE, source, note, parts, spec.data, tags_from=whole)
        self._train(spec, dataset, on_event)
        return self

    def predict(self, sentences: Iterable[Sequence[str]]) -> list[list[str]]:
        """The tags of each sentence's words, in the scheme of the training sentences."""
        check_is_fitted(self)
        return self._trained.tag(list(sentences))

    def predict_texts(self, texts: Iterable[str]) -> list[TaggedText]:
        """Cut raw texts into words and tag them; entities come with their character offsets."""
        check_is_fitted(self)
        return self._trained.tag_texts(texts if isinstance(texts, str) else list(texts))

    def score(self, sentences: Iterable[Sequence[str]], tags: Iterable[Sequence[str]]) -> float:
        """Strict span F1, or the accuracy of plain tags."""
        check_is_fitted(self)
        read = _read(sentences, tags, "test")
        known = self._trained.tag_set
        numbers, _ = known.encode(read)
        truth = [known.decode(row) for row in numbers]
        answers = self.predict([sentence.words for sentence in read.sentences])
        return measure_of(known).of(contributions_of(truth, answers, known))

    def _keep(self, run: RunFolder, trained: Trained, result: RunResult) -> None:
        super()._keep(run, trained, result)
        self.tags_ = self._trained.tag_set.tags


def _read(sentences: Iterable[Sequence[str]], tags: Iterable[Sequence[str]], part: str) -> TaggedSentences:
    """Check sentences and tags; in messages a "line" is the place of the sentence."""
    rows, answers = list(sentences), list(tags)
    if len(rows) != len(answers):
        raise DataError(
            f"{part} sentences and tags do not fit",
            expected="as many lists of tags",
            got=f"{len(rows)}, {len(answers)}",
        )
    found = []
    for place, (words, row) in enumerate(zip(rows, answers, strict=True)):
        if isinstance(words, str) or not all(isinstance(word, str) and word for word in words):
            raise DataError(f"{part} sentence {place} is not a list of words", expected="strings", got=repr(words)[:60])
        if len(words) != len(row) or not len(words):
            raise DataError(
                f"{part} sentence {place} does not fit its tags",
                expected="at least one word, and a tag for each",
                got=f"{len(words)} words, {len(row)} tags",
            )
        found.append(Sentence(tuple(words), tuple(map(str, row)), place + 1, (place + 1,) * len(words)))
    return TaggedSentences(tuple(found), f"the {part} sentences")
