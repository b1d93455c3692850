"""The studies: which cases each of them has. All are measured by `trials.measure`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import Enum
from itertools import product
from pathlib import Path
from typing import Any, Final

from cinescrub.bench.cines import Cine
from cinescrub.bench.machine import machine
from cinescrub.bench.models import RunModel
from cinescrub.bench.peers import Mask, RunPeer, installed_file_peers, left_by
from cinescrub.bench.results import Result, Row, Scalar
from cinescrub.bench.trials import Case, Isolate, Say, measure
from cinescrub.bench.ways import Copy, DeIdentify, Floor, Place
from cinescrub.bundle import Precision, Slot, listed
from cinescrub.config import EngineConfig, Provider
from cinescrub.errors import ConfigError
from cinescrub.stream import CancelToken

__all__ = ["Bench", "ModelChoice"]

_ENGINE: Final = "cinescrub"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which models run, and how; every combination is a case."""

    slots: tuple[Slot, ...]
    batches: tuple[int, ...]
    threads: tuple[int, ...]
    providers: tuple[Provider, ...]
    precisions: tuple[Precision, ...]
    """Of those that the bundle has."""
    rows: int
    columns: int
    runs: int
    """In each process, after one to warm up."""


@dataclass(frozen=True, slots=True)
class Bench:
    """How a study is measured, whatever it is of."""

    folder: Path
    """Scratch; it is there."""
    repeat: int
    isolate: Isolate
    token: CancelToken
    say: Say

    def throughput(self, kind: str, cines: Sequence[Cine], config: EngineConfig) -> Result:
        """Run the main job on each cine; `kind` is the command that asks, and what is told."""
        cases = [_engine(cine, config, self._place(n)) for n, cine in enumerate(cines)]
        return self._result(kind, cases, _asked(config))

    def floor(self, cines: Sequence[Cine], config: EngineConfig) -> Result:
        """Run the main job, what nobody can go below, and a copy, on each cine."""
        cases = []
        for number, cine in enumerate(cines):
            place = self._place(number)
            cases += [
                _engine(cine, config, place),  # first: it tells what is filled
                Case("floor", cine.name, Floor(cine, place), cine.facts),
                Case("copy", cine.name, Copy(cine, place), cine.facts),
            ]
        return self._result("floor", cases, _asked(config), reference="floor")

    def peers(self, cines: Sequence[Cine], config: EngineConfig, asked: Sequence[str]) -> Result:
        """Run the main job and peers on each cine; of made ones, tell what each left.

        Raises
        ------
        ConfigError
            A peer that is named is unknown or not installed.
        """
        names = installed_file_peers(asked, isolate=self.isolate, token=self.token, say=self.say)
        cases, places = [], {}
        for number, cine in enumerate(cines):
            place = places[cine.name] = self._place(number)
            cases += [
                _engine(cine, config, place),
                Case("pydicom", cine.name, Mask(cine, place), cine.facts),
                *(Case(name, cine.name, RunPeer(name, cine, place), cine.facts) for name in names),
            ]
        settings = {"peers": names, **_asked(config)}
        result = self._result("peers", cases, settings, reference=_ENGINE)
        by_name = {cine.name: cine for cine in cines}
        return replace(
            result, rows=[_judged(row, by_name[row.case], places[row.case]) for row in result.rows]
        )

    def models(self, models: Path, choice: ModelChoice) -> Result:
        """Run each model alone.

        Raises
        ------
        ConfigError
            The bundle has none of those asked for.
        """
        cases = []
        wanted = [
            (slot, precision)
            for slot, precision in listed(models)
            if slot in choice.slots and precision in choice.precisions
        ]
        if not wanted:
            raise ConfigError("the bundle has no such model in such a precision: see `models`")
        ways = product(wanted, choice.batches, choice.threads, choice.providers)
        for (slot, precision), batch, threads, provider in ways:
            attempt = RunModel(
                models,
                slot,
                precision,
                provider,
                threads,
                batch,
                choice.rows,
                choice.columns,
                choice.runs,
            )
            name = f"{precision}, batch {batch}, threads {threads or 'auto'}, {provider}"
            facts: dict[str, Scalar] = {"batch": batch, "threads": threads}
            cases.append(Case(slot.value, name, attempt, facts))
        return self._result("models", cases, {"runs": choice.runs})

    def _place(self, number: int) -> Place:
        folder = self.folder / f"case-{number}"
        folder.mkdir()
        return Place(folder)

    def _result(
        self,
        kind: str,
        cases: Sequence[Case],
        settings: Mapping[str, Any],
        reference: str | None = None,
    ) -> Result:
        started, where = datetime.now(UTC).isoformat(timespec="seconds"), machine()
        rows = measure(cases, self.repeat, isolate=self.isolate, token=self.token, say=self.say)
        return Result(kind, started, where, {"repeat": self.repeat, **settings}, rows, reference)


def _asked(config: EngineConfig) -> dict[str, Any]:
    """Return the settings of the engine; paths, which can name a person or a site, are left out."""
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    return {
        name: value.value if isinstance(value, Enum) else value
        for name, value in values.items()
        if isinstance(value, Enum | bool | int | float)
    }


def _engine(cine: Cine, config: EngineConfig, place: Place) -> Case:
    return Case(_ENGINE, cine.name, DeIdentify(config, cine, place), cine.facts)


def _judged(row: Row, cine: Cine, place: Place) -> Row:
    if row.error is not None:
        return row
    return replace(row, facts={**row.facts, **left_by(row.subject, cine, place)})
