"""A moving ultrasound picture without text: speckle, layers, a beating chamber, attenuation.

Frames come one by one from a seed; nothing but the last noise field is kept between them.
Nothing here knows of text, layouts or DICOM.

The model: per beam and depth a circular complex Gaussian field, smoothed by the pulse's point
spread, has a Rayleigh magnitude (Burckhardt 1978, IEEE Trans. Sonics Ultrason. 25:1); it is
multiplied by tissue reflectivity and attenuation with depth, log-compressed and scan-converted.
Between frames the field is a first-order autoregression, so that speckle decorrelates with motion.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.errors import ConfigError

__all__ = ["Gray", "Probe", "Scene", "insonified", "scene_frames"]

Gray: TypeAlias = npt.NDArray[np.uint8]
"""(h, w) uint8 luma."""

_Field: TypeAlias = npt.NDArray[np.float32]

_BEAMS: Final = 128
"""Beams a frame: the order of a diagnostic probe's; detail beyond it isn't in real frames."""
_POINT_SPREAD: Final = (0.9, 2.0)
"""Gaussian sigma along and across the beam, in samples: axial resolution is finer than lateral."""
_MEAN_RAYLEIGH: Final = math.sqrt(math.pi / 2)


class Probe(StrEnum):
    """The shape of the insonified part."""

    PHASED = "phased"
    """A fan from a point: cardiac."""
    CONVEX = "convex"
    """A fan from an arc: abdominal, obstetric."""
    LINEAR = "linear"
    """A rectangle: vascular, small parts."""
    DUAL = "dual"
    """Two fans from arcs, side by side."""
    STACKED = "stacked"
    """Two fans from arcs, one over the other."""
    QUAD = "quad"
    """Two over two fans."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the picture shows. One scene and seed give the same frames, always."""

    rows: int
    columns: int
    """Size of the insonified rectangle, pixels."""
    probe: Probe = Probe.PHASED
    seed: int = 0
    beat_frames: float = 24.0
    """Frames from one beat to the next."""
    decorrelation: float = 0.35
    """Share of the field's variance that is new in each frame, 0 (frozen) to 1."""
    gain: float = 1.0
    """Brightness before compression, 0.3 to 2."""
    dynamic_range_db: float = 55.0
    """Decibel below full white that come out black."""

    def __post_init__(self) -> None:
        if self.rows < 16 or self.columns < 16:
            raise ConfigError("an insonified part of less than 16 x 16 pixels can't be drawn")
        if not 0.0 <= self.decorrelation <= 1.0:
            raise ConfigError("decorrelation is a share from 0 to 1")


@dataclass(frozen=True, slots=True)
class _Lens:
    """Where each pixel of the picture samples the field of beams and depths."""

    beam: _Field
    depth: _Field
    inside: npt.NDArray[np.bool_]


def insonified(scene: Scene) -> npt.NDArray[np.bool_]:
    """Tell which pixels of the rectangle lie in the sector.

    Returns
    -------
    (rows, columns) bool array
        Owned by the caller.
    """
    return _lens(scene, _depth_samples(scene)).inside


def scene_frames(scene: Scene) -> Iterator[Gray]:
    """Yield the picture, frame by frame, without end.

    Yields
    ------
    (rows, columns) uint8 array
        Owned by the caller; 0 outside of the sector.
    """
    samples = _depth_samples(scene)
    lens = _lens(scene, samples)
    rng = np.random.default_rng([scene.seed, 1])
    tissue = _Tissue(np.random.default_rng([scene.seed, 2]), samples)
    real, imaginary = _fresh(rng, samples), _fresh(rng, samples)
    keep = np.float32(math.sqrt(1.0 - scene.decorrelation))
    renew = np.float32(math.sqrt(scene.decorrelation))
    for index in count():
        if index and scene.decorrelation:
            real = keep * real + renew * _fresh(rng, samples)
            imaginary = keep * imaginary + renew * _fresh(rng, samples)
        phase = 2.0 * math.pi * index / scene.beat_frames if scene.decorrelation else 0.0
        envelope = cv2.magnitude(real, imaginary) * np.float32(1.0 / _MEAN_RAYLEIGH)
        compressed = _compress(envelope * tissue.reflectivity(phase), scene)
        picture = cv2.remap(compressed, lens.beam, lens.depth, cv2.INTER_LINEAR)
        yield np.where(lens.inside, picture, 0).astype(np.uint8)


