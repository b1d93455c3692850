"""Which inputs have an output already: what `--resume` skips, and what it never does.

An input is skipped if it, the settings, the models and the software are what they were, and its
output is there, byte for byte. It is known by a keyed hash of its content: where it lies doesn't
matter and is not written down.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from cinescrub.config import EngineConfig
from cinescrub.errors import ConfigError
from cinescrub.pipeline.state import Rows
from cinescrub.pipeline.targets import Targets
from cinescrub.report import FileReport, Status

__all__ = ["Ledger", "fingerprint_of"]

_NOT_OF_THE_OUTPUT: Final = frozenset(
    {
        *("models", "key_file", "engine_cache", "state"),
        *("threads", "jobs", "max_memory_mib", "reuse", "resume"),
    }
)
"""Settings that change no output: where things lie, whose content counts instead, and how many
threads and jobs work, in how much memory."""
_NOT_KEPT: Final = frozenset({"source", "output", "seconds", "cores", "resumed"})
"""Of a report line: paths, and what is of one run."""


class Ledger:
    """Inputs that have an output, in the state of a site.

    Parameters
    ----------
    table : Rows
        Where they are kept.
    fingerprint : str
        Of all that an output depends on besides its input (`fingerprint_of`).
    """

    def __init__(self, table: Rows, fingerprint: str) -> None:
        self._table = table
        self._fingerprint = fingerprint

    def record(self, report: FileReport) -> None:
        """Remember an output that was checked, before or after it has got its name.

        If it never gets it, it is missed by `find`.

        Parameters
        ----------
        report : FileReport
            With `output` and both hashes.

        Raises
        ------
        OutputError
            The state can't be written.
        """
        assert report.output is not None  # noqa: S101  # there is one
        assert report.sha256_in is not None  # noqa: S101  # it was read
        line = {k: v for k, v in report.to_dict().items() if k not in _NOT_KEPT}
        line["at"] = report.output.parts[-3:]  # new UIDs of study, series and instance
        self._table.put(self._key(report.sha256_in), zlib.compress(json.dumps(line).encode()))
        self._table.flush()

    def find(self, sha256: str, source: Path, targets: Targets) -> FileReport | None:
        """Return the report of an input whose output is there, byte for byte.

        Parameters
        ----------
        sha256 : str
            Of the input.
        source : Path
            Where it lies now.
        targets : Targets
            Where outputs go.

        Raises
        ------
        OutputError
            The state can't be read.
        """
        kept = self._table.get(self._key(sha256))
        if kept is None:
            return None
        line: dict[str, Any] = json.loads(zlib.decompress(kept))
        output = targets.root.joinpath(*line.pop("at"))
        hash_of = _sha256 if targets.delivery is None else targets.delivery.sha256
        if hash_of(output) != line["sha256_out"]:
            return None
        known = {field.name for field in fields(FileReport)}
        values = {name: _frozen(value) for name, value in line.items() if name in known}
        values |= {"status": Status(line["status"]), "resumed": True}
        return FileReport(source=source, output=output, **values)

    def _key(self, sha256: str) -> bytes:
        return hashlib.blake2b(
            f"{sha256} {self._fingerprint}".encode(), key=self._table.secret, digest_size=16
        ).digest()


def fingerprint_of(config: EngineConfig, profile: str, versions: Mapping[str, str]) -> str:
    """Return a hash of all that an output depends on besides its input and the key.

    Parameters
    ----------
    config : EngineConfig
        Settings.
    profile : str
        SHA-256 of the profile that they name.
    versions : mapping
        Of the software; of models their SHA-256.

    Raises
    ------
    ConfigError
        The vocabulary can't be read.
    """
    said = {f.name: str(getattr(config, f.name)) for f in fields(config)}
    said = {name: value for name, value in said.items() if name not in _NOT_OF_THE_OUTPUT}
    if config.vocabulary is not None:
        said["vocabulary"] = _sha256(config.vocabulary) or ""
        if not said["vocabulary"]:
            raise ConfigError(f"vocabulary {config.vocabulary} can't be read")
    said["profile"] = profile
    whole = json.dumps([said, dict(versions)], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def _sha256(path: Path) -> str | None:
    """Return the hash of a file; None where there is none that can be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _frozen(value: Any) -> Any:
    """Return lists of JSON as the tuples that they were."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
