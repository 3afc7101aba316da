"""Spoken digits by the synthetic voices of espeak-ng and flite, as a table for `gatewise train .. --add`.

    apt-get install espeak-ng flite
    python benchmarks/synthetic_voices.py voices                # 180 voices, 1,800 recordings, a minute
    gatewise train spoken-digits --test-speaker theo --add voices --epochs 8 --threads 1

A voice is a synthesiser's voice of an accent with a pitch of its own; it says each digit at another speed, as a
statement, a question or an exclamation. The accents are those of English (espeak-ng: formants; flite: three recorded
men and a woman), and, in the spelling of their languages, of people who learned other ones: a German's 'sewwen'.
Silence at the ends is cut off, and faint noise added. The same seed makes the same recordings with the same
synthesisers.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-us-nyc", "en-029")
LEARNED = {
    "de": ("siero", "wann", "tuh", "frie", "foor", "faif", "sicks", "sewwen", "eet", "nain"),
    "fr": ("zirô", "ouane", "tou", "sri", "fore", "faïve", "sixe", "sévène", "éïte", "naïne"),
    "es": ("sirou", "uan", "tu", "tri", "for", "faiv", "siks", "seven", "eit", "nain"),
    "it": ("zirou", "uan", "tu", "tri", "for", "faiv", "sics", "seven", "eit", "nain"),
    "nl": ("ziero", "wan", "toe", "srie", "foor", "faif", "siks", "sevven", "eet", "nain"),
    "el": ("ζίροου", "ουάν", "του", "θρι", "φορ", "φάιβ", "σιξ", "σέβεν", "έιτ", "νάιν"),
    "pl": ("ziroł", "łan", "tu", "fri", "for", "fajw", "siks", "sewen", "ejt", "najn"),
    "hi": ("ज़ीरो", "वन", "टू", "थ्री", "फोर", "फाइव", "सिक्स", "सेवन", "एट", "नाइन"),
    "ru": ("зироу", "уан", "ту", "сри", "фор", "файв", "сикс", "сэвэн", "эйт", "найн"),
}
VARIANTS = (
    "m1", "f1", "m2", "f2", "m3", "f3", "m4", "f4", "m5", "f5", "m6", "m7", "m8", "adam", "Alex", "Alicia", "Andrea",
    "Andy", "Annie", "antonio", "benjamin", "boris", "caleb", "david", "ed", "edward", "Gene", "Henrique", "Hugo",
    "john", "Lee", "linda", "Marco", "Mario", "max", "Michael", "Mike", "Nguyen", "paul", "pablo", "quincy", "rob",
    "steph", "travis", "victor", "klatt2", "klatt4",
)  # fmt: skip
RECORDED = ("rms", "awb", "slt", "kal16")
SIGNS = (".", "?", "!")


class Voice(NamedTuple):
    """A synthesiser's voice with a pitch of its own."""

    engine: str
    name: str
    pitch: float
    words: tuple[str, ...]

    def command(self, word: str, speed: float, pitch: float, out: Path) -> list[str]:
        """What speaks a word; ``speed`` and ``pitch`` are factors of the usual ones."""
        if self.engine == "flite":
            changes = [f"duration_stretch={1 / speed:.2f}", f"int_f0_target_mean={self.pitch * pitch:.0f}"]
            return ["flite", "-voice", self.name, *(part for each in changes for part in ("--setf", each)),
                    "-t", word, "-o", str(out)]  # fmt: skip
        return ["espeak-ng", "-v", self.name, "-s", f"{155 * speed:.0f}", "-p", f"{self.pitch * pitch:.0f}",
                "-w", str(out), word]  # fmt: skip


