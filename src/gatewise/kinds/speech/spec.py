"""What a speech run is: recordings and network as frozen, serialisable records. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.errors import OptionError
from gatewise.training import common_settings as common
from gatewise.training.settings import Spec, setting

__all__ = ["ANSWERS", "NORMALISATIONS", "POOLINGS", "SPLITS", "RecogniserSpec", "SpeechDataSpec"]

ANSWERS = ("label", "words", "characters")
NORMALISATIONS = ("speaker", "recording", "training", "running")
SPLITS = ("speakers", "recordings", "usual")
POOLINGS = ("last", "mean", "max", "mean+max")


@dataclass(frozen=True)
class SpeechDataSpec(Spec):
    """Which recordings a run is trained on, what is answered, and who is tested.

    Example:
        >>> SpeechDataSpec("spoken-digits", strings=7).answers is None
        True
    """

    data: str = setting(
        "spoken-digits",
        "Registry name (spoken-digits), a folder of recordings with transcripts.csv, such a table, or a folder with a "
        "folder for each class of recordings.",
        is_path=True,
    )
    sound: str | None = setting(None, "Column of the sound files; path, file or the like if not given.", reads=True)
    text: str | None = setting(
        None, "Column of the transcripts; text, transcript or the like if not given.", reads=True
    )
    speaker: str | None = setting(None, "Column of the speakers; the column called speaker if not given.", reads=True)
    add: str | None = setting(
        None,
        "Further recordings for the training part alone: a folder with transcripts.csv or of classes, or such a table.",
        is_path=True,
    )
    answers: str | None = setting(
        None,
        "What is answered: label (one transcript of a list), words or characters in order (CTC); derived from the "
        "transcripts if not given.",
        choices=ANSWERS,
    )
    strings: int | None = setting(
        None, "Join recordings of one speaker to strings of 1 to this many, with random gaps.", minimum=2
    )
    split: str | None = setting(
        None,
        "What is tested: speakers (in no other part), recordings, or usual (numbers 0 to 4 of FSDD's files); speakers "
        "where at least three are known.",
        choices=SPLITS,
    )
    test_speaker: str | None = setting(None, "Speaker who is tested, or several: ann,bob; a fifth if not given.")
    validation_speaker: str | None = setting(
        None, "Speaker who decides which weights are kept; a tenth of the training speakers' recordings if not given."
    )
    examples: int | None = setting(
        None,
        "Training examples of DATA, at most, chosen by content; those of --add, validation and test stay whole.",
        minimum=10,
    )
    sample_rate: int | None = setting(
        None,
        "Samples per second; others are resampled. The most frequent one, up to 16,000, if not given.",
        minimum=4_000,
    )

    def check_together(self) -> None:
        """Refuse strings that are answered by one label."""
        if self.strings is not None and self.answers == "label":
            raise OptionError("strings of recordings have several words", got="--answers label", fix="omit --answers")


@dataclass(frozen=True)
class RecogniserSpec(Spec):
    """The network: cepstra or log-mel frames, recurrent layers, one answer or CTC (Graves et al., 2006).

    While training, sounds are changed in speed (Ko et al., 2015), warped in frequency (Jaitly and Hinton, 2013),
    filtered and mixed with noise, and stretches and bands of their frames are masked (SpecAugment, Park et al., 2019).

    Example:
        >>> RecogniserSpec(bidirectional=False, normalisation="running").stride
        3
    """

    cell: str = common.cell()
    hidden_size: int = common.hidden_size()
    num_layers: int = common.num_layers()
    bidirectional: bool = common.bidirectional(True)
    pooling: str = setting(
        "mean", "For labels: how the steps become one vector: last, mean, max or mean+max.", choices=POOLINGS
    )
    dropout: float = common.dropout(0.3)
    blank_penalty: float = setting(
        0.0,
        "For words and characters: how much less probable CTC's blank is than in training, in nats; more delete less "
        "and insert more.",
        minimum=0.0,
    )
    mel_bins: int = setting(24, "Mel filters of a frame.", minimum=4)
    cepstra: int | None = setting(
        None,
        "Cepstra of a frame, which leave the pitch of a voice out; 0: the filters' log energies themselves, which "
        "--channels needs. Two thirds of the filters if not given.",
        minimum=0,
    )
    normalisation: str = setting(
        "speaker",
        "Whose mean and spread frames are normalised by: the speaker, the recording, the training part, or running "
        "(all frames so far: streams).",
        choices=NORMALISATIONS,
    )
    normalisation_group: int = setting(
        60,
        "With the speaker: recordings that are normalised together while training, at most, at random from one on; 0: "
        "always all of the speaker.",
        minimum=0,
    )
    window: int = setting(3, "Frames of 10 ms that are read as one step.", minimum=1)
    stride: int = setting(3, "Frames from one step to the next.", minimum=1)
    channels: int = setting(0, "Channels of the convolution over frequency; 0 for none.", minimum=0)
    speed: float = setting(0.3, "Largest change of speed while training, a fraction.", minimum=0.0, below=0.9)
    warping: float = setting(
        0.15, "Largest stretch of the frequencies while training, a fraction.", minimum=0.0, below=0.9
    )
    filtering: float = setting(0.5, "Spread of random filters while training, in nats of energy.", minimum=0.0)
    noise: float = setting(0.6, "Probability of added noise while training.", minimum=0.0, below=1.0)
    endpoints: float = setting(
        0.0,
        "Probability that the ends of a recording of one word are cut closer while training; of the others half as "
        "many are made longer.",
        minimum=0.0,
        below=1.0,
    )
    frequency_masks: int = setting(0, "Masked bands while training, each of up to a fifth of the filters.", minimum=0)
    time_masks: int = setting(
        1, "Masked stretches while training, each of up to a fifth of a recording and 0.1 s.", minimum=0
    )

    @property
    def cepstral(self) -> int:
        """Cepstra of a frame; 0: none."""
        if self.cepstra is not None:
            return self.cepstra
        return 0 if self.channels else round(2 * self.mel_bins / 3)

    def check_together(self) -> None:
        """Refuse strides that skip frames, and fewer filters than the convolution needs."""
        if self.stride > self.window:
            raise OptionError(
                f"a stride of {self.stride} frames skips some that no window of {self.window} holds",
                fix=f"give --stride {self.window} or less, or a longer --window",
            )
        if self.cepstral > self.mel_bins:
            expected = f"at most as many as filters, {self.mel_bins}"
            raise OptionError(
                "there are too many cepstra",
                expected=expected,
                got=f"--cepstra {self.cepstral}",
                fix=f"--cepstra {self.mel_bins} or fewer",
            )
        if self.channels and self.cepstra:
            raise OptionError(
                "the convolution is over filters, not over cepstra", got=f"--cepstra {self.cepstra}", fix="--cepstra 0"
            )
        if self.channels and self.mel_bins < 12:
            raise OptionError("the convolution needs 12 filters", got=f"--mel-bins {self.mel_bins}", fix="--channels 0")
