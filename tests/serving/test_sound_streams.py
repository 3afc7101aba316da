"""Speech over the wire: recordings as requests, sound as streams, from clients as they are met."""

from __future__ import annotations

import base64
import io
import itertools
import json
import random
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from service_of import Plain, empty_page, serving
from sounds_served import drawn_recogniser, file_of, messages_of, run_alone, samples_of

import gatewise
from gatewise.errors import ConversionError, DataError, OptionError
from gatewise.kinds.speech.arriving import Rest, cut_frames
from gatewise.kinds.speech.features import FilterBank
from gatewise.kinds.speech.recordings import Recording, store
from gatewise.kinds.speech.sound import resample
from gatewise.kinds.speech.streaming import SpeechStreaming
from gatewise.kinds.speech.trained import TrainedRecogniser
from gatewise.serving.models import Model
from gatewise.training.streaming import Advance
from small_sounds import RATE, WORDS, write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("chirps"))


@pytest.fixture(scope="module")
def networks(folder: Path) -> dict[str, TrainedRecogniser]:
    """One of strings that streams, and one that reads both ways and knows speakers."""
    both = {"bidirectional": True, "normalisation": "speaker"}
    return {"strings": drawn_recogniser(folder, {"strings": 3}), "labels": drawn_recogniser(folder, {}, **both)}


@pytest.fixture(scope="module")
def url(networks: dict[str, TrainedRecogniser]) -> Iterator[str]:
    with _served(networks) as (found, _, _):
        yield found


def _served(networks: dict[str, TrainedRecogniser], **more: Any) -> Any:
    def open_drawn(name: str, place: Path) -> Model:
        try:
            stream, reason = networks[name].streaming(), None
        except ConversionError as error:
            stream, reason = None, error
        return Model(name, place, networks[name], stream, reason, weights=name)

    return serving({name: Path(name) for name in networks}, open_one=open_drawn, **more)


@pytest.mark.parametrize(
    ("data", "model"),
    [
        ({"strings": 3}, {"cell": "gru", "num_layers": 2}),
        ({"strings": 3}, {"cell": "lstm", "window": 4, "stride": 2}),
        ({"strings": 3}, {"cell": "rnn", "window": 5, "stride": 1, "channels": 3, "normalisation": "training"}),
        ({}, {"cell": "mingru", "pooling": "mean+max"}),
        ({}, {"cell": "gru", "pooling": "last", "window": 5, "stride": 2}),
    ],
)
def test_streams_end_in_the_offline_text_and_have_the_same_bits_however_they_are_cut(
    folder: Path, data: dict[str, Any], model: dict[str, Any]
) -> None:
    trained = drawn_recogniser(folder, data, **model)
    stream, chance = trained.streaming(), random.Random(3)
    assert isinstance(stream, SpeechStreaming)
    sounds = [samples_of(words, speaker) for speaker, words in enumerate(("up low down up", "low", "down up low"))]
    sounds += [sounds[1][:230], sounds[2][:410]]
    wanted = []
    for sound in sounds:
        samples = sound.astype(np.float32) / np.float32(32768)
        (offline,) = trained.recognise([Recording("x", "", None, store(samples))])
        state, answers = run_alone(stream, [{"sound": sound.tobytes(), "end": True}])
        wanted.append((state, answers))
        assert answers[-1]["text"] == offline.text and answers[-1]["end"]
        assert len(answers) == trained.bank.count(len(sound)) + 1
        if not trained.units.by_ctc:
            assert answers[-1]["probability"] == pytest.approx(offline.probabilities[offline.text], abs=1e-5)
        assert run_alone(stream, messages_of(sound, chance))[1] == answers
    # interleaved, some frames of each at a time, in calls with whoever is there
    settings = stream.settings({})
    left = []
    for sound in sounds:
        steps, _ = stream.arrived({"sound": sound.tobytes(), "end": True}, "", settings)
        left.append([list(steps), stream.initial(settings), []])
    while some := [each for each in left if each[0]]:
        some = chance.sample(some, chance.randint(1, len(some)))
        parts = [(each[0][:size], each[0][size:]) for each in some if (size := chance.randint(1, 7))]
        found = stream.advance(
            [Advance(each[1], part, True, settings) for each, (part, _) in zip(some, parts, strict=True)]
        )
        for each, (_, rest), (state, answers) in zip(some, parts, found, strict=True):
            each[:] = rest, state, each[2] + answers
    for (_, state, answers), (one, expected) in zip(left, wanted, strict=True):
        assert answers == expected
        assert all(np.array_equal(state[name], one[name]) for name in one)


