"""Peers on the same cines, each from file to file, and what each of them left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cinescrub.bench.cines import Cine
from cinescrub.bench.memory import ChildPeak, peak_mib
from cinescrub.bench.results import Scalar
from cinescrub.bench.trials import Isolate, Say, Stopwatch, Trial
from cinescrub.bench.ways import Place, figures_of
from cinescrub.errors import CancelledError, CinescrubError
from cinescrub.stream import CancelToken
from cinescrub.testing.accuracy.peers.files import FILE_PEERS, FilePeer, Given, open_file_peer
from cinescrub.testing.reader import read_frames
from cinescrub.testing.score import score_frames, total

__all__ = ["Mask", "RunPeer", "installed_file_peers", "left_by"]


@dataclass(frozen=True, slots=True)
class RunPeer:
    """One peer, by name."""

    name: str
    cine: Cine
    place: Place

    def __call__(self, begun: float) -> Trial:
        """Open it, put the files through it, and tell what it took."""
        with Stopwatch() as loading:
            peer = open_file_peer(self.name)
        figures = {"load_s": loading.wall, "load_cpu_s": loading.cpu, "loaded_mib": peak_mib()}
        figures |= _spent(self.cine, self.place, begun, lambda _: peer)
        return Trial(figures, {"version": peer.version})


@dataclass(frozen=True, slots=True)
class Mask:
    """The engine's rectangles filled by way of pydicom: what is left to pay without a detector."""

    cine: Cine
    place: Place

    def __call__(self, begun: float) -> Trial:
        """Decode, fill and save with pydicom."""
        figures = _spent(self.cine, self.place, begun, lambda n: Given(self.place.filled(n)))
        return Trial(figures, {"version": Given.version})


def _spent(
    cine: Cine, place: Place, begun: float, peer_for: Callable[[int], FilePeer]
) -> dict[str, float]:
    spent, first = [], 0.0
    with ChildPeak() as children:
        for number, path in enumerate(cine.paths):
            peer = peer_for(number)
            with Stopwatch() as watch:
                peer.redact(path, place.output(peer.name, number))
            first = first or time.perf_counter() - begun
            spent.append(watch)
    figures = figures_of(spent, first, cine.frames)
    return figures | {"peak_mib": figures["peak_mib"] + children.mib}


@dataclass(frozen=True, slots=True)
class _Open:
    """Opens a peer, to see whether it is there."""

    name: str

    def __call__(self, begun: float) -> Trial:
        del begun
        return Trial({}, {"version": open_file_peer(self.name).version})


def installed_file_peers(
    asked: Sequence[str], *, isolate: Isolate, token: CancelToken, say: Say
) -> list[str]:
    """Return the names that are asked for; of `all` those that are installed and open.

    Raises
    ------
    ConfigError
        One that is named is unknown or not installed.
    """
    if "all" not in asked:
        for name in asked:
            isolate(_Open(name), token)
        return list(asked)
    found = []
    for name in FILE_PEERS:
        try:
            isolate(_Open(name), token)
        except CancelledError:
            raise
        except CinescrubError as error:
            say(f"without {name}: {error.message}")
            continue
        found.append(name)
    return found


def left_by(subject: str, cine: Cine, place: Place) -> dict[str, Scalar]:
    """Return what a subject's outputs of a made cine still show, as `testing.score` defines it.

    Empty for the user's files, whose truth nobody knows, and where an output is missing.
    """
    outputs = [place.output(subject, number) for number in range(len(cine.paths))]
    if not cine.truths or not all(output.exists() for output in outputs):
        return {}
    score = total(
        score_frames(read_frames(path), read_frames(output), truth)
        for path, output, truth in zip(cine.paths, outputs, cine.truths, strict=True)
    )
    return {
        "strings": score.items,
        "strings_gone": round(score.item_recall * score.items),
        "kept": round(score.kept, 4),
        "changed_elsewhere": round(score.changed_elsewhere, 6),
    }
