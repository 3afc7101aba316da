"""The introductory articles' experiment: what they published, what they claim, and how each is asked again here.

Articles that introduce RNN, LSTM and GRU side by side train the three on film reviews, stock prices and the Penn
Treebank with 128 hidden units, and print one run's figures without a spread. Their figures stand here as they were
published; `gatewise suite articles` puts measured ones beside them. Of tagging, translation, speech and captions the
articles say that recurrent networks are for them, and print nothing: these are measured with nothing beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CELLS", "PUBLISHED", "Claim", "Part", "articles_claims", "articles_parts"]

CELLS = ("rnn", "lstm", "gru")


@dataclass(frozen=True)
class Part:
    """One comparison of the experiment.

    Args:
        name: of its folder, and of the data set.
        title: in words.
        settings: what differs from the task's usual settings.
        quick: what the ten-minute version sets besides.
        figures: the figures of the table, by their name in the record, with the words of the table's head.
        recipe: a recipe whose settings are taken first.
        further: a use that the articles name without a figure. Left out, and said, where its data are not at hand and
            it was not asked for by name.

    Example:
        >>> articles_parts()[0].name
        'imdb'
    """

    name: str
    title: str
    settings: Mapping[str, Any]
    quick: Mapping[str, Any]
    figures: Mapping[str, str]
    recipe: str | None = None
    further: bool = False


PUBLISHED: dict[str, dict[str, dict[str, float]]] = {
    "imdb": {
        "rnn": {"accuracy": 0.823, "minutes": 120},
        "lstm": {"accuracy": 0.857, "minutes": 150},
        "gru": {"accuracy": 0.849, "minutes": 135},
    },
    "stocks": {
        "rnn": {"directional_accuracy": 0.761, "scaled_price_mean_squared_error": 0.025, "minutes": 90},
        "lstm": {"directional_accuracy": 0.793, "scaled_price_mean_squared_error": 0.020, "minutes": 110},
        "gru": {"directional_accuracy": 0.785, "scaled_price_mean_squared_error": 0.021, "minutes": 100},
    },
    "ptb": {
        "rnn": {"perplexity": 115.3, "minutes": 240},
        "lstm": {"perplexity": 108.2, "minutes": 280},
        "gru": {"perplexity": 110.7, "minutes": 260},
    },
}
"""What the articles printed: fractions, squared error of prices scaled to 0..1, perplexity, minutes of training."""


def articles_parts() -> tuple[Part, ...]:
    """The three comparisons, each with 128 hidden units in one layer, and four of uses that the articles only name.

    These are cut to what trains in minutes: less data, or fewer epochs, than their pages' best.

    Example:
        >>> [part.name for part in articles_parts()]
        ['imdb', 'stocks', 'ptb', 'conll2003', 'multi30k', 'spoken-digits', 'scenes']
    """
    return (
        Part(
            "imdb",
            "Sentiment of film reviews (IMDB)",
            # as in the articles, the words' vectors start at random
            {
                "hidden_size": 128,
                "embeddings": "random",
                "max_tokens": 256,
                "learning_rate": 2e-3,
                "recurrent_start": 1.0,
            },
            {"epochs": 1},
            {"accuracy": "accuracy"},
        ),
        Part(
            "stocks",
            "Next day's stock price",
            {"hidden_size": 128},
            {"epochs": 3},
            {
                "directional_accuracy": "direction found",
                "scaled_price_mean_squared_error": "squared error of the scaled price",
            },
        ),
        Part(
            "ptb",
            "Next word (Penn Treebank)",
            {"hidden_size": 128, "epochs": 8},
            {"epochs": 1},
            {"perplexity": "perplexity"},
            recipe="ptb-articles",
        ),
        Part(
            "conll2003",
            "Names in news (CoNLL-2003)",
            {"hidden_size": 128, "examples": 4_000, "epochs": 8},
            {"examples": 500, "epochs": 1},
            {"span_f1": "F1 of names", "accuracy": "tags right"},
            further=True,
        ),
        Part(
            "multi30k",
            "English to German (Multi30k)",
            {"hidden_size": 128, "embedding_size": 128, "examples": 6_000, "epochs": 6},
            {"examples": 500, "epochs": 1},
            {"bleu": "BLEU", "chrf": "chrF"},
            further=True,
        ),
        Part(
            "spoken-digits",
            "Spoken digits of unseen speakers",
            {"hidden_size": 128, "epochs": 8},
            {"examples": 300, "epochs": 1},
            {"accuracy": "accuracy"},
            further=True,
        ),
        Part(
            "scenes",
            "Captions of drawn scenes (no photographs)",
            {"hidden_size": 96},
            {"examples": 300, "epochs": 1},
            {"truth": "true captions", "chrf": "chrF"},
            recipe="scenes",
            further=True,
        ),
    )


@dataclass(frozen=True)
class Claim:
    """Something the articles say of two cells.

    Args:
        sentence: the claim.
        part: the comparison that can decide it.
        about: ``quality`` (the comparison's metric), ``time`` (training) or ``size`` (parameters).
        better: the cell that is said to be better, faster or smaller.
        worse: the other one.
    """

    sentence: str
    part: str
    about: str
    better: str
    worse: str
    published: tuple[float, float] | None = field(default=None)


_QUALITY = {"imdb": "accuracy", "stocks": "scaled_price_mean_squared_error", "ptb": "perplexity"}
_ON = {"imdb": "film reviews", "stocks": "stock prices", "ptb": "the Penn Treebank"}


def articles_claims() -> tuple[Claim, ...]:
    """Every claim that their table makes, in its order.

    Example:
        >>> articles_claims()[0].sentence
        'LSTM is better than RNN on film reviews'
        >>> len(articles_claims())
        21
    """
    claims = []
    for part, figures in PUBLISHED.items():
        for better, worse in (("lstm", "rnn"), ("gru", "rnn"), ("lstm", "gru")):
            sentence = f"{better.upper()} is better than {worse.upper()} on {_ON[part]}"
            pair = figures[better][_QUALITY[part]], figures[worse][_QUALITY[part]]
            claims.append(Claim(sentence, part, "quality", better, worse, pair))
        for faster, slower in (("rnn", "gru"), ("rnn", "lstm"), ("gru", "lstm")):
            sentence = f"{faster.upper()} trains faster than {slower.upper()} on {_ON[part]}"
            times = figures[faster]["minutes"], figures[slower]["minutes"]
            claims.append(Claim(sentence, part, "time", faster, slower, times))
        claims.append(Claim(f"GRU is smaller than LSTM ({_ON[part]})", part, "size", "gru", "lstm"))
    return tuple(claims)
