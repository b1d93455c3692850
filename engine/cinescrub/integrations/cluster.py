"""What is said and divided on a cluster, whichever it is: shares, paths, and secrets under seal."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from cinescrub.config import EngineConfig
from cinescrub.dicom.profiles import READY
from cinescrub.errors import ClusterError
from cinescrub.kinds import Location
from cinescrub.report import FileReport

__all__ = ["Sealed", "Share", "as_given", "everywhere", "seal", "share_of"]

_SEAL: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
"""RFC 9180."""
_SEAL_INFO: Final = b"cinescrub/ray/key"


class Sealed:
    """What a process does to be told a secret: its key pair never leaves it."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()

    def public_key(self) -> bytes:
        """Return for whom a secret is to be sealed."""
        return self._private.public_key().public_bytes_raw()

    def opened(self, sealed: bytes) -> bytes:
        """Return the secret; no other process can."""
        return _SEAL.decrypt(sealed, self._private, info=_SEAL_INFO)


def seal(secret: bytes, public_key: bytes) -> bytes:
    """Return a secret that only the process with this `public_key` can open."""
    return _SEAL.encrypt(secret, X25519PublicKey.from_public_bytes(public_key), info=_SEAL_INFO)


@dataclass(frozen=True, slots=True)
class Share:
    """How a cluster is divided."""

    workers: int
    cpus: int
    """Cores of each."""
    gpus: float
    """GPUs of each, or a part of one."""


def share_of(nodes: Sequence[Mapping[str, Any]], actors: int | None, gpus: float) -> Share:
    """Divide a cluster among workers.

    Parameters
    ----------
    nodes : sequence of mapping
        As Ray lists them.
    actors : int or None
        Workers; None is as many as there is room for, each with one core.
    gpus : float
        Of each worker.

    Raises
    ------
    ClusterError
        It has no room for so many.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]

    def fitting(cpus: int) -> int:
        """Return how many workers of so many cores there is room for."""
        return sum(
            int(min(node.get("CPU", 0) // cpus, node.get("GPU", 0) / gpus if gpus else 1 << 20))
            for node in alive
        )

    room = fitting(1)
    workers = room if actors is None else actors
    if not 0 < workers <= room:
        raise ClusterError(
            f"the cluster has room for {room} workers: ask for no more, or add nodes"
        )
    most = int(max(node.get("CPU", 0) for node in alive))
    cpus = next(cpus for cpus in range(most, 0, -1) if fitting(cpus) >= workers)
    return Share(workers, cpus, gpus)


def everywhere(config: EngineConfig) -> EngineConfig:
    """Return settings whose paths don't depend on the folder that a process was started in."""
    paths = {
        each.name: Path(os.path.abspath(value))
        for each in fields(config)
        if isinstance(value := getattr(config, each.name), Path)
    }
    profile = config.profile if config.profile in READY else os.path.abspath(config.profile)
    return replace(config, profile=profile, **paths)  # type: ignore[arg-type]  # names of paths


def as_given(report: FileReport, source: Location, root: Path) -> FileReport:
    """Return a worker's report with paths as the operator gave them."""
    if isinstance(source, Path):
        report = replace(report, source=source)
    if report.output is None or report.uploaded_to is not None:
        return report
    return replace(report, output=root.joinpath(*report.output.parts[-3:]))
