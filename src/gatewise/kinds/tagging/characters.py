"""Character encoders of a word: recurrent in both directions, or a convolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatewise.errors import OptionError, did_you_mean
from gatewise.nn import Recurrent

__all__ = ["READERS", "CharacterReader"]

READERS = ("recurrent", "convolution", "none")
_WIDTH = 3


class CharacterReader(nn.Module):
    """Characters of words in, one vector per word out.

    ``recurrent``: the last states of both directions, concatenated (Lample et al., 2016). ``convolution``: width 3,
    the greatest value over the word of each filter (Ma and Hovy, 2016).

    Args:
        count: characters known; 0 is padding.
        reader: recurrent or convolution.
        size: numbers per character.
        hidden_size: width of one direction, or half the filters: both readers give as many numbers.
        cell: a registered recurrent cell.

    Example:
        >>> reader = CharacterReader(30, "recurrent", size=4, hidden_size=5, cell="gru")
        >>> reader(torch.tensor([[3, 4], [5, 0]]), torch.tensor([2, 1])).shape, reader.width
        (torch.Size([2, 10]), 10)
    """

    def __init__(self, count: int, reader: str, *, size: int, hidden_size: int, cell: str) -> None:
        super().__init__()
        known = READERS[:2]
        if reader not in known:
            raise OptionError(
                f"there is no reader of characters {reader!r}",
                expected=", ".join(READERS),
                fix=did_you_mean(reader, READERS),
            )
        self.width = 2 * hidden_size
        self.embedding = nn.Embedding(count, size, padding_idx=0)
        self.recurrent = Recurrent(cell, size, hidden_size, bidirectional=True) if reader == "recurrent" else None
        self.convolution = nn.Conv1d(size, self.width, _WIDTH, padding=_WIDTH // 2) if reader != "recurrent" else None
        with torch.no_grad():
            bound = (3.0 / size) ** 0.5
            self.embedding.weight.uniform_(-bound, bound)
            self.embedding.weight[0].zero_()

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """Read words.

        Args:
            characters: (M, F) int64, 0 past a word's end.
            lengths: (F,) int64, each 1 to M.

        Returns:
            (F, width).
        """
        embedded: Tensor = self.embedding(characters)
        if self.recurrent is not None:
            _, state = self.recurrent(embedded, lengths=lengths)
            hidden: Tensor = state[0] if isinstance(state, tuple) else state
            return hidden.transpose(0, 1).reshape(len(lengths), self.width)
        assert self.convolution is not None
        values: Tensor = self.convolution(embedded.permute(1, 2, 0))
        past = torch.arange(characters.shape[0], device=lengths.device) >= lengths[:, None]
        return values.masked_fill(past[:, None], -torch.inf).amax(dim=2)
