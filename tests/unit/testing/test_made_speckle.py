"""The insonified part looks and moves like one."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from cinescrub.errors import ConfigError
from cinescrub.testing.speckle import Probe, Scene, insonified, scene_frames


def _correlation(first: np.ndarray, second: np.ndarray, inside: np.ndarray) -> float:
    return float(np.corrcoef(first[inside], second[inside])[0, 1])


@pytest.mark.parametrize("probe", list(Probe))
def test_nothing_is_drawn_outside_of_the_sector(probe: Probe) -> None:
    scene = Scene(120, 160, probe, seed=4)

    frame = next(scene_frames(scene))

    inside = insonified(scene)
    assert frame.shape == (120, 160)
    assert not frame[~inside].any()
    assert frame[inside].mean() > 20


def test_one_seed_gives_one_picture_and_another_seed_another() -> None:
    first, again, other = (
        list(islice(scene_frames(Scene(96, 96, seed=seed)), 3)) for seed in (1, 1, 2)
    )

    np.testing.assert_array_equal(first, again)
    assert (np.array(first) != np.array(other)).any()


def test_speckle_decorrelates_with_the_distance_between_frames() -> None:
    # A beat as long as this makes the tissue stand still: what changes is the speckle.
    scene = Scene(160, 160, Probe.LINEAR, seed=3, beat_frames=1e6)
    inside = insonified(scene)
    frames = list(islice(scene_frames(scene), 12))

    near = _correlation(frames[0], frames[1], inside)
    far = _correlation(frames[0], frames[11], inside)

    assert near > far + 0.03


def test_a_frozen_scene_stands_still() -> None:
    first, second = islice(scene_frames(Scene(96, 96, decorrelation=0.0)), 2)

    np.testing.assert_array_equal(first, second)


def test_depth_attenuates() -> None:
    scene = Scene(200, 200, Probe.LINEAR, seed=7)

    frame = next(scene_frames(scene)).astype(float)

    assert frame[:40].mean() > frame[-40:].mean()


def test_speckle_of_even_tissue_is_rayleigh() -> None:
    from cinescrub.testing.speckle import _fresh

    rng = np.random.default_rng(5)
    fields = [(_fresh(rng, 256), _fresh(rng, 256)) for _ in range(8)]

    envelope = np.concatenate([np.hypot(a, b).ravel() for a, b in fields])

    # Mean over standard deviation of a Rayleigh distribution: sqrt(pi / (4 - pi)) = 1.913.
    assert envelope.mean() / envelope.std() == pytest.approx(1.913, rel=0.03)


@pytest.mark.parametrize("scene", [(8, 100, 0.3), (100, 100, 1.5)])
def test_impossible_scenes_are_refused(scene: tuple[int, int, float]) -> None:
    with pytest.raises(ConfigError):
        Scene(scene[0], scene[1], decorrelation=scene[2])
