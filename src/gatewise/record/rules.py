"""The rules that the sentences of a verdict follow, in words, as docs/verdict.md states them."""

from __future__ import annotations

__all__ = ["RULES", "RULES_PAGE"]

RULES_PAGE = "docs/verdict.md"
RULES = {
    "outcome-failed": "No recurrent model finished training.",
    "outcome-nothing": (
        "No model's interval lies wholly on the better side of knowing nothing (always giving the most frequent "
        "answer of the training part)."
    ),
    "outcome-unfinished": (
        "At least one cell was still improving when its training was stopped: no cell is judged, and none is "
        "recommended."
    ),
    "outcome-unlearned": (
        "No cell's interval lies wholly on the better side of knowing nothing, though the best baseline's does: no "
        "cell is judged, and none is recommended."
    ),
    "outcome-incomplete": "Every cell lost seeds: no cell is judged, and none is recommended.",
    "outcome-single": "Every cell was trained with one seed: no cell is judged, and none is recommended.",
    "outcome-baseline": (
        "The best baseline differs from the best cell and is better: the baseline is the model to take."
    ),
    "outcome-undecided": (
        "The best cell and the best baseline do not differ: no cell is shown to be worth its time, so the baseline is "
        "the model to take."
    ),
    "outcome-tie": (
        "Several cells do not differ from the best one. Take the best one, or one whose figure is within the margin of "
        "the best one's and which is shown to train faster."
    ),
    "outcome-cell": "One cell differs from all others: it is the model to take.",
    "training-unfinished": (
        "The cells that were still improving when their training was stopped: at least half of their runs (1) were "
        "ended by their budget, not by patience; (2) have their best epoch in the last quarter of their learning; and "
        "(3) became better in it on the validation part by more than the margin, by more than twice the noise of "
        "that gain, and by more than a tenth of all that they learned. Of a run with less than half of the epochs that "
        "the size of the data calls for it is enough that the last epoch is the best one, or the one with the least "
        "validation loss."
    ),
    "training-unlearned": (
        "No cell is still improving, and none has an interval that lies wholly on the better side of knowing nothing."
    ),
    "training-incomplete": "Some runs of every cell did not finish, and those that did are no fair sample.",
    "training-single": (
        "Every cell was trained once. The sentence is about these networks: their figures, and intervals over test "
        "examples alone."
    ),
    "reach": (
        "A cell reaches a point of the axis if there, and at every smaller one, it differs from the best baseline and "
        "has come at least half of the way from it to a perfect figure."
    ),
    "quality-alone": "Only one cell was compared: its figure is said, and nothing beside it.",
    "quality-leader": "The cell with the best test figure differs from every other cell.",
    "quality-tie": (
        "Some cells do not differ from the one with the best test figure, and at least one of them is not shown to be "
        "the same within the margin."
    ),
    "quality-same": (
        "Some cells do not differ from the one with the best test figure, and all of them are shown to be the same "
        "within the margin."
    ),
    "nothing": (
        "Neither the best cell nor any other model has an interval that lies wholly on the better side of knowing "
        "nothing."
    ),
    "baseline-beaten": "The best cell differs from the best baseline and is better.",
    "baseline-better": "The best baseline differs from the best cell and is better.",
    "baseline-undecided": "The best cell and the best baseline do not differ.",
    "baseline-so-far": (
        "The cells are not judged: the sentence says how far the best one is from the best baseline, and draws no "
        "conclusion."
    ),
    "speed-fastest": "One cell is shown to train faster than every other one.",
    "speed-alike": (
        "The cell with the least time per epoch and some others are shown to train equally fast within 5 %, and it is "
        "shown to be faster than all the rest."
    ),
    "speed-undecided": (
        "Between the cell with the least time per epoch and at least one other no difference in training time is "
        "shown, nor that it is less than 5 %."
    ),
    "speed-unmeasured": "The times were not measured in turns: no cell is called faster than another.",
    "size-smallest": "The cells with the fewest parameters; up to 5 % more counts as the same.",
    "size-alike": "All cells' numbers of parameters lie within 5 % of the least.",
    "undecided": (
        "Pairs of cells, and the best cell with the best baseline, that neither differ nor are shown to be the same "
        "within the margin."
    ),
    "two-seeds": "Each cell was trained with two seeds, which say little about the spread between seeds.",
    "lost-seeds": "Some runs of these cells did not finish; the cells are not judged, the others are.",
    "earlier-looks": (
        "The same comparison was judged before with fewer seeds: at the k-th look p values are multiplied by k (k + 1)."
    ),
    "few-blocks": (
        "Of at least one pair the test examples count as fewer than 8 independent blocks: the pair neither differs nor "
        "is shown to be the same, whatever its p value."
    ),
    "few-groups": "The intervals are over fewer than 10 groups of test examples.",
    "cell-unlearned": (
        "Some cells, but not all, have an interval that does not lie wholly on the better side of knowing nothing."
    ),
    "different-kernels": "Cells, or the runs of one cell, ran on different kernels.",
    "time-budget": (
        "Under `--match time` the training steps of at least one cell took over a tenth more or less time than the "
        "first cell's planned steps."
    ),
}
"""By the id that a record's sentence has as its ``rule``."""
