"""The parts of the programs in exports' READMEs beside the modules that they repeat, and a recogniser's program."""

from __future__ import annotations

import json
import random
import re
import sys
import unicodedata
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from readmes import printed_by_readme

from commands import ran
from gatewise.data import Vocabulary
from gatewise.data.subwords import Subwords
from gatewise.export.to_onnx.programs import BYTE_PAIRS, SPACES, TEXT_OF_PIECES
from gatewise.kinds.classification import onnx_program as labelling
from gatewise.kinds.language_modelling.tokens import TokenVocabulary
from gatewise.kinds.speech import onnx_program as hearing
from gatewise.kinds.speech.features import FilterBank, Normaliser
from gatewise.kinds.speech.recordings import store
from gatewise.kinds.speech.sound import read_sound
from gatewise.kinds.tagging import onnx_program as tagging
from gatewise.kinds.tagging.schemes import SCHEMES, Span, to_tags
from small_sounds import WORDS, chirp, write_folder, write_table

TEXTS = [
    "A FINE<br />film!!! It's <3 don't-stop ... \u2019tis naïve café ²½ Ⅷ №5 snake_case 3.5",
    "ΟΔΥΣΣΕΎΣ ΟΔΟΣ İstanbul ẞtraße ǅ ﬁ",
    "שָׁלוֹם עולם, זה סרט טוב מאוד! לא\u2011כן צה\u05f4ל",
    "这部电影很好看。Very good 电影，不好看! 100分 3.5",
    "とても良い映画でした。カタカナ ｶﾀｶﾅ ーー",
    "หนังเรื่องนี้ดีมาก ฿100 ๑๒๓ ภาพยนตร์ไทย",
    "ភាពយន្ត រឿងនេះ ល្អ ရုပ်ရှင် ကောင်းတယ်",
    "नमस्ते दुनिया, यह फ़िल्म अच्छी है। தமிழ் เมือง",
    "tab\there\x0bthere\x1cend\x85next\u2028line\u3000wide\u200bzero 👩\u200d👩\u200d👧 🇮🇱 e\u0301 \U0001d400",
    "",
    "   \n ",
    "''' \u2019\u2019 a'b'c'd _ __ ‿ a‿b ...... ??!!",
]


def _namespace(*parts: str, **known: Any) -> dict[str, Any]:
    """The names that a part of a program defines."""
    found: dict[str, Any] = {"re": re, "unicodedata": unicodedata, "np": np, "sys": sys, "json": json, **known}
    for part in parts:
        exec(compile(part, "part", "exec"), found)
    return found


@pytest.mark.parametrize("tokenisation", ["words", "characters"])
def test_texts_are_cut_as_by_the_vocabulary(tokenisation: str) -> None:
    known = Vocabulary(["placeholder"], tokenisation)
    words = list(dict.fromkeys(token for text in TEXTS for token in known.tokens(text) if token != "[unknown]"))
    vocabulary = Vocabulary(words[::2], tokenisation)  # every second one is unknown
    about = {"vocabulary": vocabulary.to_dict(), "max_tokens": 12}
    made = _namespace(SPACES, labelling._KIND[tokenisation], labelling._TOKENS, about=about)
    for text in TEXTS:
        assert made["tokens_of"](text) == vocabulary.encode([text], 12).row(0).tolist(), text
    assert len(words) > 60


def test_every_sign_is_cut_as_by_the_vocabulary() -> None:
    """A sign between two letters joins them or does not; signs that this Python does not know yet are left out."""
    known = Vocabulary(["placeholder"])
    made = _namespace(SPACES, labelling._KIND["words"])
    signs = [chr(point) for point in range(0x20, 0x30000) if unicodedata.category(chr(point)) not in ("Cs", "Cn")]
    chosen = [sign for sign in signs if sign not in "<>'\u2019"]
    wrong = []
    for start in range(0, len(chosen), 5_000):
        some = chosen[start : start + 5_000]
        tokens = known.tokens(" ".join(f"q{sign}q" for sign in some))
        text = " ".join(f"q{sign}q" for sign in some)
        plain = "".join(sign.lower() for sign in text)
        kinds = "".join(map(made["kind_of"], plain))
        mine = [plain[each.start() : each.end()] for each in made["WORDS"].finditer(kinds)]
        wrong += sorted(set(mine) ^ set(tokens))
    assert len(chosen) > 100_000 and len(wrong) < len(chosen) / 2_000, wrong[:40]


