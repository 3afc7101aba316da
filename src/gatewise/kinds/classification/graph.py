"""What a trained text classifier computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.export.graph import Example, Graph, GraphBuilder, spread
from gatewise.export.graph.layers import add_recurrent
from gatewise.kinds.classification.exported import READING
from gatewise.kinds.classification.measures import contributions_of, measure_of
from gatewise.kinds.classification.onnx_program import program_of
from gatewise.statistics.measure import Measure

if TYPE_CHECKING:
    from gatewise.kinds.classification.trained import TrainedClassifier

__all__ = ["examples_of", "graph_of", "scores_of"]


def graph_of(classifier: TrainedClassifier) -> Graph:
    """Tokens (T,) in, ``probabilities`` (C,) out."""
    model = classifier.model
    build = GraphBuilder("classification")
    tokens = build.tokens("tokens", len(classifier.vocabulary), meaning="numbers of the text's words")
    embedded = build.embedding(tokens, model.embedding.weight, "embedding.weight")
    output = add_recurrent(build, "recurrent", model.recurrent, embedded)
    pooled = build.pool(output, model.pooling, 2 if model.recurrent.bidirectional else 1)
    scores = build.linear(pooled, model.head.weight, model.head.bias, "head")
    build.output("probabilities", build.apply("sigmoid" if classifier.multi_label else "softmax", scores))
    return build.graph(
        {
            "task": "classification",
            "vocabulary": classifier.vocabulary.to_dict(),
            "label_names": list(classifier.label_names),
            "multi_label": classifier.multi_label,
            **(_thresholds(classifier) if classifier.multi_label else {}),
            "max_tokens": classifier.max_tokens,
            "separator": classifier.separator,
            **{name: getattr(classifier.spec.data, name) for name in READING},
            "preprocessing": _words(classifier),
        },
        program=program_of(classifier.vocabulary.tokenisation, multi_label=classifier.multi_label),
    )


def _words(classifier: TrainedClassifier) -> str:
    """What becomes of a text before it is ``tokens``, for those who feed the model without Gatewise."""
    most, letters = classifier.max_tokens, ""
    if classifier.vocabulary.tokenisation == "characters":
        letters = " Letters of scripts without spaces between words, each with its marks, are tokens of their own."
    return (
        "HTML tags, the matches of `<[a-zA-Z/!][^<>]{0,200}>`, become a space, and all letters small. Tokens are the "
        r"matches of `\w+(?:['’]\w+)?|([^\w\s])\1*`: words with an inner apostrophe, and equal signs in a row. "
        r"`\w` has the combining marks of all scripts, which that of Python's `re` lacks."
        f"{letters} A token's number is its place in `vocabulary.words`, counted from 2; 1 is every other token, and a "
        f"text without any; 0 fills up. Of more than {most:,} tokens the first {most - most // 2:,} and the last "
        f"{most // 2:,} are read."
    )


def _thresholds(classifier: TrainedClassifier) -> dict[str, Any]:
    """From which probability on each label is answered."""
    return {"thresholds": dict(zip(classifier.label_names, classifier.thresholds.tolist(), strict=True))}


def examples_of(classifier: TrainedClassifier, dataset: Any, count: int, part: str = "test") -> Sequence[Example]:
    """Texts with their probabilities."""
    given = getattr(dataset, part).texts
    texts = [given[row] for row in spread(len(given), count)]
    encoded = classifier.vocabulary.encode(texts, classifier.max_tokens)
    found = classifier.predict_proba(texts)
    return [
        Example({"tokens": encoded.row(row).astype(np.int64)}, {"probabilities": found[row]})
        for row in range(len(texts))
    ]


def scores_of(classifier: TrainedClassifier, dataset: Any, outputs: Sequence[Mapping[str, Any]]) -> tuple[Any, Measure]:
    """What probabilities of test texts contribute."""
    chosen = spread(len(dataset.test.texts), len(outputs))
    measure = measure_of(
        dataset.metric, len(dataset.label_names), multi_label=dataset.multi_label, names=dataset.label_names
    )
    chances = np.stack([each["probabilities"] for each in outputs]).astype(np.float64)
    groups = dataset.test.groups
    measure = measure.over_groups(None if groups is None else groups[chosen])
    return contributions_of(measure, chances, np.asarray(dataset.test.labels)[chosen], classifier.thresholds), measure
