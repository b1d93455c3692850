"""Kill a node again and again while instances come and go: is anything lost, sent twice or leaked?

    python -m benchmarks.node_kill --kills 200 --json benchmarks/results/node-kill.json

A sender repeats each instance until it is told success, a killer ends the node with SIGKILL at
random moments from its very start, and two receivers (a folder, and a storage SCP in this process)
keep what they get. In the end every acknowledged instance has to be in both, its bytes those that
the engine makes without a node. The engine is real but for its models, which are fakes: an instance
takes it a tenth of a second, so that many are under way at every kill.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pynetdicom import AE, build_context, evt
from tests.integration.conftest import make_engine

from cinescrub.bench.machine import machine
from cinescrub.node.connection import quiet_pynetdicom
from cinescrub.node.desk import Desk
from cinescrub.node.entry import State
from cinescrub.testing import CineSpec, CineTruth, make_cine
from cinescrub.testing.leaks import find_leaks

ROOT = Path(__file__).resolve().parents[1]
US = "1.2.840.10008.5.1.4.1.1.6.1"
US_CINE = "1.2.840.10008.5.1.4.1.1.3.1"
EXPLICIT = "1.2.840.10008.1.2.1"
_HOST = "127.0.0.1"
_WHILE_IT_STARTS = 0.25
"""Share of kills before it listens: what the last one left is being put right then."""
_END_S = 300.0
"""For the node to deliver what is left, once it is killed no more."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class Receiver:
    """A storage SCP that counts."""

    port: int = 0
    digests: dict[str, set[str]] = field(default_factory=dict)
    """Of data sets, by SOP Instance UID."""
    times: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)  # type: ignore[union-attr]
        digest = hashlib.sha256(event.encoded_dataset(include_meta=False)).hexdigest()
        with self.lock:
            self.digests.setdefault(uid, set()).add(digest)
            self.times[uid] += 1
        return 0


@contextmanager
def receiver(taker: Receiver) -> Iterator[Receiver]:
    quiet_pynetdicom()
    entity = AE(ae_title="PACS")
    for sop_class in (US, US_CINE):
        entity.add_supported_context(sop_class, [EXPLICIT])
    server = entity.start_server(
        (_HOST, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, taker.store)]
    )
    assert server is not None  # noqa: S101  # it is not blocking
    taker.port = int(server.server_address[1])
    try:
        yield taker
    finally:
        server.shutdown()


@dataclass
class Sender:
    """Sends made instances one after the other, each until it was told success."""

    folder: Path
    port: int
    pause_s: float = 0.1
    stopping: threading.Event = field(default_factory=threading.Event)
    acknowledged: list[Path] = field(default_factory=list)
    truths: dict[Path, CineTruth] = field(default_factory=dict)
    attempts: int = 0

    def run(self) -> None:
        entity = AE(ae_title="SCANNER")
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
        entity.connection_timeout = 5
        for number in itertools.count():
            path = self.folder / f"{number:05}.dcm"
            spec = CineSpec(seed=number, frames=1, rows=96, columns=96)
            self.truths[path] = make_cine(spec, path)
            while not self._sent(entity, path):
                time.sleep(0.05)
            self.acknowledged.append(path)
            if self.stopping.wait(self.pause_s):
                return

    def _sent(self, entity: AE, path: Path) -> bool:
        self.attempts += 1
        association = entity.associate(
            _HOST, self.port, contexts=[build_context(US, EXPLICIT)], ae_title="CINESCRUB"
        )
        try:
            if not association.is_established:
                return False
            answer = association.send_c_store(path)
            return "Status" in answer and int(answer.Status) == 0
        except (RuntimeError, ValueError):
            return False
        finally:
            if association.is_established:
                association.release()


def settings(folder: Path, disk: Path, port: int, peer: int) -> Path:
    path = folder / "node.toml"
    path.write_text(f"""
[spool]
folder = "{disk}/spool"
key_file = "{disk}/spool.key"
[listen]
port = {port}
timeout_s = 10
[http]
port = {free_port()}
[retry]
first_s = 0.1
most_s = 2
[[route]]
name = "folder"
kind = "folder"
folder = "{disk}/out"
[[route]]
name = "pacs"
kind = "scu"
host = "{_HOST}"
port = {peer}
title = "PACS"
""")
    return path


def start(config: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as sink:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.integration.node.fake_node", str(config)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=sink,
            start_new_session=True,  # so that it can be ended with the processes that it began
        )


