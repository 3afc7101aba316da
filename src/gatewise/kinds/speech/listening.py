"""A stream of sound through a network of one direction: words as they come, the same as offline at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from gatewise.errors import OptionError
from gatewise.kinds.speech.features import Frames
from gatewise.kinds.speech.search import BeamSearch, GreedySearch
from gatewise.kinds.speech.sound import Samples

if TYPE_CHECKING:
    from gatewise.kinds.speech.trained import TrainedRecogniser

__all__ = ["Listener", "check_streams", "obstacles"]


def check_streams(trained: TrainedRecogniser) -> None:
    """Refuse networks that need the whole recording, and those of labels, which have no words to print as they come.

    Raises:
        OptionError: it reads backwards, answers with one label, or is normalised by the whole recording.
    """
    found, flags = obstacles(trained)
    if not trained.units.by_ctc:
        found.append("it gives one label for a whole recording")
        flags.append("--answers words")
    if found:
        raise OptionError(
            "this network needs the whole recording",
            expected="one direction, words or characters, normalised while running",
            got="; ".join(found),
            fix=f"train with {' '.join(flags)}, or hear files with `gatewise predict`",
        )


def obstacles(trained: TrainedRecogniser) -> tuple[list[str], list[str]]:
    """Why a network cannot answer before the end of a recording, and the flags of a training without that."""
    found, flags = [], []
    if trained.model.recurrent.bidirectional:
        found.append("it reads from the end as well")
        flags.append("--no-bidirectional")
    if not trained.normaliser.streams:
        found.append(f"it normalises by the {trained.normaliser.kind} as a whole")
        flags.append("--normalisation running")
    return found, flags


@dataclass
class Listener:
    """Samples in as they come, text as soon as it is heard.

    Each step of the recurrent layers is computed when the frames of its window are complete; what a step gives is what
    it gives in the whole recording.

    Args:
        trained: a network of one direction, of words or characters, normalised ``running`` or by ``training``.
        beam: prefixes of a beam search, whose text may still change; None: the best path, whose text only grows.

    Attributes:
        steps: of the recurrent layers so far.

    Raises:
        OptionError: see `check_streams`.
    """

    trained: TrainedRecogniser
    beam: int | None = None
    steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        check_streams(self.trained)
        self._frames = self.trained.bank.stream()
        self._normaliser = self.trained.normaliser.stream()
        self._session = self.trained.model.recurrent.session()
        head = self.trained.model.head
        self._weight, self._bias = head.weight.detach().numpy().T.copy(), head.bias.detach().numpy()
        self._search = GreedySearch() if self.beam is None else BeamSearch(self.beam)
        self._waiting: Frames = np.zeros((0, self.trained.normaliser.width), dtype=np.float32)
        self._read = 0

    @property
    def text(self) -> str:
        """What was heard so far."""
        return self.trained.units.decode([unit - 1 for unit in self._search.units])

    @property
    def window_seconds(self) -> float:
        """How much sound a step needs: the end of a word cannot be answered earlier."""
        from gatewise.kinds.speech.features import LENGTH, SHIFT

        return LENGTH + SHIFT * (self.trained.model.windows.size - 1)

    def accept(self, samples: Samples) -> str:
        """The next samples (N,), at the network's rate; returns the text so far."""
        new = self._normaliser.accept(self._frames.accept(samples))
        self._waiting = np.concatenate([self._waiting, new])
        self._read += len(new)
        windows = self.trained.model.windows
        while len(self._waiting) >= windows.size:
            self._step(self._waiting[: windows.size])
            self._waiting = self._waiting[windows.stride :]
        return self.text

    def finish(self) -> str:
        """The end of the sound: reads the frames that fill no window, and returns the text."""
        windows = self.trained.model.windows
        if self._read and self.steps < int(windows.steps(torch.tensor(self._read))):
            last = np.zeros((windows.size, self._waiting.shape[1]), dtype=np.float32)
            last[: len(self._waiting)] = self._waiting
            self._step(last)
        return self.text

    def _step(self, window: Frames) -> None:
        model = self.trained.model
        if model.convolution is None:
            inputs = np.ascontiguousarray(window).reshape(1, -1)
        else:
            with torch.inference_mode():
                inputs = model.front(torch.from_numpy(np.ascontiguousarray(window))[None, None])[0].numpy()
        scores = self._session(inputs) @ self._weight + self._bias
        scores -= scores.max()
        self._search.accept(scores - np.log(np.exp(scores).sum()))
        self.steps += 1
