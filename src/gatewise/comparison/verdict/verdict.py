"""A verdict in plain sentences that the numbers allow. The rules are stated in docs/verdict.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from gatewise.comparison.verdict import sentences as say
from gatewise.comparison.verdict.facts import SIGNIFICANCE, Facts, ModelFigures, Pair
from gatewise.words import Scale, number

__all__ = ["SIGNIFICANCE", "Answer", "ModelFigures", "Pair", "Trivial", "Verdict", "decide", "with_reach"]


@dataclass(frozen=True)
class Trivial:
    """What knowing nothing would reach: always giving the most frequent answer.

    Args:
        words: completes "better than ...": ``always answering 'negative'``.
        value: its figure.
    """

    words: str
    value: float


@dataclass(frozen=True)
class Answer:
    """The answer to one question: the models it names, the best first, and a sentence."""

    models: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """The outcome: a headline, an answer to each question, what they cannot say, who leads and what to take.

    ``outcome`` is ``cell`` (one recurrent cell leads), ``tie`` (several do), ``baseline`` (a baseline beats the best
    cell), ``undecided`` (no difference between the best cell and the best baseline), ``nothing`` (no model is better
    than knowing nothing) or ``failed`` (no recurrent model finished).

    ``answers`` has the keys ``reach``, ``quality``, ``baseline``, ``speed``, ``size`` and ``undecided``, each where it
    applies.
    """

    outcome: str
    headline: str
    answers: Mapping[str, Answer]
    caveats: tuple[str, ...] = ()
    leaders: tuple[str, ...] = ()
    recommended: str | None = None
    undecided: tuple[tuple[str, str], ...] = field(default=())

    @property
    def sentences(self) -> tuple[str, ...]:
        """All answers in their order."""
        return tuple(answer.sentence for answer in self.answers.values())

    @property
    def text(self) -> str:
        """The sentences in one line."""
        return " ".join(self.sentences)

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return {
            "outcome": self.outcome,
            "headline": self.headline,
            "sentences": list(self.sentences),
            "answers": {name: _plain(asdict(answer)) for name, answer in self.answers.items()},
            "caveats": list(self.caveats),
            "leaders": list(self.leaders),
            "recommended": self.recommended,
            "undecided": [list(pair) for pair in self.undecided],
        }


def decide(
    models: Sequence[ModelFigures],
    pairs: Iterable[Pair],
    scale: Scale,
    *,
    seeds: int,
    margin: float,
    trivial: Trivial | None = None,
    skill: bool = False,
) -> Verdict:
    """Draw the verdict.

    Args:
        models: all that were compared, the baselines among them.
        pairs: every cell with every other model, once, in either order.
        scale: the metric's direction and how its values are written.
        seeds: how many times each cell was trained.
        margin: differences within it make no difference in practice.
        trivial: what knowing nothing would reach.
        skill: speak of a cell that does not beat the best baseline as having no skill beyond it (forecasts).

    Example:
        >>> from gatewise.comparison.verdict.facts import Range
        >>> lstm = ModelFigures("lstm", "LSTM", Range(0.886, 0.88, 0.892), 120.0, 40.0)
        >>> gru = ModelFigures("gru", "GRU", Range(0.885, 0.879, 0.891), 94.0, 31.2)
        >>> pair = Pair("lstm", "gru", Range(0.001, -0.004, 0.006), 0.7, seeds_needed=40)
        >>> verdict = decide([lstm, gru], [pair], Scale("accuracy", True, True, 1), seeds=3, margin=0.005)
        >>> verdict.headline
        'LSTM and GRU: no difference found in accuracy'
        >>> verdict.recommended
        'gru'
        >>> print(verdict.answers["quality"].sentence)
        No difference found between LSTM (88.6 %) and GRU (88.5 %): 0.1 points apart, 95 % interval −0.4 to +0.6;
        GRU takes 0.78 times LSTM's time per epoch, so take GRU.
    """
    facts = Facts.of(models, pairs, scale, margin)
    caveats = say.caveats(seeds, facts)
    if not facts.cells:
        return Verdict("failed", "No recurrent model finished training", {}, caveats)
    best = facts.cells[0]
    if trivial is not None and all(_within(model, trivial, scale) for model in models):
        sentence = say.nothing(best, trivial.words, trivial.value, scale)
        headline = f"No model beats {trivial.words}"
        return Verdict("nothing", headline, {"quality": Answer((best.name,), sentence)}, caveats)
    tied = facts.tied
    taken = facts.cheapest(tied)
    verdict = Verdict(
        "cell" if len(tied) == 1 else "tie",
        say.headline(facts),
        {},
        caveats,
        tuple(model.name for model in tied),
        taken.name,
        tuple((pair.first, pair.second) for pair in facts.undecided()),
    )
    verdict = _beside_baseline(verdict, facts, skill=skill)
    answers = _answers(facts, verdict, advise=verdict.recommended == taken.name, skill=skill, seeds=seeds)
    return replace(verdict, answers=answers)


def _answers(facts: Facts, verdict: Verdict, *, advise: bool, skill: bool, seeds: int) -> dict[str, Answer]:
    """The answer to each question that applies."""
    best = facts.cells[0]
    answers = {"quality": Answer(verdict.leaders, say.quality(facts, facts.cheapest(facts.tied), advise=advise))}
    if facts.baseline is not None:
        named = verdict.recommended if verdict.recommended == facts.baseline.name else best.name
        answers["baseline"] = Answer((named,), say.baseline(facts, skill=skill))
    for name, found in (("speed", say.speed(facts)), ("size", say.size(facts))):
        if found is not None:
            answers[name] = Answer(tuple(model.name for model in found[0]), found[1])
    if facts.undecided():
        answers["undecided"] = Answer(say.named_in(facts.undecided()), say.undecided(facts, seeds))
    return answers


def with_reach(verdict: Verdict, axis: Mapping[str, Any], models: Iterable[Mapping[str, Any]]) -> Verdict:
    """The verdict of a comparison along an axis: where it was drawn, and first of all how far each cell gets.

    Args:
        verdict: drawn at the greatest point.
        axis: as in the record: ``title``, ``points`` and ``reach``.
        models: the record's models, for their titles.
    """
    titles = {model["name"]: model["title"] for model in models}
    last = axis["points"][-1]["value"] if axis["points"] else None
    where = f"At {axis['title']} {number(last)}: "
    answers = dict(verdict.answers)
    if "quality" in answers:
        answers["quality"] = replace(answers["quality"], sentence=where + answers["quality"].sentence)
    found = say.reach(axis["reach"], {name: titles.get(name, name) for name in axis["reach"]}, axis["title"])
    if found is None:
        return replace(verdict, answers=answers)
    reached = Answer(tuple(found[0]), found[2])
    return replace(verdict, headline=found[1], answers={"reach": reached, **answers})


def _beside_baseline(verdict: Verdict, facts: Facts, *, skill: bool) -> Verdict:
    """The verdict once the best baseline is looked at."""
    best, baseline = facts.cells[0], facts.baseline
    if baseline is None:
        return verdict
    pair = facts.between(best, baseline)
    if not pair.differs:
        headline = f"{best.title} is not shown to beat {baseline.inside}"
        if skill:
            headline = f"No skill beyond {baseline.inside} is shown"
        return replace(verdict, outcome="undecided", headline=headline, recommended=baseline.name)
    if facts.gain(best, baseline) < 0:
        every = all(facts.between(cell, baseline).differs for cell in facts.cells)
        headline = f"{baseline.title} beats {'every' if every else 'the best'} recurrent cell"
        if skill:
            headline = f"No skill beyond {baseline.inside}, which beats {'every' if every else 'the best'} cell"
        return replace(verdict, outcome="baseline", headline=headline, recommended=baseline.name)
    return verdict


def _within(model: ModelFigures, trivial: Trivial, scale: Scale) -> bool:
    """Whether a model's interval does not lie wholly on the better side of knowing nothing."""
    worst = model.figure.low if scale.higher_is_better else model.figure.high
    return scale.gain(worst, trivial.value) <= 0


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in record.items()}
