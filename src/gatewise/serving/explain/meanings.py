"""What a gate, candidate or state is for, in a sentence, and the equation it stands in. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["EquationLine", "equation_form", "gate_meaning"]

_MEANINGS = {
    ("lstm", "input"): "Input gate: how much of the candidate is written into the cell. 1 writes it all.",
    ("lstm", "forget"): "Forget gate: how much of the cell is kept from the step before. 1 keeps all, 0 erases.",
    ("lstm", "candidate"): "Candidate: what could be written into the cell at this step.",
    ("lstm", "output"): "Output gate: how much of the cell is shown to the next layer.",
    ("lstm", "cell"): "Cell: the memory, which only the forget and the input gate change.",
    ("lstm", "hidden"): "Hidden state: what the cell shows, and what the next step reads.",
    ("gru", "reset"): "Reset gate: how much of the old state the candidate sees. 0 starts afresh.",
    ("gru", "candidate"): "Candidate: what the state could become at this step.",
    ("gru", "hidden"): "Hidden state: memory and output in one.",
    ("rnn", "candidate"): "Candidate: the new state. There are no gates; each step writes everything anew.",
    ("rnn", "hidden"): "Hidden state: memory and output in one. There are no gates; each step writes it anew.",
    ("mingru", "update"): "Update gate: how much of the state is replaced. It sees the input only.",
    ("mingru", "candidate"): "Candidate: what the state could become at this step. It sees the input only.",
    ("mingru", "hidden"): "Hidden state: memory and output in one.",
    ("minlstm", "forget"): "Forget gate: how much of the state is kept. With the input gate it sums to 1.",
    ("minlstm", "input"): "Input gate: how much of the candidate is written. With the forget gate it sums to 1.",
    ("minlstm", "candidate"): "Candidate: what could be written into the state at this step.",
    ("minlstm", "hidden"): "Hidden state: memory and output in one.",
}
_UPDATE = {
    "keep": "Update gate: how much of the old state is kept. 1 keeps all, 0 takes the candidate.",
    "replace": "Update gate: how much of the old state is replaced. 1 takes the candidate, 0 keeps all.",
}
_ROLES = {
    "gate": "A gate of this cell: 0 is closed, 1 open.",
    "candidate": "What this cell could take into its state.",
    "state": "What this cell carries from step to step.",
}


@dataclass(frozen=True)
class EquationLine:
    """One line of a cell's equation.

    Attributes:
        symbols: as a textbook has it.
        numbers: with ``{name}`` where the value of a gate, candidate or state stands, ``{name-1}`` for the step before,
            ``{name:atanh}`` for what the hyperbolic tangent was taken of.
    """

    symbols: str
    numbers: str


def gate_meaning(cell: str, name: str, role: str, options: Mapping[str, Any]) -> str:
    """What one gate, candidate or state of a cell is for.

    Args:
        cell: registered name.
        name: as the trace has it.
        role: ``gate``, ``candidate`` or ``state``; says what there is to say of a cell of one's own.
        options: of the cell.

    Example:
        >>> gate_meaning("gru", "update", "gate", {"update": "keep"})
        'Update gate: how much of the old state is kept. 1 keeps all, 0 takes the candidate.'
        >>> gate_meaning("leaky", "leak", "gate", {})
        'A gate of this cell: 0 is closed, 1 open.'
    """
    if (cell, name) == ("gru", "update"):
        return _UPDATE[str(options.get("update", "keep"))]
    return _MEANINGS.get((cell, name), _ROLES[role])


def equation_form(cell: str, options: Mapping[str, Any], *, plain: bool) -> tuple[EquationLine, ...]:
    """The equation by which a cell's state changes, to be filled with the numbers of one unit and step.

    Sources: the forward equations of ``kernels/<cell>/README.md``.

    Args:
        cell: registered name.
        options: of the cell.
        plain: without zoneout and layer normalisation, under which the state is not what these lines say.

    Returns:
        Nothing for cells of one's own, and where the lines would not give the numbers.

    Example:
        >>> equation_form("gru", {"update": "replace"}, plain=True)[0].numbers
        '{hidden} = (1 − {update}) · {hidden-1} + {update} · {candidate}'
    """
    if not plain:
        return ()
    if cell == "lstm":
        shown = EquationLine("hₜ = o · tanh(cₜ)", "{hidden} = {output} · tanh({cell})")
        kept = EquationLine("cₜ = f · cₜ₋₁ + i · g", "{cell} = {forget} · {cell-1} + {input} · {candidate}")
        return (kept,) if options.get("proj_size") else (kept, shown)
    if cell == "gru" and options.get("update") == "replace":
        return (
            EquationLine(
                "hₜ = (1 − z) · hₜ₋₁ + z · n", "{hidden} = (1 − {update}) · {hidden-1} + {update} · {candidate}"
            ),
        )
    if cell == "gru":
        return (
            EquationLine(
                "hₜ = z · hₜ₋₁ + (1 − z) · n", "{hidden} = {update} · {hidden-1} + (1 − {update}) · {candidate}"
            ),
        )
    if cell == "rnn" and options.get("nonlinearity") == "tanh":
        return (EquationLine("hₜ = tanh(Wx · xₜ + Wh · hₜ₋₁ + b)", "{hidden} = tanh({hidden:atanh})"),)
    if cell == "mingru":
        return (
            EquationLine(
                "hₜ = (1 − z) · hₜ₋₁ + z · n", "{hidden} = (1 − {update}) · {hidden-1} + {update} · {candidate}"
            ),
        )
    if cell == "minlstm":
        return (EquationLine("hₜ = f · hₜ₋₁ + i · n", "{hidden} = {forget} · {hidden-1} + {input} · {candidate}"),)
    return ()
