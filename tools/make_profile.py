"""Write the package's copy of PS3.15 Table E.1-1 from a folder that holds the merged table.

Usage: ``python tools/make_profile.py FOLDER`` with ``FOLDER/ps315_e1_1_<edition>_merged.json``.
The output is sorted and free of dates, so that a run on the same input changes nothing.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "engine/cinescrub/dicom/data/e1_1.tsv"

# The four rows that are not one tag, as patterns of eight hexadecimal digits: x is any digit and
# the `o` of the private row an odd one.
PATTERNS = {"ggggeeee-where-gggg-is-odd": "xxxoxxxx"}


def render(folder: Path) -> str:
    """Return the text of the package data.

    Parameters
    ----------
    folder : Path
        Holds exactly one ``ps315_e1_1_<edition>_merged.json``.

    Returns
    -------
    str
        Tab-separated lines: pattern of the tag, Basic Profile action, name; two comment lines
        with the edition and the number of rows come first.
    """
    (source,) = folder.glob("ps315_e1_1_*_merged.json")
    edition = re.fullmatch(r"ps315_e1_1_(\w+?)_merged", source.stem)
    if edition is None:
        raise SystemExit(f"no edition in the name of {source.name}")
    rows = json.loads(source.read_text(encoding="utf-8"))["rows"]
    lines = sorted("\t".join(_fields(row)) for row in rows)
    head = [
        f"# edition\t{edition.group(1)}",
        f"# rows\t{len(lines)}",
        "# DICOM PS3.15 Table E.1-1: tag pattern, action of the Basic Profile, attribute name",
    ]
    return "\n".join([*head, *lines]) + "\n"


def _fields(row: dict[str, str]) -> tuple[str, str, str]:
    pattern = PATTERNS.get(row["id"], row["id"]).lower()
    return pattern, row["basic_profile"], " ".join(row["name"].split())


def main() -> None:
    """Write the data file, or check with ``--check`` that it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the merged table")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    text = render(arguments.folder)
    if not arguments.check:
        TARGET.write_text(text, encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != text:
        raise SystemExit(f"{TARGET.name} differs: run tools/make_profile.py")


if __name__ == "__main__":
    main()
