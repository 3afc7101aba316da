"""The network: steps compute what the whole computes; pictures of a batch and captions of a picture are apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gatewise.data import Ragged
from gatewise.data.subwords import BEGIN, END, PADDING
from gatewise.kinds.captioning.encoding import CaptionBatch, EncodedCaptions
from gatewise.kinds.captioning.network import CaptionNetwork, PictureReader, _moved, contours_of
from gatewise.kinds.captioning.scenes import COLOURS, HELD_OUT, SHAPES, Scene, make_scenes
from gatewise.kinds.captioning.spec import CaptionDataSpec, CaptionerSpec
from gatewise.kinds.captioning.trained import Look, _network
from gatewise.nn.writer_state import Writing, rows_of
from gatewise.training.run_spec import RunSpec

WAYS = [
    ("multiplicative", "output"),
    ("multiplicative", "layer"),
    ("multiplicative", "again"),
    ("multiplicative", "input"),
    ("additive", "layer"),
    ("none", "output"),
    ("none", "layer"),
    ("none", "again"),
]


def pictures(count: int = 5, seed: int = 0, size: int = 16) -> EncodedCaptions:
    chance = np.random.default_rng(seed)
    counts = chance.integers(1, 4, count)
    rows = [
        np.concatenate([[BEGIN], chance.integers(3, 25, chance.integers(1, 8)), [END]]).astype(np.int32)
        for _ in range(counts.sum())
    ]
    pixels = chance.integers(0, 255, (count, 3, size, size), dtype=np.uint8)
    return EncodedCaptions(pixels, Ragged.join(rows), np.append(0, np.cumsum(counts)))


def network(attention: str = "multiplicative", feeding: str = "layer", size: int = 16, **more: Any) -> CaptionNetwork:
    torch.manual_seed(3)
    options = {"hidden_size": 8, "embedding_size": 6, "channels": 2, "attention": attention, "feeding": feeding}
    fixed = {"tied": True, "dropout": 0.0, "label_smoothing": 0.0}
    made = CaptionNetwork(25, 3, size, **{**fixed, **options, **more})
    with torch.no_grad():
        made.bias.normal_()
    return made.eval()


def stepped_losses(model: CaptionNetwork, batch: CaptionBatch) -> torch.Tensor:
    """Each real token's loss, through `step`, one token after the other."""
    read = model.read(batch.pixels).select(batch.pictures)
    lower, upper = model._begin(read)
    rows = torch.arange(len(batch.lengths))
    fed = torch.zeros(len(rows), 6) if model.feeding == "input" else None
    seen = torch.zeros(len(rows), read.values.shape[1]) if model.coverage else None
    state = Writing(read, rows_of(lower, rows), rows_of(upper, rows), fed, seen)
    found = torch.zeros(batch.inputs.shape)
    for step, tokens in enumerate(batch.inputs):
        chances, state = model.step(tokens, state)
        found[step] = -chances.gather(1, batch.targets[step][:, None])[:, 0]
    return found[torch.arange(len(found))[:, None] < batch.lengths]


@pytest.mark.parametrize(("attention", "feeding"), WAYS)
@torch.no_grad()
def test_steps_give_what_the_whole_caption_gives(attention: str, feeding: str) -> None:
    model, batch = network(attention, feeding, direct=False), pictures().batch(range(5))
    assert model.readout.in_features == 8 + 8
    torch.testing.assert_close(stepped_losses(model, batch), model.losses(batch))