def test_after_its_end_another_recording_begins(folder: Path) -> None:
    stream = drawn_recogniser(folder, {"strings": 3}).streaming()
    assert isinstance(stream, SpeechStreaming)
    one, two = ({"sound": samples_of(words).tobytes(), "end": True} for words in ("up low", "down down up"))
    _, both = run_alone(stream, [one, two])
    assert both == run_alone(stream, [one])[1] + run_alone(stream, [two])[1]
    assert run_alone(stream, [{"end": True}])[1] == [{"text": "", "count": 0, "seconds": 0.0, "end": True}]


def test_long_transcripts_are_answered_from_their_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = drawn_recogniser(folder, {"strings": 3}, cell="rnn", stride=1).streaming()
    assert isinstance(stream, SpeechStreaming)
    given = [{"sound": samples_of("up low down up low").tobytes(), "end": True}]
    whole = run_alone(stream, given)[1][-1]
    words = whole["text"].split()
    assert whole["count"] == len(words) > 6
    assert run_alone(stream, given, last=2)[1][-1]["text"].split() == words[-2:]
    monkeypatch.setattr("gatewise.kinds.speech.streaming.MOST_UNITS", 4)
    state, answers = run_alone(stream, given)
    assert len(state["units"]) == 4 and answers[-1]["count"] == len(words) and answers[-1]["text"].split() == words[-4:]


@pytest.mark.parametrize(("rate", "own"), [(44_100, 8_000), (48_000, 8_000), (8_000, 16_000), (22_050, 11_025)])
def test_a_stream_is_resampled_as_a_file_is(rate: int, own: int) -> None:
    chance, bank = random.Random(rate), FilterBank(own, 20)
    for length in (0, 1, 40, 9_017):
        sound = np.random.default_rng(rate).integers(-9_000, 9_000, length, dtype=np.int16)
        whole = store(resample(sound.astype(np.float32) / np.float32(32768), rate, own)) if length else sound
        cuts, rest, found = [0, *sorted(chance.choices(range(length + 1), k=7)), length], "", []
        for a, b in itertools.pairwise(cuts):
            frames, left = cut_frames(sound[a:b], Rest.of(rest), bank, rate, end=False)
            found, rest = found + frames, left.text()
        frames, _ = cut_frames(sound[:0], Rest.of(rest), bank, rate, end=True)
        assert np.array_equal(np.array([*found, *frames]).reshape(-1, bank.least_samples), bank.cut(whole))


