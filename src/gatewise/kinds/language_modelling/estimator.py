"""`LanguageModel`: a recurrent language model in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn.utils.validation import check_is_fitted

from gatewise.data.text_files import read_text_file
from gatewise.errors import DataError
from gatewise.kinds.language_modelling.corpora import corpus_from_text
from gatewise.training.estimator import RunEstimator
from gatewise.training.events import Listener, RunResult
from gatewise.training.kind import Trained
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_place import names_a_file

if TYPE_CHECKING:
    from gatewise.kinds.language_modelling.evaluating import TextEvaluation
    from gatewise.kinds.language_modelling.trained import TrainedLanguageModel

__all__ = ["LanguageModel"]


class LanguageModel(RunEstimator, task="language-modelling", first=("cell",), omit=("encoding",)):
    """Fit a language model to running text; generate text and compute the perplexity of texts.

    {settings}

    Attributes:
        result_: the `gatewise.training.RunResult` of the fit: curves, kernel, time.
        vocabulary_: the tokens, a `gatewise.kinds.language_modelling.tokens.TokenVocabulary`.

    Example:
        >>> text = "the clouds are in the sky\\nthe cat is on the mat\\n" * 60
        >>> model = LanguageModel("gru", hidden_size=16, embedding_size=16, epochs=8, batch_size=4, threads=1)
        >>> model = model.set_params(learning_rate=0.02).fit(text)
        >>> model.generate("the clouds are in the", tokens=1, top_k=1)
        ' sky'
    """

    _trained: TrainedLanguageModel

    def fit(self, text: str | Path, y: None = None, *, on_event: Listener | None = None) -> LanguageModel:
        """Fit to running text; its last tenth is the validation part.

        Args:
            text: the text itself, or the `pathlib.Path` of a UTF-8 file.
            y: not used.
            on_event: called with each training event.

        Raises:
            DataError: too little text, or a file that is not text.
            OptionError: an argument of the constructor is out of range.
        """
        if isinstance(text, str) and names_a_file(text):
            raise DataError("the text is the name of a file", got=repr(text), fix=f"Path({text!r}) reads what is in it")
        spec = self._spec("text in memory")
        whole = read_text_file(text) if isinstance(text, Path) else text
        corpus = corpus_from_text(whole, tokens=spec.data.tokens, vocabulary_size=spec.data.vocabulary_size)
        self._train(spec, corpus, on_event)
        return self

    def perplexity(self, text: str) -> float:
        """How many equally likely tokens the model chooses among at each place of a text, on average."""
        check_is_fitted(self)
        return self._trained.perplexity(text)

    def evaluate(self, text: str | Path) -> TextEvaluation:
        """Perplexity, bits per character and unknown words of a text, with 95 % intervals over its documents.

        Args:
            text: the text itself, or the `pathlib.Path` of a UTF-8 file.

        Raises:
            DataError: the text has no token, or the file is not text.
        """
        check_is_fitted(self)
        return self._trained.evaluate(read_text_file(text, "running text") if isinstance(text, Path) else text)

    def score(self, text: str, y: None = None) -> float:
        """The mean log-likelihood of a text's tokens, in nats: higher is better, as in scikit-learn."""
        import math

        return -math.log(self.perplexity(text))

    def generate(
        self,
        prompt: str = "",
        tokens: int = 50,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        seed: int | None = None,
    ) -> str:
        """Continue a prompt; the prompt itself is not repeated.

        Args:
            prompt: the beginning.
            tokens: how many are drawn.
            temperature: below 1 likely tokens become likelier, above 1 less likely.
            top_k: draw among this many likeliest tokens.
            top_p: draw among the fewest likeliest tokens that have this probability together.
            seed: start of the random numbers.
        """
        return "".join(self._stream(prompt, tokens, temperature, top_k, top_p, seed))

    def stream(
        self,
        prompt: str = "",
        tokens: int = 50,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        seed: int | None = None,
    ) -> Iterator[str]:
        """As `generate`, piece by piece as it is drawn."""
        return self._stream(prompt, tokens, temperature, top_k, top_p, seed)

    def next_tokens(self, prompt: str, count: int = 10) -> list[tuple[str, float]]:
        """The likeliest next tokens after a prompt, with their probabilities."""
        check_is_fitted(self)
        return self._trained.next_tokens(prompt, count)

    def _keep(self, run: RunFolder, trained: Trained, result: RunResult) -> None:
        super()._keep(run, trained, result)
        self.vocabulary_ = self._trained.vocabulary

    def _stream(
        self, prompt: str, tokens: int, temperature: float, top_k: int | None, top_p: float, seed: int | None
    ) -> Iterator[str]:
        from gatewise.kinds.language_modelling.generation import Sampling

        check_is_fitted(self)
        sampling: Sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
        return self._trained.stream(prompt, tokens, sampling)
