"""Write the package's copy of PS3.15 Annex E from a folder that holds its tables as JSON.

Usage: ``python tools/make_profile.py FOLDER`` with the merged Table E.1-1
(``ps315_e1_1_<edition>_merged.json``), Table E.3.10-1 (``safe_private_e3_10_1.json``) and the
knowledge base of The Cancer Imaging Archive (``tcia_private_kb_<year>.json``).
The output is sorted and free of dates, so that a run on the same input changes nothing.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "engine/cinescrub/dicom/data"

# The four rows that are not one tag, as patterns of eight hexadecimal digits: x is any digit and
# the `o` of the private row an odd one.
PATTERNS = {"ggggeeee-where-gggg-is-odd": "xxxoxxxx"}

# The table's columns, by the names of our options, in the order of the table.
COLUMNS = {
    "retain_safe_private": "retain-safe-private",
    "retain_uids": "retain-uids",
    "retain_device_identity": "retain-device-identity",
    "retain_institution_identity": "retain-institution-identity",
    "retain_patient_characteristics": "retain-patient-characteristics",
    "retain_longitudinal_full_dates": "retain-full-dates",
    "retain_longitudinal_modified_dates": "retain-modified-dates",
    "clean_descriptors": "clean-descriptors",
    "clean_structured_content": "clean-structured-content",
    "clean_graphics": "clean-graphics",
}


def render_table(folder: Path) -> str:
    """Return the text of Table E.1-1 as package data.

    Parameters
    ----------
    folder : Path
        Holds exactly one ``ps315_e1_1_<edition>_merged.json``.

    Returns
    -------
    str
        Tab-separated lines: pattern of the tag, Basic Profile action, actions of the options,
        name; comment lines with the edition and the number of rows come first.
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
        "# DICOM PS3.15 Table E.1-1: tag pattern, Basic Profile, option columns, attribute name",
    ]
    return "\n".join([*head, *lines]) + "\n"


def _fields(row: dict[str, Any]) -> tuple[str, str, str, str]:
    pattern = PATTERNS.get(row["id"], row["id"]).lower()
    unknown = set(row["options"]) - set(COLUMNS)
    if unknown:
        raise SystemExit(f"columns that are not known: {', '.join(sorted(unknown))}")
    options = ",".join(
        f"{name}={row['options'][column]}"
        for column, name in COLUMNS.items()
        if column in row["options"]
    )
    return pattern, row["basic_profile"], options, " ".join(row["name"].split())


def render_private(folder: Path) -> str:
    """Return both lists of safe private elements as package data.

    Returns
    -------
    str
        Tab-separated lines: list (`ps315` or `tcia`), group, low byte of the element, VR, private
        creator.
    """
    (knowledge,) = folder.glob("tcia_private_kb_*.json")
    lines: set[str] = set()
    for name, source in (("ps315", folder / "safe_private_e3_10_1.json"), ("tcia", knowledge)):
        for row in json.loads(source.read_text(encoding="utf-8"))["rows"]:
            if name == "ps315" or not row["dicom_e3_10_1"]:
                element = row["element"].removeprefix("xx")
                lines.add("\t".join((name, row["group"], element, row["vr"], row["creator"])))
    counts = [sum(line.startswith(f"{name}\t") for line in lines) for name in ("ps315", "tcia")]
    head = [
        f"# rows\t{counts[0]} {counts[1]}",
        "# DICOM PS3.15 Table E.3.10-1 (2025b), and the private elements beyond it that the",
        "# knowledge base of The Cancer Imaging Archive (February 2024) keeps:",
        "# list, group, element, VR, private creator",
    ]
    return "\n".join([*head, *sorted(lines)]) + "\n"


def main() -> None:
    """Write the data files, or check with ``--check`` that they are up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the tables")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    rendered = {
        DATA / "e1_1.tsv": render_table(arguments.folder),
        DATA / "safe_private.tsv": render_private(arguments.folder),
    }
    for target, text in rendered.items():
        if not arguments.check:
            target.write_text(text, encoding="utf-8")
        elif target.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{target.name} differs: run tools/make_profile.py")


if __name__ == "__main__":
    main()
