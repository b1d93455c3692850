"""Load a node for some minutes: how many instances a second, how late, how much memory, none lost?

    python -m benchmarks.node_load --minutes 10 --json benchmarks/results/node-load.json
    python -m benchmarks.node_load --minutes 10 --engine fake --window 8 --json ...

Several senders with an association for each instance keep a number of instances under way; a
storage SCP in this process takes what comes out. Latency is from the request for an association
until the receiver hears of the output. `--engine fake` has the pipeline without models (a tenth of
a second), which shows what all the rest can do. Memory is that of the node and its engine process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from benchmarks.node_kill import (
    EXPLICIT,
    ROOT,
    Receiver,
    free_port,
    receiver,
    settings,
    until_started,
)
from pydicom import Dataset, dcmread
from pynetdicom import AE, build_context
from tests.integration.conftest import KEY

from cinescrub.bench.machine import machine
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.node.desk import Desk
from cinescrub.node.entry import State
from cinescrub.testing import CineSpec, make_cine

_HOST = "127.0.0.1"
_LOOK_S = 5.0
_END_S = 300.0
_MIB = 2**20


@dataclass
class Load:
    """Instances under way: when each was begun, and what it is called when it comes out."""

    folder: Path
    port: int
    spec: dict[str, Any]
    window: threading.Semaphore
    stopping: threading.Event = field(default_factory=threading.Event)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    begun: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Send instances until it is enough."""
        entity = AE(ae_title="SCANNER")
        pseudonyms = Pseudonyms(KEY)
        while self.window.acquire() and not self.stopping.is_set():
            with self.lock:
                number = next(self.numbers)
            path = self.folder / f"{number}.dcm"
            make_cine(CineSpec(seed=number, **self.spec), path)
            header = dcmread(path, stop_before_pixels=True)
            name = pseudonyms.uid(str(header.SOPInstanceUID))
            began = time.monotonic()
            association = entity.associate(
                _HOST,
                self.port,
                contexts=[build_context(header.SOPClassUID, EXPLICIT)],
                ae_title="CINESCRUB",
            )
            with self.lock:
                self.begun[name] = began
            answer = association.send_c_store(path) if association.is_established else Dataset()
            if "Status" not in answer or int(answer.Status) != 0:
                with self.lock:
                    self.refused += 1
                    del self.begun[name]
                self.window.release()
            if association.is_established:
                association.release()
            path.unlink()


@dataclass
class Clocked(Receiver):
    """A receiver that knows how late each output came."""

    load: Load | None = None
    latencies: dict[str, float] = field(default_factory=dict)

    def store(self, event: Any) -> int:
        now, uid = time.monotonic(), str(event.request.AffectedSOPInstanceUID)
        status = super().store(event)
        load = self.load
        assert load is not None  # noqa: S101  # it was given before anything is sent
        if uid not in self.latencies and uid in load.begun:
            self.latencies[uid] = now - load.begun[uid]
            load.window.release()
        return status


def memory_mib(process: subprocess.Popen[bytes]) -> float:
    """Return the resident memory of a process and those that it started."""
    own = psutil.Process(process.pid)
    both = (own, *own.children(recursive=True))
    return float(sum(each.memory_info().rss for each in both)) / _MIB


def measured(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    columns, rows = (int(side) for side in options.size.split("x"))
    spec = {"frames": options.frames, "rows": rows, "columns": columns}
    (folder / "in").mkdir()
    key = folder / "engine.key"
    key.touch(0o600)
    key.write_bytes(KEY)
    load = Load(folder / "in", free_port(), spec, threading.Semaphore(options.window))
    with receiver(Clocked(load=load)) as pacs:
        assert isinstance(pacs, Clocked)  # noqa: S101  # as was asked for
        config = settings(folder, folder, load.port, pacs.port)
        with config.open("a") as more:
            more.write(f'[engine]\nkey_file = "{key}"\ndetail_frames = 1\nverify_frames = 1\n')
        node = start(config, folder / "log", options.engine)
        threads = [threading.Thread(target=load.run) for _ in range(options.senders)]
        for thread in threads:
            thread.start()
        memory, began = [], time.monotonic()
        while time.monotonic() - began < options.minutes * 60:
            time.sleep(_LOOK_S)
            memory.append(round(memory_mib(node), 1))
        spent, finished = time.monotonic() - began, len(pacs.latencies)
        load.stopping.set()
        for _ in threads:
            load.window.release()
        for thread in threads:
            thread.join()
        held = ended(folder / "spool")
        node.send_signal(signal.SIGTERM)
        node.wait(30)
    late = sorted(pacs.latencies.values())
    quarter = max(1, len(memory) // 4)
    return {
        "engine": options.engine,
        "cine": f"{options.size}x{options.frames} native",
        "minutes": round(spent / 60, 1),
        "window": options.window,
        "senders": options.senders,
        "instances_per_s": round(finished / spent, 2),
        "latency_s": {
            "median": round(statistics.median(late), 2),
            "p95": round(late[int(len(late) * 0.95)], 2),
            "most": round(late[-1], 2),
        },
        "in": len(load.begun),
        "out": len(pacs.digests),
        "held": held,
        "refused": load.refused,
        "twice": sum(pacs.times.values()) - len(pacs.times),
        "memory_mib": {
            "second_quarter": statistics.median(memory[quarter : 2 * quarter] or memory),
            "last_quarter": statistics.median(memory[-quarter:]),
            "samples": memory[:: max(1, len(memory) // 24)],
        },
    }


def start(config: Path, log: Path, engine: str) -> subprocess.Popen[bytes]:
    """Start a node, and wait until it listens."""
    serve = {
        "real": ["-m", "cinescrub", "serve", "--config", str(config)],
        "fake": ["-m", "tests.integration.node.fake_node", str(config)],
    }[engine]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, *serve], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=sink
        )
    until_started(process, log)
    return process


def ended(spool: Path) -> int:
    """Wait until all is sent or held; return how many are held."""
    deadline = time.monotonic() + _END_S
    while time.monotonic() < deadline:
        with Desk.open(spool) as desk:
            left = desk.entries()
        if all(entry.state is State.HELD for entry in left):
            return len(left)
        time.sleep(0.5)
    raise SystemExit(f"{len(left)} instances are under way after {_END_S:.0f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--engine", choices=["real", "fake"], default="real")
    parser.add_argument("--size", default="128x96")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--window", type=int, default=4)
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="node-load-") as scratch:
        result = {"machine": machine(), **measured(Path(scratch), options)}
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + os.linesep)
    lost = result["in"] - result["out"] - result["held"]
    return 1 if lost or result["twice"] else 0


if __name__ == "__main__":
    sys.exit(main())
