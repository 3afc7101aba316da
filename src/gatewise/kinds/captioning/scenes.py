"""`scenes`: drawn shapes and a small grammar of what may be said of them, true or not. No photographs.

::

    caption   = object "is" relation object
    object    = "a" colour shape
    relation  = "above" | "below" | "left of" | "right of"

A caption is true of a scene if two different objects of it are described and stand so, their centres at least
`MARGIN` of the picture's side apart in that direction. So the words of any caption can be parsed and checked against
the scene (Kuhnle and Copestake, 2017), whatever captions were written of it. Some pairs of colour and shape are in no
training scene: of each test scene every true caption names one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gatewise.kinds.captioning.pictures import Pictures, Pixels

__all__ = ["COLOURS", "HELD_OUT", "MARGIN", "RELATIONS", "SHAPES", "Scene", "Shape", "is_true", "make_scenes", "parse"]

SHAPES = ("circle", "square", "triangle", "cross", "star", "ring")
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 80, 225),
    "yellow": (235, 215, 50),
    "purple": (150, 60, 190),
    "orange": (240, 135, 30),
    "pink": (250, 150, 190),
    "white": (240, 240, 240),
}
RADII = (0.13, 0.22)
"""Half the width of an object, as a share of the picture's side: least and most."""
RELATIONS = {"above": (1, -1), "below": (1, 1), "left of": (0, -1), "right of": (0, 1)}
"""Axis and direction in which the first object stands from the second."""
MARGIN = 0.12
HELD_OUT = {
    "test": frozenset(
        zip(COLOURS, ("circle", "square", "triangle", "cross", "star", "ring", "circle", "square"), strict=True)
    ),
    "validation": frozenset(
        (("red", "cross"), ("green", "star"), ("yellow", "circle"), ("orange", "triangle"), ("pink", "ring"))
    ),
}
"""Pairs of colour and shape that are in no training scene; those of the validation part are in no test scene."""
_SIZES = {"train": 6_000, "validation": 400, "test": 1_000}
_CAPTIONS = {"train": 2, "validation": 4, "test": 4}
_OBJECT = rf"an? ({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})"
_CAPTION = re.compile(rf"{_OBJECT} is ({'|'.join(RELATIONS)}) {_OBJECT}")


class Shape(NamedTuple):
    """One object: how it is described, and the centre and half the width of what is drawn, as shares of the side."""

    colour: str
    shape: str
    x: float
    y: float
    radius: float

    @property
    def words(self) -> tuple[str, str]:
        """Colour and shape."""
        return self.colour, self.shape


Scene = tuple[Shape, ...]


class Said(NamedTuple):
    """What a caption says."""

    first: tuple[str, str]
    relation: str
    second: tuple[str, str]


def parse(caption: str) -> Said | None:
    """What a caption says; None: it is no sentence of the grammar.

    Example:
        >>> parse("a red ring is left of a white star")
        Said(first=('red', 'ring'), relation='left of', second=('white', 'star'))
        >>> parse("a red ring") is None
        True
    """
    found = _CAPTION.fullmatch(caption)
    if found is None:
        return None
    words = found.groups()
    return Said((words[0], words[1]), words[2], (words[3], words[4]))


def is_true(caption: str, scene: Scene) -> bool:
    """Whether a caption holds of a scene; what is no sentence of the grammar does not.

    Example:
        >>> scene = Shape("red", "ring", 0.2, 0.5, 0.1), Shape("white", "star", 0.7, 0.55, 0.2)
        >>> [is_true(f"a red ring is {each} a white star", scene) for each in RELATIONS]
        [False, False, True, False]
        >>> is_true("a red circle is left of a white star", scene)
        False
    """
    said = parse(caption)
    if said is None:
        return False
    return any(
        one.words == said.first and other.words == said.second and _stands(one, said.relation, other)
        for place, one in enumerate(scene)
        for second, other in enumerate(scene)
        if place != second
    )


def true_captions(scene: Scene) -> list[str]:
    """Every true caption of a scene."""
    return [
        f"a {' '.join(one.words)} is {relation} a {' '.join(other.words)}"
        for place, one in enumerate(scene)
        for second, other in enumerate(scene)
        if place != second
        for relation in RELATIONS
        if _stands(one, relation, other)
    ]


def _stands(one: Shape, relation: str, other: Shape) -> bool:
    axis, direction = RELATIONS[relation]
    gap = (one.x, one.y)[axis] - (other.x, other.y)[axis]
    return gap * direction >= MARGIN