def voices(engines: list[str], number: int, generator: np.random.Generator) -> list[Voice]:
    """So many of the asked kinds, in turns: English accents, learned English and recorded voices."""
    variants = generator.permutation(VARIANTS).tolist()
    found: list[Voice] = []
    while len(found) < number:
        for engine in engines:
            turn = sum(each.engine == engine for each in found)
            pitch = float(generator.uniform(25, 75))
            if engine == "flite":
                high = RECORDED[turn % 4] == "slt"
                mean = float(generator.uniform(150, 220) if high else generator.uniform(80, 140))
                found.append(Voice(engine, RECORDED[turn % 4], mean, ENGLISH))
            elif engine == "english":
                found.append(Voice(engine, f"{ACCENTS[turn % 8]}+{variants[turn % len(variants)]}", pitch, ENGLISH))
            else:
                language = list(LEARNED)[turn % len(LEARNED)]
                variant = variants[(turn + len(variants) // 2) % len(variants)]
                found.append(Voice(engine, f"{language}+{variant}", pitch, LEARNED[language]))
    return found[:number]


def trimmed(samples: np.ndarray, rate: int) -> np.ndarray:
    """Without what is 40 dB under the loudest 10 ms at both ends, but for 10 ms."""
    width = rate // 100
    count = len(samples) // width
    energy = (samples[: count * width].reshape(count, width) ** 2).mean(axis=1)
    loud = np.flatnonzero(energy > 1e-4 * energy.max())
    return samples[max(0, loud[0] - 1) * width : (loud[-1] + 2) * width]


def noisy(samples: np.ndarray, rate: int, generator: np.random.Generator) -> np.ndarray:
    """With white noise 35 to 65 dB under the loudest 10 ms, as every room has: espeak-ng's silence is of zeros."""
    width = rate // 100
    loudest = (samples[: len(samples) // width * width].reshape(-1, width) ** 2).mean(axis=1).max()
    level = np.sqrt(loudest) * 10 ** (-generator.uniform(35, 65) / 20)
    return np.clip(samples + level * generator.standard_normal(len(samples)), -1, 1)


def speak(out: Path, chosen: list[Voice], takes: int, generator: np.random.Generator) -> int:
    """Write the recordings and their table; how many there are."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "one.wav"
        for number, voice in enumerate(chosen):
            for digit, word in enumerate(voice.words):
                for take in range(takes):
                    speed, pitch = generator.uniform(0.75, 1.3), generator.uniform(0.9, 1.1)
                    sign = SIGNS[int(generator.integers(len(SIGNS)))]
                    subprocess.run(voice.command(word + sign, speed, pitch, place), check=True, capture_output=True)
                    samples, rate = soundfile.read(place, dtype="float32")
                    name = f"{digit}-{number}-{take}.wav"
                    soundfile.write(out / name, noisy(trimmed(samples, rate), rate, generator), rate)
                    speaker = f"{voice.engine}-{voice.name}-{number}"
                    rows.append({"path": name, "text": str(digit), "speaker": speaker})
    with (out / "transcripts.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--voices", type=int, default=180)
    parser.add_argument("--takes", type=int, default=1, help="recordings of each voice and digit")
    parser.add_argument("--kinds", default="english,learned,flite", help="of voices, in turns")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    kinds = given.kinds.split(",")
    needed = {"flite" if kind == "flite" else "espeak-ng" for kind in kinds}
    missing = sorted(name for name in needed if shutil.which(name) is None)
    if missing or not set(kinds) <= {"english", "learned", "flite"}:
        sys.exit(f"missing: {', '.join(missing)}: apt-get install it" if missing else "kinds: english, learned, flite")
    generator = np.random.default_rng(given.seed)
    try:
        given.out.mkdir(parents=True)
    except OSError as error:
        there = isinstance(error, FileExistsError)
        parser.error(
            f"{given.out} is there already: name another" if there else f"cannot make {given.out}: {error.strerror}"
        )
    count = speak(given.out, voices(kinds, given.voices, generator), given.takes, generator)
    print(f"{count:,} recordings of {given.voices} voices in {given.out}")


if __name__ == "__main__":
    main()
