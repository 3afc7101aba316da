"""Names of cells and their variants, as a reader knows them."""

from __future__ import annotations

import re

__all__ = ["title_of"]

_TITLES = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU", "mingru": "minGRU", "minlstm": "minLSTM"}


def title_of(name: str) -> str:
    """The name as a reader knows it.

    Example:
        >>> title_of("lstm"), title_of("bigru"), title_of("gru*2"), title_of("bilstm*3"), title_of("my_cell")
        ('LSTM', 'Bi-GRU', 'GRU, 2 layers', 'Bi-LSTM, 3 layers', 'my_cell')
    """
    match = re.fullmatch(r"(.+)\*(\d+)", name)
    if match is not None:
        return f"{title_of(match[1])}, {match[2]} layers"
    if name in _TITLES:
        return _TITLES[name]
    if name.startswith("bi") and name[2:] in _TITLES:
        return f"Bi-{_TITLES[name[2:]]}"
    return name
