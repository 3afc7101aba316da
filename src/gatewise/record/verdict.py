"""The outcome of a comparison in sentences, each with the rule it follows and the numbers it was decided on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["NOT_JUDGED", "Answer", "Caveat", "Statement", "Verdict"]

NOT_JUDGED = {
    "unfinished": "cells were still improving when training stopped",
    "unlearned": "no cell is shown to be better than knowing nothing",
    "nothing": "no model is shown to be better than knowing nothing",
    "single": "one seed says nothing of a cell",
    "incomplete": "every cell lost seeds",
    "failed": "no recurrent model finished training",
}
"""Outcomes at which no cell is judged, and why."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A sentence of the verdict.

    Attributes:
        sentence: what is said.
        rule: id of the rule that it follows, in docs/verdict.md.
        inputs: what the rule was applied to: applying it again gives the same.
    """

    sentence: str
    rule: str
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer(Statement):
    """The answer to one question, with the models that it names, the best first."""

    models: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Caveat(Statement):
    """What the figures cannot say."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a comparison found.

    Attributes:
        outcome: ``cell`` (one recurrent cell leads), ``tie`` (several do), ``baseline`` (a baseline is better than the
            best cell), ``undecided`` (no difference between the best cell and the best baseline); not judged:
            ``unfinished`` (cells were still improving), ``unlearned`` (no cell is better than knowing nothing),
            ``single`` (one seed each), ``incomplete`` (every cell lost seeds), ``nothing`` (no model is better than
            knowing nothing); or ``failed`` (no recurrent model finished).
        headline: who won, in one line.
        rule: id of the rule that the outcome follows, in docs/verdict.md; without a reach, the headline too.
        inputs: what that rule was applied to.
        answers: by question: ``training``, ``reach``, ``quality``, ``baseline``, ``speed``, ``size``, ``undecided``,
            each where it applies.
        caveats: what they cannot say.
        leaders: the cells that lead: one, or those that do not differ from the best.
        recommended: name of the model to take; None: none.
        undecided: pairs of models that are neither different nor shown to be the same.
    """

    outcome: str
    headline: str
    rule: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    caveats: tuple[Caveat, ...] = ()
    leaders: tuple[str, ...] = ()
    recommended: str | None = None
    undecided: tuple[tuple[str, str], ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """All answers, in their order."""
        return tuple(answer.sentence for answer in self.answers.values())

    @property
    def following(self) -> tuple[str, ...]:
        """The answers as they are written below the headline: the first one without what the headline has just said.

        Example:
            >>> answer = Answer(sentence="Not judged: one seed: train more.", rule="training-single", models=())
            >>> words = {"outcome": "single", "headline": "Not judged: one seed", "rule": "outcome-single"}
            >>> Verdict(**words, answers={"training": answer}).following
            ('Train more.',)
        """
        return tuple(self.below_headline(sentence) for sentence in self.sentences)

    def below_headline(self, sentence: str) -> str:
        """A sentence without the headline that it repeats: at its beginning, or after the point of an axis."""
        before, found, rest = sentence.partition(f"{self.headline}: ")
        if not found:
            return sentence
        return before + rest if before else rest[:1].upper() + rest[1:]

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The headline, the answers and the caveats, each with its rule.

        Along an axis where a cell reaches a point the headline says the reach; else it says the outcome.
        """
        decided = self.answers.get("reach", self)
        headline = Statement(sentence=self.headline, rule=decided.rule, inputs=decided.inputs)
        return (headline, *self.answers.values(), *self.caveats)

    @property
    def text(self) -> str:
        """The sentences in one line."""
        return " ".join(self.sentences)
