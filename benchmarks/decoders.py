"""Measure the decoders that one installation has, by transfer syntax, in CPU ms a frame.

    python -m benchmarks.decoders --repeats 20 --json decoders.json

One made frame of 640 x 480 in each compressed form of `benchmarks/apply.py`; ours, every plug-in
of pydicom, and further decoders of imagecodecs and OpenCV. Interleaved; medians. `equal` says
whether a decoder gives the samples that ours gives (OpenCV gives B, G, R).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pydicom
from benchmarks.apply import machine
from benchmarks.forms import COLUMNS, FORMS, ROOT, ROWS, Form, write_form
from pydicom.pixels.decoders.base import get_decoder

from cinescrub.dicom.source import open_source
from cinescrub.pixels.decode import decode_stored
from cinescrub.testing import CineSpec, make_cine
from cinescrub.testing.reader import read_frames

_OTHERS: dict[str, dict[str, Callable[[bytes], Any]]] = {
    ".4.50": {
        "OpenCV": lambda f: cv2.imdecode(np.frombuffer(f, np.uint8), cv2.IMREAD_UNCHANGED),
    },
    ".4.57": {"ljpeg": imagecodecs.ljpeg_decode, "jpegsof3": imagecodecs.jpegsof3_decode},
    ".4.70": {"jpegsof3": imagecodecs.jpegsof3_decode},
    ".4.201": {"OpenJPH": imagecodecs.htj2k_decode},
    ".4.203": {"OpenJPH": imagecodecs.htj2k_decode},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="decoders-") as scratch:
        path = Path(scratch) / "in.dcm"
        make_cine(CineSpec(seed=7, frames=1, rows=ROWS, columns=COLUMNS), path)
        drawn = list(read_frames(path))
        for form in FORMS:
            if not form.native:
                write_form(form, drawn, path)
                rows.append(_measure(form, path, options.repeats))
                print(rows[-1], flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    return 0


def _measure(form: Form, path: Path, repeats: int) -> dict[str, Any]:
    dataset = pydicom.dcmread(path)
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    with open_source(path) as source:
        frame, info = bytes(source.frame(0)), source.info
    ways: dict[str, Callable[[], Any]] = {"ours": lambda: decode_stored(frame, info)}
    for plugin in decoder.available_plugins:
        ways[f"pydicom {plugin}"] = partial(
            decoder.as_array, dataset, decoding_plugin=plugin, raw=True
        )
    for name, other in _OTHERS.get(form.suffix, {}).items():
        ways[name] = partial(other, frame)
    ours = decode_stored(frame, info)
    equal: dict[str, bool | str] = {}
    for name, way in list(ways.items()):
        try:
            result = way()
            theirs = result[0] if isinstance(result, tuple) else np.asarray(result)
            equal[name] = theirs.shape == ours.shape and bool((theirs == ours).all())
        except Exception as error:  # whatever a decoder raises is the result
            equal[name] = f"fails: {type(error).__name__}"
            del ways[name]
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.process_time()
            way()
            spent[name].append(time.process_time() - start)
    return {
        "form": form.name,
        "syntax": ROOT + form.suffix,
        "cpu_ms": {name: round(1e3 * statistics.median(s), 2) for name, s in spent.items()},
        "equal": equal,
    }


if __name__ == "__main__":
    sys.exit(main())
