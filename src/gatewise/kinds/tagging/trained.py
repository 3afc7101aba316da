"""A trained tagger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from gatewise.data.seen import Seen
from gatewise.errors import DataError, OptionError, RunError
from gatewise.kinds.tagging.answers import Answering, Entity, TaggedText
from gatewise.kinds.tagging.dataset import TaggingDataset
from gatewise.kinds.tagging.encoding import encode
from gatewise.kinds.tagging.evaluating import evaluation
from gatewise.kinds.tagging.network import SequenceTagger
from gatewise.kinds.tagging.problem import TaggingProblem, decode_sentences
from gatewise.kinds.tagging.sentences import ColumnsRead, Sentence
from gatewise.kinds.tagging.spec import TaggerSpec
from gatewise.kinds.tagging.tag_set import TagSet
from gatewise.kinds.tagging.vocabulary import WordVocabulary
from gatewise.training.kind import RecurrentInputs, Request, Trained
from gatewise.training.problem import Evaluation
from gatewise.training.reader import Reader
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

if TYPE_CHECKING:
    from gatewise.training.streaming import Streaming

__all__ = ["Entity", "TaggedText", "TrainedTagger", "evaluation", "open_run", "problem_of"]


class TrainedTagger(Answering, Trained):
    """A network with its vocabulary and tags.

    Args:
        spec: the run it came from.
        tags: scheme and tags.
        vocabulary: words and characters.
        model: the network, with its best weights.
        columns: of words and tags in the training file; None: not known.
        seen: hashes of what it was trained on; None: not known.
    """

    graph_module: ClassVar[str | None] = "gatewise.kinds.tagging.graph"

    def __init__(
        self,
        spec: RunSpec,
        tags: TagSet,
        vocabulary: WordVocabulary,
        model: SequenceTagger,
        columns: ColumnsRead | None = None,
        seen: Seen | None = None,
    ) -> None:
        self.seen = seen
        self.spec, self.tag_set, self.vocabulary, self.columns = spec, tags, vocabulary, columns
        self.model = model.eval()

    @property
    def max_characters(self) -> int:
        """Of longer words the first and last halves of these are read."""
        return _model_spec(self.spec).max_characters

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """The tags of sentences that are cut into words, in the scheme of the training file.

        Raises:
            DataError: a sentence is a string or has no word.
        """
        for place, words in enumerate(sentences):
            if isinstance(words, str):
                raise DataError(
                    f"sentence {place} is a string",
                    expected="a list of words",
                    fix="use predict_texts or tag_texts",
                )
            if not len(words):
                raise DataError(f"sentence {place} has no word", expected="at least one", fix="omit it")
        if not len(sentences):
            return []
        read = [Sentence(tuple(words), (), 1) for words in sentences]
        encoded = encode(read, self.vocabulary, max_characters=_model_spec(self.spec).max_characters)
        return [self.tag_set.decode(row) for row in decode_sentences(self.model, encoded)]

    def predict(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """As `tag`."""
        return self.tag(sentences)

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        chosen = getattr(dataset, part)
        return evaluation(dataset, chosen, self.tag([sentence.words for sentence in chosen.sentences]), self.tag_set)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From words to tags."""
        words = [sentence.words for sentence in dataset.test.sentences]
        return lambda count: self.tag(words[:count])

    def reader(self, dataset: Any = None) -> Reader:
        """How its answers come about, see `gatewise.kinds.tagging.reader.TagReader`."""
        from gatewise.kinds.tagging.reader import TagReader

        return TagReader(self, dataset)

    def stacks(self, dataset: Any, count: int, steps: int) -> Mapping[str, RecurrentInputs]:
        """The layers over the words, and those over the characters where there are some."""
        sentences = dataset.test.sentences[:count]
        encoded = encode(sentences, self.vocabulary, max_characters=_model_spec(self.spec).max_characters)
        batch = encoded.batch(np.arange(len(sentences)))
        with torch.no_grad():
            inputs = self.model.inputs(batch)[:steps]
            found = {"words": RecurrentInputs(self.model.recurrent, inputs, batch.lengths.clamp(max=steps))}
            reader = self.model.characters
            if reader is not None and reader.recurrent is not None:
                spelt = reader.embedding(batch.characters[:steps])
                found["characters"] = RecurrentInputs(reader.recurrent, spelt, batch.character_lengths.clamp(max=steps))
        return found

    input_schema: ClassVar[Mapping[str, Any]] = {"type": "string", "description": "a text"}

    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The words of each text with their tags, and the entities with their places."""
        for place, text in enumerate(inputs):
            if not isinstance(text, str):
                raise DataError(f"input {place + 1} is not a text", expected="a string", got=type(text).__name__)
        return [tagged.to_dict() for tagged in self.tag_texts(list(inputs))]

    def streaming(self) -> Streaming:
        """The tags of each word as it arrives."""
        from gatewise.kinds.tagging.streaming import TaggerStreaming

        return TaggerStreaming(self)

    def predict_command(self, request: Request) -> None:
        """Tag texts; see `gatewise.kinds.tagging.commands.predict`."""
        from gatewise.kinds.tagging import commands

        commands.predict(self, request)

    def evaluate_command(self, request: Request) -> None:
        """Measure on a tagged file; see `gatewise.kinds.tagging.commands.evaluate`."""
        from gatewise.kinds.tagging import commands

        commands.evaluate(self, request)


def problem_of(spec: RunSpec, dataset: TaggingDataset) -> TaggingProblem:
    """The network on its encoded sentences."""
    model, training = _model_spec(spec), spec.training
    train, validation = (
        encode(part.sentences, dataset.vocabulary, part.tags, model.max_characters)
        for part in (dataset.train, dataset.validation)
    )
    size = None if dataset.vectors is None else dataset.vectors.vectors.shape[1]
    if size is not None and model.embedding_size not in (size, TaggerSpec().embedding_size):
        raise OptionError(
            f"--embedding-size {model.embedding_size} does not go with word vectors of {size} numbers",
            fix="omit --embedding-size: the vectors decide",
        )
    network = _network(model, dataset.vocabulary, dataset.tag_set, size)
    if dataset.vectors is not None:
        with torch.no_grad():
            network.embedding.weight[torch.from_numpy(dataset.vectors.numbers)] = torch.from_numpy(
                dataset.vectors.vectors
            )
    return TaggingProblem(
        network.to(training.device),
        dataset.tag_set,
        dataset.vocabulary,
        train,
        validation,
        batch_size=training.batch_size,
        seed=training.seed,
        device=training.device,
        columns=dataset.columns,
        seen=lambda: Seen.of(dataset.train.words, dataset.validation.words),
    )


def open_run(run: RunFolder) -> TrainedTagger:
    """The tagger of a finished run."""
    spec = run.spec()
    record, place = run.content("tags.json"), str(run.path / "tags.json")
    tags, columns = TagSet.from_dict(record, place), _columns(record.get("columns"), place)
    vocabulary = WordVocabulary.from_dict(run.content("vocabulary.json"), str(run.path / "vocabulary.json"))
    weights = run.weights()
    size = weights["embedding.weight"].shape[1] if "embedding.weight" in weights else None
    with torch.random.fork_rng():
        model = _network(_model_spec(spec), vocabulary, tags, size)
    run.load_weights_into(model)
    return TrainedTagger(spec, tags, vocabulary, model, columns, run.seen())


def _columns(record: Any, place: str) -> ColumnsRead | None:
    if record is None:
        return None
    try:
        return ColumnsRead(**{**record, "names": tuple(record["names"])})
    except (KeyError, TypeError) as error:
        raise RunError(f"{place} is damaged", expected="columns: words, tags, count, names") from error


def _model_spec(spec: RunSpec) -> TaggerSpec:
    if not isinstance(spec.model, TaggerSpec):
        raise RunError("the run is not a tagger", expected="tagging", got=spec.task)
    return spec.model


def _network(spec: TaggerSpec, vocabulary: WordVocabulary, tags: TagSet, word_size: int | None) -> SequenceTagger:
    """The network that a spec describes, with weights drawn from torch's present random state."""
    return SequenceTagger(
        vocabulary.word_count,
        vocabulary.character_count,
        len(tags),
        tags.moves() if tags.marks_spans else None,
        cell=spec.cell,
        hidden_size=spec.hidden_size,
        num_layers=spec.num_layers,
        bidirectional=spec.bidirectional,
        word_size=word_size or spec.embedding_size,
        character_reader=spec.characters,
        character_size=spec.character_size,
        character_hidden=spec.character_hidden_size,
        shape_size=spec.shape_size,
        crf=spec.crf,
        dropout=spec.dropout,
        locked=spec.locked_dropout,
        unknown_rate=spec.unknown_rate,
    )
