from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_daemon.semantic.critic import Critic
from models import Bundle, load_bundle
from support.tiny_bundle import NOTICE, make_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    directory: Path = make_tiny_bundle(tmp_path_factory.mktemp("bundle"))
    return load_bundle(directory, threads=1)


@pytest.fixture(scope="module")
def critic(bundle: Bundle) -> Critic:
    return Critic(bundle)


def plain(*colour: int, size: tuple[int, int] = (60, 80)) -> NDArray[np.uint8]:
    return np.full((*size, 3), colour, np.uint8)


def test_it_says_who_judges(critic: Critic) -> None:
    assert (critic.name, critic.notice) == ("tiny-colours", NOTICE)


def test_the_right_text_is_nearer(critic: Critic) -> None:
    red = critic.look(plain(220, 10, 10))
    assert critic.text_image("the red car", red).score > critic.text_image("blue", red).score


def test_a_picture_is_as_near_as_can_be_to_itself(critic: Critic) -> None:
    red, blue = critic.look(plain(220, 10, 10)), critic.look(plain(10, 10, 220))
    assert critic.image_image(red, red) == pytest.approx(1.0, abs=1e-6)
    assert critic.image_image(red, red) <= 1.0
    assert critic.image_image(red, blue) == critic.image_image(blue, red) < 0.9


def test_no_text_says_nothing(critic: Critic) -> None:
    assert critic.text_image("  ", critic.look(plain(1, 2, 3))).score == 0.0


def test_a_long_text_is_read_to_its_end(critic: Critic, bundle: Bundle) -> None:
    """An encoder that cut it would see nothing of the last sentence."""
    beginning = "A red car is in the house. " * 14
    assert bundle.token_count(beginning) > bundle.token_budget
    sight = critic.look(plain(10, 10, 220))
    ends = [beginning + "A blue sign.", beginning + "A yellow sign."]
    cut = [float(bundle.encode_text(text) @ sight.whole) for text in ends]
    assert cut[0] == cut[1]
    read = [critic.text_image(text, sight) for text in ends]
    assert read[0].score > read[1].score
    for score in read:
        assert len(score.chunks) > 1
        assert all(bundle.token_count(chunk) <= bundle.token_budget for chunk, _ in score.chunks)
        mean = sum(cosine for _, cosine in score.chunks) / len(score.chunks)
        assert score.score == pytest.approx(mean, abs=1e-6)
    assert " ".join(chunk for chunk, _ in read[0].chunks).split() == ends[0].split()


def test_a_wide_picture_is_seen_to_its_ends(bundle: Bundle) -> None:
    wide = plain(128, 128, 128, size=(60, 240))
    marked = plain(128, 128, 128, size=(60, 240))
    marked[:, :60] = (220, 10, 10)
    cover, centre = Critic(bundle), Critic(bundle, "centre")
    assert cover.image_image(cover.look(wide), cover.look(marked)) < 0.99
    assert centre.image_image(centre.look(wide), centre.look(marked)) == pytest.approx(1.0)


def test_the_centre_is_what_clip_keeps(bundle: Bundle) -> None:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (301, 500, 3), np.uint8)
    width = int(224 * 500 / 301)
    left = (width - 224) // 2
    resized = Image.fromarray(pixels).resize((width, 224), Image.Resampling.BICUBIC)
    square = np.asarray(resized)[:, left : left + 224]
    expected = bundle.encode_tiles(square[None])[0]
    assert Critic(bundle, "centre").look(pixels).whole == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (3, 4000), (4000, 3), (224, 224), (225, 224)])
def test_any_size_is_seen(critic: Critic, size: tuple[int, int]) -> None:
    sight = critic.look(plain(220, 10, 10, size=size), parts=12)
    assert np.linalg.norm(sight.whole) == pytest.approx(1.0, abs=1e-5)
    assert len(sight.parts) == len(sight.boxes) > 0
    assert sight.boxes.min() >= 0.0
    assert (sight.boxes[:, :2] + sight.boxes[:, 2:]).max() <= 1.0 + 1.0 / min(size)


def test_parts_say_where_things_are(critic: Critic) -> None:
    pixels = plain(128, 128, 128, size=(300, 400))
    pixels[200:300, 300:400] = (220, 10, 10)
    sight = critic.look(pixels, parts=40)
    best = int(np.argmax(sight.parts @ critic.embed(["red"])[0]))
    left, top, width, height = sight.boxes[best]
    assert left + width > 0.85
    assert top + height > 0.85
