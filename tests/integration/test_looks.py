"""Which pictures of a cine, and of what was written of it, go before which eyes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.integration.conftest import make_engine

from cinescrub import EngineConfig
from cinescrub.config import InspectMode
from cinescrub.text.inspect import CineInspection
from cinescrub.text.looks import Look
from cinescrub.types import Boxes, Frame

_CONFIG = EngineConfig(ink_rule=False)
_WHOLE = "whole"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, Any]]:
    """Return what is looked at: how, in which frame, and the parts, or that it was the whole."""
    told: list[tuple[str, int, Any]] = []
    see, parts = CineInspection.see, CineInspection.see_parts
    check, check_parts = CineInspection.check, CineInspection.check_parts

    def on_see(self: CineInspection, frames: Frame, numbers: Any, look: Look = Look.PLAIN) -> None:
        told.extend((look.name, number, _WHOLE) for number in numbers)
        see(self, frames, numbers, look)

    def on_parts(self: CineInspection, frame: Frame, number: int, new: Boxes, look: Look) -> None:
        told.extend((look.name, number, part) for part in new.tolist())
        parts(self, frame, number, new, look)

    def on_check(self: CineInspection, frames: Frame, numbers: Any) -> None:
        told.extend(("CHECK", number, _WHOLE) for number in numbers)
        check(self, frames, numbers)

    def on_check_parts(
        self: CineInspection, frame: Frame, number: int, new: Boxes, look: Look
    ) -> None:
        told.extend((look.name, number, part) for part in new.tolist())
        check_parts(self, frame, number, new, look)

    monkeypatch.setattr(CineInspection, "see", on_see)
    monkeypatch.setattr(CineInspection, "see_parts", on_parts)
    monkeypatch.setattr(CineInspection, "check", on_check)
    monkeypatch.setattr(CineInspection, "check_parts", on_check_parts)
    return told


def _cine(frames: int) -> npt.NDArray[np.uint8]:
    """Return a moving picture below a banner."""
    rng = np.random.default_rng(7)
    cine = np.zeros((frames, 240, 320), np.uint8)
    for frame in cine:
        noise = cv2.GaussianBlur(rng.normal(0, 1, (144, 192)).astype(np.float32), (0, 0), 1.6)
        frame[64:208, 96:288] = np.clip(60 + 120 * noise, 0, 200)
        _write(frame, "GAIN", 20)
    return cine


def _write(frame: npt.NDArray[np.uint8], text: str, y: int, *, level: int = 230) -> None:
    cv2.putText(frame, text, (8, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (level,), 1)


def test_below_a_steady_banner_the_average_is_looked_at_in_detail_and_one_frame_checked(
    looks: list[tuple[str, int, Any]],
) -> None:
    with make_engine(_CONFIG) as engine:
        engine.redact(_cine(40))

    average = -1
    assert looks == [
        ("DETAIL", average, _WHOLE),
        ("PLAIN", 0, _WHOLE),
        ("PLAIN", 39, _WHOLE),
        ("CHECK", 19, _WHOLE),
    ]


def test_a_banner_that_only_the_first_frames_show_is_looked_at_in_detail_and_checked(
    looks: list[tuple[str, int, Any]],
) -> None:
    frames = _cine(40)
    for frame in frames[:10]:
        _write(frame, "DOE", 230, level=120)  # as dim as not to be found and filled

    with make_engine(_CONFIG) as engine:
        engine.redact(frames)

    for how in ("DETAIL", "CHECK_PART"):
        (part,) = [part for look, number, part in looks if (look, number) == (how, 0)]
        assert part == [0, 160, 96, 240]


def test_a_still_is_looked_at_in_detail_and_checked(looks: list[tuple[str, int, Any]]) -> None:
    with make_engine(_CONFIG) as engine:
        engine.redact(_cine(1))

    assert looks == [("DETAIL", 0, _WHOLE), ("PLAIN", 0, _WHOLE), ("CHECK", 0, _WHOLE)]


def test_with_every_frame_the_frames_that_are_checked_are_so_whole(
    looks: list[tuple[str, int, Any]],
) -> None:
    with make_engine(replace(_CONFIG, inspect=InspectMode.EVERY_FRAME)) as engine:
        engine.redact(_cine(12))

    checked = [part for how, _, part in looks if how == "CHECK"]
    assert len(checked) >= 3
    assert set(checked) == {_WHOLE}
    assert ("DETAIL", 0, _WHOLE) in looks
