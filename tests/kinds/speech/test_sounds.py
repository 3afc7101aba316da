"""Sound files of every kind and fault, and frames of streams and files."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gatewise.errors import DataError, OptionError, RunError
from gatewise.kinds.speech.features import FilterBank, Normaliser, cosines
from gatewise.kinds.speech.places import names_sound
from gatewise.kinds.speech.recordings import list_recordings, read_recordings
from gatewise.kinds.speech.sound import read_sound
from small_sounds import RATE, chirp, write_folder, write_table


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_formats_give_the_same_sound(tmp_path: Path, suffix: str) -> None:
    samples = chirp("up")
    soundfile.write(tmp_path / f"a{suffix}", samples, RATE)
    sound = read_sound(tmp_path / f"a{suffix}")
    assert sound.rate == RATE and sound.notes == () and len(sound.samples) == len(samples)
    closeness = np.corrcoef(sound.samples, samples)[0, 1]
    assert closeness > (0.98 if suffix == ".ogg" else 0.99999)


def test_stereo_is_mixed_and_other_rates_are_resampled_and_both_are_said(tmp_path: Path) -> None:
    samples = chirp("low", rate=22_050)
    soundfile.write(tmp_path / "a.wav", np.stack([samples, 0 * samples], axis=1), 22_050)
    sound = read_sound(tmp_path / "a.wav", rate=RATE)
    assert sound.notes == ("2 channels were mixed to one", "resampled from 22,050 to 8,000 samples per second")
    assert sound.seconds == pytest.approx(len(samples) / 22_050, abs=1e-3)
    spectrum = np.abs(np.fft.rfft(sound.samples))
    assert abs(np.argmax(spectrum) / sound.seconds - 500) < 10
    assert np.abs(sound.samples).max() == pytest.approx(np.abs(samples).max() / 2, rel=0.2)


def _faulty(folder: Path, what: str) -> Path:
    path = folder / f"{what}.wav"
    samples = chirp("up")
    if what == "empty":
        path.write_bytes(b"")
    elif what == "text":
        path.write_text("this is no sound at all, but a file that was given its name\n" * 5)
    elif what == "no samples":
        soundfile.write(path, np.zeros(0, dtype=np.float32), RATE)
    elif what == "silent":
        soundfile.write(path, np.zeros(800, dtype=np.float32), RATE)
    elif what == "not finite":
        samples[10] = np.nan
        soundfile.write(path, samples, RATE, subtype="FLOAT")
    else:
        soundfile.write(path, samples, RATE)
        path.write_bytes(path.read_bytes()[:-700])
    return path


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("empty", "is empty"),
        ("text", "cannot be read as sound"),
        ("no samples", "holds no samples"),
        ("silent", "is silent"),
        ("not finite", "no finite numbers"),
        ("truncated", "is truncated.*700 bytes missing"),
    ],
)
def test_a_faulty_file_is_refused_by_its_name(tmp_path: Path, what: str, words: str) -> None:
    path = _faulty(tmp_path, what)
    with pytest.raises(DataError, match=words) as caught:
        read_sound(path)
    assert str(path) in str(caught.value) and caught.value.fix


def test_a_truncated_flac_and_a_folder_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 9_000).astype(np.float32), RATE)
    path.write_bytes(path.read_bytes()[:-3_000])
    with pytest.raises(DataError, match=r"a\.flac"):
        read_sound(path)
    with pytest.raises(DataError, match="is a folder"):
        read_sound(tmp_path)


def test_faulty_recordings_are_left_out_counted_and_named(tmp_path: Path) -> None:
    write_folder(tmp_path, speakers=1, takes=4)
    rows = [{"path": str(path), "text": "up"} for path in sorted((tmp_path / "clips").glob("*.wav"))]
    for what in ("silent", "truncated", "text"):
        rows.append({"path": str(_faulty(tmp_path, what)), "text": "up"})
    soundfile.write(tmp_path / "short.wav", chirp("up")[:100], RATE)
    soundfile.write(tmp_path / "wide.wav", np.stack([chirp("up", rate=16_000)] * 2, axis=1), 16_000)
    rows += [{"path": name, "text": "up"} for name in ("short.wav", "wide.wav", "missing.wav", "missing.wav")]
    rows.append({"path": "clips/up-0-1.wav", "text": " ... "})
    listed, told = list_recordings(write_table(tmp_path / "transcripts.csv", rows))
    found, rate, notes = read_recordings(listed)
    assert rate == RATE and len(found) == 13
    said = "\n".join([*told, *notes])
    for part in (
        "named twice in the table (missing.wav (line 20))",
        "without a transcript (clips/up-0-1.wav)",
        "silent (", "truncated (", "cannot be read as sound (", "does not exist (missing.wav)",
        "shorter than a frame of 25 ms (short.wav)", "1 recording of 16,000 samples per second was resampled to 8,000",
        "1 recording of several channels was mixed to one",
    ):  # fmt: skip
        assert part in said, (part, said)


def test_where_most_recordings_cannot_be_used_the_first_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path, speakers=1, takes=1)
    shutil.rmtree(tmp_path / "clips")
    listed, _ = list_recordings(tmp_path)
    with pytest.raises(
        DataError, match=r"3 of 3 recordings cannot be used; the first: clips/low-0-0\.wav does not exist"
    ):
        read_recordings(listed)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("sound,words_said\n", "no column of transcripts.*got: sound, words_said;.*--text COLUMN"),
        ("text,speaker\n", "no column of sound files"),
    ],
)
def test_a_table_without_a_column_names_those_it_has(tmp_path: Path, head: str, words: str) -> None:
    (tmp_path / "transcripts.csv").write_text(head + "a.wav,up\n")
    with pytest.raises(DataError, match=words):
        list_recordings(tmp_path)


def test_damaged_files_are_an_error_and_no_more(capfd: pytest.CaptureFixture[str]) -> None:
    """Random bytes of sound files changed: an error with a word or a sound, whatever libsndfile makes of them."""
    chance, files = random.Random(1), []
    for form in ("WAV", "FLAC", "OGG", "AIFF", "W64"):
        file = io.BytesIO()
        soundfile.write(file, chirp("up"), RATE, format=form)
        files.append(file.getvalue())
    for _ in range(6_000 if os.environ.get("GATEWISE_FUZZ") else 150):
        content = bytearray(chance.choice(files))
        for _ in range(chance.randint(1, 8)):
            content[chance.randrange(chance.choice((60, len(content))))] = chance.randrange(256)
        if chance.random() < 0.2:
            del content[chance.randrange(len(content)) :]
        try:
            assert len(read_sound(bytes(content), "x", RATE, longest=120).samples) <= 120 * RATE + 1
        except DataError as error:
            assert error.message.startswith("x ")
    assert "Traceback" not in capfd.readouterr().err


def test_recordings_without_a_table_are_speech_that_lacks_its_transcripts(tmp_path: Path) -> None:
    from gatewise.training.registry import task_of

    for folder in (tmp_path / "flat", tmp_path / "nested"):
        place = folder if folder.name == "flat" else folder / "inside"
        place.mkdir(parents=True)
        for take in range(2):
            soundfile.write(place / f"take{take}.wav", chirp("up", take=take), RATE)
        assert task_of(str(folder)) == "speech" and not names_sound(folder)
        with pytest.raises(DataError) as found:
            list_recordings(folder)
        for words in ("speech", "transcripts.csv", "2 sound files", "path,text,speaker", "take0.wav,what is said"):
            assert words in str(found.value)
    (tmp_path / "empty").mkdir()
    assert task_of(str(tmp_path / "empty")) != "speech"


def test_folders_are_known_by_what_they_hold(tmp_path: Path) -> None:
    assert not names_sound(tmp_path)
    with pytest.raises(DataError, match=r"no table of transcripts.*an empty folder"):
        list_recordings(tmp_path)
    (tmp_path / "reviews.csv").write_text("text,label\nfine,good\n")
    assert not names_sound(tmp_path)
    soundfile.write(tmp_path / "7_ann_12.wav", chirp("up"), RATE)
    assert names_sound(tmp_path)
    (only,), _ = list_recordings(tmp_path)
    assert (only.text, only.speaker, only.index) == ("7", "ann", 12)
    (tmp_path / "mine.csv").write_text("clip,said\n7_ann_12.wav,seven\n")
    assert names_sound(tmp_path / "mine.csv") and not names_sound(tmp_path / "reviews.csv")


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000])
@pytest.mark.parametrize("chunk", [1, 80, 333, 5_000])
def test_a_stream_has_the_frames_of_the_file(rate: int, chunk: int) -> None:
    bank = FilterBank(rate, 23)
    samples = np.concatenate([chirp("up", rate=rate), np.zeros(rate // 10, np.float32), chirp("low", rate=rate)])
    if chunk == 1:
        samples = samples[: rate // 5]
    stream = bank.stream()
    parts = [stream.accept(samples[start : start + chunk]) for start in range(0, len(samples), chunk)]
    whole = bank(samples)
    assert len(whole) == bank.count(len(samples)) > 10
    assert (np.concatenate(parts) == whole).all()
    assert np.isfinite(whole).all() and whole.min() >= 0


@pytest.mark.parametrize("kind", ["running", "training"])
def test_normalisation_of_a_stream_is_that_of_the_whole(kind: str) -> None:
    frames = np.random.default_rng(0).normal(5, 2, (57, 9)).astype(np.float32)
    for cepstra in (0, 6):
        normaliser = Normaliser.fit(kind, frames[:20] + 1, cepstra)
        stream = normaliser.stream()
        parts = [stream.accept(frames[start : start + 7]) for start in range(0, 57, 7)]
        whole = normaliser(frames)
        stream = normaliser.stream()
        single = [stream.accept(frames[row : row + 1]) for row in range(57)]
        assert (np.concatenate(single) == whole).all()
        assert (np.concatenate(parts) == whole).all() and whole.shape == (57, cepstra or 9) == (57, normaliser.width)
        read = Normaliser.from_dict(json.loads(json.dumps(normaliser.to_dict())), "frames.json", 9)
        assert (read(frames) == whole).all()
    long = np.tile(frames, (40, 1))
    features = normaliser.features(long)
    assert (features[57:114] == features[:57]).all() and (features[-57:] == normaliser.features(frames)).all()
    assert np.allclose(features[:57], frames @ cosines(9, 6), atol=1e-4)
    with pytest.raises(RunError, match=r"frames.json is damaged.*features of 4 filters"):
        Normaliser.from_dict({**normaliser.to_dict(), "cepstra_of": 4}, "frames.json", 4)
    with pytest.raises(RunError, match=r"frames.json is damaged.*features of 24 filters"):
        Normaliser.from_dict(normaliser.to_dict(), "frames.json", 24)


def test_a_speaker_is_normalised_as_a_whole_and_whole_recordings_cannot_be_streamed() -> None:
    from gatewise.kinds.speech.features import Moments

    frames = np.random.default_rng(1).normal(3, 2, (4_000, 4)).astype(np.float32)
    normaliser = Normaliser.fit("speaker", frames * 0.5)
    together = normaliser(frames, Moments.of(frames[:2_000]).plus(Moments.of(frames[2_000:])))
    assert np.abs(together.mean(axis=0)).max() < 0.05 and np.abs(together.std(axis=0) - 1).max() < 0.05
    for kind in ("speaker", "recording"):
        with pytest.raises(OptionError, match="cannot be streamed"):
            Normaliser.fit(kind, frames).stream()


def test_masks_never_hide_a_whole_word_and_changes_keep_their_bounds() -> None:
    from gatewise.kinds.speech.augmentation import Augmentation

    frames = np.ones((400, 20), dtype=np.float32)
    generator = np.random.default_rng(0)
    widths = []
    for _ in range(200):
        masked = Augmentation(time_masks=1).without_stretches(frames, generator)
        widths.append(int((masked == 0).all(axis=1).sum()))
    assert max(widths) == 10 and min(widths) == 0
    sound = generator.normal(size=(400, 20)).astype(np.float32)
    bands = [
        int((Augmentation(frequency_masks=1).without_bands(sound, generator).std(axis=0) < 1e-6).sum())
        for _ in range(200)
    ]
    assert max(bands) == 4
    bank = FilterBank(RATE, 20)
    lengths = [len(Augmentation(speed=0.25).voice(bank, generator).frames(frames)) for _ in range(200)]
    assert 320 <= min(lengths) < 330 and 490 < max(lengths) <= 500
    louder = Augmentation(noise=0.999).noisy(np.log1p(frames), generator)
    assert (louder >= np.log1p(frames) - 1e-5).all()


def test_ends_are_cut_closer_or_wider_and_the_word_stays() -> None:
    from gatewise.kinds.speech.augmentation import Augmentation

    generator = np.random.default_rng(0)
    shape = np.concatenate([np.linspace(-20, 0, 40), np.zeros(30), np.linspace(0, -20, 40)])
    frames = (shape[:, None] + 0.1 * generator.standard_normal((110, 8))).astype(np.float32)
    changes = Augmentation(endpoints=0.5)
    found = [changes.cut(frames, changes.cut_at(generator), generator) for _ in range(400)]
    assert sum(len(each) < 110 for each in found) == pytest.approx(200, abs=40)
    assert sum(len(each) > 110 for each in found) == pytest.approx(50, abs=20)
    for each in found:
        loud = (each.mean(axis=1) > -1).sum()
        assert 30 <= loud <= 36 and len(each) <= 110 + 40
        if len(each) < 110:
            assert each[[0, -1]].mean(axis=1).min() >= -8.6 and each[[0, -1]].mean(axis=1).max() < -2.3
        elif len(each) > 110:
            assert each[[0, -1]].mean(axis=1).min() < -15
    assert min(map(len, found)) < 45
    short = np.array([[0.0], [9.0], [0.0]], np.float32)
    assert len(Augmentation().cut(short, 3.0, generator)) == 3
    assert Augmentation().cut(frames, None, generator) is frames and Augmentation().cut_at(generator) is None


def test_what_accompanies_a_cut_recording_is_cut_too() -> None:
    from gatewise.kinds.speech.moments import Company

    frames = np.zeros((30, 3), np.float32)
    frames[:10] = -9.0
    company = Company.of(9, [("ann", frames)] * 3, levels=(4.0,))
    generator = np.random.default_rng(0)
    whole, cut = ([company.drawn("ann", 3, generator, at) for _ in range(50)] for at in (None, 4.0))
    assert all(each.sums[0] == pytest.approx(-3.0 * each.number) for each in whole)
    assert all(each.sums[0] == 0 for each in cut) and max(each.number for each in cut) == 8 * 20


def test_another_microphone_does_not_pass_the_normalisation_with_a_speakers_other_recordings() -> None:
    from gatewise.kinds.speech.augmentation import Augmentation
    from gatewise.kinds.speech.encoding import EncodedRecordings
    from gatewise.kinds.speech.features import Moments
    from gatewise.kinds.speech.moments import Company

    bank, generator = FilterBank(RATE, 12), np.random.default_rng(0)
    frames = [generator.normal(size=(400, 12)).astype(np.float32) for _ in range(7)]
    for cepstra in (0, 8):
        normaliser = Normaliser.fit("speaker", np.concatenate(frames), cepstra)
        encoded = EncodedRecordings(frames, [[0]] * 7, [None] * 7, normaliser, ["ann"] * 7, bank)
        encoded.company = Company.of(0, [("ann", each) for each in frames])
        plain = encoded.changed(0, Augmentation(), generator)
        together = normaliser(
            frames[0], Moments.of(normaliser.features(np.concatenate(frames)))
        )  # each once, as when testing
        assert np.abs(plain - together).max() < 1e-4
        for _ in range(5):
            filtered = encoded.changed(0, Augmentation(filtering=3.0), generator)
            raw = Augmentation(filtering=3.0).voice(bank, generator).frames(frames[0])
            assert np.abs(raw - frames[0]).mean() > 0.5 and np.abs(filtered - plain).mean() < 0.1
            # a warp mixes filters, which alters their means here, but not what is left once these are taken out
            warped = encoded.changed(0, Augmentation(warping=0.2), generator)
            assert np.abs(warped.mean(axis=0)).max() < 0.3 and np.abs(warped.std(axis=0) - 1).max() < 0.3


def test_groups_are_of_one_recording_up_to_many() -> None:
    from gatewise.kinds.speech.moments import Company

    company = Company.of(60, [("ann", np.ones((2, 3), np.float32)) for _ in range(9)])
    generator = np.random.default_rng(0)
    sizes = np.array([1 + company.drawn("ann", 3, generator).number / 2 for _ in range(4_000)])
    assert sizes.min() == 1 and sizes.max() == 60
    assert (sizes == 1).mean() == pytest.approx(np.log(2) / np.log(61), abs=0.02)
    assert np.median(sizes) == pytest.approx(np.sqrt(61), abs=1.5)
    assert company.drawn(None, 3, generator).number == 0


def test_a_recording_counts_once_among_all_of_its_speaker() -> None:
    """Where all accompany it (`--normalisation-group 0`); cut as it is, or of a string of which the length is known."""
    from gatewise.kinds.speech.encoding import EncodedRecordings
    from gatewise.kinds.speech.endpoints import loud_part
    from gatewise.kinds.speech.moments import Company, Products

    generator, bank = np.random.default_rng(0), FilterBank(RATE, 3)
    said = [
        (name, generator.normal(size=(20 + n, 3)).astype(np.float32)) for n, name in enumerate(("ann", "ann", "bob"))
    ]
    said[0][1][:5] = -9.0
    company = Company.of(0, said, levels=(4.0,))
    encoded = EncodedRecordings(
        [each for _, each in said], [[0]] * 3, [None] * 3, _normaliser(said), [n for n, _ in said], bank
    )
    encoded.company = company
    for cut_at in (None, 4.0):
        other = said[1][1] if cut_at is None else said[1][1][slice(*loud_part(said[1][1], cut_at))]
        found = company.drawn("ann", 3, generator, cut_at, encoded._own(0, cut_at))
        assert found.number == len(other)
        np.testing.assert_allclose(found.products, Products.of(other).products, atol=1e-8)
        assert company.drawn("bob", 3, generator, cut_at, encoded._own(2, cut_at)).number == 0
    assert company.drawn("ann", 3, generator, None, 21).number == pytest.approx(20)
    assert company.drawn("ann", 3, generator, None, 99).number == 0


def _normaliser(said: list[tuple[str, np.ndarray]]) -> Normaliser:
    return Normaliser.fit("speaker", np.concatenate([each for _, each in said]))


def test_cepstra_that_do_not_fit_are_refused() -> None:
    from gatewise.kinds.speech.spec import RecogniserSpec

    assert RecogniserSpec().cepstral == 16 and RecogniserSpec(mel_bins=12).cepstral == 8
    assert RecogniserSpec(channels=4).cepstral == 0 == RecogniserSpec(cepstra=0).cepstral
    with pytest.raises(OptionError, match=r"too many cepstra.*at most as many as filters, 12.*got: --cepstra 13"):
        RecogniserSpec(mel_bins=12, cepstra=13)
    with pytest.raises(OptionError, match=r"convolution is over filters.*fix: --cepstra 0"):
        RecogniserSpec(channels=4, cepstra=8)