@torch.no_grad()
@pytest.mark.parametrize("attention", ["multiplicative", "additive"])
def test_a_second_look_knows_what_the_first_ones_saw(attention: str) -> None:
    model, batch = network(attention, "again", coverage=True), pictures().batch(range(5))
    assert model.again is not None and model.again.of_seen is not None
    model.again.of_seen.weight.normal_(std=5.0)
    losses = model.losses(batch)
    torch.testing.assert_close(stepped_losses(model, batch), losses)
    before = model.weights(batch)
    model.again.of_seen.weight.zero_()
    after = model.weights(batch)
    assert before is not None and after is not None
    # before the first step nothing has been seen
    torch.testing.assert_close(before[:, 0], after[:, 0])
    assert not torch.allclose(before[:, 1], after[:, 1], atol=1e-5)
    # a beam's hypotheses keep what each of them has seen: a wide one of one step more is as probable as its parts
    model.again.of_seen.weight.normal_(std=5.0)
    found = model.caption(batch.pixels[:1], 5, beam=4, length_power=0.0)
    tokens = found.tokens[:1, : int(found.lengths[0])]
    whole = torch.cat([tokens, torch.full((1, 1), END)], dim=1).T if len(tokens[0]) < 5 else tokens.T
    inputs = torch.cat([torch.full((1, 1), BEGIN), whole[:-1]])
    scores = model.scores(model.read(batch.pixels[:1]), inputs).gather(2, whole[:, :, None])
    assert float(scores.sum()) == pytest.approx(float(found.scores[0]), rel=1e-4)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "mingru"])
@torch.no_grad()
def test_any_cell_of_any_depth_writes(cell: str) -> None:
    model, batch = network(cell=cell, num_layers=2, tied=False), pictures().batch(range(5))
    torch.testing.assert_close(stepped_losses(model, batch), model.losses(batch))
    assert model.caption(batch.pixels, 5, beam=3).tokens.shape[0] == 5


@torch.no_grad()
def test_pictures_do_not_see_each_other_and_captions_belong_to_theirs() -> None:
    model, encoded = network(), pictures()
    whole = model.losses(encoded.batch([3, 1, 4]))
    ends = np.cumsum([0, *(int(encoded.batch([row]).lengths.sum()) for row in (3, 1, 4))])
    apart = torch.cat([model.losses(encoded.batch([row])) for row in (3, 1, 4)])
    # losses come step by step: the same numbers in another order
    torch.testing.assert_close(whole.sort().values, apart.sort().values)
    assert ends[-1] == len(whole)
    alone = model.caption(torch.from_numpy(encoded.pixels[2:3]), 6, beam=2)
    together = model.caption(torch.from_numpy(encoded.pixels), 6, beam=2)
    length = int(alone.lengths[0])
    assert together.tokens[2, :length].tolist() == alone.tokens[0, :length].tolist()
    torch.testing.assert_close(together.scores[2:3], alone.scores)


@torch.no_grad()
def test_a_wider_beam_finds_no_less_probable_caption_than_every_one_of_two_tokens() -> None:
    """With a beam as wide as the vocabulary, all captions of up to two tokens are looked at."""
    model = network("none", "output")
    pixels = torch.from_numpy(pictures(1).pixels)
    found = model.caption(pixels, 2, beam=25, length_power=0.0)
    read = model.read(pixels)
    sums = {}
    for first in range(25):
        tokens = torch.tensor([[BEGIN], [first]])
        chances = []
        lower, upper = model._begin(read)
        state = Writing(read, lower, upper, None)
        for each in tokens:
            row, state = model.step(each, state)
            chances.append(row[0])
        if first == END:
            sums[()] = float(chances[0][END])
        else:
            sums[(first,)] = float(chances[0][first] + chances[1][END])
    best = max(sums, key=sums.__getitem__)
    assert tuple(found.tokens[0, : int(found.lengths[0])].tolist()) == best
    assert float(found.scores[0]) == pytest.approx(sums[best], rel=1e-5)


@pytest.mark.parametrize("size", [8, 13, 24, 32, 50])
def test_pictures_of_any_size_are_read_and_every_weight_learns(size: int) -> None:
    model, batch = network(size=size, detection=1.0, contours=2).train(), pictures(size=size).batch(range(5))
    model.loss(batch)[0].backward()
    still = [name for name, each in model.named_parameters() if each.grad is None or not bool(each.grad.any())]
    assert still == []
    weights = model.eval().weights(batch)
    assert weights is not None and weights.shape[2] == model.reader.grid**2 <= 64
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(weights.shape[:2]))


