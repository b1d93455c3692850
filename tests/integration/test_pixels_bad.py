"""Odd and hostile pixel data from file to file: written whole, or refused with nothing left."""

from __future__ import annotations

import struct
import sys
import time
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import pytest
from pydicom.filewriter import dcmwrite
from tests.integration.made import COLUMNS, ROOT, ROWS, header, items, picture, redacted, write

from cinescrub.dicom.source import open_source
from cinescrub.errors import CinescrubError, InputError
from cinescrub.pixels.decode import decode_stored
from cinescrub.report import Status

if TYPE_CHECKING:
    from tests.integration.conftest import Run

JPEG = ROOT + ".4.50"
FRAMES = [bytes(imagecodecs.jpeg8_encode(picture(k), 85)) for k in range(3)]
BOX = (16, 16, 64, 32)


def even(frame: bytes) -> bytes:
    return frame + bytes(len(frame) % 2)


def halves(frame: bytes) -> list[bytes]:
    return [frame[:400], even(frame[400:])]


def table(*fragments: list[bytes]) -> bytes:
    """Return a Basic Offset Table of frames, each given as its fragments."""
    offsets, at = [], 0
    for parts in fragments:
        offsets.append(at)
        at += sum(8 + len(part) for part in parts)
    return struct.pack(f"<{len(offsets)}L", *offsets)


