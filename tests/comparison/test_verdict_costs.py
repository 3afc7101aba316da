"""What the verdict says of cells' costs, and how it words figures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from gatewise.comparison.verdict.facts import Range
from gatewise.comparison.verdict.rules import apply_again
from gatewise.comparison.verdict.verdict import ModelFigures, Pair, decide
from gatewise.record import TimeRatio, Verdict
from gatewise.words import Scale
from made_up_times import made_up_ratios

ACCURACY = Scale("accuracy", True, True, 1)
PERPLEXITY = Scale("perplexity", False, False, 1)


def _times(models: Sequence[ModelFigures]) -> tuple[TimeRatio, ...]:
    cells = sorted((model for model in models if not model.baseline), key=lambda cell: cell.name)
    return made_up_ratios({cell.name: cell.time for cell in cells}, {cell.name: cell.step_seconds for cell in cells})


def _costs(*cells: ModelFigures, differ: bool = True, needed: int | None = 12, seeds: int = 3) -> Verdict:
    """A verdict on cells whose costs are given."""
    pairs = []
    for one, two in combinations(cells, 2):
        gap = one.figure.estimate - two.figure.estimate
        decided = differ and abs(gap) > 0.02
        pairs.append(
            Pair(one.name, two.name, Range(gap, gap - 0.01, gap + 0.01), 0.001 if decided else 0.4, seeds_needed=needed)
        )
    return decide(cells, pairs, PERPLEXITY, seeds=seeds, margin=0.01, times=_times(cells))


def _cell(name: str, figure: float, seconds: float, *, step: float | None = 4e-6, **further: Any) -> ModelFigures:
    title = {"bilstm": "Bi-LSTM"}.get(name, name.upper())
    interval = Range(figure, figure - 0.01, figure + 0.01)
    return ModelFigures(
        name,
        title,
        interval,
        3 * seconds,
        seconds,
        step_seconds=step,
        parameters=further.pop("parameters", 1000),
        **further,
    )


def test_what_is_said_of_several_fast_cells_holds_of_each() -> None:
    """It was said of both that they are 0.04 worse, where the second was 1.23 worse."""
    verdict = _costs(_cell("lstm", 4.0, 10.0), _cell("gru", 4.04, 5.0), _cell("rnn", 5.23, 5.1))
    assert verdict.answers["speed"].sentence.startswith(
        "GRU and RNN train fastest, equally within 5 %, about 5.0 s per epoch, 0.50 times LSTM's time (95 % interval "
        "0.50 to 0.50); GRU is 0.04 worse than LSTM and RNN is 1.2 worse than LSTM"
    )
    verdict = _costs(
        _cell("lstm", 4.0, 5.0), _cell("gru", 4.005, 5.1), _cell("rnn", 5.23, 5.0), _cell("mingru", 9.0, 20)
    )
    sentence = verdict.answers["speed"].sentence
    assert (
        "; LSTM also has the lowest perplexity, GRU shows no difference in perplexity from LSTM and RNN is 1.2 worse"
        in sentence
    )


def test_cells_that_tie_exactly_are_not_called_best() -> None:
    """Where every cell has the same figure, none of them "also has the lowest"."""
    tied = _costs(_cell("lstm", 4.0, 5.0), _cell("gru", 4.0, 5.1), _cell("rnn", 4.0, 9.0), differ=False)
    assert "; no cell has a better figure" in tied.answers["speed"].sentence
    alone = _costs(_cell("lstm", 4.0, 5.0), _cell("gru", 4.0, 9.0), differ=False)
    assert ", and no cell has a better figure" in alone.answers["speed"].sentence
    some = _costs(_cell("lstm", 4.0, 5.0), _cell("gru", 4.0, 9.0), _cell("rnn", 5.23, 5.1)).answers["speed"].sentence
    assert "no cell has a better figure than LSTM and RNN is 1.2 worse than LSTM" in some
    every = " ".join((*tied.sentences, *alone.sentences, some))
    assert "also has" not in every


def test_the_fastest_cell_that_leads_is_said_to_have_the_best_figure_by_its_name() -> None:
    """It was said that it "has the best figure too", also where no difference was found."""
    led = _costs(_cell("lstm", 4.0, 5.0), _cell("gru", 4.5, 9.0)).answers["speed"].sentence
    assert led.startswith("LSTM trains fastest, ") and ", and also has the lowest perplexity" in led
    tied = _costs(_cell("lstm", 4.0, 5.0), _cell("gru", 4.1, 9.0), differ=False).answers["speed"].sentence
    assert ", and no other cell is shown to be better" in tied and "also has" not in tied


def test_intervals_over_a_few_groups_are_said_to_be_wide() -> None:
    cells = [_cell("lstm", 4.0, 5.0), _cell("gru", 4.5, 9.0)]
    pair = Pair("lstm", "gru", Range(0.5, -1.0, 2.0), 0.3)
    said = {
        count: decide(
            cells, [pair], PERPLEXITY, seeds=3, margin=0.01, groups=count and (count, "test speakers")
        ).caveats
        for count in (None, 5, 9, 10)
    }
    assert not said[None] and not said[10] and said[9]
    (caveat,) = said[5]
    assert caveat.rule == "few-groups" and apply_again(caveat.rule, caveat.inputs) is not None
    assert caveat.sentence.startswith("Intervals are over only 5 test speakers, and therefore wide: more of these")


def test_a_network_that_reads_from_both_ends_has_no_streaming_step() -> None:
    both = _cell("bilstm", 4.0, 10.0, step=None, streams=False)
    verdict = _costs(both, _cell("lstm", 5.0, 5.0), _cell("gru", 6.0, 5.1))
    sentence = verdict.answers["speed"].sentence
    assert "a streaming step takes about 4.0 µs with LSTM and GRU" in sentence and "with each" not in sentence
    assert "Bi-LSTM, which reads from both ends, cannot run step by step" in sentence
    alone = _costs(both, _cell("bigru", 5.0, 5.0, step=None, streams=False)).answers["speed"].sentence
    assert "streaming" not in alone and "which read from both ends" in alone


def test_no_sentence_holds_more_than_two_intervals() -> None:
    for count in range(2, 7):
        cells = [_cell(f"cell{number}", 90.0 + 3 * number, 5.0 + number) for number in range(count)]
        for differ in (True, False):
            sentences = _costs(*cells, differ=differ).sentences
            assert max(sentence.count("interval") for sentence in sentences) <= 2


def test_the_margin_is_never_written_as_zero() -> None:
    models = [_cell("lstm", 55.0, 10.0), _cell("gru", 0.05, 5.0), _cell("rnn", 0.0501, 6.0)]
    pairs = [
        Pair("lstm", "gru", Range(54.95, 54.9, 55.0), 0.001),
        Pair("lstm", "rnn", Range(54.95, 54.9, 55.0), 0.001),
        Pair("gru", "rnn", Range(-0.0001, -0.0002, 0.0), 0.4, equivalent=True),
    ]
    scale = Scale("mean squared error", False, False, 2)
    verdict = decide(models, pairs, scale, seeds=3, margin=0.0005)
    assert "within 0.0005" in verdict.headline and "within 0.0005" in verdict.answers["quality"].sentence
