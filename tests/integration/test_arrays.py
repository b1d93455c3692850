"""Arrays and live frames get what a file with the same pixels gets, and fail closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from tests.integration.conftest import ShineDetector, make_engine
from tests.integration.test_pipeline import plain_instance

from cinescrub import Engine, EngineConfig, Identifiers, redact_stream
from cinescrub.config import MaskScope, Policy
from cinescrub.errors import CancelledError, ConfigError, InferenceError, InputError, RedactionError
from cinescrub.pipeline import redactor
from cinescrub.pipeline.arrays import ArrayFrames
from cinescrub.stream import CancelToken
from cinescrub.testing import CineSpec, Dynamic, Photometric, make_cine
from cinescrub.types import Fill, PhiKind

Array = npt.NDArray[np.uint8]
_CONFIG = EngineConfig(ink_rule=False)


def _made(tmp_path: Path, **changes: Any) -> tuple[Path, Array]:
    """Make a cine; return its file and its frames as stored."""
    spec = CineSpec(**({"seed": 5, "frames": 3, "rows": 128, "columns": 160} | changes))
    path = tmp_path / "in.dcm"
    make_cine(spec, path)
    return path, np.ascontiguousarray(pydicom.dcmread(path).pixel_array)


def _mask(rectangles: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(shape[:2], np.bool_)
    for x0, y0, x1, y1 in rectangles:
        mask[y0:y1, x0:x1] = True
    return mask


@pytest.mark.parametrize(
    "changes",
    [
        {"frames": 1},
        {"frames": 3},
        {"frames": 3, "photometric": Photometric.MONOCHROME2},
        {"frames": 40},
        {"frames": 40, "dynamic": Dynamic.FLASH},
    ],
    ids=["still", "colour", "gray", "long", "flash"],
)
def test_an_array_gets_the_pixels_of_the_files_output(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    path, frames = _made(tmp_path, **changes)
    frames = frames.reshape(-1, *frames.shape[-3 if "photometric" not in changes else -2 :])
    with make_engine() as engine:
        report = engine.run(path, tmp_path / "out")
        assert report.output is not None
        expected = pydicom.dcmread(report.output).pixel_array.reshape(frames.shape)

        done = engine.redact(frames, rate=1000 / 33.3)

    assert tuple(map(tuple, done.rectangles.tolist())) == report.rectangles
    assert len(done.rectangles)
    np.testing.assert_array_equal(frames, expected)
    assert done.report.redactions == report.redactions
    assert (done.report.status, done.report.frames) == ("ok", report.frames)


def test_a_place_is_open_in_the_frames_of_an_array_in_which_it_is_open_in_a_file(
    tmp_path: Path,
) -> None:
    path, frames = _made(tmp_path, frames=40, dynamic=Dynamic.BLINK)
    with make_engine(replace(_CONFIG, mask_scope=MaskScope.INTERVAL)) as engine:
        report = engine.run(path, tmp_path / "out")
        assert report.output is not None

        engine.redact(frames)

    np.testing.assert_array_equal(frames, pydicom.dcmread(report.output).pixel_array)


def test_a_mean_is_that_of_the_picture_as_in_a_file(tmp_path: Path) -> None:
    frames = np.random.default_rng(3).integers(20, 90, (4, 64, 160), np.uint8)
    for x, frame in enumerate(frames):
        _with_text(frame, 10 + x)
    path = plain_instance(tmp_path / "in.dcm", frames)
    with make_engine(replace(_CONFIG, fill=Fill.MEAN)) as engine:
        report = engine.run(path, tmp_path / "out")
        assert report.output is not None

        engine.redact(frames)

    np.testing.assert_array_equal(frames, pydicom.dcmread(report.output).pixel_array)
    assert 30 < frames[0, 25, 25] < 80


def test_nothing_outside_of_the_rectangles_changes(tmp_path: Path) -> None:
    _, frames = _made(tmp_path)
    before = frames.copy()

    with make_engine() as engine:
        done = engine.redact(frames)

    mask = _mask(done.rectangles, frames.shape[1:])
    np.testing.assert_array_equal(frames[:, ~mask], before[:, ~mask])
    assert not frames[:, mask].any()


def test_an_array_without_text_stays_as_it_is() -> None:
    frames = np.zeros((2, 64, 64), np.uint8)

    with make_engine() as engine:
        done = engine.redact(frames)

    assert len(done.rectangles) == 0
    assert done.report.fill is None
    assert not frames.any()


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((0, 64, 64), np.uint8),
        np.zeros((2, 64, 64), np.uint16),
        np.zeros((2, 64, 64, 4), np.uint8),
        np.zeros((64,), np.uint8),
        np.zeros((2, 64, 64, 3), np.uint8)[:, :, ::2],
        [np.zeros((64, 64), np.uint8), np.zeros((64, 65), np.uint8)],
        [[[0]]],
    ],
    ids=["none", "uint16", "rgba", "flat", "strided", "two-sizes", "lists"],
)
def test_what_is_no_cine_is_refused(frames: Any) -> None:
    with make_engine() as engine, pytest.raises(InputError):
        engine.redact(frames)


def test_a_read_only_array_is_refused() -> None:
    frames = np.zeros((2, 64, 64), np.uint8)
    frames.flags.writeable = False

    with make_engine() as engine, pytest.raises(InputError, match="writable"):
        engine.redact(frames)


def test_text_that_stays_ends_in_an_error_and_a_filled_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, frames = _made(tmp_path)
    monkeypatch.setattr(redactor, "residual_text", lambda *_: True)

    with make_engine() as engine, pytest.raises(RedactionError, match="still found"):
        engine.redact(frames)

    assert (frames == 0).all(axis=(0, 3)).mean() > 0.1


def test_identifiers_are_those_of_a_header() -> None:
    known = Identifiers(
        names=["Mary Jones"], ids=["4711"], dates=[date(1980, 3, 12), "1980-03-13"], places=["RVH"]
    )

    printed = [(one.kind, one.value) for one in known.printed()]

    assert printed == [
        (PhiKind.PERSON, "Mary Jones"),
        (PhiKind.IDENTIFIER, "4711"),
        (PhiKind.DATE, "19800312"),
        (PhiKind.DATE, "1980-03-13"),
        (PhiKind.INSTITUTION, "RVH"),
    ]
    assert "Jones" not in repr(known)


def test_what_is_known_of_a_patient_is_looked_for(tmp_path: Path) -> None:
    _, frames = _made(tmp_path)
    config = replace(_CONFIG, policy=Policy.PHI_ONLY)

    with make_engine(config) as engine:  # its recogniser reads QQ everywhere
        unknown = engine.redact(frames.copy())
        known = engine.redact(frames.copy(), identifiers=Identifiers(ids=["QQ"]))

    assert unknown.report.redactions == {}
    assert known.report.redactions["identifier"] > 0


def test_one_name_is_a_list_too() -> None:
    with pytest.raises(ConfigError, match="list"):
        Identifiers(names="Mary Jones")
    with pytest.raises(ConfigError, match="texts"):
        Identifiers(names=[None])  # type: ignore[list-item]


def test_a_masked_array_is_refused_as_its_mask_hides_nothing() -> None:
    frames = np.ma.masked_array(np.zeros((1, 96, 128), np.uint8), mask=True)

    with pytest.raises(InputError, match="NumPy arrays"):
        ArrayFrames.of(list(frames), None)


def test_an_array_can_be_cancelled(tmp_path: Path) -> None:
    _, frames = _made(tmp_path)
    token = CancelToken()
    token.cancel(CancelledError("stopped"))

    with make_engine() as engine, pytest.raises(CancelledError):
        engine.redact(frames, token=token)


def _with_text(frame: Array, x: int) -> Array:
    frame[20:30, x : x + 40] = 255
    return frame


def _blank(count: int) -> list[Array]:
    return [np.zeros((64, 160), np.uint8) for _ in range(count)]


def test_a_stream_gives_the_arrays_back_redacted_and_in_order() -> None:
    frames = [_with_text(frame, 10) for frame in _blank(11)]

    with make_engine() as engine:
        out = list(redact_stream(iter(frames), engine=engine, lookahead=4))

    assert [id(frame) for frame in out] == [id(frame) for frame in frames]
    assert not any(frame.any() for frame in frames)


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_a_stream_ends_where_its_frames_end(count: int) -> None:
    with make_engine() as engine:
        out = list(redact_stream(_blank(count), engine=engine, lookahead=4))

    assert len(out) == count


def test_a_frame_waits_for_no_more_than_the_look_ahead() -> None:
    taken = 0

    def camera() -> Iterator[Array]:
        nonlocal taken
        for frame in _blank(40):
            taken += 1
            yield frame

    with make_engine() as engine:
        for shown, _ in enumerate(redact_stream(camera(), engine=engine, lookahead=8)):
            assert taken - shown <= 8


def test_what_the_next_block_shows_is_gone_from_this_one_and_from_all_that_follow() -> None:
    frames = _blank(12)
    frames[5] = _with_text(frames[5], 10)  # in the second block of four
    for frame in frames[:2] + frames[10:]:
        frame[20:30, 20:40] = 100  # no text to the fake detector

    with make_engine() as engine:
        out = list(redact_stream(frames, engine=engine, lookahead=8))

    assert all(not frame.any() for frame in out)


def test_an_error_reaches_the_consumer_and_nothing_uninspected_is_yielded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = [_with_text(frame, 10) for frame in _blank(12)]
    run = ShineDetector.run

    def breaks(self: ShineDetector, inputs: Any) -> npt.NDArray[np.float32]:
        if (inputs["x"][:, 20:30] == 254).any():
            raise InferenceError("craft failed")
        return run(self, inputs)

    monkeypatch.setattr(ShineDetector, "run", breaks)
    frames[6][22, 12] = 254  # in the second block
    with make_engine() as engine:
        stream = redact_stream(frames, engine=engine, lookahead=8)

        with pytest.raises(InferenceError):
            next(stream)


def test_frames_of_two_sizes_are_refused() -> None:
    frames = [*_blank(4), *(np.zeros((64, 64), np.uint8) for _ in range(4))]

    with make_engine() as engine, pytest.raises(InputError, match="one size"):
        list(redact_stream(frames, engine=engine, lookahead=8))


@pytest.mark.parametrize("lookahead", [0, 1, 7, -2, 5000])
def test_a_look_ahead_that_is_none_is_refused_at_once(lookahead: int) -> None:
    with pytest.raises(ConfigError, match="lookahead"):
        redact_stream([], lookahead=lookahead)


def test_a_stream_opens_and_closes_an_engine_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Engine] = []

    def open_fake(_: type[Engine], config: EngineConfig) -> Engine:
        opened.append(make_engine(config))
        return opened[-1]

    monkeypatch.setattr(Engine, "open", classmethod(open_fake))

    list(redact_stream(_blank(2), engine=_CONFIG, lookahead=4))

    with pytest.raises(RuntimeError, match="closed"):
        opened[0].redact(np.zeros((1, 64, 64), np.uint8))


def test_a_header_tells_whom_an_array_is_of_and_comes_back_scrubbed(tmp_path: Path) -> None:
    path, frames = _made(tmp_path)
    header = pydicom.dcmread(path, stop_before_pixels=True)
    told = header.to_json_dict(suppress_invalid_tags=True)

    with make_engine(_CONFIG) as engine:
        by_file = engine.run(path, tmp_path / "out")
        done = engine.redact(frames, header=told)

    assert by_file.output is not None
    written = pydicom.dcmread(by_file.output)
    assert done.report.rectangles == by_file.rectangles
    assert done.header is not None
    again = pydicom.Dataset.from_json(dict(done.header))
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "PatientIdentityRemoved"):
        assert again[name].value == written[name].value, name
    assert str(header.PatientID) not in str(done.header)


def test_without_a_header_none_comes_back() -> None:
    with make_engine(_CONFIG) as engine:
        assert engine.redact(np.zeros((2, 64, 96), np.uint8)).header is None


def test_an_array_of_another_size_than_its_header_tells_is_refused(tmp_path: Path) -> None:
    path, frames = _made(tmp_path)
    told = pydicom.dcmread(path, stop_before_pixels=True).to_json_dict(suppress_invalid_tags=True)
    turned = np.ascontiguousarray(np.swapaxes(frames, 1, 2))

    with make_engine(_CONFIG) as engine, pytest.raises(InputError, match="upright"):
        engine.redact(turned, header=told)
