"""What comparisons on several data sets allow to say, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gatewise import words
from gatewise.record import BEST_BASELINE, Comparison, DataSetPart, ModelOverall, Overall, PairOverall

__all__ = ["caveats_of", "headline_of", "sentences_of"]

_SURE = 0.975


def headline_of(overall: Overall | None, parts: Sequence[DataSetPart]) -> str:
    """The outcome in one line."""
    if overall is None:
        counted = sum(not part.left_out for part in parts)
        return f"Nothing can be said over data sets: {'one counts' if counted else 'none counts'}"
    number = len(overall.data_sets)
    if not overall.enough:
        return f"{_capital(_number(number))} data sets say nothing of others: see each, and how often runs win on these"
    if overall.p_value >= overall.significance:
        return f"Over {number} data sets no model is shown to rank better than another"
    best, tied = _leading(overall)
    if not tied:
        return f"Over {number} data sets {_name(best)} ranks best"
    return f"Over {number} data sets {words.join([_name(model) for model in (best, *tied)])} share the lead"


def sentences_of(overall: Overall | None, parts: Sequence[DataSetPart]) -> tuple[str, ...]:
    """Ranks, then how often runs win, then what that means in practice on other data sets."""
    said = [f"{part.title} does not count over all data sets: {part.left_out}." for part in parts if part.left_out]
    if overall is None:
        return (*said, "Each data set's own verdict says what can be said.")
    return (*said, _ranks(overall), *_wins(overall), *_practice(overall))


def caveats_of(
    overall: Overall | None, parts: Sequence[DataSetPart], records: Sequence[Comparison], cells: Mapping[str, str]
) -> tuple[str, ...]:
    """What the figures do not say."""
    found = []
    if overall is not None:
        lost = [f"{model.title} {model.lost} on {part.title}" for part in parts for model in part.models if model.lost]
        if lost:
            found.append(f"Runs that were lost count as the worst run of their data set: {words.join(lost)}.")
        if overall.enough:
            found.append(
                "Ranks and probabilities over data sets take these for a sample of those one would meet; data sets "
                "that were chosen by hand are none."
            )
        found.append("Intervals over data sets allow for other seeds, not for other test examples.")
    alone = sorted({cell for record in records for cell in record.plan["cells"]} - set(cells))
    if alone and cells:
        found.append(f"Not compared on every data set, and so on none of these figures: {words.join(alone)}.")
    return tuple(found)


def _ranks(overall: Overall) -> str:
    number, best = len(overall.data_sets), overall.models[0]
    listed = words.join([f"{_name(model)} {model.rank:.1f}" for model in overall.models])
    if not overall.enough:
        chance = 2.0 ** (1 - number)
        return (
            f"{_capital(_number(number))} data sets are too few to say anything of others: of two equal models one is "
            f"ahead on all of them in {words.percent(chance, 0)} of cases. Mean ranks on these: {listed}."
        )
    test = f"Friedman’s test over {number} data sets, p {words.p_value(overall.p_value)}"
    if overall.p_value >= overall.significance:
        return f"No difference between the models’ ranks is shown ({test}). Mean ranks: {listed}."
    _, tied = _leading(overall)
    behind = [model for model in overall.models[1:] if model not in tied]
    takes = f"a difference takes {overall.critical_difference:.1f} (Nemenyi)"
    sentence = f"The models rank differently ({test}). Mean ranks: {listed}; {takes}."
    if behind:
        sentence += f" {_capital(_name(best))} ranks better than {words.join([_name(model) for model in behind])}."
    if tied:
        sentence += f" Between {_name(best)} and {words.join([_name(model) for model in tied])} no difference is shown."
    return sentence


def _wins(overall: Overall) -> list[str]:
    """How often a run of the best ranked cell beats one of the next cell, and one of the best baseline."""
    cells = [model for model in overall.models if model.kind == "recurrent"]
    rivals = [*cells[1:2], *(model for model in overall.models if model.name == BEST_BASELINE)]
    found = []
    for rival in rivals:
        chance = _probability(overall, cells[0], rival)
        low, high = words.percent(chance[1], 0), words.percent(chance[2], 0)
        found.append(f"one of {_name(rival)} in {words.percent(chance[0], 0)} of pairs of runs ({low} to {high})")
    if not found:
        return []
    return [f"On these data sets a run of {_name(cells[0])} beats {words.join(found)}."]


def _practice(overall: Overall) -> list[str]:
    """What the signed ranks say of the best ranked cell on other data sets."""
    if not overall.enough:
        return []
    best = next(model for model in overall.models if model.kind == "recurrent")
    found = []
    for pair in overall.pairs:
        if best.name not in (pair.first, pair.second):
            continue
        rival = next(
            model for model in overall.models if model.name in (pair.first, pair.second) and model.name != best.name
        )
        better, worse = (pair.better, pair.worse) if pair.first == best.name else (pair.worse, pair.better)
        found.append(_reading(best, rival, better, pair, worse))
    return [f"By more than the margin of each data set (Bayesian signed ranks): {'; '.join(found)}."] if found else []


def _reading(best: ModelOverall, rival: ModelOverall, better: float, pair: PairOverall, worse: float) -> str:
    known = ((better, "is better than"), (pair.same, "is as good in practice as"), (worse, "is worse than"))
    for chance, reading in known:
        if chance > _SURE:
            return f"{_name(best)} {reading} {_name(rival)} (probability {words.confidence(chance)})"
    shares = f"better {words.percent(better, 0)}, same {words.percent(pair.same, 0)}, worse {words.percent(worse, 0)}"
    return f"{_name(best)} and {_name(rival)} are undecided ({shares})"


def _leading(overall: Overall) -> tuple[ModelOverall, list[ModelOverall]]:
    """The best ranked model, and those that it does not differ from."""
    best = overall.models[0]
    apart = {pair.second for pair in overall.pairs if pair.first == best.name and pair.differs}
    return best, [model for model in overall.models[1:] if model.name not in apart]


def _probability(overall: Overall, first: ModelOverall, second: ModelOverall) -> tuple[float, float, float]:
    """That a run of the first beats one of the second, with its interval."""
    for pair in overall.pairs:
        chance = pair.improvement
        if (pair.first, pair.second) == (first.name, second.name):
            return chance.estimate, chance.low, chance.high
        if (pair.second, pair.first) == (first.name, second.name):
            return 1 - chance.estimate, 1 - chance.high, 1 - chance.low
    raise KeyError((first.name, second.name))


def _name(model: ModelOverall) -> str:
    """A model inside a sentence."""
    return "the best baseline" if model.name == BEST_BASELINE else model.title


def _number(count: int) -> str:
    return ("no", "one", "two", "three", "four", "five")[count] if count < 6 else str(count)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
