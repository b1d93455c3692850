"""Check that a wheel holds the two packages, their data, the compiled core and nothing else."""

import sys
import zipfile
from pathlib import Path

ALLOWED_SUFFIXES = {".py", ".pyi", ".typed", ".json", ".tsv", ".toml", ".txt"}


def main(wheel: Path) -> int:
    """Print what is wrong with the wheel; return how many things are."""
    root = Path(__file__).resolve().parents[1]
    names = {n for n in zipfile.ZipFile(wheel).namelist() if not n.endswith("/")}
    packaged = {n for n in names if ".dist-info/" not in n}
    expected = {
        str(path.relative_to(root / source))
        for source in ("engine", "export")
        for path in (root / source).rglob("*")
        if path.is_file() and path.suffix in ALLOWED_SUFFIXES and "__pycache__" not in path.parts
    }
    if not wheel.stem.endswith("-none-any"):  # compiled where there was a compiler
        expected.add("cinescrub/pixels/_jpeg.abi3.so")
    faults = [f"unexpected: {n}" for n in sorted(packaged - expected)]
    faults += [f"missing: {n}" for n in sorted(expected - packaged)]
    faults += [
        f"missing licence: {n}"
        for n in ("LICENSE", "NOTICE")
        if not any(m.endswith(f"licenses/{n}") for m in names)
    ]
    for fault in faults:
        print(fault)
    print(f"{wheel.name}: {len(packaged)} files, {wheel.stat().st_size / 1e6:.2f} MB")
    return len(faults)


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1])), 1))