SPLIT = [halves(frame) for frame in FRAMES]
OPEN = [halves(frame[:-2]) for frame in FRAMES]
LAYOUTS = {
    "one-fragment-a-frame": items(*map(even, FRAMES)),
    "several-without-a-table": items(*chain(*SPLIT)),
    "several-with-a-table": items(*chain(*SPLIT), table=table(*SPLIT)),
    "wrong-table": items(*map(even, FRAMES), table=struct.pack("<3L", 0, 4, 8)),
    "table-of-another-length": items(*map(even, FRAMES), table=struct.pack("<2L", 0, 4)),
    "empty-fragments": items(b"", *chain(*([even(f), b""] for f in FRAMES))),
    "fragments-of-zeros": items(*chain(*([even(f), bytes(6)] for f in FRAMES))),
    "no-end-marker": items(*(even(f[:-2]) for f in FRAMES)),
    "no-end-marker-several": items(*chain(*OPEN)),
    "no-end-marker-several-with-a-table": items(*chain(*OPEN), table=table(*OPEN)),
    "no-delimiter": items(*map(even, FRAMES))[:-8],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_frames_are_found_in_every_layout_of_fragments(tmp_path: Path, layout: str) -> None:
    path = write(tmp_path / "in.dcm", JPEG, LAYOUTS[layout], frames=3)

    output = redacted(path, tmp_path / "out.dcm", BOX)

    with open_source(output) as written:
        assert written.notes == ()
        for k, frame in enumerate(FRAMES):
            was = decode_stored(frame, written.info)
            now = decode_stored(bytes(written.frame(k)), written.info)
            assert not now[16:32, 16:64].any()
            was.setflags(write=True)
            was[16:32, 16:64] = now[16:32, 16:64]
            assert np.array_equal(now, was)


def test_a_source_with_an_extended_table_gives_an_output_with_one(tmp_path: Path) -> None:
    offsets = table(*([even(f)] for f in FRAMES))
    values = struct.unpack("<3L", offsets)
    lengths = [len(even(f)) for f in FRAMES]
    plain = write(tmp_path / "plain.dcm", JPEG, items(*map(even, FRAMES)), frames=3)
    raw = plain.read_bytes()
    at = raw.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OB"))
    tables = b"".join(
        struct.pack("<HH2sHL3Q", 0x7FE0, element, b"OV", 0, 24, *numbers)
        for element, numbers in ((1, values), (2, lengths))
    )
    path = tmp_path / "in.dcm"
    path.write_bytes(raw[:at] + tables + raw[at:])

    output = redacted(path, tmp_path / "out.dcm", BOX)

    with open_source(path) as source, open_source(output) as written:
        assert source.extended_offsets
        assert written.extended_offsets
        assert written.notes == ()


@pytest.mark.skipif(sys.platform != "linux", reason="needs sparse files")
def test_a_file_over_four_gigabytes_is_read_and_its_padding_left_out(tmp_path: Path) -> None:
    path = tmp_path / "in.dcm"
    write(path, JPEG, items()[:8], frames=3)  # no fragments yet
    hole = 3 << 29  # 1.5 GiB of zeros behind each stream: a hole in the file
    with path.open("r+b") as file:
        file.seek(0, 2)
        for frame in FRAMES:
            file.write(struct.pack("<HHL", 0xFFFE, 0xE000, len(even(frame)) + hole) + even(frame))
            file.seek(hole, 1)
        file.write(struct.pack("<HHL", 0xFFFE, 0xE0DD, 0))
    assert path.stat().st_size > 1 << 32

    output = redacted(path, tmp_path / "out.dcm", BOX)

    assert output.stat().st_size < 1 << 16
    with open_source(output) as written:
        assert written.info.frames == 3
        assert written.extended_offsets


@pytest.mark.parametrize("suffix", ["", ".1", ".2"])
def test_uncompressed_pixels_over_four_gigabytes_are_refused_by_name(
    tmp_path: Path, suffix: str
) -> None:
    path = write(
        tmp_path / "in.dcm", ROOT + suffix, bytes(100), frames=5000, Rows=1000, Columns=1000
    )

    with pytest.raises(InputError, match=r"over 4 GiB"):
        open_source(path)


BOMBS = {
    "native": (".1", bytes(100)),
    "deflated": (".1.99", bytes(100)),
    "jpeg": (".4.50", items(FRAMES[0][:80])),
    "jpeg-lossless": (".4.70", items(b"\xff\xd8\xff\xc3" + bytes(60))),
    "jpeg-ls": (
        ".4.80",
        items(b"\xff\xd8\xff\xf7\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00" + bytes(51)),
    ),
    "j2k": (
        ".4.90",
        items(
            bytes.fromhex("ff4fff5100290000 0000ffff0000ffff 0000000000000000 0000ffff0000ffff")
            + bytes.fromhex("0000000000000000 0001070101 ff52000c000000010001040404 0001")
        ),
    ),
    "rle": (".5", items(struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 8)),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_few_bytes_that_declare_gigabytes_are_refused_at_once(
    tmp_path: Path, run_engine: Run, kind: str
) -> None:
    suffix, pixels = BOMBS[kind]
    path = tmp_path / "in.dcm"
    if suffix == ".1.99":  # written by hand: `write` doesn't deflate
        import zlib

        dataset = header(ROOT + suffix, 1, Rows=65535, Columns=65535)
        dcmwrite(path, dataset, enforce_file_format=True)
        raw = path.read_bytes()
        at = 144 + struct.unpack_from("<L", raw, 140)[0]
        body = zlib.decompress(raw[at:], -15)
        body += struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 65535 * 65535 + 1) + pixels
        deflater = zlib.compressobj(wbits=-15)
        path.write_bytes(raw[:at] + deflater.compress(body) + deflater.flush())
    else:
        write(path, ROOT + suffix, pixels, Rows=65535, Columns=65535, frames=1)
    started = time.process_time()

    report = run_engine(path)

    assert report.status is Status.QUARANTINED
    assert report.output is None
    assert time.process_time() - started < 2
    assert not list((tmp_path / "out").rglob("*.dcm"))


@pytest.mark.parametrize("frames", [50_000, 2**31 - 1])
def test_frames_that_are_declared_but_not_there_are_refused(
    tmp_path: Path, run_engine: Run, frames: int
) -> None:
    for suffix, pixels in ((".1", bytes(ROWS * COLUMNS)), (".4.50", items(even(FRAMES[0])))):
        path = write(tmp_path / "in.dcm", ROOT + suffix, pixels, frames=frames)

        report = run_engine(path)

        assert report.status is Status.QUARANTINED
        assert report.output is None


@pytest.mark.real
def test_no_malformed_real_file_has_a_half_written_output(
    real_dir: Path, tmp_path: Path, run_engine: Run
) -> None:
    reports = [run_engine(path) for path in sorted((real_dir / "malformed").iterdir())]

    written = {report.output for report in reports if report.status is Status.OK}
    assert {path for path in (tmp_path / "out").rglob("*") if path.is_file()} == written
    for report in reports:
        assert (report.output is None) == (report.status is not Status.OK)
        assert report.exit_code != CinescrubError.exit_code, report.reason
    assert sum(report.output is None for report in reports) > len(reports) // 2
