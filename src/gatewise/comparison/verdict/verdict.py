"""A verdict in plain sentences that the numbers allow. The rules are stated in docs/verdict.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gatewise.comparison.verdict import rules, unjudged
from gatewise.comparison.verdict import sentences as say
from gatewise.comparison.verdict.facts import SIGNIFICANCE, Facts, ModelFigures, Pair
from gatewise.comparison.verdict.rules import Ruling, Trivial
from gatewise.comparison.verdict.time_sentences import budget as say_budget
from gatewise.comparison.verdict.time_sentences import speed as say_speed
from gatewise.record import Answer, Axis, Caveat, Metric, ModelEntry, TimeBudget, TimeRatio, Verdict
from gatewise.words import Scale, number

__all__ = ["SIGNIFICANCE", "ModelFigures", "Pair", "Trivial", "decide", "with_reach"]


def decide(
    models: Sequence[ModelFigures],
    pairs: Iterable[Pair],
    scale: Scale,
    *,
    seeds: int,
    margin: float,
    looks: Sequence[int] = (),
    trivial: Trivial | None = None,
    skill: bool = False,
    times: Iterable[TimeRatio] = (),
    budgets: Mapping[str, TimeBudget] | None = None,
    groups: tuple[int, str] | None = None,
) -> Verdict:
    """Draw the verdict; cells that were not trained long enough, or only once, are not judged.

    Args:
        models: all that were compared, the baselines among them.
        pairs: every cell with every other model, once, in either order.
        scale: the metric's direction and how its values are written.
        seeds: how many times each cell was trained.
        margin: differences within it make no difference in practice.
        looks: how many seeds there were when the comparison was judged before, for each time.
        trivial: what knowing nothing would reach.
        skill: speak of a cell that does not beat the best baseline as having no skill beyond it (forecasts).
        times: ratios of the cells' times that were measured in turns; without one nothing is said of speed.
        budgets: by cell, what it took of the time that it was given.
        groups: over how many groups of test examples intervals are, and what these are; None: over the examples.

    Example:
        >>> from gatewise.comparison.verdict.facts import Range
        >>> lstm = ModelFigures("lstm", "LSTM", Range(0.886, 0.88, 0.892), 120.0, 40.0)
        >>> gru = ModelFigures("gru", "GRU", Range(0.885, 0.879, 0.891), 94.0, 31.2)
        >>> pair = Pair("lstm", "gru", Range(0.001, -0.004, 0.006), 0.7, seeds_needed=40)
        >>> time = TimeRatio(
        ...     estimate=0.78, low=0.76, high=0.8, level=0.95, quantity="training_step", first="gru", second="lstm",
        ...     p_value=0.0005, adjusted_p_value=0.0005, reading="faster", rounds=12,
        ... )
        >>> scale = Scale("accuracy", True, True, 1)
        >>> verdict = decide([lstm, gru], [pair], scale, seeds=3, margin=0.005, times=[time])
        >>> verdict.headline
        'LSTM and GRU: no difference found in accuracy'
        >>> verdict.recommended, verdict.rule, verdict.answers["quality"].rule
        ('gru', 'outcome-tie', 'quality-tie')
        >>> print(verdict.answers["quality"].sentence)
        No difference found between LSTM (88.6 %) and GRU (88.5 %): 0.1 points apart, 95 % interval −0.4 to +0.6;
        GRU takes 0.78 times (0.76 to 0.80) LSTM's time per epoch, so take GRU.
    """
    facts = Facts.of(models, pairs, scale, margin, times, budgets).over(groups)
    found = rules.outcome(facts, trivial)
    verdict = Verdict(
        outcome=found.rule.removeprefix("outcome-"),
        headline=_headline(facts, found, trivial, skill=skill),
        rule=found.rule,
        inputs=found.inputs,
        caveats=_caveats(facts, rules.caveats(facts, seeds, trivial, looks), trivial),
        leaders=found.models,
        recommended=found.recommended,
    )
    if verdict.outcome == "failed":
        return verdict
    if verdict.outcome == "nothing" and trivial is not None:
        sentence = say.nothing(facts.foremost, trivial.words, trivial.value, scale)
        return replace(verdict, answers={"quality": _answer(rules.nothing(facts, trivial), sentence)})
    training = rules.training(facts, trivial)
    if training is not None:
        return replace(verdict, answers=_answers_so_far(facts, training, trivial))
    pairs_left = tuple((pair.first, pair.second) for pair in facts.undecided())
    return replace(verdict, undecided=pairs_left, answers=_answers(facts, verdict, skill=skill, seeds=seeds))


def _caveats(facts: Facts, rulings: Iterable[Ruling], trivial: Trivial | None) -> tuple[Caveat, ...]:
    return tuple(
        Caveat(sentence=_caveat(facts, ruling, trivial), rule=ruling.rule, inputs=ruling.inputs) for ruling in rulings
    )


def _answers(facts: Facts, verdict: Verdict, *, skill: bool, seeds: int) -> dict[str, Answer]:
    """The answer to each question that applies."""
    ruling = rules.quality(facts)
    advise = verdict.recommended == facts.cheapest(facts.tied).name
    answers = {"quality": _answer(ruling, say.quality(facts, ruling.rule, advise=advise))}
    if facts.baseline is not None:
        ruling = rules.baseline(facts)
        answers["baseline"] = _answer(ruling, say.baseline(facts, ruling.rule, skill=skill))
    for name, found, sentence in (
        ("speed", rules.speed(facts), say_speed),
        ("size", rules.size(facts), say.size),
    ):
        if found is not None:
            answers[name] = _answer(found, sentence(facts, found.rule))
    left = rules.undecided(facts)
    if left is not None:
        answers["undecided"] = _answer(left, say.undecided(facts, seeds))
    return answers


def _answers_so_far(facts: Facts, training: Ruling, trivial: Trivial | None) -> dict[str, Answer]:
    """What can be said of cells that are not judged: why not, how far they got, what they cost."""
    if training.rule == "training-single":
        sentence = unjudged.single(facts)
    elif training.rule == "training-incomplete":
        sentence = unjudged.incomplete(facts)
    elif training.rule == "training-unfinished" or trivial is None:
        sentence = unjudged.unfinished(facts)
        if trivial is not None and facts.none_beats(trivial.value):
            sentence = f"{sentence} {unjudged.nothing_so_far(trivial.words, trivial.value, scale=facts.scale)}"
    else:
        sentence = unjudged.unlearned(facts, trivial.words, trivial.value)
    answers = {"training": _answer(training, sentence)}
    if facts.baseline is not None:
        answers["baseline"] = _answer(rules.baseline(facts, judged=False), unjudged.baseline_so_far(facts))
    for name, found, say_it in (
        ("speed", rules.speed(facts), say_speed),
        ("size", rules.size(facts), say.size),
    ):
        if found is not None:
            answers[name] = _answer(found, say_it(facts, found.rule, judged=False))
    return answers


def _caveat(facts: Facts, ruling: Ruling, trivial: Trivial | None) -> str:
    if ruling.rule == "cell-unlearned" and trivial is not None:
        return unjudged.cells_unlearned(facts, ruling.models, trivial.words, trivial.value)
    if ruling.rule == "earlier-looks":
        return say.earlier_looks(ruling.inputs["looks"], ruling.inputs["seeds"])
    if ruling.rule == "time-budget":
        return say_budget(facts.budgets, {cell.name: cell.title for cell in (*facts.cells, *facts.incomplete)})
    return say.caveat(facts, ruling.rule)


def with_reach(verdict: Verdict, axis: Axis, models: Iterable[ModelEntry], metric: Metric) -> Verdict:
    """The verdict of a comparison along an axis: where it was drawn, and first of all how far each cell gets.

    Args:
        verdict: drawn at the greatest point.
        axis: with its points and reach.
        models: the record's models, for their titles.
        metric: its direction.
    """
    titles = {model.name: model.title for model in models}
    last = axis.points[-1].value if axis.points else None
    answers = dict(verdict.answers)
    for question in ("quality", "training"):
        if question in answers:
            sentence = f"At {axis.title} {number(last)}: {answers[question].sentence}"
            answers[question] = replace(answers[question], sentence=sentence)
    if verdict.outcome in ("unfinished", "incomplete", "single"):
        return replace(verdict, answers=answers)
    ruling = rules.reach(rules.reach_inputs(axis, higher_is_better=metric.higher_is_better)) if axis.reach else None
    if ruling is None:
        return replace(verdict, answers=answers)
    headline, sentence = say.reach(axis.reach, {name: titles.get(name, name) for name in axis.reach}, axis.title)
    return replace(verdict, headline=headline, answers={"reach": _answer(ruling, sentence), **answers})


def _headline(facts: Facts, found: Ruling, trivial: Trivial | None, *, skill: bool) -> str:
    if found.rule == "outcome-failed":
        return "No recurrent model finished training"
    if found.rule == "outcome-nothing" and trivial is not None:
        return f"No model is shown to beat {trivial.words}"
    if found.rule in ("outcome-unfinished", "outcome-unlearned", "outcome-incomplete", "outcome-single"):
        return unjudged.headline(facts, found.rule, "" if trivial is None else trivial.words)
    best, baseline = facts.cells[0], facts.baseline
    if baseline is not None and found.rule == "outcome-undecided":
        if skill:
            return f"No skill beyond {baseline.inside} is shown"
        return f"{best.title} is not shown to beat {baseline.inside}"
    if baseline is not None and found.rule == "outcome-baseline":
        every = all(pair.differs for pair in facts.against_baseline)
        if skill:
            return f"No skill beyond {baseline.inside}, which beats {'every' if every else 'the best'} cell"
        return f"{baseline.title} beats {'every' if every else 'the best'} recurrent cell"
    return say.headline(facts)


def _answer(ruling: Ruling, sentence: str) -> Answer:
    return Answer(sentence=sentence, rule=ruling.rule, inputs=ruling.inputs, models=ruling.models)
