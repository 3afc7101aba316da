"""`Translator`: a recurrent translator in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sklearn.utils.validation import check_is_fitted

from gatewise.errors import DataError
from gatewise.kinds.translation.dataset import hold_out, translation_dataset
from gatewise.kinds.translation.measures import MEASURES, contributions_of
from gatewise.kinds.translation.pairs import SentencePairs
from gatewise.training.estimator import RunEstimator
from gatewise.training.events import Listener

if TYPE_CHECKING:
    from gatewise.kinds.translation.trained import AttentionMap, TrainedTranslator

__all__ = ["Translator"]

_PLACE = "sentences in memory"
_OMIT = (
    "translations",
    "source_column",
    "target_column",
    "reverse",
    "test_translations",
    "validation",
    "validation_translations",
)


class Translator(RunEstimator, task="translation", first=("cell",), omit=_OMIT):
    """Translate sentences; works in ``clone`` and with ``get_params``.

    {settings}

    Attributes:
        result_: the `gatewise.training.RunResult` of the fit: curves, kernel, time.

    Example:
        >>> numbers = ["one", "two", "three"]
        >>> words = {"one": "eins", "two": "zwei", "three": "drei"}
        >>> sources = [f"{a} {b} {c}" for a in numbers for b in numbers for c in numbers]
        >>> targets = [" ".join(words[word] for word in text.split()) for text in sources]
        >>> translator = Translator(
        ...     "gru", hidden_size=16, embedding_size=16, vocabulary_size=300, epochs=60, batch_size=8,
        ...     learning_rate=0.01, dropout=0.0, threads=1,
        ... )
        >>> translator.fit(sources, targets).predict(["two one three"])
        ['zwei eins drei']
    """

    _trained: TrainedTranslator

    def fit(
        self,
        sources: Iterable[str],
        targets: Iterable[str],
        validation_data: tuple[Iterable[str], Iterable[str]] | None = None,
        *,
        on_event: Listener | None = None,
    ) -> Translator:
        """Fit on sentence pairs.

        Args:
            sources: N sentences.
            targets: their translations.
            validation_data: sentences and translations for early stopping; None: a tenth, chosen by content.
            on_event: called with each training event.

        Raises:
            DataError: other numbers of sentences and translations, empty ones, or too few.
            OptionError: an argument of the constructor is out of range.
        """
        spec = self._spec(_PLACE)
        train = _read(sources, targets, "training")
        if validation_data is None:
            validation, train = hold_out(train, 0.1, 1_000, "validation")
        else:
            validation = _read(*validation_data, "validation")
        parts = {"train": train, "validation": validation, "test": SentencePairs((), (), _PLACE)}
        note = "a part of the sentences decided when to stop; there is no test part"
        dataset = translation_dataset(_PLACE, "sentences given to Translator.fit", note, parts, spec.data)
        self._train(spec, dataset, on_event)
        return self

    def predict(self, texts: Iterable[str]) -> list[str]:
        """The translation of each text; an empty text gives an empty one."""
        check_is_fitted(self)
        return self._trained.translate(texts if isinstance(texts, str) else list(texts))

    def attention_map(self, text: str) -> AttentionMap | None:
        """How the translation of a sentence was attended; None: the network has no attention."""
        check_is_fitted(self)
        return self._trained.attention(text)

    def score(self, sources: Iterable[str], targets: Iterable[str]) -> float:
        """BLEU, or the figure of ``metric``, of the translations; from 0 to 1."""
        check_is_fitted(self)
        pairs = _read(sources, targets, "test")
        metric = str(self.metric)
        return MEASURES[metric].of(contributions_of(metric, self.predict(pairs.sources), pairs.targets))


def _read(sources: Iterable[str], targets: Iterable[str], part: str) -> SentencePairs:
    """Check sentences and translations."""
    sides = [list(sources), list(targets)]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"{part} sentences and translations do not fit",
            expected="a translation of each sentence",
            got=f"{len(sides[0])}, {len(sides[1])}",
        )
    found = []
    for name, rows in zip(("sentence", "translation"), sides, strict=True):
        for place, text in enumerate(rows):
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"{part} {name} {place} has no word", expected="a string", got=repr(text)[:60])
        found.append(tuple(" ".join(text.split()) for text in rows))
    return SentencePairs(found[0], found[1], f"the {part} sentences")
