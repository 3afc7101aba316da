"""A trained language model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from gatewise.errors import DataError, RunError
from gatewise.kinds.language_modelling.corpora import Corpus
from gatewise.kinds.language_modelling.evaluating import TextEvaluation, evaluate_text
from gatewise.kinds.language_modelling.generation import Generator, Sampling, next_tokens
from gatewise.kinds.language_modelling.model import LanguageModel
from gatewise.kinds.language_modelling.problem import PERPLEXITY, LanguageModellingProblem, read_losses
from gatewise.kinds.language_modelling.spec import LanguageModelSpec
from gatewise.kinds.language_modelling.tokens import Tokens, TokenVocabulary
from gatewise.training.kind import RecurrentInputs, Request, Trained
from gatewise.training.problem import Evaluation
from gatewise.training.reader import Reader
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

if TYPE_CHECKING:
    from gatewise.training.streaming import Streaming

__all__ = ["TrainedLanguageModel", "evaluation", "first_tokens", "open_run", "problem_of"]

_SHOWN = 300
_SAMPLES = 3
_SAMPLE_TOKENS = 40
_NEXT = 10


class TrainedLanguageModel(Trained):
    """A language model with its tokens.

    Args:
        spec: the run it came from.
        vocabulary: its tokens.
        model: the network, with its best weights.
    """

    graph_module: ClassVar[str | None] = "gatewise.kinds.language_modelling.graph"

    def __init__(self, spec: RunSpec, vocabulary: TokenVocabulary, model: LanguageModel) -> None:
        self.spec = spec
        self.vocabulary = vocabulary
        self.model = model.eval()

    def losses(self, tokens: Tokens) -> npt.NDArray[np.float64]:
        """Each token's negative log-likelihood given all before it, in nats: (N,); the softmax is exact."""
        return read_losses(self.model, tokens, self.vocabulary.start)

    def perplexity(self, text: str) -> float:
        """The perplexity of a text, the ends of its lines counted.

        Raises:
            DataError: the text has no token.
        """
        words = self.vocabulary.kind in ("word", "spaced-word")
        tokens = self.vocabulary.encode([line for line in text.splitlines() if line.strip() or not words])
        if len(tokens) == 0:
            raise DataError("the text has no token", expected="at least one word", fix="give a longer text")
        return PERPLEXITY.of(self.losses(tokens))

    def evaluate(self, text: str) -> TextEvaluation:
        """Perplexity, bits per character and unknown words of a text, with intervals over its documents.

        Raises:
            DataError: the text has no token.
        """
        return evaluate_text(self, text)

    input_schema: ClassVar[Mapping[str, Any]] = {"type": "string", "description": "the beginning of a text"}

    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The likeliest next tokens after each beginning of a text."""
        for place, prompt in enumerate(inputs):
            if not isinstance(prompt, str):
                raise DataError(f"input {place + 1} is not a text", expected="a string", got=type(prompt).__name__)
        return [self.next_record(prompt) for prompt in inputs]

    def next_record(self, prompt: str, count: int = _NEXT) -> dict[str, Any]:
        """The likeliest next tokens after a prompt, ready for JSON."""
        found = self.next_tokens(prompt, count)
        return {"prompt": prompt, "tokens": [{"token": token, "probability": chance} for token, chance in found]}

    def streaming(self) -> Streaming:
        """The next tokens as a text is read."""
        from gatewise.kinds.language_modelling.streaming import LanguageModelStreaming

        return LanguageModelStreaming(self)

    def evaluate_command(self, request: Request) -> None:
        """Measure on a file; see `gatewise.kinds.language_modelling.commands.evaluate`."""
        from gatewise.kinds.language_modelling import commands

        commands.evaluate(self, request)

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part; contributions are each token's negative log-likelihood in nats, in the text's order."""
        tokens: Tokens = getattr(dataset, part)
        return evaluation(self.losses(tokens), tokens, dataset.vocabulary)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From raw lines to their negative log-likelihood."""
        lines = list(dataset.test_lines)
        return lambda count: self.losses(first_tokens(self.vocabulary, lines, count))

    def reader(self, dataset: Any = None) -> Reader:
        """How its answers come about, see `gatewise.kinds.language_modelling.reader.LanguageReader`."""
        from gatewise.kinds.language_modelling.reader import LanguageReader

        return LanguageReader(self, dataset)

    def stacks(self, dataset: Any, count: int, steps: int) -> Mapping[str, RecurrentInputs]:
        """Passages of the test text, embedded, spread evenly over it."""
        tokens = torch.from_numpy(dataset.test.astype(np.int64))
        steps = min(steps, len(tokens))
        count = max(1, min(count, len(tokens) // steps))
        begins = np.linspace(0, len(tokens) - steps, count).astype(int)
        columns = torch.stack([tokens[begin : begin + steps] for begin in begins], dim=1)
        with torch.no_grad():
            inputs = self.model.embedding(columns)
        return {"recurrent": RecurrentInputs(self.model.stacked(), inputs, None)}

    def generate(self, prompt: str = "", tokens: int = 50, sampling: Sampling | None = None) -> str:
        """Continue a prompt; see `stream` for the text piece by piece."""
        return "".join(self.stream(prompt, tokens, sampling))

    def stream(self, prompt: str = "", tokens: int = 50, sampling: Sampling | None = None) -> Iterator[str]:
        """Continue a prompt, piece by piece as it is drawn; the prompt itself is not repeated.

        Args:
            prompt: the beginning; words outside the vocabulary are read as the unknown one.
            tokens: how many are drawn.
            sampling: how; None: from the whole distribution.
        """
        return Generator(self.model, self.vocabulary).stream(prompt, tokens, sampling or Sampling())

    def next_tokens(self, prompt: str, count: int = _NEXT) -> list[tuple[str, float]]:
        """The likeliest next tokens after a prompt, with their probabilities, the likeliest first."""
        return next_tokens(self.model, self.vocabulary, prompt, count)

    def details(self, dataset: Any) -> Mapping[str, Any]:
        """Generated text after three beginnings of test lines, and the likeliest words after the first of them."""
        beginnings = [" ".join(line.split()[:4]) for line in dataset.test_lines if len(line.split()) >= 8]
        chosen = (
            [beginnings[place] for place in np.linspace(0, len(beginnings) - 1, _SAMPLES).astype(int)]
            if beginnings
            else [""]
        )
        sampling = Sampling(temperature=0.8, seed=0)
        return {
            "samples": [
                {"prompt": prompt, "text": self.generate(prompt, _SAMPLE_TOKENS, sampling)} for prompt in chosen
            ],
            "next_tokens": {
                "prompt": chosen[0],
                "tokens": [{"token": token, "probability": chance} for token, chance in self.next_tokens(chosen[0])],
            },
        }


def problem_of(spec: RunSpec, dataset: Corpus) -> LanguageModellingProblem:
    """The network on the numbered text."""
    model = _model_spec(spec)
    network = _network(model, len(dataset.vocabulary))
    network.begin_at_frequencies(torch.from_numpy(np.bincount(dataset.train, minlength=len(dataset.vocabulary))))
    return LanguageModellingProblem(
        network.to(spec.training.device),
        dataset.train,
        dataset.validation,
        dataset.vocabulary.start,
        batch_size=spec.training.batch_size,
        steps=model.steps,
        seed=spec.training.seed,
        activation_regularisation=model.activation_regularisation,
        temporal_regularisation=model.temporal_regularisation,
        files={"vocabulary.json": dataset.vocabulary.to_dict()},
        device=spec.training.device,
    )


def open_run(run: RunFolder) -> TrainedLanguageModel:
    """The language model of a finished run."""
    spec = run.spec()
    vocabulary = TokenVocabulary.from_dict(run.content("vocabulary.json"), str(run.path / "vocabulary.json"))
    with torch.random.fork_rng():
        model = _network(_model_spec(spec), len(vocabulary))
    run.load_weights_into(model)
    return TrainedLanguageModel(spec, vocabulary, model)


def _model_spec(spec: RunSpec) -> LanguageModelSpec:
    if not isinstance(spec.model, LanguageModelSpec):
        raise RunError("the run is not a language model", expected="language-modelling", got=spec.task)
    return spec.model


def _network(spec: LanguageModelSpec, vocabulary_size: int) -> LanguageModel:
    """The network that a spec describes, with weights drawn from torch's present random state."""
    return LanguageModel(
        vocabulary_size,
        cell=spec.cell,
        hidden_size=spec.hidden_size,
        embedding_size=spec.embedding_size,
        num_layers=spec.num_layers,
        last_size=spec.last_size,
        tied=spec.tied,
        dropout=spec.dropout,
        layer_dropout=spec.layer_dropout,
        output_dropout=spec.output_dropout,
        embedding_dropout=spec.embedding_dropout,
        weight_dropout=spec.weight_dropout,
        adaptive_softmax=spec.adaptive_softmax,
    )


def evaluation(losses: npt.NDArray[np.float64], tokens: Tokens, vocabulary: TokenVocabulary) -> Evaluation:
    """Figures, and the first tokens of the text, each with its negative log-likelihood in nats to three decimals."""
    loss = float(losses.mean())
    return Evaluation(
        {
            "perplexity": float(PERPLEXITY.figure(loss)),
            "loss": loss,
            "bits_per_token": loss / float(np.log(2)),
            "tokens": len(losses),
        },
        losses,
        {
            "tokens": [vocabulary.shown(number) for number in tokens[:_SHOWN]],
            "nats": np.round(losses[:_SHOWN], 3).tolist(),
        },
    )


def first_tokens(vocabulary: TokenVocabulary, lines: Sequence[str], count: int) -> Tokens:
    """The first ``count`` tokens of raw lines."""
    found, taken = 0, []
    for line in lines:
        taken.append(vocabulary.encode([line]))
        found += len(taken[-1])
        if found >= count:
            break
    return np.concatenate(taken)[:count]