def test_byte_pairs_are_those_of_the_library() -> None:
    made = _namespace(SPACES, BYTE_PAIRS, TEXT_OF_PIECES)
    chance = random.Random(3)
    signs = "abcAé 'stre 0123½ ٣ \t\n\u3000\x1c.,!שלום中文ि🙂"
    texts = [*TEXTS, *("".join(chance.choices(signs, k=40)) for _ in range(60))]
    for options in ({}, {"digits": True}, {"lowercase": True}, {"digits": True, "lowercase": True}):
        subwords = Subwords.fit(texts[:30], 330, **options)
        tokenizer = subwords.to_dict()["tokenizer"]
        numbers = {piece: number + 3 for piece, number in tokenizer["model"]["vocab"].items()}
        pieces = {number: piece for piece, number in numbers.items()}
        for text in texts:
            found = [numbers[piece] for piece in made["pieces_of"](text, tokenizer)]
            (expected,) = subwords.encode([text])
            assert found == expected.tolist(), (options, text)
            assert made["text_of"](pieces[number] for number in found[1:]).strip() == subwords.decode(found[1:])
    vocabulary = TokenVocabulary.fit(texts[:30], "bpe", 300)
    for text in texts:
        found = made["pieces_of"](text, vocabulary.to_dict()["tokenizer"])
        assert [vocabulary.numbers[piece] for piece in found] == vocabulary.encode_prompt(text).tolist()


@pytest.mark.parametrize("scheme", [each for each in SCHEMES if each != "plain"])
def test_spans_are_written_in_the_scheme_of_the_file(scheme: str) -> None:
    made = _namespace(tagging._SPANS, about={"tag_set": {"scheme": scheme}}, Span=namedtuple("Span", "start end type"))
    spans = [Span(0, 2, "PER"), Span(2, 3, "PER"), Span(3, 6, "LOC"), Span(7, 8, "PER"), Span(8, 9, "")]
    assert made["as_written"](spans, 11) == to_tags(spans, 11, scheme)
    assert made["as_written"]([], 2) == ["O", "O"]


@pytest.mark.parametrize("cepstra", [0, 13])
@pytest.mark.parametrize("kind", ["training", "recording", "running", "speaker"])
def test_recordings_become_the_same_features(kind: str, cepstra: int, tmp_path: Path) -> None:
    bank = FilterBank(8_000, 24)
    sound = np.stack([chirp("up", 1), 0.2 * chirp("up", 1)], axis=1)
    soundfile.write(tmp_path / "two.wav", sound, 8_000)
    read = store(read_sound(tmp_path / "two.wav", rate=8_000).samples).astype(np.float32) / np.float32(32767)
    normaliser = Normaliser.fit(kind, bank(np.concatenate([chirp(word) for word in WORDS])), cepstra)
    about = {"rate": 8_000, "bins": 24, "normaliser": normaliser.to_dict()}
    made = _namespace("import wave", hearing._SAMPLES, hearing._NORMALISED, about=about)
    samples = made["samples_of"](str(tmp_path / "two.wav"))
    assert np.array_equal(samples, read)
    frames = made["frames_of"](samples)
    np.testing.assert_allclose(frames, bank(read), atol=2e-3)
    np.testing.assert_allclose(made["features_of"](frames), normaliser(bank(read)), atol=3e-3)
    assert np.ptp(bank(read)) > 3


@pytest.mark.parametrize("answers", ["label", pytest.param("words", marks=pytest.mark.slow)])
def test_a_recogniser_hears_the_same_by_its_readme(answers: str, tmp_path: Path, capfd) -> None:  # type: ignore[no-untyped-def]
    folder = write_folder(tmp_path / "sounds", speakers=4, takes=6)
    if answers == "words":
        rows = []
        for number in range(60):
            said = [sorted(WORDS)[(number + place * (1 + number % 2)) % 3] for place in range(2)]
            soundfile.write(
                folder / f"{number}.wav", np.concatenate([chirp(word, number % 4, number) for word in said]), 8_000
            )
            rows.append({"path": f"{number}.wav", "text": " ".join(said), "speaker": f"speaker{number % 4}"})
        write_table(folder / "transcripts.csv", rows)
    epochs = "12" if answers == "label" else "60"
    words = ["--hidden-size", "12", "--epochs", epochs, "--patience", "60", "--learning-rate", "0.01", "--threads", "1"]
    run, out = tmp_path / "run", tmp_path / "out"
    for command in (["train", folder, *words, "--out", run], ["export", run, "--to", "onnx", "--out", out]):
        code, _, err = ran(command, capfd)
        assert code == 0, err
    chosen = ("0.wav", "7.wav") if answers == "words" else ("clips/up-0-0.wav", "clips/low-3-2.wav")
    files = [folder / name for name in chosen]
    code, told, err = ran(["predict", run, *files, "--json"], capfd)
    assert code == 0, err
    by_hand = [json.loads(line) for line in printed_by_readme(out, *files).splitlines()]
    expected = [json.loads(line) for line in told.splitlines()]
    for mine, theirs in zip(by_hand, expected, strict=True):
        assert mine.pop("probability", 0) == pytest.approx(theirs.pop("probability", 0), abs=1e-3)
        assert mine == theirs
    assert len({each["text"] for each in expected}) == 2
