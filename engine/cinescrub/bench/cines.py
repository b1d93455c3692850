"""What is measured: cines made by name and seed, or the user's own files.

A made cine is named for all that it follows from, `640x480x30 jpeg static`, so that rows of two
results are of the same pixels where their names are equal. A file of the user's is named for its
number: its own name can hold a person's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from cinescrub.bench.results import Scalar
from cinescrub.dicom.source import open_source
from cinescrub.errors import ConfigError, InputError
from cinescrub.testing import CineSpec, CineTruth, Dynamic, Photometric, Syntax, make_cine

__all__ = ["SYNTAXES", "Cine", "MadeCine", "given_cines", "made_cines", "parse_size"]

SYNTAXES: Final = {
    "jpeg": (Syntax.JPEG_BASELINE, Photometric.YBR_FULL_422),
    "rle": (Syntax.RLE, Photometric.RGB),
    "native": (Syntax.EXPLICIT_LITTLE, Photometric.RGB),
    "jpegls": (Syntax.JPEG_LS, Photometric.RGB),
    "j2k": (Syntax.JPEG_2000_LOSSLESS, Photometric.RGB),
}


@dataclass(frozen=True, slots=True)
class Cine:
    """One input, or the cines of one exam."""

    name: str
    paths: tuple[Path, ...]
    facts: dict[str, Scalar]
    truths: tuple[CineTruth, ...] = ()
    """Of made cines, in the order of `paths`."""

    @property
    def frames(self) -> int:
        """Frames of all its files; 0 where they can't be told."""
        return int(self.facts.get("frames") or 0) * len(self.paths)


@dataclass(frozen=True, slots=True)
class MadeCine:
    """A cine, or an exam of several below one screen, from a seed."""

    frames: int
    rows: int
    columns: int
    syntax: str
    dynamic: Dynamic
    seed: int = 1
    exam: int = 1
    """How many cines: of the same patient and screen, each with tissue of its own."""

    def __post_init__(self) -> None:
        if self.syntax not in SYNTAXES:
            raise ConfigError(f"--syntax {self.syntax}: choose {', '.join(SYNTAXES)}")

    @property
    def name(self) -> str:
        """All that it follows from."""
        times = f"{self.exam} x " if self.exam > 1 else ""
        seed = f" seed {self.seed}" if self.seed != 1 else ""
        size = f"{self.columns}x{self.rows}x{self.frames}"
        return f"{times}{size} {self.syntax} {self.dynamic}{seed}"

    def write(self, folder: Path) -> Cine:
        """Make it in `folder`, which is there."""
        paths, truths = [], []
        for take in range(self.exam):
            paths.append(folder / f"{self.name.replace(' ', '-')}-{take:03}.dcm")
            truths.append(make_cine(self._spec(take), paths[-1]))
        facts: dict[str, Scalar] = {
            "frames": self.frames,
            "rows": self.rows,
            "columns": self.columns,
            "syntax": self.syntax,
            "dynamic": str(self.dynamic),
            "cines": self.exam,
        }
        return Cine(self.name, tuple(paths), facts, tuple(truths))

    def _spec(self, take: int) -> CineSpec:
        syntax, photometric = SYNTAXES[self.syntax]
        return CineSpec(
            seed=self.seed,
            take=take,
            frames=self.frames,
            rows=self.rows,
            columns=self.columns,
            syntax=syntax,
            photometric=photometric,
            dynamic=self.dynamic,
        )


def made_cines(
    frames: Iterable[int],
    sizes: Iterable[str],
    syntaxes: Iterable[str],
    dynamics: Iterable[str],
    *,
    seed: int,
    exam: int,
) -> list[MadeCine]:
    """Return every combination.

    Raises
    ------
    ConfigError
        A size, coding or dynamic is none.
    """
    known = {each.value: each for each in Dynamic}
    wanted = tuple(dynamics)
    for name in wanted:
        if name not in known:
            raise ConfigError(f"--dynamic {name}: choose of {', '.join(known)}")
    return [
        MadeCine(count, *parse_size(size), syntax, known[dynamic], seed, exam)
        for size, syntax, dynamic, count in product(sizes, syntaxes, wanted, frames)
    ]


def parse_size(size: str) -> tuple[int, int]:
    """Return rows and columns of a size such as `640x480`.

    Raises
    ------
    ConfigError
        It is no size.
    """
    parts = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size)
    if parts is None:
        raise ConfigError(f"--size {size}: give columns and rows, as 640x480")
    return int(parts[2]), int(parts[1])


def given_cines(paths: Sequence[Path]) -> list[Cine]:
    """Return the user's files, each by its number. What can't be opened has no facts but that."""
    cines = []
    for number, path in enumerate(paths, start=1):
        facts: dict[str, Scalar] = {"cines": 1}
        try:
            with open_source(path) as source:
                info, syntax = source.info, source.transfer_syntax
        except InputError:
            pass  # what comes of it is told where it is measured
        else:
            facts |= {
                "frames": info.frames,
                "rows": info.rows,
                "columns": info.columns,
                "syntax": syntax,
            }
        cines.append(Cine(f"file {number}", (path,), facts))
    return cines
