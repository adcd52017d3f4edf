"""Which frames of a video are taken."""

import tracemalloc

import cv2
import numpy as np
import pytest

from dtst_flow.imaging import shots, video
from dtst_flow.imaging.shots import Choice
from helpers.videos import pattern, write

SHARP = 13
"""The frame of each scene of `film` that is not blurred."""

SCENE = 20
"""Its frames of a scene."""


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Three scenes of two seconds, each a pan that is blurred but for one frame."""
    grain = np.random.default_rng(1).integers(0, 60, (96, 128, 3), np.uint8)

    def frame(number):
        shown = cv2.add(pattern(number // SCENE, (128, 96)), grain)
        if number % SCENE != SHARP:
            shown = cv2.GaussianBlur(shown, (0, 0), 2)
        return np.roll(shown, number % SCENE, 1)

    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write(path, map(frame, range(3 * SCENE)), gop=SCENE)


def taken(path, choice):
    """The numbers of the frames taken, and of those that are like others."""
    with open(path, "rb") as file, video.opened(file) as found:
        every = [(s.number, s.pixels is not None) for s in shots.choose(found, choice)]
    return [n for n, new in every if new], [n for n, new in every if not new]


def test_keyframes_are_so_many_seconds_apart(film):
    assert taken(film, Choice())[0] == [0]
    assert taken(film, Choice(keyframes=2))[0] == [0, 20, 40]
    assert taken(film, Choice(keyframes=2.1))[0] == [0, 40]


def test_of_each_scene_the_sharpest_frame_is_taken(film):
    wanted = [SHARP, SCENE + SHARP, 2 * SCENE + SHARP]
    assert taken(film, Choice(scenes=True))[0] == wanted


def test_every_few_seconds_the_sharpest_frame_near_is_taken(film):
    numbers = taken(film, Choice(every=1.2, min_difference=0))[0]
    assert len(numbers) == 6
    for tick, number in enumerate(numbers):
        assert abs(number - 12 * tick) <= 3
    assert numbers[1] == SHARP
    within = taken(film, Choice(every=1.2, scenes=True, min_difference=0))[0]
    assert [n // SCENE for n in within] == [0, 0, 1, 1, 2, 2]
    assert [n for n in within if n % SCENE == SHARP] == [13, 33, 53]


def test_frames_that_look_like_earlier_ones_are_left_out(tmp_path):
    """Also where others were between."""
    views = [pattern(i) for i in (1, 1, 2, 1, 3, 2, 2)]
    shown = (views[(n + 5) // 10] for n in range(55))
    path = write(tmp_path / "a.mkv", shown, codec="ffv1")
    new, like = taken(path, Choice(every=1))
    assert [(n + 5) // 10 for n in new] == [0, 2, 4]
    assert [(n + 5) // 10 for n in like] == [1, 3, 5]
    assert len(taken(path, Choice(every=1, min_difference=0))[0]) == 6


def test_settings_without_effect_do_not_count():
    assert Choice(every=2).depends() == Choice(every=2, keyframes=3).depends()
    assert Choice().depends() != Choice(keyframes=3).depends()


def test_memory_does_not_grow_with_the_video(tmp_path):
    def peak(count):
        path = write(
            tmp_path / f"{count}.mkv", (pattern(i // 10) for i in range(count))
        )
        tracemalloc.start()
        try:
            taken(path, Choice(scenes=True))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(20)
    assert peak(400) < 1.5 * peak(100) + 100_000
