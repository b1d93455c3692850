"""Rewrite the tables of README.md and benchmarks/README.md from the files in `results/`.

    python -m benchmarks.tables            # after measuring
    python -m benchmarks.tables --check    # ends with 1 if a table is not what its file says

A table lies between `<!-- table: NAME -->` and `<!-- /table -->`. NAME is one of `TABLES`. What has
no file in `results/` yet is left as it is.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cinescrub.bench.results import Result
from cinescrub.bench.table import Table, table_of

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
DOCUMENTS: Final = (ROOT / "README.md", ROOT / "benchmarks" / "README.md")
_BLOCK: Final = re.compile(
    r"(<!-- table: (?P<name>[\w-]+) -->\n\n)(?P<body>.*?)(\n\n<!-- /table -->)", re.DOTALL
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="Change nothing.")
    check = parser.parse_args().check
    stale = 0
    for document in DOCUMENTS:
        told = document.read_text(encoding="utf-8")
        fresh = rewritten(told)
        if fresh == told:
            continue
        stale += 1
        print(f"{document.relative_to(ROOT)}: {'not what its files say' if check else 'rewritten'}")
        if not check:
            document.write_text(fresh, encoding="utf-8")
    return 1 if check and stale else 0


def names_in(told: str) -> list[str]:
    """Return the names of a document's tables."""
    return [block["name"] for block in _BLOCK.finditer(told)]


def rewritten(told: str) -> str:
    """Return a document with each table as its file says it."""

    def fresh(block: re.Match[str]) -> str:
        file, render = TABLES[block["name"]]
        paths = [RESULTS / name for name in file.split()]
        if not all(path.exists() for path in paths):
            return block[0]
        return f"{block[1]}{render(paths).as_markdown()}{block[4]}"

    return _BLOCK.sub(fresh, told)


def _bench(paths: list[Path]) -> Table:
    return table_of(Result.load(paths[0]))


def _brief(*headings: str) -> Callable[[list[Path]], Table]:
    return lambda paths: _bench(paths).only(*headings)


def _accuracy(paths: list[Path]) -> Table:
    """Return what is left of made cines: of the easiest groups, and of all."""
    (told,) = [s for s in _read(paths[0])["subjects"] if s["name"] == "cinescrub"]
    groups = told["groups"]
    easy = [groups[name] for name in groups if name == "clean" or name.startswith("jpeg-")]
    columns = [_sums(easy), _sums([told["total"]])]
    rows = [
        ("identifying strings redacted in every frame", "{gone} of {items}"),
        ("planted header and container identifiers left", "{header}"),
        ("clinical strings kept", "{kept:.1f} %"),
        ("pixels changed outside the surroundings of all text", "{elsewhere:.2f} %"),
        ("cines without an output", "{missing}"),
    ]
    return Table(
        ("measure", "clean, JPEG 95 to 30", f"all {len(groups)}"),
        tuple((name, *(form.format(**column) for column in columns)) for name, form in rows),
    )


def _sums(groups: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    listed = list(groups)
    clinical = sum(group["clinical"] for group in listed)
    cines = sum(group["cines"] for group in listed)
    kept = sum(group["kept"] * group["clinical"] for group in listed)
    # Cines, not pixels, weigh: the file has no pixels, and the groups summed here are of one size.
    elsewhere = sum(group["changed_elsewhere"] * group["cines"] for group in listed)
    return {
        "items": sum(group["items"] for group in listed),
        "gone": sum(round(group["item_recall"] * group["items"]) for group in listed),
        "header": sum(group["header_leaks"] or 0 for group in listed),
        "kept": 100 * kept / clinical,
        "elsewhere": 100 * elsewhere / cines,
        "missing": sum(group["missing"] for group in listed),
    }


_WAYS: Final = {
    "cinescrub": "cinescrub",
    "easyocr": "EasyOCR on every frame",
    "easyocr-keyframes": "EasyOCR on key frames, masks joined",
    "rapidocr": "PP-OCR (rapidocr) on every frame",
    "tesseract": "Tesseract on every frame",
}


def _accuracy_peers(paths: list[Path]) -> Table:
    subjects = sorted(_read(paths[0])["subjects"], key=lambda s: -s["total"]["item_recall"])
    first = subjects[0]["total"]
    return Table(
        (
            f"{first['cines']} cines, {first['items']} identifying strings",
            "gone in every frame",
            "item-frames",
            "clinical text kept",
            "changed elsewhere",
        ),
        tuple(
            (
                _WAYS[subject["name"]],
                str(round(total["item_recall"] * total["items"])),
                f"{100 * total['item_frame_recall']:.1f} %",
                f"{100 * total['kept']:.0f} %",
                f"{100 * total['changed_elsewhere']:.2f} %",
            )
            for subject in subjects
            for total in [subject["total"]]
        ),
    )


_FORMS: Final = {
    "explicit RGB": "uncompressed RGB",
    "explicit YBR_FULL_422": "uncompressed 4:2:2",
    "JPEG 4:2:2": "JPEG 4:2:2",
    "RLE RGB": "RLE RGB",
    "JPEG-LS RGB": "JPEG-LS RGB",
    "JPEG 2000 lossless YBR_RCT": "JPEG 2000 lossless",
}


def _apply(paths: list[Path]) -> Table:
    """Return frames a CPU second of redaction alone, by form."""
    measured = {row["form"]: row for path in paths for row in _read(path)["rows"]}
    rows = []
    for form, name in _FORMS.items():
        row = measured[form]
        rates = row["frames_per_cpu_s"]
        again = f"{rates['again']:.0f}" if "again" in rates else ""
        size = f"{row['bytes_out'] / row['bytes_in']:.2f}"
        others = (f"{rates['pydicom']:.0f}", f"{rates['copy']:.0f}")
        rows.append((name, f"{rates['ours']:.0f}", again, *others, size))
    head = ("form", "redacted", "decoded and coded again", "pydicom", "file copy", "bytes out / in")
    return Table(head, tuple(rows))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


TABLES: Final[dict[str, tuple[str, Callable[[list[Path]], Table]]]] = {
    "fast": (
        "bench-throughput-cpu.json",
        _brief("case", "frames/s", "CPU s", "first output s", "peak MiB"),
    ),
    "fast-exam": (
        "bench-exam-cpu.json",
        _brief(
            "case", "subject", "first cine CPU s", "later CPU s", "later CPU, times", "later, times"
        ),
    ),
    "fast-peers": (
        "bench-peers-cpu.json",
        _brief(
            "case", "subject", "frames/s", "CPU s", "of cinescrub's", "peak MiB", "strings gone"
        ),
    ),
    "throughput": ("bench-throughput-cpu.json", _bench),
    "sizes": ("bench-sizes-cpu.json", _bench),
    "floor": ("bench-floor-cpu.json", _bench),
    "exam": ("bench-exam-cpu.json", _bench),
    "native": ("bench-native-cpu.json", _bench),
    "peers": ("bench-peers-cpu.json", _bench),
    "memory": ("bench-memory-cpu.json", _bench),
    "models": ("bench-models-cpu.json", _bench),
    "work": ("bench-work-cpu.json", _bench),
    "accuracy": ("accuracy-cpu.json", _accuracy),
    "accuracy-peers": ("accuracy-peers-cpu.json", _accuracy_peers),
    "apply": ("apply-native-cpu.json apply-coded-cpu.json", _apply),
}
"""The files of a table in `results/`, and how it is drawn from them."""


if __name__ == "__main__":
    sys.exit(main())
