"""`LanguageModel`: a recurrent language model in scikit-learn's manner."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from gatewise import files
from gatewise.data.text_files import read_text_file
from gatewise.errors import RunError
from gatewise.kinds.language_modelling.corpora import Corpus, corpus_from_text
from gatewise.training.assembly import make_spec
from gatewise.training.events import Listener, RunResult

if TYPE_CHECKING:
    from gatewise.kinds.language_modelling.generation import Sampling
    from gatewise.kinds.language_modelling.trained import TrainedLanguageModel

__all__ = ["LanguageModel"]

_TASK = "language-modelling"
_DATA = ("tokens", "vocabulary_size")


class LanguageModel(BaseEstimator):  # type: ignore[misc]
    """Learn the distribution of the next token from running text; write text, and tell how likely a text is.

    The arguments are fields of `gatewise.kinds.language_modelling.spec.CorpusSpec`, ``LanguageModelSpec`` and
    `gatewise.training.TrainingSpec`; they are checked when `fit` is called.

    Args:
        cell: ``rnn``, ``lstm``, ``gru`` or a registered cell.
        tokens: ``word``, ``character`` or ``bpe``.
        vocabulary_size: tokens kept.
        hidden_size: H, units per layer.
        embedding_size: numbers per token.
        num_layers: recurrent layers.
        steps: tokens through which the gradient flows back.
        tied: whether the output layer uses the embedding's weights.
        dropout: p on the embedded tokens.
        output_dropout: p on the last layer's output.
        weight_dropout: p on the recurrent weights.
        epochs: passes over the text, at most.
        batch_size: columns that the text is read in side by side.
        learning_rate: at its height.
        schedule: ``constant``, ``linear`` or ``cosine``.
        averaging: decay of the averaged weights; 0: none.
        patience: epochs without a better validation perplexity before stopping.
        seed: start of all random numbers.
        threads: CPU threads; None: one per core.
        device: ``cpu`` or ``cuda``.

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

    def __init__(
        self,
        cell: str = "gru",
        *,
        tokens: str = "word",
        vocabulary_size: int = 10_000,
        hidden_size: int = 128,
        embedding_size: int = 128,
        num_layers: int = 1,
        steps: int = 35,
        tied: bool = True,
        dropout: float = 0.2,
        output_dropout: float = 0.2,
        weight_dropout: float = 0.0,
        epochs: int = 12,
        batch_size: int = 20,
        learning_rate: float = 2e-3,
        schedule: str = "cosine",
        averaging: float = 0.0,
        patience: int = 3,
        seed: int = 0,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.cell = cell
        self.tokens = tokens
        self.vocabulary_size = vocabulary_size
        self.hidden_size = hidden_size
        self.embedding_size = embedding_size
        self.num_layers = num_layers
        self.steps = steps
        self.tied = tied
        self.dropout = dropout
        self.output_dropout = output_dropout
        self.weight_dropout = weight_dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.averaging = averaging
        self.patience = patience
        self.seed = seed
        self.threads = threads
        self.device = device

    def fit(self, text: str | Path, y: None = None, *, on_event: Listener | None = None) -> LanguageModel:
        """Learn from running text; its last tenth decides when to stop.

        Args:
            text: the text itself, or the `pathlib.Path` of a UTF-8 file.
            y: not used.
            on_event: called with each training event.

        Raises:
            DataError: too little text, or a file that is not text.
            OptionError: an argument of the constructor is out of range.
        """
        from gatewise.training.loop import train_run
        from gatewise.training.trained import load_run

        settings = self.get_params()
        spec = make_spec(_TASK, "text in memory", settings)
        whole = read_text_file(text) if isinstance(text, Path) else text
        corpus: Corpus = corpus_from_text(whole, **{name: settings[name] for name in _DATA})
        with tempfile.TemporaryDirectory(prefix="gatewise-") as place:
            result = train_run(spec, corpus, Path(place) / "run", on_event=on_event)
            self._trained = _language_model(load_run(result.folder))
            self._environment: dict[str, Any] = files.read_json(result.folder / "environment.json")
        self.result_: RunResult = result
        self.vocabulary_ = self._trained.vocabulary
        return self

    def perplexity(self, text: str) -> float:
        """How many equally likely tokens the model chooses among at each place of a text, on average."""
        check_is_fitted(self)
        return self._trained.perplexity(text)

    def score(self, text: str, y: None = None) -> float:
        """The mean log-likelihood of a text's tokens, in nats: higher is better, as scikit-learn wants it."""
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
            temperature: below 1 the likely tokens gain, above 1 they lose.
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

    def save(self, folder: str | Path) -> Path:
        """Write the fitted model as a run folder (safetensors and JSON) that the command line can use too.

        Raises:
            RunError: the folder holds something else.
            StorageError: it cannot be written.
        """
        from gatewise.training.run_folder import RunFolder

        check_is_fitted(self)
        run = RunFolder(folder)
        run.claim(self.result_.spec, self._environment["data"]["fingerprint"])
        run.begin(self.result_.spec, self._environment, {"vocabulary.json": self.vocabulary_.to_dict()})
        run.save_weights(self._trained.model.state_dict())
        run.rewrite_metrics(self.result_.epochs)
        run.finish(self.result_)
        return run.path

    @classmethod
    def load(cls, folder: str | Path) -> LanguageModel:
        """Open what `save` wrote, or any finished run of a language model.

        Raises:
            RunError: there is no finished run, or it is damaged or of another kind.
        """
        from gatewise.training.run_folder import RunFolder
        from gatewise.training.trained import load_run

        trained = _language_model(load_run(folder))
        run = RunFolder(folder)
        spec = trained.spec
        known = {**vars(spec.data), **vars(spec.model), **vars(spec.training)}
        loaded = cls(**{name: known[name] for name in cls._get_param_names()})
        result = run.result()
        if result is None:
            raise RunError(f"the run in {run.path} is not finished")
        loaded.result_, loaded.vocabulary_, loaded._trained = result, trained.vocabulary, trained
        loaded._environment = files.read_json(run.path / "environment.json")
        return loaded

    def _stream(
        self, prompt: str, tokens: int, temperature: float, top_k: int | None, top_p: float, seed: int | None
    ) -> Iterator[str]:
        from gatewise.kinds.language_modelling.generation import Sampling

        check_is_fitted(self)
        sampling: Sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
        return self._trained.stream(prompt, tokens, sampling)


def _language_model(trained: object) -> TrainedLanguageModel:
    """The trained network, if it is a language model."""
    from gatewise.kinds.language_modelling.trained import TrainedLanguageModel

    if not isinstance(trained, TrainedLanguageModel):
        raise RunError("the run is not a language model", expected=_TASK)
    return trained