def make_scenes(size: int, number: int = 0, train: int | None = None) -> dict[str, Pictures]:
    """Draw the three parts.

    Args:
        size: pixels of a side.
        number: of the drawing: another one gives other scenes.
        train: training scenes; None: 6,000.

    Returns:
        ``train``, ``validation`` and ``test``; facts are scenes.

    Example:
        >>> parts = make_scenes(24, train=20)
        >>> pictures = parts["test"]
        >>> all(is_true(caption, scene) for rows, scene in zip(pictures.captions, pictures.facts) for caption in rows)
        True
    """
    counts = {**_SIZES, **({} if train is None else {"train": train})}
    return {
        part: _part(part, count, size, np.random.default_rng([number, place]))
        for place, (part, count) in enumerate(counts.items())
    }


def _part(part: str, count: int, size: int, chance: np.random.Generator) -> Pictures:
    taken = HELD_OUT["test"] | HELD_OUT["validation"]
    usual = [(colour, shape) for colour in COLOURS for shape in SHAPES if (colour, shape) not in taken]
    held = sorted(HELD_OUT.get(part, ()))
    scenes = [_scene(usual, held, chance) for _ in range(count)]
    captions = []
    for scene in scenes:
        said = true_captions(scene)
        order = chance.permutation(len(said))[: _CAPTIONS[part]]
        captions.append(tuple(said[place] for place in sorted(order.tolist())))
    pixels = np.stack([_drawn(scene, size, chance) for scene in scenes])
    return Pictures(pixels, tuple(captions), tuple(f"scene {number}" for number in range(count)), tuple(scenes))


def _scene(usual: Sequence[tuple[str, str]], held: Sequence[tuple[str, str]], chance: np.random.Generator) -> Scene:
    """Two objects that do not touch, of other colours or shapes; at least one is held out where pairs are."""
    while True:
        chosen = [usual[int(place)] for place in chance.permutation(len(usual))[:2]]
        if held:
            places = chance.permutation(len(held))[: int(chance.integers(1, 3))]
            chosen[: len(places)] = [held[int(place)] for place in places]
        found: list[Shape] = []
        for colour, shape in chosen:
            radius = float(chance.uniform(*RADII))
            x, y = (float(value) for value in chance.uniform(radius + 0.01, 0.99 - radius, size=2))
            found.append(Shape(colour, shape, x, y, radius))
        one, other = found
        apart = np.hypot(one.x - other.x, one.y - other.y) > one.radius + other.radius + 0.03
        if apart and true_captions((one, other)):
            return (one, other) if chance.random() < 0.5 else (other, one)


_FINE = 4


def _drawn(scene: Scene, size: int, chance: np.random.Generator) -> Pixels:
    """A scene as pixels (3, S, S): a dark ground, colours that vary a little, faint noise."""
    from PIL import Image, ImageDraw

    ground = int(chance.integers(15, 70))
    large = size * _FINE
    picture = Image.new("RGB", (large, large), (ground, ground, ground))
    pen = ImageDraw.Draw(picture)
    for each in scene:
        light = chance.uniform(0.85, 1.05)
        red, green, blue = (min(255, int(value * light)) for value in COLOURS[each.colour])
        _draw_shape(pen, each, large, (red, green, blue), (ground, ground, ground))
    small = np.asarray(picture.reduce(_FINE), dtype=np.int16).transpose(2, 0, 1)
    noise = chance.integers(-8, 9, size=small.shape)
    found: Pixels = np.clip(small + noise, 0, 255).astype(np.uint8)
    return found


def _draw_shape(pen: object, each: Shape, large: int, colour: tuple[int, int, int], ground: tuple[int, ...]) -> None:
    from PIL import ImageDraw

    assert isinstance(pen, ImageDraw.ImageDraw)
    x, y, radius = each.x * large, each.y * large, each.radius * large
    box = (x - radius, y - radius, x + radius, y + radius)
    if each.shape in ("circle", "ring"):
        pen.ellipse(box, fill=colour)
        if each.shape == "ring":
            inner = radius * 0.55
            pen.ellipse((x - inner, y - inner, x + inner, y + inner), fill=ground)
    elif each.shape == "square":
        side = radius * 0.88
        pen.rectangle((x - side, y - side, x + side, y + side), fill=colour)
    elif each.shape == "cross":
        arm = radius * 0.34
        pen.rectangle((x - radius, y - arm, x + radius, y + arm), fill=colour)
        pen.rectangle((x - arm, y - radius, x + arm, y + radius), fill=colour)
    elif each.shape == "triangle":
        pen.polygon([(x, y - radius), (x - radius, y + radius * 0.85), (x + radius, y + radius * 0.85)], fill=colour)
    else:
        turns = np.pi * np.arange(10) / 5
        lengths = np.where(np.arange(10) % 2 == 0, radius * 1.1, radius * 0.45)
        points = [
            (float(x + length * np.sin(turn)), float(y - length * np.cos(turn)))
            for turn, length in zip(turns, lengths, strict=True)
        ]
        pen.polygon(points, fill=colour)
