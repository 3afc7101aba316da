"""How it was measured, in paragraphs that follow from the record."""

from __future__ import annotations

from collections import Counter
from statistics import median

from gatewise import words
from gatewise.record import Comparison
from gatewise.reports.columns import scale_of

__all__ = ["method_paragraphs"]


def method_paragraphs(record: Comparison) -> list[tuple[str, str]]:
    """Title and text of each paragraph: data, budget, figure, intervals, cost.

    Args:
        record: a comparison.
    """
    return [
        ("Data", _data(record)),
        ("Budget", _budget(record)),
        ("Figure", _figure(record)),
        ("Intervals", _intervals(record)),
        ("Cost", _cost(record)),
    ]


def _data(record: Comparison) -> str:
    from gatewise.words import sentence

    data, unit = record.data, record.unit
    sizes = data.sizes
    text = f"{sentence(data.source)} {sizes.train:,} {unit} to learn from, {sizes.validation:,} to choose by, "
    text += f"{sizes.test:,} to test on. Test part: {data.split_note}."
    return " ".join([text, *(sentence(note) for note in data.notes)])


def _or_later(record: Comparison) -> str:
    """That weights of a later epoch were kept, where they were."""
    name, sign = record.metric.name, 1.0 if record.metric.higher_is_better else -1.0
    for run in (run for model in record.cells for run in model.runs):
        figures = [sign * figure for epoch in run.epochs if (figure := epoch.validation.get(name)) is not None]
        kept = run.validation.get(name)
        if figures and kept is not None and sign * kept < max(figures):
            return ", or those of the last epoch within a standard error of it"
    return ""


def _budget(record: Comparison) -> str:
    tuned = ", those below apart" if record.tuning else ""
    text = f"Every cell gets the same data, settings{tuned} and number of epochs; the weights of the epoch with "
    text += f"the best validation {record.metric.title} are kept{_or_later(record)}."
    text += _tuning(record)
    text += " The test part is looked at once, at the end."
    reasons = [(model.title, model.reason) for model in record.models if model.reason]
    return text + "".join(f" {title[:1].upper()}{title[1:]}: {reason}." for title, reason in reasons)


def _tuning(record: Comparison) -> str:
    """How settings were chosen, and whether the intervals include that."""
    if not record.tuning:
        return " No settings were searched: baselines have their defaults, as the cells do where none are given."
    of_cells = [trial for trial in record.tuning if trial.seed is not None]
    cells = words.plural(len({trial.cell for trial in of_cells}), "cell")
    text = f" Settings were chosen on the validation part: {words.plural(len(of_cells), 'trial')} for {cells}, the "
    text += "same number for each"
    if (record.plan.get("search") or {}).get("method") in ("random", "tpe"):
        text += "; the n-th random trial has the same settings for every cell"
    if any(trial.for_seed is not None for trial in of_cells):
        text += ". Each seed has a search of its own, whose winner its network has, so that the intervals include how "
        text += "much the choice of settings varies."
    else:
        text += ". The best of each cell were then trained anew with fresh seeds. The search was made once: the "
        text += "intervals leave out that another one could have chosen other settings (--repeat-tuning includes that)."
    of_baselines = [trial for trial in record.tuning if trial.seed is None]
    if of_baselines:
        tuned = {trial.cell for trial in of_baselines}
        titles = words.join([model.title for model in record.models if model.name in tuned])
        most = max(Counter((trial.cell, trial.point) for trial in of_baselines).values())
        text += f" {titles}: {words.plural(most, 'trial')}{' at most' if len(tuned) > 1 else ''}, by the same figure "
        text += "on the same part, the defaults among them."
    return text


def _figure(record: Comparison) -> str:
    metric = record.metric
    direction = "higher is better" if metric.higher_is_better else "lower is better"
    text = f"{metric.title[:1].upper()}{metric.title[1:]} ({direction}) is "
    of_mean = {"mean": "the mean", "exp": "the exponential of the mean", "sqrt": "the square root of the mean"}
    if metric.transform in of_mean:
        text += f"{of_mean[metric.transform]} of one contribution per test example"
    else:
        text += "computed from sums over all test examples; each contributes several numbers"
    return text + (f": {metric.contribution}." if metric.contribution else ".")


def _intervals(record: Comparison) -> str:
    models, differences = record.models, record.differences
    if not models:
        return "No model finished."
    seeds = max(model.figure.seeds for model in models)
    if seeds == 1:
        text = "With one seed per cell the intervals reflect the choice of test examples only, not that of the seed."
    else:
        text = f"The intervals reflect the choice of test examples and of seeds ({seeds} per cell) together; "
        text += "differences are paired by example. How far seeds lie apart is taken from all cells together, or from "
        text += "a pair's own seeds where these lie farther apart."
        text += _sources(record)
    methods = list(dict.fromkeys(entry.method for entry in differences))
    if methods:
        text += f" Differences: {'; '.join(methods)}."
        text += f" The p values are corrected for {len(differences)} pair{'s' if len(differences) > 1 else ''} "
        text += "(Holm)"
        if record.looks:
            earlier = words.join([str(seeds) for seeds in record.looks])
            text += f" and for having been judged before, with {earlier} seeds"
        text += f"; a pair differs if its corrected p value is below {differences[0].significance:g}. The "
        text += "intervals themselves are not corrected. Two models count as the same if two one-sided tests at 5 % "
        text += (
            f"show their difference to lie within {scale_of(record).gap(record.margin or 0.0)} on either side of zero."
        )
    return text


def _sources(record: Comparison) -> str:
    """Where the variance of a difference comes from, by the middle pair of cells."""
    known = [pair.sources for pair in record.differences if pair.sources]
    if not known:
        return ""
    searched = any(trial.for_seed is not None for trial in record.tuning)
    names = {
        "seeds": "seeds and their searches" if searched else "seeds",
        "examples": "test examples",
        "both": "both together",
    }
    listed = [f"{title} {words.percent(median(each[name] for each in known), 0)}" for name, title in names.items()]
    return f" The variance of a difference comes from {words.join(listed)}, by the middle pair."


def _cost(record: Comparison) -> str:
    text = "Training time is that from the data in memory to the finished model: preparing, training steps, "
    text += "validating; of a baseline, its fit. "
    if record.times is not None:
        text += f"Times with an interval were {record.times.method}. Times less than 5 % apart count as the same; no "
        text += "other times are compared."
    else:
        text += "Time per epoch is that of the fastest epoch. Times were not measured in turns: none is called shorter."
    if any(model.cost.step_p50 is not None for model in record.models):
        text += " A streaming step takes one more element of a sequence with the state carried on, batch of one."
    text += " Times are from one machine, each model with the same number of threads; the table names the kernel that "
    return text + "ran the recurrent layers."