def _depth_samples(scene: Scene) -> int:
    return int(np.clip(scene.rows, 64, 512))


def _fresh(rng: np.random.Generator, samples: int) -> _Field:
    """Draw a smooth Gaussian field of unit variance, (samples, beams)."""
    along, across = _POINT_SPREAD
    noise = rng.standard_normal((samples, _BEAMS), np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigmaX=across, sigmaY=along)
    # A Gaussian of sigma s leaves 1 / (2 s sqrt(pi)) of white noise's variance on each axis.
    variance = 1.0 / (4.0 * math.pi * along * across)
    return np.asarray(smooth * np.float32(1.0 / math.sqrt(variance)), np.float32)


def _compress(linear: _Field, scene: Scene) -> _Field:
    decibel = 20.0 * np.log10(np.maximum(linear * np.float32(scene.gain), np.float32(1e-6)))
    gray = (decibel / np.float32(scene.dynamic_range_db) + np.float32(1.0)) * np.float32(235.0)
    return np.asarray(np.clip(gray, 0.0, 235.0), np.float32)


class _Tissue:
    """Reflectivity of layers, a wall and an anechoic chamber that beats; a function of phase."""

    def __init__(self, rng: np.random.Generator, samples: int) -> None:
        self._depth = np.linspace(0.0, 1.0, samples, dtype=np.float32)[:, None]
        self._beam = np.linspace(-1.0, 1.0, _BEAMS, dtype=np.float32)[None, :]
        self._layers = [
            (rng.uniform(9, 34), rng.uniform(0.5, 3.0), rng.uniform(0, 6.28), rng.uniform(0.1, 0.3))
            for _ in range(4)
        ]
        self._chambers = [
            (
                rng.uniform(-0.45, 0.45),
                rng.uniform(0.3, 0.75),
                rng.uniform(0.1, 0.2),
                int(rng.integers(2, 5)),
                rng.uniform(0, 6.28),
            )
            for _ in range(int(rng.integers(1, 4)))
        ]
        rough = rng.standard_normal((7, 9)).astype(np.float32)
        spread = cv2.resize(rough, (_BEAMS, samples), interpolation=cv2.INTER_CUBIC)
        self._patches = np.exp(np.float32(0.7) * spread)
        self._attenuation = np.exp(np.float32(-rng.uniform(1.2, 2.6)) * self._depth)
        skin = np.exp(-self._depth * 40.0) + 0.6 * np.exp(-(((self._depth - 0.05) / 0.008) ** 2))
        self._skin = np.asarray(skin, np.float32)

    def reflectivity(self, phase: float) -> _Field:
        """Return the (samples, beams) float32 reflectivity at `phase` of the beat, radians."""
        bands = np.zeros((1, 1), np.float32)
        for frequency, bend, offset, weight in self._layers:
            ripple = bend * np.sin(2.0 * self._beam + np.float32(offset + 0.3 * math.sin(phase)))
            bands = bands + np.float32(weight) * np.sin(
                np.float32(frequency) * self._depth + ripple
            )
        tissue = np.float32(0.07) * np.exp(2.2 * bands) * self._patches
        distance = self._distance_to_chambers(phase)
        tissue = tissue * (
            np.float32(0.015) + np.float32(0.985) / (1 + np.exp(-18 * (distance - 1)))
        )
        tissue = tissue + np.float32(0.30) * self._patches * np.exp(
            -(((distance - 1.06) / 0.06) ** 2)
        )
        return np.asarray(tissue * self._attenuation + np.float32(0.4) * self._skin, np.float32)

    def _distance_to_chambers(self, phase: float) -> _Field:
        """Return how far each sample is from the nearest chamber, 1 at its wall."""
        nearest = np.full((len(self._depth), _BEAMS), np.float32(9.0))
        for beam, depth, radius, lobes, offset in self._chambers:
            size = radius * (1.0 + 0.18 * math.sin(phase))
            across = (self._beam - np.float32(beam)) / np.float32(1.5 * size)
            along = (self._depth - np.float32(depth)) / np.float32(size)
            angle = np.arctan2(along, across)
            wobble = 1.0 + 0.16 * np.sin(lobes * angle + np.float32(offset + 0.4 * math.sin(phase)))
            nearest = np.minimum(nearest, np.sqrt(across**2 + along**2) / wobble)
        return np.asarray(nearest, np.float32)


