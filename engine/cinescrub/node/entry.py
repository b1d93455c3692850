"""What the spool says of an instance: values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

__all__ = ["OTHER_BYTES", "Accepted", "Delivery", "Entry", "State"]

OTHER_BYTES: Final = "another instance with its SOP Instance UID was received, with other bytes"
"""Why a conflict is held; released, it becomes an instance of its own."""


class State(StrEnum):
    """Where an accepted instance stands."""

    RECEIVED = "received"
    """On the disk; waits for the engine."""
    WORKING = "working"
    """In the engine, or de-identified and on its way to its routes."""
    HELD = "held"
    """Nothing more happens until a person releases or deletes it."""
    SENT = "sent"
    """Every route has it; the original is shredded, and only hashes are remembered."""
    FAILED = "failed"
    """Something around it failed (a peer, the disk, a model): it is tried again."""


class Accepted(StrEnum):
    """How an instance that arrived was taken."""

    NEW = "new"
    COPY = "copy"
    """It was there before, byte for byte: no second one is kept."""
    CONFLICT = "conflict"
    """Another of its SOP Instance UID was there, with other bytes: held."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted instance."""

    id: str
    """Random; the only name by which it is called in logs, file names and commands."""
    state: State
    reason: str | None
    """Why it is held or failed."""
    peer: str
    """The AE title that sent it, if the configuration names it; else empty."""
    size: int
    """Bytes of the data set."""
    received: float
    """Wall time, in seconds since 1970."""
    changed: float
    attempts: int
    """Failed ones, for its surroundings."""
    crashes: int
    """How often it ended the engine."""
    due: float
    """When it is tried again."""
    alone: bool
    """Whether its output is to be an instance of its own (`Accepted.CONFLICT`, released)."""
    output: str | None
    """Path of the output in the entry's folder, of new UIDs; None before there is one."""
    sha256: str | None
    """Of the output."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One output on its way to one route."""

    entry: Entry
    route: str
    path: Path
    """The output."""
    attempts: int
    """Failed ones so far."""
