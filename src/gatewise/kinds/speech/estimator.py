"""`SpeechRecognizer`: a recurrent recogniser of sounds in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from gatewise.errors import DataError
from gatewise.kinds.speech.dataset import speech_dataset
from gatewise.kinds.speech.figures import contributions_of, measure_of
from gatewise.kinds.speech.recordings import Recording, store, tidy
from gatewise.kinds.speech.sound import read_sound, resample
from gatewise.kinds.speech.splits import Parts, hold_out
from gatewise.training.estimator import RunEstimator
from gatewise.training.events import Listener, RunResult
from gatewise.training.kind import Trained
from gatewise.training.run_folder import RunFolder

if TYPE_CHECKING:
    from gatewise.kinds.speech.trained import TrainedRecogniser

__all__ = ["SpeechRecognizer"]

_PLACE = "sounds in memory"
_OF_FILES = ("sound", "text", "speaker", "split", "test_speaker", "validation_speaker", "sample_rate", "add")


class SpeechRecognizer(RunEstimator, task="speech", first=("cell",), omit=_OF_FILES):
    """Recognise spoken words: one label a sound, or words or characters in order; works in ``clone``.

    {settings}

    Attributes:
        units_: labels, words or characters, as the network numbers them.
        rate_: samples per second that the network hears.
        result_: the `gatewise.training.RunResult` of the fit: curves, kernel, time.

    Example:
        >>> time = np.arange(1_600) / 8_000
        >>> sounds = [np.sin(6.3 * (500 + 900 * (n % 2)) * time + n).astype("float32") for n in range(24)]
        >>> model = SpeechRecognizer("gru", hidden_size=8, mel_bins=12, channels=0, epochs=6, batch_size=4, threads=1)
        >>> model.fit(sounds, ["low", "high"] * 12, rate=8_000).predict(sounds[:2])
        ['low', 'high']
    """

    _trained: TrainedRecogniser

    def fit(
        self,
        sounds: Iterable[Any],
        texts: Iterable[str],
        speakers: Iterable[str] | None = None,
        *,
        rate: int | None = None,
        on_event: Listener | None = None,
    ) -> SpeechRecognizer:
        """Fit on sounds with their transcripts.

        Args:
            sounds: N paths of sound files, or arrays of samples (N,) between -1 and 1.
            texts: what is said in each.
            speakers: who speaks; with ``normalisation="speaker"`` the sounds of one are normalised together.
            rate: samples per second of arrays, to which files are resampled; None: that of the first file.
            on_event: called with each training event.

        Raises:
            DataError: sounds that cannot be used, texts of another number, or arrays without a rate.
            OptionError: an argument of the constructor is out of range.
        """
        spec = self._spec(_PLACE)
        rows, said = list(sounds), [tidy(text) for text in texts]
        who: list[str | None] = [None] * len(rows) if speakers is None else [str(each) for each in speakers]
        if not len(rows) == len(said) == len(who):
            raise DataError(
                "sounds, texts and speakers do not fit",
                expected=f"{len(rows)} of each",
                got=f"{len(said)} texts, {len(who)} speakers",
            )
        read, found = _read(rows, rate)
        recordings = [
            Recording(name, text, speaker, stored)
            for (name, stored), text, speaker in zip(read, said, who, strict=True)
        ]
        validation, train = hold_out(recordings, 0.1)
        note = "a part of the sounds decided which weights were kept; there is no test part"
        parts = Parts(tuple(train), tuple(validation), (), note, False)
        dataset = speech_dataset(_PLACE, "sounds given to SpeechRecognizer.fit", parts, found, spec.data)
        self._train(spec, dataset, on_event)
        return self

    def predict(
        self,
        sounds: Iterable[Any],
        speakers: Iterable[str] | None = None,
        *,
        rate: int | None = None,
        beam: int | None = None,
    ) -> list[str]:
        """The text of each sound.

        Args:
            sounds: as in `fit`.
            speakers: as in `fit`.
            rate: samples per second of arrays; None: those of `fit`.
            beam: prefixes of a beam search; None: the best path.
        """
        check_is_fitted(self)
        rows = list(sounds)
        who: Sequence[str | None] = [None] * len(rows) if speakers is None else list(speakers)
        read, found = _read(rows, self.rate_ if rate is None else rate, self.rate_)
        assert found == self.rate_
        recordings = [Recording(name, "", each, stored) for (name, stored), each in zip(read, who, strict=True)]
        return [heard.text for heard in self._trained.recognise(recordings, beam)]

    def score(
        self,
        sounds: Iterable[Any],
        texts: Iterable[str],
        speakers: Iterable[str] | None = None,
        *,
        rate: int | None = None,
    ) -> float:
        """Accuracy of labels, else 1 minus the word or character error rate."""
        answers = self.units_answers_
        given = self.predict(sounds, speakers, rate=rate)
        figure = measure_of(answers).of(contributions_of(answers, [tidy(text) for text in texts], given))
        return figure if answers == "label" else 1.0 - figure

    def _keep(self, run: RunFolder, trained: Trained, result: RunResult) -> None:
        super()._keep(run, trained, result)
        self.units_ = self._trained.units.names
        self.units_answers_ = self._trained.units.answers
        self.rate_ = self._trained.bank.rate


def _read(rows: Sequence[Any], rate: int | None, wanted: int | None = None) -> tuple[list[tuple[str, Any]], int]:
    """Name and stored samples of each sound at one rate."""
    found: list[tuple[str, Any]] = []
    to = wanted or rate
    for place, each in enumerate(rows):
        if isinstance(each, (str, Path)):
            sound = read_sound(Path(each), str(each), to)
            to = to or sound.rate
            found.append((str(each), store(sound.samples)))
            continue
        samples = np.asarray(each, dtype=np.float32)
        if rate is None:
            raise DataError("arrays of samples need their rate", fix="give rate=8000, or paths of files")
        if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
            raise DataError(
                f"sound {place} is no array of samples", expected="finite numbers (N,)", got=str(samples.shape)
            )
        assert to is not None
        found.append((f"sound {place}", store(samples if rate == to else resample(samples, rate, to))))
    if to is None:
        raise DataError("there is no sound", fix="give paths of sound files, or arrays")
    return found, to
