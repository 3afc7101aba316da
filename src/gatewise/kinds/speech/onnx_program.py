"""Python that hears recordings with an exported recogniser, onnxruntime and numpy alone. Imports no torch."""

from __future__ import annotations

from gatewise.export.to_onnx.programs import MODEL, assembled

__all__ = ["program_of"]

_DOES = "Hears recordings: python answer.py FILE.wav ..."
_SAMPLES = r'''
def samples_of(path):
    """The samples of a WAV file, its channels mixed to one, in 16 bits."""
    with wave.open(path) as file:
        if file.getsampwidth() != 2 or file.getframerate() != about["rate"]:
            sys.exit(f"{path} is no WAV file of 16 bits and {about['rate']:,} samples per second: convert it")
        found = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
    mixed = (found.astype(np.float32) / 32768).mean(axis=1)
    return np.clip(np.round(mixed * np.float32(32767)), -32768, 32767) / np.float32(32767)


def frames_of(samples):
    """Logarithms of the energies of mel filters in 25 ms every 10 ms, as Kaldi has them."""
    rate, bins = about["rate"], about["bins"]
    size, shift = int(rate * 0.025), int(rate * 0.010)
    if len(samples) < size:
        sys.exit("a recording is shorter than 25 ms")
    frames = np.lib.stride_tricks.sliding_window_view(samples * 32768.0, size)[::shift]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - 1))) ** 0.85
    points = 1 << (size - 1).bit_length()
    power = np.abs(np.fft.rfft(frames * window, points)[:, : points // 2]) ** 2
    mels = 1127 * np.log1p(np.arange(points // 2) * rate / points / 700)
    ends = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(rate / 2 / 700), bins + 2)[:, None]
    rising = (mels - ends[:-2]) / (ends[1:-1] - ends[:-2])
    falling = (ends[2:] - mels) / (ends[2:] - ends[1:-1])
    filters = np.maximum(np.minimum(rising, falling), 0.0)
    return np.log(np.maximum(power @ filters.T, 1.0))
'''
_NORMALISED = r'''
def features_of(frames):
    """The features of the frames, each less its mean and by its deviation."""
    how = about["normaliser"]
    mean, spread = np.array(how["mean"]), np.array(how["spread"])
    if "cepstra_of" in how:
        places = (np.arange(how["cepstra_of"]) + 0.5) / how["cepstra_of"]
        cosines = np.cos(np.pi * places[:, None] * np.arange(len(mean)))
        frames = frames @ cosines * np.sqrt(2 / how["cepstra_of"])
    if how["kind"] != "training":  # of the recording, in which the training counts as 50 frames
        sums, squares, count = np.cumsum(frames, axis=0), np.cumsum(frames**2, axis=0), np.arange(1, len(frames) + 1)
        if how["kind"] != "running":
            sums, squares, count = sums[-1], squares[-1], count[-1:]
        count = 50 + count[:, None]
        squares = (50 * (mean**2 + spread**2) + squares) / count
        mean = (50 * mean + sums) / count
        spread = np.sqrt(np.maximum(squares - mean**2, 1e-4))
    return ((frames - mean) / spread).astype(np.float32)


def windows_of(features):
    """What the network reads at each step: some frames side by side."""
    size, stride = about["window"], about["stride"]
    steps = -(-max(0, len(features) - size) // stride) + 1
    padded = np.zeros(((steps - 1) * stride + size, features.shape[1]), np.float32)
    padded[: len(features)] = features
    return np.stack([padded[step * stride : step * stride + size].reshape(-1) for step in range(steps)])
'''
_ANSWERS = """
if len(sys.argv) < 2:
    sys.exit("name a WAV file, or several")
names = about["units"]["names"]
for path in sys.argv[1:]:
    samples = samples_of(path)
    windows = windows_of(features_of(frames_of(samples)))[None]
    (found,) = session.run(None, {"windows": windows, "lengths": np.array([windows.shape[1]])})
    answer = {"path": path, "text": None, "seconds": round(len(samples) / about["rate"], 3)}
"""
_LABEL = """\
    chances = np.exp(found[0] - found[0].max())
    best = int(chances.argmax())
    answer |= {"text": names[best], "probability": float(chances[best] / chances.sum())}
    print(json.dumps(answer, ensure_ascii=False))
"""
_UNITS = """\
    path_ = found[0].argmax(axis=1).tolist()  # 0 is the blank of CTC
    units = [names[unit - 1] for unit, before in zip(path_, [0, *path_]) if unit not in (0, before)]
    answer["text"] = " ".join(("" if about["units"]["answers"] == "characters" else " ").join(units).split())
    print(json.dumps(answer, ensure_ascii=False))
"""


def program_of(*, by_ctc: bool) -> str:
    """The program, which prints what ``gatewise predict --json`` does.

    Args:
        by_ctc: whether a recording has several units in order; else a label.
    """
    return assembled(_DOES, ["wave"], MODEL, _SAMPLES, _NORMALISED, _ANSWERS + (_UNITS if by_ctc else _LABEL))
