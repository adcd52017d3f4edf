"""Reading videos: colours, turns, and what can be saved of broken ones."""

import io
import random
import shutil
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from dtst_flow.imaging import frame as frames_of
from dtst_flow.imaging import video
from dtst_flow.imaging.decode import UnreadableImage
from helpers import videos
from helpers.videos import BT601, BT709, pattern, plain, write

KINDS = ("clip.mp4", "clip.mov", "clip.mkv", "clip.webm", "clip.avi", "CLIP.M4V")


def read(path, keyframes=False, **options):
    """The frames of a video: time, number and pixels of each; and its notes."""
    with open(path, "rb") as file, video.opened(file, **options) as film:
        found = [(f.time, f.number, f.pixels()) for f in film.frames(keyframes)]
        return found, film.notes()


def off(one, other) -> float:
    """By how many levels two pictures differ, on average."""
    return float(np.abs(np.asarray(one, int) - np.asarray(other, int)).mean())


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_all_its_frames(name, tmp_path):
    shown = [pattern(i // 5) for i in range(20)]
    path = write(tmp_path / name, shown)
    found, notes = read(path)
    assert [(time, number) for time, number, _ in found] == [
        (i / 10, i) for i in range(20)
    ]
    assert notes == []
    assert all(off(found[i][2], shown[i]) < 20 for i in (0, 7, 19))
    whole, _ = read(path, keyframes=True)
    assert 0 < len(whole) <= 20
    assert {number for _, number, _ in whole} <= set(range(20))


SKIN = (0.9, 0.6, 0.45)


@pytest.mark.parametrize(
    ("matrix", "told", "full", "size"),
    [
        (BT709, True, False, (64, 48)),
        (BT601, True, False, (64, 48)),
        (BT601, True, True, (64, 48)),
        (9, True, False, (64, 48)),
        (BT709, False, False, (1280, 64)),
        (BT601, False, False, (64, 48)),
    ],
    ids=["709", "601", "full", "2020", "untold-hd", "untold-sd"],
)
def test_colours_are_those_that_the_matrix_stands_for(
    matrix, told, full, size, tmp_path
):
    coded = plain(SKIN, matrix, told, full, size)
    path = write(tmp_path / "a.mkv", [coded] * 2, codec="ffv1")
    (_, _, pixels), *_ = read(path)[0]
    assert off(pixels, np.full(pixels.shape, np.array(SKIN) * 255)) < 1.5


def test_wide_and_hdr_colours_become_srgb(tmp_path):
    """White at HDR's reference is white; its primaries are brought to sRGB's."""

    def shown(colour, primaries, transfer):
        def prepare(stream):
            context = stream.codec_context
            context.color_primaries, context.color_trc = primaries, transfer
            context.colorspace, context.color_range = 9, videos.LIMITED

        coded = plain(colour, 9, bits=10)
        coded.color_primaries, coded.color_trc = primaries, transfer
        path = write(tmp_path / "a.mkv", [coded], codec="ffv1", prepare=prepare)
        return read(path)[0][0][2][24, 32]

    white = shown((0.58069,) * 3, 9, 16)  # 203 cd/m² in PQ
    assert (white >= 253).all()
    assert (shown((0.75,) * 3, 9, 18) >= 250).all()  # HLG's reference white
    dim = shown((0.4,) * 3, 9, 16)
    assert (dim < 140).all()
    green = shown((0.2, 0.6, 0.2), 9, 14)
    assert green[0] < 30  # more green than sRGB has


@pytest.mark.parametrize("matrix", [m for m in frames_of.UPRIGHT if m != (1, 0, 0, 1)])
def test_frames_are_turned_as_the_file_says(matrix, tmp_path):
    """The matrix maps a place of the stored picture to one of the shown picture."""
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:12, :16] = 255  # the upper left corner
    path = videos.turn(write(tmp_path / "a.mp4", [stored] * 3), matrix)
    pixels = read(path)[0][0][2]
    a, b, c, d = matrix
    at = np.array([a * -1 + c * -1, b * -1 + d * -1])  # where that corner is to be
    height, width = pixels.shape[:2]
    assert (width, height) == ((64, 48) if a else (48, 64))
    x, y = (2 if at[0] < 0 else width - 3), (2 if at[1] < 0 else height - 3)
    assert pixels[y, x].min() > 200
    assert pixels[height - 1 - y, width - 1 - x].max() < 60


def test_pixels_that_are_not_square_are_made_so(tmp_path):
    def prepare(stream):
        stream.codec_context.sample_aspect_ratio = 2

    path = write(tmp_path / "a.mkv", [pattern(1)] * 2, prepare=prepare)
    assert read(path)[0][0][2].shape == (48, 128, 3)


@pytest.mark.parametrize("kind", [".avi", ".mkv", ".webm"])
def test_of_a_cut_file_the_frames_before_the_cut_are_read(kind, tmp_path):
    path = write(tmp_path / f"a{kind}", (pattern(i // 4) for i in range(120)))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.6)])
    found, notes = read(path)
    assert 50 < len(found) < 90
    assert len(notes) >= 1
    assert "cut short" in notes[-1] or "damaged" in notes[0]
    _, of_keyframes = read(path, keyframes=True)
    assert of_keyframes


def test_a_cut_mp4_needs_its_index(tmp_path):
    path = write(tmp_path / "a.mp4", (pattern(i // 4) for i in range(60)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableImage, match="beginning or index is missing"):
        read(path)
    ahead = {"movflags": "faststart"}
    path = write(tmp_path / "a.mp4", (pattern(i // 4) for i in range(60)), muxer=ahead)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    found, notes = read(path)
    assert 15 < len(found) < 50
    assert "it is cut short, it ends after" in notes[-1]


def test_what_is_broken_inside_is_left_out_and_told(tmp_path):
    path = write(tmp_path / "a.mkv", (pattern(i) for i in range(40)), gop=1)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(600)
    path.write_bytes(content)
    found, notes = read(path)
    assert 20 < len(found) < 40
    assert "damaged" in notes[0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no video",
        bytes(4000),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
        b"<MPD></MPD>",
    ],
    ids=["empty", "text", "zeros", "playlist", "concat", "dash"],
)
def test_what_is_no_video_is_refused(content):
    refused = pytest.raises(UnreadableImage, match="cannot be decoded: no video")
    with refused, video.opened(io.BytesIO(content)) as film:
        list(film.frames())


def test_a_playlist_opens_no_other_file(tmp_path):
    """Not even one that is a video."""
    inner = write(tmp_path / "inner.mp4", [pattern(1)] * 5)
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {inner}\n")
    with pytest.raises(UnreadableImage):
        read(tmp_path / "list.mp4")


def test_sound_alone_and_large_frames_are_refused(tmp_path):
    import av

    with av.open(str(tmp_path / "a.mkv"), "w") as file:
        sound = file.add_stream("pcm_s16le", rate=8000)
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        heard.sample_rate = 8000
        file.mux(sound.encode(heard))
    with pytest.raises(UnreadableImage, match="no picture, only sound"):
        read(tmp_path / "a.mkv")
    path = write(tmp_path / "b.mp4", [pattern(1)] * 2)
    with pytest.raises(UnreadableImage, match="max-pixels"):
        read(path, max_pixels=64 * 48 - 1)


def test_an_unknown_codec_is_refused(tmp_path):
    path = write(tmp_path / "a.mkv", [pattern(1)] * 3)
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_NOBODYS/KNOWN"))
    with pytest.raises(UnreadableImage, match="no video of a known type"):
        read(path)


def test_pixels_of_no_sensible_shape_are_taken_as_square(tmp_path):
    def prepare(stream):
        stream.codec_context.sample_aspect_ratio = 60000

    path = write(tmp_path / "a.mkv", [pattern(1)] * 2, prepare=prepare)
    assert read(path)[0][0][2].shape == (48, 64, 3)


def test_any_damage_gives_frames_or_a_reason(tmp_path, long):
    """And never an error that ends the job."""
    chance = random.Random(random.randrange(10**9) if long else 0)
    kinds = {".mp4": "", ".avi": "", ".mkv": "ffv1", ".webm": "", ".wmv": "wmv2"}
    whole = [
        write(
            tmp_path / f"a{s}", (pattern(i // 3) for i in range(9)), gop=3, codec=c
        ).read_bytes()
        for s, c in kinds.items()
    ]
    for number in range(3000 if long else 60):
        content = bytearray(whole[number % len(whole)])
        near = len(content) if number % 2 else 600
        for _ in range(chance.choice((1, 4, 40))):
            content[chance.randrange(min(near, len(content)))] = chance.randrange(256)
        if number % 3 == 0:
            del content[chance.randrange(len(content)) :]
        with (
            suppress(UnreadableImage),
            video.opened(io.BytesIO(bytes(content)), 10**7) as film,
        ):
            for frame in film.frames(keyframes=number % 4 == 0):
                assert frame.pixels().shape[2] == 3
            film.notes()


def test_a_video_is_told_apart_from_its_name(tmp_path):
    path = write(tmp_path / "a.mkv", [pattern(1)] * 3)
    shutil.copy(path, tmp_path / "b.mp4")
    assert len(read(tmp_path / "b.mp4")[0]) == 3
    Image.new("RGB", (9, 9)).save(tmp_path / "c.mp4", "PNG")
    with pytest.raises(UnreadableImage):
        read(tmp_path / "c.mp4")
