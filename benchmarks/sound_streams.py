"""How many streams of sound a core hears: processor time by chunk and number of streams, in one call and one by one.

    python benchmarks/sound_streams.py           # about a minute

A GRU of 128 units of one direction with random weights, 40 mel bands at 8 kHz, windows of three frames: weights do not
change the speed. Sockets and JSON are not included (`benchmarks/serving.py` measures them); cutting samples into frames
is. One thread, processor time, the two ways in turns.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

from gatewise.kinds.speech.features import FilterBank, Normaliser
from gatewise.kinds.speech.network import Recogniser
from gatewise.kinds.speech.spec import RecogniserSpec, SpeechDataSpec
from gatewise.kinds.speech.streaming import SpeechStreaming
from gatewise.kinds.speech.trained import TrainedRecogniser
from gatewise.kinds.speech.units import Units
from gatewise.training.run_spec import RunSpec
from gatewise.training.streaming import Advance, State

RATE = 8_000


def made() -> SpeechStreaming:
    bank = FilterBank(RATE, 40)
    normaliser = Normaliser("running", np.zeros(40, np.float32), np.ones(40, np.float32))
    model = Recogniser(11, 40, cell="gru", hidden_size=128)
    units = Units("words", tuple("0123456789"))
    spec = RunSpec(data=SpeechDataSpec(strings=3), model=RecogniserSpec(bidirectional=False), task="speech")
    return SpeechStreaming(TrainedRecogniser(spec, units, bank, normaliser, model))


def seconds_heard(stream: SpeechStreaming, streams: int, chunk: int, seconds: float, *, batched: bool) -> float:
    """Seconds of sound, over all streams, in a second of processor time."""
    settings = stream.settings({})
    sound = np.random.default_rng(0).integers(-3_000, 3_000, int(RATE * seconds), dtype=np.int16)
    states: list[State] = [stream.initial(settings) for _ in range(streams)]
    rests = [""] * streams
    begun = time.process_time()
    for at in range(0, len(sound), chunk):
        works = []
        for number in range(streams):
            message = {"sound": sound[at : at + chunk].tobytes()}
            steps, rests[number] = stream.arrived(message, rests[number], settings)
            if len(steps):
                works.append((number, Advance(states[number], steps, False, settings)))
        for some in [works] if batched else [[each] for each in works]:
            if some:
                for (number, _), (state, _) in zip(some, stream.advance([work for _, work in some]), strict=True):
                    states[number] = state
    return streams * len(sound) / RATE / (time.process_time() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of sound in each stream")
    given = parser.parse_args()
    torch.set_num_threads(1)
    stream = made()
    seconds_heard(stream, 2, 80, 0.5, batched=True)
    print("seconds of sound in a second of processor time, median of the turns")
    for milliseconds in (10, 30, 100):
        for streams in (1, 16, 64):
            chunk, found = RATE * milliseconds // 1000, {True: [], False: []}
            for _ in range(given.turns):
                for batched in found:
                    found[batched].append(seconds_heard(stream, streams, chunk, given.seconds, batched=batched))
            one, many = (statistics.median(found[batched]) for batched in (False, True))
            words = f"{many:7.0f} in one call, {one:5.0f} one by one: {many / one:.1f} times"
            print(f"{milliseconds:4d} ms at once, {streams:3d} streams: {words}", flush=True)


if __name__ == "__main__":
    main()