def until_started(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a node listens."""
    while b"node started" not in log.read_bytes():
        if process.poll() is not None:
            raise SystemExit(log.read_text())
        time.sleep(0.02)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a node's process at once, and leave those that it began to find out."""
    process.kill()
    process.wait()


def kill_rounds(
    folder: Path, disk: Path, kills: int, seed: int, end: Callable[[subprocess.Popen[bytes]], None]
) -> dict[str, Any]:
    """Do it, and return what was found; `faults` is empty if all is well.

    Parameters
    ----------
    folder : Path
        What is sent, and what is expected.
    disk : Path
        Where the node's files lie.
    kills, seed : int
        How often, and of which random numbers.
    end : callable
        Ends the node.
    """
    drawn, port, began = random.Random(seed), free_port(), time.monotonic()
    (folder / "in").mkdir()
    with receiver(Receiver()) as pacs:
        config = settings(folder, disk, port, pacs.port)
        sender = Sender(folder / "in", port)
        thread = threading.Thread(target=sender.run)
        thread.start()
        for _ in range(kills):
            process = start(config, folder / "log")
            if drawn.random() < _WHILE_IT_STARTS:
                time.sleep(drawn.uniform(0.2, 2.0))
            else:
                until_started(process, folder / "log")
                time.sleep(drawn.uniform(0.0, 3.0))
            end(process)
        process = start(config, folder / "log")
        sender.stopping.set()
        thread.join()
        left = _delivered(disk / "spool")
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
    found = _judged(folder, disk, sender, pacs)
    faults = found.pop("faults") + ([f"the node ended with {code}"] if code else []) + left
    return {
        "kills": kills,
        "seed": seed,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "sent": sender.attempts,
        **found,
        "faults": faults,
    }


def _delivered(spool: Path) -> list[str]:
    """Wait until all that was accepted is sent; return what isn't in the end."""
    deadline = time.monotonic() + _END_S
    while time.monotonic() < deadline:
        if (spool / "spool.sqlite3").exists():
            with Desk.open(spool) as desk:
                left = desk.entries()
            if not left:
                return []
        time.sleep(0.2)
    return [f"{entry.state}: {entry.reason}" for entry in left]


def _judged(folder: Path, disk: Path, sender: Sender, pacs: Receiver) -> dict[str, Any]:
    """Compare what arrived with what the engine makes of the same inputs without a node."""
    faults: list[str] = []
    engine = make_engine()
    expected: dict[str, Path] = {}
    for path in sender.acknowledged:
        report = engine.run(path, folder / "expected")
        if report.output is None:
            faults.append("an input has no output without a node")
            continue
        expected[report.output.stem] = report.output
        if find_leaks(report.output, sender.truths[path].planted):
            faults.append("an output of the engine leaks")
    written = {path.stem: path for path in (disk / "out").rglob("*.dcm")}
    files = list((disk / "out").rglob("*.*"))
    faults += ["something half-written lies in the folder"] * (
        len([path for path in files if path.is_file()]) - len(written)
    )
    for uid, path in expected.items():
        same = uid in written and written[uid].read_bytes() == path.read_bytes()
        faults += [] if same else ["an output is missing in the folder, or another"]
        data = dcmread(path)
        body = path.read_bytes()[144 + int(data.file_meta.FileMetaInformationGroupLength) :]
        digest = hashlib.sha256(body).hexdigest()
        if pacs.digests.get(uid) != {digest}:
            faults.append("the peer lacks an output, or has another")
    strangers = (set(written) | set(pacs.digests)) - set(expected)
    faults += ["an output of no acknowledged input"] * len(strangers)
    lying = [path for name in ("in", "out", "work") for path in (disk / "spool" / name).rglob("*")]
    faults += ["something is left in the spool"] * len(lying)
    with Desk.open(disk / "spool") as desk:
        counts = {state.value: n for state, n in desk.counts().items() if n}
    if counts != {State.SENT.value: len(expected)}:
        faults.append(f"the spool says {counts}")
    return {
        "acknowledged": len(sender.acknowledged),
        "in_folder": len(written),
        "at_peer": len(pacs.digests),
        "answers_lost": sum(pacs.times.values()) - len(pacs.times),
        "faults": faults,
    }


def told(result: dict[str, Any], path: Path | None) -> int:
    """Print a result, write it where it is asked for, and return the status to end with."""
    text = json.dumps(result, indent=1)
    print(text)
    if path:
        path.write_text(text + os.linesep)
    return 1 if result["faults"] else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="node-kill-") as scratch:
        folder = Path(scratch)
        found = kill_rounds(folder, folder, options.kills, options.seed, kill)
        result = {"machine": machine(), **found}
    return told(result, options.json)


if __name__ == "__main__":
    sys.exit(main())