def test_a_recording_is_heard_as_the_network_hears_it(
    url: str, networks: dict[str, TrainedRecogniser], tmp_path: Path
) -> None:
    client, trained = gatewise.Client(url), networks["strings"]
    sound = samples_of("up low down")
    (wanted,) = trained.recognise([Recording("x", "", None, store(sound.astype(np.float32) / np.float32(32768)))])
    (tmp_path / "one.wav").write_bytes(file_of(sound))
    expected = {"text": wanted.text, "seconds": round(len(sound) / RATE, 3), "notes": []}
    assert client.hear(tmp_path / "one.wav", "strings") == client.hear(file_of(sound), "strings") == expected
    assert client.hear(sound / 32768, "strings", rate=RATE) == expected
    given = {"sound": base64.b64encode(file_of(sound)).decode()}
    assert client.predict([given, given], "strings") == [expected, expected]
    # as curl sends it
    request = urllib.request.Request(
        f"{url}/v1/models/strings/predict", file_of(sound), {"Content-Type": "audio/wav"}, method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        assert json.loads(answer.read())["answers"] == [expected]
    flac = io.BytesIO()
    soundfile.write(flac, np.stack([samples_of("up", rate=16_000)] * 2, axis=1), 16_000, format="FLAC")
    found = client.hear(flac.getvalue(), "strings")
    assert found["notes"] == ["2 channels were mixed to one", "resampled from 16,000 to 8,000 samples per second"]
    label = client.hear(file_of(sound), "labels")
    assert label["text"] in WORDS and sum(label["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert "normalised by itself, which is less accurate" in label["notes"][0]


def test_a_model_that_hears_nothing_says_so(url: str) -> None:
    with pytest.raises(DataError, match="strings takes no image"):
        request = urllib.request.Request(f"{url}/v1/models/strings/predict", b"x", {"Content-Type": "image/png"})
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            assert error.code == 415
            raise DataError(json.loads(error.read())["error"]["message"]) from None


def test_what_is_no_sound_is_refused_with_a_word(url: str, tmp_path: Path) -> None:
    client = gatewise.Client(url)
    silent, short = file_of(np.zeros(8_000, "<i2")), file_of(samples_of("up")[:100])
    long = io.BytesIO()
    soundfile.write(long, np.full(8_000 * 200, 0.25), 8_000, format="FLAC")
    many = io.BytesIO()
    soundfile.write(many, np.zeros((96_000 * 20, 8)), 96_000, format="FLAC")
    assert len(long.getvalue() + many.getvalue()) < 200_000  # a few bytes that would become a lot of samples
    for sound, words in (
        (silent, "silent"),
        (short, "shorter than a frame"),
        (b"RIFF", "cannot be read as sound"),
        (b"", "is empty"),
        (file_of(samples_of("up"))[:-200], "truncated"),
        (long.getvalue(), "too long"),
        (many.getvalue(), "too many samples"),
        (file_of(samples_of("up"), rate=3), "unusual rate"),
    ):
        with pytest.raises(DataError, match=words):
            client.hear(sound, "strings")
    for given, words in (
        ("a text", "is no sound"),
        ({"sound": "%"}, "is not base64"),
        ({"sound": 5}, "is no sound"),
        ({"wav": "AAAA"}, "is no sound"),
    ):
        with pytest.raises(DataError, match=words):
            client.predict([given], "strings")
    with pytest.raises(DataError, match="no rate"):
        client.hear([0.5, 0.25], "strings")
    with pytest.raises(DataError, match="cannot be read"):
        client.hear(tmp_path / "nowhere.wav", "strings")
    with pytest.raises(DataError, match="not JSON") as found:  # a file without its type
        request = urllib.request.Request(f"{url}/v1/models/strings/predict", file_of(samples_of("up")), method="POST")
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            body = json.loads(error.read())["error"]
            raise DataError(body["message"], expected=body["expected"]) from None
    assert "audio/" in str(found.value)


def test_many_streams_of_ten_milliseconds_end_in_the_offline_texts(
    url: str, networks: dict[str, TrainedRecogniser]
) -> None:
    trained = networks["strings"]
    sounds = {
        number: samples_of(words, number % 4) for number, words in enumerate(("up low", "down", "low up down", "up"))
    }
    found: dict[int, list[dict[str, Any]]] = {}

    def stream(number: int) -> None:
        sound = sounds[number]
        with gatewise.Client(url).stream("strings") as opened:
            parts = [sound[at : at + 80] for at in range(0, len(sound), 80)]
            found[number] = [answer for part in parts for answer in opened.send(sound=part.tobytes())]
            found[number] += opened.send(end=True)
            assert opened.unit == "frame" and opened.number == len(parts) + 1
            assert opened.steps == trained.bank.count(len(sound)) + 1

    threads = [threading.Thread(target=stream, args=(number,)) for number in sounds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for number, sound in sounds.items():
        (wanted,) = trained.recognise([Recording("x", "", None, store(sound.astype(np.float32) / np.float32(32768)))])
        assert found[number][-1]["text"] == wanted.text and found[number][-1]["end"]
        texts = [answer["text"] for answer in found[number]]
        assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))


def test_a_lost_stream_of_sound_goes_on_at_the_same_sample(url: str, networks: dict[str, TrainedRecogniser]) -> None:
    sound = samples_of("up low down up", rate=48_000)
    parts = [sound[at : at + 4_801] / 32768 for at in range(0, len(sound), 4_801)]
    client, wanted = gatewise.Client(url), []
    with client.stream("strings", settings={"rate": 48_000}) as whole:
        assert whole.notes == ("resampled from 48,000 to 8,000 samples per second",)
        for place, part in enumerate(parts):
            wanted += whole.send(sound=part, end=place + 1 == len(parts))
    with client.stream("strings", settings={"rate": 48_000}, keep_every=3) as stream:
        found = []
        for place, part in enumerate(parts):
            if place in (2, 5):
                assert stream._connection is not None
                stream._connection.socket.shutdown(2)
            found += stream.send(sound=part, end=place + 1 == len(parts))
        assert stream.resumed == 2
    assert found == wanted
    trained = networks["strings"]
    samples = resample(sound.astype(np.float32) / np.float32(32768), 48_000, RATE)
    assert trained.predict([Recording("x", "", None, store(samples))]) == [found[-1]["text"]]


def test_what_a_stream_of_sound_may_hold(url: str, networks: dict[str, TrainedRecogniser]) -> None:
    with Plain(url, "strings") as plain:
        assert plain.begin(settings={"rate": 8_000})["notes"] == []
        for content, words in (
            (b"x", "within a sample"),
            (b"\0" * 2 * 8_000 * 41, "too long"),
            ({"type": "steps"}, "no sound"),
            ({"type": "steps", "sound": "%%"}, "not base64"),
            ({"type": "steps", "sound": "AAA="}, None),
            ({"type": "steps", "text": "up"}, "text"),
        ):
            plain.send(content, opcode=2 if isinstance(content, bytes) else 1)
            found = plain.read()
            if words is None:
                assert found["type"] == "answer" and found["answers"] == []
            else:
                assert found["type"] == "error" and words in found["error"]["message"], found
        plain.send(samples_of("up").tobytes(), opcode=2)
        assert plain.read()["number"] == 2
    for settings, words in (
        ({"rate": 12_345}, "rate"),
        ({"rate": True}, "rate"),
        ({"last": 0}, "last"),
        ({"a": 1}, "a"),
    ):
        with pytest.raises(DataError, match=words):
            gatewise.Client(url).stream("strings", settings=settings)
    with pytest.raises(DataError, match=r"whole recording.*from the end.*speaker.*--no-bidirectional --normalisation"):
        gatewise.Client(url).stream("labels")
    with pytest.raises(ConversionError, match="whole recording"):
        networks["labels"].streaming()
    with pytest.raises(OptionError):
        networks["strings"].streaming().settings({"rate": 7})


def test_sound_is_described(url: str) -> None:
    with urllib.request.urlopen(f"{url}/openapi.json") as answer:
        paths = json.loads(answer.read())["paths"]
    content = paths["/v1/models/strings/predict"]["post"]["requestBody"]["content"]
    assert {"application/json", "audio/*", "application/octet-stream"} == set(content)
    assert "binary message" in paths["/v1/models/strings/stream"]["get"]["description"]
    assert "/v1/models/labels/stream" not in paths
    models: dict[str, Any] = {each["name"]: each for each in gatewise.Client(url).models()}
    assert models["strings"]["stream"]["binary"] == "sound" and models["labels"]["no_stream"]


@pytest.mark.slow
def test_the_example_hears_a_microphone(networks: dict[str, TrainedRecogniser], tmp_path: Path) -> None:
    """The JavaScript of docs/serving.md in Chromium, whose microphone is a file."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip("needs Chromium")
    docs = Path(__file__).parents[2] / "docs" / "serving.md"
    code = re.findall(r"```js\n(export async function hear.*?)```", docs.read_text(encoding="utf-8"), re.DOTALL)[0]
    sound = np.concatenate([samples_of("up low down up", rate=48_000)] * 2)
    (tmp_path / "microphone.wav").write_bytes(file_of(sound, 48_000))
    flags = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    flags += [
        f"--use-file-for-fake-audio-capture={tmp_path / 'microphone.wav'}",
        "--autoplay-policy=no-user-gesture-required",
    ]
    with (
        empty_page() as address,
        _served(networks, origins=[address]) as (url, _, _),
        playwright.sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=str(chromium), args=flags)
        page = browser.new_page()
        page.goto(address)
        page.evaluate(f"() => {{ {code.replace('export async function hear', 'window.hear = async function')} }}")
        place = f"{url.replace('http', 'ws', 1)}/v1/models/strings/stream"
        page.evaluate("() => { window.told = []; }")
        begin = "async (url) => { window.stop = await window.hear(url, (each) => window.told.push(each)); }"
        page.evaluate(begin, place)
        page.wait_for_function("() => window.told.some((each) => each.answers?.[0]?.seconds > 0.8)")
        page.evaluate("() => window.stop()")
        page.wait_for_function("() => window.told.at(-1).answers?.[0]?.end")
        told = page.evaluate("() => window.told")
        browser.close()
    assert told[0]["type"] == "ready" and told[0]["notes"][0].startswith("resampled from 48,000")
    assert {each["type"] for each in told[1:]} == {"answer"} and told[-1]["number"] == len(told) - 1
    texts = [answer["text"] for each in told[1:] for answer in each["answers"]]
    assert texts[-1] and all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))


Runs = Callable[[str], Path]


def test_other_kinds_take_no_sound(runs: Runs) -> None:
    with serving({"probe": runs("probe")}) as (url, _, _):
        with pytest.raises(DataError, match="not JSON"):
            gatewise.Client(url).hear(file_of(samples_of("up")))
        with Plain(url, "probe") as plain:
            plain.begin()
            plain.send(b'{"type": "steps", "values": [[0.5, 1]]}', opcode=2)
            assert plain.read()["steps"] == 1
