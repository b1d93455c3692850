"""What writing and checking costs in memory, and that a frame's pixels exist once."""

from __future__ import annotations

import struct
import subprocess
import sys
from mmap import mmap
from pathlib import Path
from typing import cast

import imagecodecs
import numpy as np
import pytest
from pydicom.filewriter import dcmwrite
from tests.integration.made import COLUMNS, ROOT, ROWS, header, items, picture, write

from cinescrub.dicom.source import open_source
from cinescrub.dicom.writer import OutputFile
from cinescrub.pipeline.apply import write_pixels
from cinescrub.pipeline.verify import compare_frames
from cinescrub.pixels import jpeg_core, jpeg_markers, native, rle
from cinescrub.pixels.decode import decode_stored
from cinescrub.stream import CancelToken
from cinescrub.types import MaskPlan

_MIB = 2**20
_SCRIPT = """
import sys
from pathlib import Path

from tests.integration.made import redacted


def status(key):
    (line,) = (l for l in open("/proc/self/status") if l.startswith(key))
    return int(line.split()[1]) * 1024


small, large, out = map(Path, sys.argv[1:4])
redacted(small, out / "small.dcm", (0, 0, 90, 20))  # what is loaded once is not counted
before = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
redacted(large, out / "large.dcm", (0, 0, 90, 20))
print(status("VmHWM") - before, status("VmHWM"))
"""


def extra_peak_bytes(small: Path, large: Path, out: Path) -> int:
    """Write and check a small and a large file in a process; return the large one's extra peak."""
    return _measured(small, large, out)[0]


def peak_bytes(path: Path, out: Path) -> int:
    """Write and check a file in a process of its own; return the peak of its memory."""
    return _measured(path, path, out)[1]


def _measured(small: Path, large: Path, out: Path) -> tuple[int, int]:
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(small), str(large), str(out)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    extra, peak = map(int, run.stdout.split())
    return extra, peak


def sparse_native(path: Path, frames: int) -> Path:
    """Write a native RGB cine of 640 x 480 whose pixels are a hole in the file."""
    size = frames * 480 * 640 * 3
    dataset = header(
        ROOT + ".1",
        frames,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        Rows=480,
        Columns=640,
    )
    dcmwrite(path, dataset, enforce_file_format=True)
    with path.open("ab") as file:
        file.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, size))
        file.truncate(file.tell() + size)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_native_cine_of_two_gigabytes_takes_less_than_64_mib(tmp_path: Path) -> None:
    small = sparse_native(tmp_path / "small.dcm", 2)
    large = sparse_native(tmp_path / "large.dcm", 2331)
    assert large.stat().st_size > 1 << 31

    assert extra_peak_bytes(small, large, tmp_path) < 64 * _MIB


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("coding", ["jpeg", "rle"])
def test_a_cine_of_3000_frames_peaks_near_one_of_30(tmp_path: Path, coding: str) -> None:
    image = picture(colour=True)
    frame = bytes(imagecodecs.jpeg8_encode(image, 85, subsampling="422"))
    suffix, photometric = ".4.50", "YBR_FULL_422"
    if coding == "rle":
        frame, suffix, photometric = rle.encode(image), ".5", "RGB"
    short, long = (
        write(
            tmp_path / f"{frames}.dcm",
            ROOT + suffix,
            [frame] * frames,
            SamplesPerPixel=3,
            PlanarConfiguration=0,
            PhotometricInterpretation=photometric,
        )
        for frames in (30, 3000)
    )

    # A tenth of what the interpreter and its libraries take. Pages of the maps, up to 8 MiB, count:
    # 30 frames of RLE are too few for them.
    allowed = 1.1 if coding == "jpeg" else 1.2
    assert peak_bytes(long, tmp_path) < allowed * peak_bytes(short, tmp_path)


