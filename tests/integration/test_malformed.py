"""Whatever a file holds: it is opened, or refused with one line. Never a crash, never a value."""

from __future__ import annotations

import hashlib
import logging
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinescrub.dicom.source import open_source, probe
from cinescrub.errors import InputError, NotDicomError
from cinescrub.testing.cine import make_cine
from cinescrub.testing.malformed import Expected, malformed_files
from cinescrub.testing.spec import CineSpec, Photometric, Syntax

_SPECS = {
    "native": CineSpec(seed=1, frames=2, rows=96, columns=96),
    "jpeg": CineSpec(
        seed=2,
        frames=2,
        rows=96,
        columns=96,
        syntax=Syntax.JPEG_BASELINE,
        photometric=Photometric.YBR_FULL_422,
    ),
    "deflated": CineSpec(seed=3, frames=2, rows=96, columns=96, syntax=Syntax.DEFLATED),
}


@pytest.fixture(scope="module")
def malformed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Expected]:
    return malformed_files(tmp_path_factory.mktemp("malformed"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    for name, spec in _SPECS.items():
        make_cine(spec, folder / name)
    return {name: (folder / name).read_bytes() for name in _SPECS}


def _read(path: Path) -> str:
    """Open a file and pass over its frames; return what became of it."""
    outcome, message = "opened", ""
    try:
        with open_source(path) as source:
            for frame in source.frames_in_order():
                frame.release()
    except NotDicomError as error:
        outcome, message = "skipped", error.message
    except InputError as error:
        outcome, message = "refused", error.message
    assert "\n" not in message
    assert bool(message) == (outcome != "opened")
    return outcome


def test_made_files_are_opened(whole: dict[str, bytes], tmp_path: Path) -> None:
    for name, raw in whole.items():
        path = tmp_path / name
        path.write_bytes(raw)

        assert _read(path) == "opened"


def test_broken_files_are_skipped_or_refused_and_stay_as_they_are(
    malformed: dict[str, Expected],
) -> None:
    outcomes = {}
    for name, expected in malformed.items():
        before = hashlib.sha256(expected.path.read_bytes()).digest()
        outcomes[name] = (_read(expected.path), expected.status)
        assert hashlib.sha256(expected.path.read_bytes()).digest() == before

    # what only decoding shows is the codecs' to refuse, not the source's
    wrong = {name: pair for name, pair in outcomes.items() if pair[0] not in (pair[1], "opened")}
    assert wrong == {}
    assert sum(pair[0] != "opened" for pair in outcomes.values()) > len(outcomes) // 2


def test_broken_files_say_nothing_on_the_way(
    malformed: dict[str, Expected],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.WARNING):
        warnings.simplefilter("always")
        for expected in malformed.values():
            _read(expected.path)

    assert caught == []
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


_PLACES = st.integers(128, 4096) | st.integers(0, 1 << 20)


@given(
    name=st.sampled_from(sorted(_SPECS)),
    changes=st.lists(st.tuples(_PLACES, st.integers(0, 255)), max_size=4),
    cut=st.none() | _PLACES,
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changed_and_cut_files_are_opened_or_refused(
    whole: dict[str, bytes],
    tmp_path: Path,
    name: str,
    changes: list[tuple[int, int]],
    cut: int | None,
) -> None:
    raw = bytearray(whole[name])
    for at, value in changes:
        raw[at % len(raw)] = value
    path = tmp_path / "changed"
    path.write_bytes(raw if cut is None else raw[: cut % len(raw)])

    assert _read(path) in ("opened", "refused", "skipped")


@given(raw=st.binary(max_size=400))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_told_apart(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "any"
    for start in (b"", bytes(128) + b"DICM", b"\x08\x00\x16\x00"):
        path.write_bytes(start + raw)

        assert _read(path) in ("opened", "refused", "skipped")


@pytest.mark.real
def test_all_real_files_are_opened_or_refused(real_dir: Path) -> None:
    outcomes: dict[str, str] = {}
    for path in sorted(path for path in real_dir.rglob("*") if path.suffix != ".tsv"):
        if path.is_file():
            outcomes[path.relative_to(real_dir).as_posix()] = _read(path)

    us = {name: outcome for name, outcome in outcomes.items() if name.startswith("us/")}
    assert set(us.values()) == {"opened"}
    assert list(outcomes.values()).count("opened") >= 119
    assert outcomes["dicomdir/pydicom__DICOMDIR"] == "skipped"
    for kind in ("sr", "pr", "waveform", "encapsulated"):
        found = {outcome for name, outcome in outcomes.items() if name.startswith(f"{kind}/")}
        assert found == {"refused"}


@pytest.mark.real
def test_probing_agrees_with_opening(real_dir: Path) -> None:
    for path in sorted((real_dir / "malformed").iterdir()):
        skipped = False
        try:
            probe(path)
        except NotDicomError:
            skipped = True
        except InputError:
            pass

        assert skipped == (_read(path) == "skipped")