def _lens(scene: Scene, samples: int) -> _Lens:
    if scene.probe is Probe.DUAL:
        return _pair(scene.rows, scene.columns, samples)
    if scene.probe is Probe.STACKED:
        half = scene.rows // 2
        lower = _mirrored(_single_lens(scene.rows - half, scene.columns, Probe.CONVEX, samples))
        return _stacked(_single_lens(half, scene.columns, Probe.CONVEX, samples), lower)
    if scene.probe is Probe.QUAD:
        half = scene.rows // 2
        lower = _pair(scene.rows - half, scene.columns, samples)
        return _stacked(_pair(half, scene.columns, samples), lower)
    return _single_lens(scene.rows, scene.columns, scene.probe, samples)


def _pair(rows: int, columns: int, samples: int) -> _Lens:
    half = columns // 2
    left = _single_lens(rows, half, Probe.CONVEX, samples)
    right = _mirrored(_single_lens(rows, columns - half, Probe.CONVEX, samples))
    return _Lens(
        beam=np.hstack([left.beam, right.beam]),
        depth=np.hstack([left.depth, right.depth]),
        inside=np.hstack([left.inside, right.inside]),
    )


def _stacked(upper: _Lens, lower: _Lens) -> _Lens:
    return _Lens(
        beam=np.vstack([upper.beam, lower.beam]),
        depth=np.vstack([upper.depth, lower.depth]),
        inside=np.vstack([upper.inside, lower.inside]),
    )


def _mirrored(lens: _Lens) -> _Lens:
    """Look at the field in reverse and less deep, so that two pictures of it differ."""
    beam = np.asarray(np.float32(_BEAMS - 1) - np.float32(0.7) * lens.beam, np.float32)
    return _Lens(beam, np.asarray(np.float32(0.9) * lens.depth, np.float32), lens.inside)


def _single_lens(rows: int, columns: int, probe: Probe, samples: int) -> _Lens:
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    y = y / np.float32(rows)
    x = (x - np.float32((columns - 1) / 2)) / np.float32(rows)
    if probe is Probe.LINEAR:
        half = columns / (2 * rows)
        lateral, depth = x / np.float32(half), y
    else:
        # Opening half-angle and the arc's radius, as shares of the depth shown.
        angle = min(math.radians(44), math.asin(min(1.0, columns / (2 * rows))))
        arc = 0.0 if probe is Probe.PHASED else 0.35
        radius = np.hypot(x, y * np.float32(1 + arc * (1 - math.cos(angle))) + np.float32(arc))
        lateral = np.arctan2(x, y + np.float32(arc)) / np.float32(angle)
        depth = radius - np.float32(arc)
    inside = (np.abs(lateral) <= 1) & (depth >= 0) & (depth <= 1)
    return _Lens(
        beam=np.asarray((lateral + 1) * np.float32((_BEAMS - 1) / 2), np.float32),
        depth=np.asarray(depth * np.float32(samples - 1), np.float32),
        inside=inside,
    )
