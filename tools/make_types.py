"""Write the package's attribute types (PS3.3) from the tables that highdicom carries.

Usage: ``python tools/make_types.py WHEEL`` with a wheel of highdicom (MIT licence), whose
``highdicom/_standard`` holds the IODs, modules and attributes of PS3.3 as JSON.
Types 3 are left out: an attribute that isn't named is optional or foreign.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword

TARGET = Path(__file__).resolve().parents[1] / "engine/cinescrub/dicom/data/types.tsv"

# Conditional types count as what they are when the condition holds: it did for the input.
KINDS = {"1": 1, "1C": 1, "2": 2, "2C": 2}


def render(wheel: Path) -> str:
    """Return the text of the package data.

    Returns
    -------
    str
        Tab-separated lines of three kinds: `iod`, SOP class, its modules; `module`, name,
        attributes of type 1, of type 2, at the root; `items`, tag of a sequence, the same of its
        items in whatever module (the strictest type of all).
    """
    with zipfile.ZipFile(wheel) as archive:
        iods, modules, classes = (
            json.loads(archive.read(f"highdicom/_standard/{name}.json"))
            for name in ("iod_module_map", "module_attribute_map", "sop_class_iod_map")
        )
    used = {iod: [entry["key"] for entry in iods[iod]] for iod in set(classes.values())}
    kept = sorted({key for keys in used.values() for key in keys})
    roots, items = _types(modules, kept)
    number = {key: index for index, key in enumerate(kept)}
    lines = [
        f"# source\thighdicom {wheel.name.split('-')[1]}",
        "# DICOM PS3.3: modules of IODs, and attributes of type 1 and 2 (1C and 2C with them)",
    ]
    lines += [
        f"iod\t{uid}\t{','.join(str(number[key]) for key in sorted(used[iod]))}"
        for uid, iod in sorted(classes.items())
    ]
    lines += [f"module\t{number[key]}\t{_columns(roots[key])}" for key in kept]
    lines += [f"items\t{parent:08x}\t{_columns(items[parent])}" for parent in sorted(items)]
    return "\n".join(lines) + "\n"


def _types(
    modules: dict[str, list[dict[str, Any]]], kept: list[str]
) -> tuple[dict[str, dict[int, int]], dict[int, dict[int, int]]]:
    """Return the types at the root by module, and in items by the tag of their sequence."""
    roots: dict[str, dict[int, int]] = defaultdict(dict)
    items: dict[int, dict[int, int]] = defaultdict(dict)
    for key in kept:
        for attribute in modules.get(key, ()):
            kind = KINDS.get(attribute["type"])
            tag = _tag(attribute["keyword"])
            if kind is None or tag is None:
                continue
            parent = _tag(attribute["path"][-1]) if attribute["path"] else 0
            if parent is None:
                continue
            types = roots[key] if parent == 0 else items[parent]
            types[tag] = min(kind, types.get(tag, kind))
    return roots, items


def _tag(keyword: str) -> int | None:
    return tag_for_keyword(keyword)  # None for repeating groups, which the scrub removes whole


def _columns(types: dict[int, int]) -> str:
    return "\t".join(
        ",".join(f"{tag:08x}" for tag in sorted(types) if types[tag] == kind) for kind in (1, 2)
    )


def main() -> None:
    """Write the data file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path, help="wheel of highdicom")
    TARGET.write_text(render(parser.parse_args().wheel), encoding="utf-8")


if __name__ == "__main__":
    main()
