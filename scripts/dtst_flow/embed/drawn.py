"""Drawn faces: different people that no photo shows, to try a recogniser on.

Face recognisers take them for people: the vectors of two models are as long as those of
photos (21 against 24, 3.6 against 3.6), and get shorter alike as faces get smaller.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.utils.array_types import Pixels

Colour = NDArray[np.float64]

WAYS = 80
"""In how many ways faces differ, at most."""


class Dice:
    """The same numbers everywhere, spread evenly over the faces (Kronecker's sequence).

    Args:
        face: Which face they are for.
    """

    def __init__(self, face: int):
        self._primes = iter(_primes(WAYS))
        self._face = face + 1

    def between(self, low: float, high: float) -> float:
        """Return the next number between two."""
        share = self._face * float(np.sqrt(next(self._primes))) % 1
        return low + (high - low) * share

    def one_of(self, share: float) -> bool:
        """Whether this is one of so many faces, a share of all."""
        return self.between(0, 1) < share

    def tint(
        self, colour: tuple[float, float, float], low: float, high: float
    ) -> Colour:
        """Return a colour made darker or lighter, and a little redder or yellower."""
        light = self.between(low, high)
        hue = (1.0, self.between(0.9, 1.08), self.between(0.75, 1.15))
        return np.array(colour) * light * hue


class Canvas:
    """A picture that ellipses are painted on.

    Args:
        side: Its width and height in pixels.
        colour: That of its ground.
    """

    def __init__(self, side: int, colour: Colour):
        self.pixels = np.empty((side, side, 3))
        self.pixels[:] = colour
        self.y, self.x = np.mgrid[:side, :side] + 0.5

    def ellipse(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        colour: Any,
        soft: float = 1.5,
        ring: float | None = None,
    ) -> None:
        """Paint an ellipse, its edge `soft` pixels wide.

        Args:
            centre: In pixels.
            radii: In pixels.
            colour: Red, green, blue from 0 to 255.
            soft: How wide its edge is, in pixels.
            ring: Paint only the outline, so wide as a share of the radii.
        """
        x, y = (self.x - centre[0]) / radii[0], (self.y - centre[1]) / radii[1]
        inside = 1 - np.sqrt(x * x + y * y)
        if ring is not None:
            inside = ring - np.abs(inside)
        share = np.clip(inside * min(radii) / soft + 0.5, 0, 1)[..., None]
        self.pixels += share * (np.asarray(colour) - self.pixels)


def draw(face: int) -> Pixels:
    """Draw a face, aligned as ArcFace wants it.

    Args:
        face: Which one; each number is another person.

    Returns:
        (112, 112, 3) uint8 RGB.
    """
    dice = Dice(face)
    skin = dice.tint((215, 170, 145), 0.35, 1.15)
    hair = dice.tint((120, 95, 75), 0.1, 2)
    ground = np.array([dice.between(10, 245) for _ in range(3)])
    canvas = Canvas(112, ground)
    width = _head(canvas, dice, skin, hair)
    for side in (-1, 1):
        _eye(canvas, Dice(face + 1000), 55.9 + 17.6 * side, side, skin, hair)
    _nose_and_mouth(canvas, dice, skin, hair)
    turn, strength = dice.between(0, 2 * np.pi), dice.between(0, 0.45)
    light = np.cos(turn) * (canvas.x - 56) + np.sin(turn) * (canvas.y - 56)
    lit = canvas.pixels * (1 + strength * light / width)[..., None]
    pixels: Pixels = np.clip(np.rint(lit), 0, 255).astype(np.uint8)
    return pixels


def _head(canvas: Canvas, dice: Dice, skin: Colour, hair: Colour) -> float:
    """Paint hair, the shape of the face and a beard; returns half the face's width."""
    width, more = dice.between(35, 48), dice.between(2, 12)
    down = dice.between(40, 90)
    if dice.one_of(0.45):
        canvas.ellipse((56, 60), (width + more + 4, down), hair)
    canvas.ellipse((56, 40), (width + more, dice.between(38, 56)), hair)
    jaw, top = dice.between(109, 126), dice.between(0, 22)
    canvas.ellipse((56, (jaw + top) / 2), (width, (jaw - top) / 2), skin)
    cheeks = dice.between(0.5, 0.95) * width, dice.between(20, 34)
    canvas.ellipse((56, 90), cheeks, skin * dice.between(0.93, 1.03))
    beard = dice.between(20, width - 8), dice.between(12, 26)
    shade = dice.between(0.3, 0.9)
    if dice.one_of(0.35):
        canvas.ellipse((56, 104), beard, shade * hair + (1 - shade) * skin)
    fringe = dice.between(28, 84), dice.between(-16, 10)
    size = width * dice.between(0.7, 1.1), dice.between(14, 32)
    if dice.one_of(0.6):
        canvas.ellipse(fringe, size, hair)
    return max(width, 56)


def _eye(
    canvas: Canvas, dice: Dice, x: float, side: int, skin: Colour, hair: Colour
) -> None:
    """Paint an eye with its brow, and perhaps glasses."""
    wide, high = dice.between(6, 11), dice.between(1.8, 5.5)
    around, shade = dice.between(2, 5), dice.between(0.6, 1)
    canvas.ellipse((x, 51.6), (wide + around, high + around), skin * shade, soft=3)
    white = np.array((235, 230, 225)) * dice.between(0.5, 1)
    canvas.ellipse((x, 51.6), (wide, high), white)
    iris = min(high, 4.2)
    canvas.ellipse((x, 51.6), (iris, iris), dice.tint((120, 90, 80), 0.2, 1.4))
    canvas.ellipse((x, 51.6), (1.8, 1.8), (10, 10, 10))
    brow, tilt, thick = (
        dice.between(35, 45),
        dice.between(-3, 3) * side,
        dice.between(0.7, 3.2),
    )
    for along in (-3, 3):
        place = x + along, brow - np.sign(along) * tilt
        canvas.ellipse(place, (wide * 0.7, thick), hair * 0.9)
    rim, outline = dice.between(11, 15), dice.between(0.06, 0.2)
    if dice.one_of(0.25):
        canvas.ellipse((x, 51.6), (rim, rim * 0.8), (20, 20, 20), ring=outline)


def _nose_and_mouth(canvas: Canvas, dice: Dice, skin: Colour, hair: Colour) -> None:
    """Paint nose and mouth, and perhaps teeth and a moustache."""
    wide, end = dice.between(5, 12), dice.between(69, 77)
    bridge = skin * dice.between(0.95, 1.15)
    canvas.ellipse((56, (50 + end) / 2), (wide / 2, (end - 50) / 2), bridge, soft=3)
    tip = wide, dice.between(3, 5.5)
    canvas.ellipse((56, end), tip, skin * dice.between(0.85, 1.18), soft=3)
    hole = dice.between(1, 2.5)
    for side in (-1, 1):
        canvas.ellipse(
            (56 + side * wide / 2, end + 1.5), (hole, hole * 0.8), skin * 0.42
        )
    mouth, lips = dice.between(11, 19), dice.between(2, 5.5)
    red = dice.between(0.8, 1.1), dice.between(0.4, 0.8), dice.between(0.4, 0.8)
    canvas.ellipse((56, 92.3), (mouth, lips), skin * red)
    if dice.one_of(0.35):
        canvas.ellipse((56, 92.3), (mouth * 0.85, lips * 0.55), (240, 235, 230))
    else:
        canvas.ellipse((56, 92.3), (mouth * 0.85, 0.8), skin * 0.35)
    thick = dice.between(1.5, 4)
    if dice.one_of(0.25):
        canvas.ellipse((56, 84), (mouth * 0.9, thick), hair)


def _primes(count: int) -> list[int]:
    """Return the first prime numbers."""
    primes: list[int] = []
    number = 2
    while len(primes) < count:
        if all(number % prime for prime in primes):
            primes.append(number)
        number += 1
    return primes