def test_a_native_frame_is_the_map_itself_all_along_the_path(tmp_path: Path) -> None:
    image = picture()
    path = write(tmp_path / "in.dcm", ROOT + ".1", [image.tobytes(), image.tobytes()])
    with open_source(path) as source, OutputFile(tmp_path / "out.dcm") as output:
        mapped = np.frombuffer(source.frame(1), np.uint8)
        assert np.shares_memory(decode_stored(source.frame(1), source.info), mapped)
        del mapped

        output.write_header(source.file_meta, source.header)
        pixels = output.copy_native(source)
        frame = pixels[source.info.frame_bytes :]
        view = native.samples(frame, source.info)
        assert view.shape == (ROWS, COLUMNS)
        assert np.shares_memory(view, np.frombuffer(pixels, np.uint8))
        native.fill(frame, source.info, np.array([[0, 0, COLUMNS, 8]], np.int32))

        assert not view[:8].any()
        assert np.array_equal(view[8:], image[8:])
        del view, frame, pixels
        output.commit()

    assert path.read_bytes().endswith(image.tobytes())  # the input is another file
    assert (tmp_path / "out.dcm").read_bytes()[-ROWS * COLUMNS :][: 8 * COLUMNS].count(0) == (
        8 * COLUMNS
    )


@pytest.mark.parametrize(("planar", "suffix"), [(0, ".1"), (1, ".1"), (0, ".2")])
def test_samples_of_every_native_layout_are_views(planar: int, suffix: str, tmp_path: Path) -> None:
    image = picture(colour=True)
    stored = image.transpose(2, 0, 1) if planar else image
    path = write(
        tmp_path / "in.dcm",
        ROOT + suffix,
        [np.ascontiguousarray(stored).tobytes()],
        SamplesPerPixel=3,
        PlanarConfiguration=planar,
        PhotometricInterpretation="RGB",
    )

    with open_source(path) as source:
        frame = source.frame(0)
        view = decode_stored(frame, source.info)

        assert np.array_equal(view, image)
        assert np.shares_memory(view, np.frombuffer(frame, np.uint8))
        del view, frame


def test_a_compressed_frame_of_one_fragment_is_a_view_of_the_map(tmp_path: Path) -> None:
    frames = [bytes(imagecodecs.jpeg8_encode(picture(k), 85)) for k in range(2)]
    path = write(tmp_path / "in.dcm", ROOT + ".4.50", frames)

    with open_source(path) as source:
        first, second = (np.frombuffer(source.frame(k), np.uint8) for k in range(2))
        whole = np.frombuffer(cast("mmap", source.frame(0).obj), np.uint8)

        assert np.shares_memory(first, whole)
        assert np.shares_memory(second, whole)
        del first, second, whole


@pytest.mark.parametrize("table", [True, False], ids=["offset table", "no table"])
def test_a_frame_that_is_copied_is_parsed_once(
    tmp_path: Path, table: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by its fragment, searched for text behind its scan, written, compared as bytes."""
    frames = [bytes(imagecodecs.jpeg8_encode(picture(k), 85)) for k in range(4)]
    even = [frame + bytes(len(frame) % 2) for frame in frames]
    starts = np.cumsum([0, *(8 + len(frame) for frame in even[:-1])])
    offsets = starts.astype("<u4").tobytes() if table else b""
    path = write(
        tmp_path / "in.dcm", ROOT + ".4.50", items(*even, table=offsets), frames=len(frames)
    )
    with open_source(path) as source:
        plan = MaskPlan(
            4, ROWS, COLUMNS, np.array([[0, 0, 16, 8]], np.int32), np.array([[0, 1]], np.int32)
        )
        scans: list[bytes] = []

        def scan_end(data: memoryview, start: int) -> int:
            scans.append(bytes(data))
            return jpeg_core.scan_end(data, start)

        monkeypatch.setattr(jpeg_markers, "scan_end", scan_end)
        token = CancelToken()
        with OutputFile(tmp_path / "out.dcm") as output:
            output.write_header(source.file_meta, source.header)
            write_pixels(output, source, plan, token=token, tell=lambda _: None, workers=1)
            output.finish()
            with open_source(output.path) as written:
                compare_frames(source, written, plan, token)
            output.commit()

    assert [scans.count(frame) for frame in even[1:]] == [1, 1, 1]
