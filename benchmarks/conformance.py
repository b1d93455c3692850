"""Compare what conformance checkers say of inputs and of their scrubbed outputs.

    python benchmarks/conformance.py FOLDER --json benchmarks/results/conformance.json

Scrubs every file's header (no model is needed), runs `dciodvfy` (dicom3tools) on input and output,
and lists the errors that only the output has. The tool is no dependency: install it to run this.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.headers_only import scrub_headers

from cinescrub.dicom.profile import Profile
from cinescrub.dicom.profiles import load_profile
from cinescrub.errors import CinescrubError

_VALUE = re.compile(r"<[^>]*>|'[^']*'|\[[^\]]*\]|\b\d+\b")
"""What differs between an input and its output without being another error."""


def main() -> int:
    options = _options()
    work = Path(tempfile.mkdtemp(prefix="conformance-"))
    try:
        profile = load_profile(options.profile, tuple(options.option))
        paths = sorted(p for p in options.folder.rglob("*") if p.is_file())
        result = {"profile": profile.name} | compare(paths, work, profile)
    finally:
        shutil.rmtree(work)
    for message, count in result["new_errors"].items():
        print(f"{count:5d}  {message}")
    print(
        f"{result['compared']} outputs compared, {result['refused']} inputs refused, "
        f"{result['inputs_that_the_tool_cannot_read']} that the tool can't read; "
        f"{result['files_with_new_errors']} files with new errors"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if result["new_errors"] else 0


def compare(paths: list[Path], work: Path, profile: Profile) -> dict[str, Any]:
    """Scrub and check each file; return counts and the errors that outputs add."""
    new: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    compared = refused = unread = affected = 0
    files: dict[str, list[str]] = {}
    for path in paths:
        target = work / "out.dcm"
        try:
            scrub_headers(path, target, profile=profile)
        except CinescrubError:
            refused += 1
            continue
        before, after = dciodvfy(path), dciodvfy(target)
        if before is None:
            unread += 1
            continue
        added = Counter(["the tool can't read it"]) if after is None else after - before
        new += added
        gone += before - (after or Counter())
        compared += 1
        affected += bool(added)
        if added:
            files[path.name] = sorted(added)
    return {
        "tool": "dciodvfy",
        "compared": compared,
        "refused": refused,
        "inputs_that_the_tool_cannot_read": unread,
        "files_with_new_errors": affected,
        "new_errors": dict(new.most_common()),
        "errors_gone": sum(gone.values()),
        "files": files,
    }


_UNREAD = ("Error - Dicom dataset read failed", "Error - Tags out of order")


def _inflated(path: Path, target: Path) -> Path:
    """Return a file that dciodvfy can read: it knows nothing of deflate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)
        meta = getattr(dataset, "file_meta", None)
        if meta is None or meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            return path
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.save_as(target, implicit_vr=False, little_endian=True)
    return target


def dciodvfy(path: Path) -> Counter[str] | None:
    """Return the errors that dciodvfy finds, values left out; None if it can't read the file."""
    with tempfile.TemporaryDirectory() as folder:
        readable = _inflated(path, Path(folder) / "inflated.dcm")
        run = subprocess.run(
            ["dciodvfy", "-new", str(readable)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    lines = (run.stdout + run.stderr).splitlines()
    if any(line.startswith(_UNREAD) for line in lines):
        return None
    return Counter(_without_values(line) for line in lines if line.startswith("Error"))


def _without_values(line: str) -> str:
    """Keep the attribute that an error is about, and its kind."""
    place, _, kind = line.removeprefix("Error - ").partition(" - ")
    return f"{place} - {_VALUE.sub('_', kind)}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="real files")
    parser.add_argument("--option", action="append", default=[], help="an option by its name")
    parser.add_argument("--profile", default="basic", help="a ready profile, or a TOML file")
    parser.add_argument("--json", type=Path, help="where the figures go")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