@torch.no_grad()
def test_the_place_of_what_is_seen_makes_a_difference() -> None:
    reader = PictureReader(1, 16, 2)
    one = torch.zeros(1, 1, 16, 16)
    one[..., 2:6, 2:6] = 1.0
    places, summary, most = reader(torch.cat([one, one.flip(3)]))
    # what is anywhere is the same but for the borders, where it is changes
    assert (
        most.shape == (2, 8) and not torch.allclose(places[0], places[1]) and not torch.allclose(summary[0], summary[1])
    )


@torch.no_grad()
def test_contours_are_the_same_in_any_colours_and_in_strong_and_faint_light() -> None:
    """What separates a shape from its ground is what a picture's contours say, not the two colours."""
    torch.manual_seed(2)
    shape = torch.zeros(2, 1, 32, 32)
    shape[0, :, 8:20, 6:15] = 1.0
    shape[1, :, 10:16, 8:28] = 1.0
    ground, colour = torch.tensor([-1.0, -0.9, -0.8])[:, None, None], torch.tensor([1.5, -0.2, 0.3])[:, None, None]
    pictures = ground + shape * (colour - ground)
    turned = pictures[:, [2, 0, 1]]
    assert torch.equal(contours_of(pictures), contours_of(turned))
    faint = contours_of(ground + 0.5 * (pictures - ground))
    strongest = contours_of(pictures).abs() > 0.5
    assert strongest.any() and float((faint / contours_of(pictures))[strongest].min()) > 0.75
    # the network's features of them are as blind to colours, those of the picture are not
    reader = PictureReader(3, 32, 2, 4)
    places, summary, most = reader(torch.cat([pictures, turned]))
    for found in (places, summary, most):
        one, other = found.split(2)
        assert torch.equal(one[..., 8:], other[..., 8:]) and not torch.allclose(one[..., :8], other[..., :8])
        assert not torch.allclose(one[0, ..., 8:], one[1, ..., 8:])


def test_a_record_of_an_earlier_run_is_read_as_the_network_that_it_was() -> None:
    record = RunSpec(CaptionDataSpec(), CaptionerSpec()).to_dict()
    assert record["model"]["contours"] > 0 and record["model"]["coverage"] and not record["model"]["direct"]
    for name in ("contours", "coverage", "direct"):
        del record["model"][name]
    assert record["data"].pop("separate_digits") and not RunSpec.from_dict(record).data.separate_digits
    model = _network(RunSpec.from_dict(record).model, 30, Look(3, 16, 0.5, 0.25, 9))
    names = {name.split(".")[0] + "." + name.split(".")[1] for name, _ in model.named_parameters() if "." in name}
    assert "reader.contours" not in names and "again.of_seen" not in names and "reader.convolutions" in names
    assert model.readout.in_features == model.decoder.hidden_size + model.reader.width + model.target.embedding_dim


@pytest.mark.slow
def test_detectors_find_shapes_in_colours_that_they_were_never_seen_in() -> None:
    """One pass over scenes; detectors over colours alone find 29 % of the shapes of new pairs after it."""
    parts = make_scenes(32)
    words = [*COLOURS, *SHAPES]

    def goals(scenes: tuple[Scene, ...]) -> torch.Tensor:
        return torch.tensor([[float(any(word in each.words for each in scene)) for word in words] for scene in scenes])

    torch.manual_seed(0)
    model = CaptionNetwork(
        len(words), 3, 32, channels=8, contours=12, detection=1.0, shift=1, feeding="again", tied=True, dropout=0.0,
        label_smoothing=0.0,
    )  # fmt: skip
    assert model.detectors is not None
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    pixels, wanted = torch.from_numpy(parts["train"].pixels), goals(parts["train"].facts)
    for rows in torch.randperm(len(pixels)).split(32):
        found = model.detectors(model.read_with_most(pixels[rows])[1])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(found, wanted[rows], reduction="sum")
        optimizer.zero_grad()
        (loss / len(rows)).backward()
        optimizer.step()
    with torch.no_grad():
        scores = model.eval().detectors(model.read_with_most(torch.from_numpy(parts["validation"].pixels))[1])
    shapes = scores[:, len(COLOURS) :]
    right = []
    for row, scene in zip(shapes, parts["validation"].facts, strict=True):
        absent = max(
            float(row[place]) for place, name in enumerate(SHAPES) if all(name != each.shape for each in scene)
        )
        right += [
            float(row[SHAPES.index(each.shape)]) > absent for each in scene if each.words in HELD_OUT["validation"]
        ]
    assert len(right) > 400 and np.mean(right) > 0.9


def test_moving_repeats_the_edge_and_hides_nothing_while_testing() -> None:
    pixels = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(200, 1, 8, 8)
    torch.manual_seed(0)
    moved = _moved(pixels, 2)
    centres = {int(each[0, 4, 4]) for each in moved}
    assert centres == {int(pixels[0, 0, 4 + down, 4 + right]) for down in range(-2, 3) for right in range(-2, 3)}
    assert set(moved[:, 0, 0, 0].tolist()) <= set(pixels[0, 0, :3, :3].flatten().tolist())
    model, batch = network(shift=2, word_noise=0.5), pictures().batch(range(5))
    with torch.no_grad():
        tested = [model.loss(batch)[0].item() for _ in range(2)]
        trained = [model.train().loss(batch)[0].item() for _ in range(2)]
    assert tested[0] == tested[1] and trained[0] != trained[1]


def test_detectors_learn_which_words_a_picture_has_and_leave_the_likelihood_alone() -> None:
    batch = pictures().batch(range(5))
    with_detectors = network(detection=2.0)
    without = network()
    without.load_state_dict(with_detectors.state_dict(), strict=False)
    with torch.no_grad():
        (more, value), (loss, same) = with_detectors.loss(batch), without.loss(batch)
        assert value == same == loss
        most = with_detectors.read_with_most(batch.pixels)[1]
        scores = with_detectors.detectors(most)  # type: ignore[misc]
    expected = torch.zeros(5, 25)
    for picture, tokens in zip(batch.pictures.tolist(), batch.targets.T.tolist(), strict=True):
        expected[picture, [token for token in tokens if token != PADDING]] = 1.0
    right = torch.where(expected > 0, torch.sigmoid(scores), 1 - torch.sigmoid(scores))
    assert float(more - loss) == pytest.approx(float(-2 * right.log().sum() / expected.sum()), rel=1e-4)


@torch.no_grad()
def test_evidence_counts_each_different_word_of_a_caption_once() -> None:
    """Scores of found captions, recomputed from whole captions; the detectors are sure beyond what counts as sure."""
    pixels = torch.from_numpy(pictures(40).pixels)
    model = network(feeding="again", coverage=True, detection=1.0, evidence=0.5)
    assert model.detectors is not None
    model.detectors.weight.mul_(30)
    plain = network(feeding="again", coverage=True, detection=1.0)
    plain.load_state_dict(model.state_dict())
    read, most = model.read_with_most(pixels)
    odds = model.detectors(most)
    assert float(odds.abs().max()) > 5 > float(odds.abs().min())
    found, without = (each.caption(pixels, 7, beam=3, length_power=0.0) for each in (model, plain))
    repeated, agreed, searched = 0, [], {}
    for row in range(len(pixels)):
        for written in (found, without):
            tokens = written.tokens[row, : written.lengths[row]]
            target = torch.cat([tokens, torch.tensor([END])]) if len(tokens) < 7 else tokens
            inputs = torch.cat([torch.tensor([BEGIN]), target[:-1]])[:, None]
            chances = plain.scores(read.select(torch.tensor([row])), inputs)[torch.arange(len(target)), 0, target].sum()
            different = [token for token in set(tokens.tolist()) if token not in (PADDING, BEGIN, END)]
            gained = 0.5 * float(odds[row, different].clamp(-5, 5).sum())
            whole = float(chances) + (gained if written is found else 0.0)
            assert float(written.scores[row]) == pytest.approx(whole, abs=1e-4)
            searched[row, written is found] = float(chances) + gained
            repeated += len(different) < len(tokens)
        agreed.append(searched[row, True] >= searched[row, False] - 1e-4)
    assert repeated > 5 and np.mean(agreed) > 0.9
    assert not torch.equal(found.tokens, without.tokens[:, : found.tokens.shape[1]])
