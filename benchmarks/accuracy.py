"""Measure what a run leaves of burned-in and planted identifiers, on made cines with truth.

    python benchmarks/accuracy.py --seeds 2 --json accuracy.json

Makes the suite of `cinescrub.testing.suite`, runs `python -m cinescrub run` on it as a user would,
decodes the outputs with pydicom and scores them as `cinescrub.testing.score` defines. A cine
without an output counts as leaked in full, and is listed apart with the status that it was given.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cinescrub.testing import CineTruth, make_cine
from cinescrub.testing.leaks import find_leaks
from cinescrub.testing.reader import read_frames
from cinescrub.testing.score import CineScore, score_frames, score_missing, total
from cinescrub.testing.suite import Case, accuracy_suite

_COLUMNS = (
    ("cines", 6),
    ("items", 10),
    ("item %", 8),
    ("frame %", 8),
    ("ink %", 8),
    ("kept %", 8),
    ("else %", 8),
    ("header", 7),
    ("missing", 8),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case."""

    case: Case
    score: CineScore
    header_leaks: tuple[str, ...]
    """Places of planted identifiers that the output still holds."""
    status: str
    reason: str


def main() -> int:
    options = _options()
    work = Path(tempfile.mkdtemp(prefix="accuracy-", dir=options.work))
    try:
        cases = [
            case
            for case in accuracy_suite(
                options.seeds, frames=options.frames, rows=options.rows, columns=options.columns
            )
            if not options.group or case.group in options.group
        ][: options.cines]
        truths = _make(cases, work / "in")
        seconds, code = _run(work, options.run_options)
        outcomes = _score(cases, truths, work)
    finally:
        if not options.keep:
            shutil.rmtree(work)
    summary = _summary(outcomes, seconds, code)
    print(_table(outcomes))
    print(json.dumps(summary["total"]))
    if options.json:
        options.json.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="cines of each tier and dynamic")
    parser.add_argument("--cines", type=int, default=None, help="stop after so many")
    parser.add_argument("--group", action="append", help="only this tier or dynamic; repeatable")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--rows", type=int, default=480)
    parser.add_argument("--columns", type=int, default=640)
    parser.add_argument("--json", type=Path, help="write all figures and every miss here")
    parser.add_argument("--work", type=Path, help="parent of the scratch folder")
    parser.add_argument("--keep", action="store_true", help="leave the scratch folder")
    parser.add_argument("run_options", nargs="*", help="after `--`: options of `cinescrub run`")
    return parser.parse_args()


def _make(cases: list[Case], folder: Path) -> list[CineTruth]:
    folder.mkdir(parents=True)
    return [make_cine(case.spec, folder / f"{case.name}.dcm") for case in cases]


def _run(work: Path, run_options: list[str]) -> tuple[float, int]:
    command = [
        sys.executable,
        "-m",
        "cinescrub",
        "run",
        str(work / "in"),
        "--out",
        str(work / "out"),
    ]
    command += ["--report", str(work / "report.jsonl"), "--key", str(work / "key"), *run_options]
    started = time.perf_counter()
    # A run that quarantines a file ends with a code of its own: it is reported, not raised.
    finished = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started, finished.returncode


def _score(cases: list[Case], truths: list[CineTruth], work: Path) -> list[Outcome]:
    lines = _report(work / "report.jsonl")
    outcomes: list[Outcome] = []
    for case, truth in zip(cases, truths, strict=True):
        source = work / "in" / f"{case.name}.dcm"
        line = lines.get(source.name, {})
        status, reason = str(line.get("status", "absent")), str(line.get("reason") or "")
        output = Path(line["output"]) if line.get("output") else None
        if output is None or not output.exists():
            outcomes.append(Outcome(case, score_missing(truth), (), status, reason))
            continue
        score = score_frames(read_frames(source), read_frames(output), truth)
        leaks = tuple(plant.place for plant in find_leaks(output, truth.planted))
        outcomes.append(Outcome(case, score, leaks, status, reason))
    return outcomes


def _report(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return {Path(line["source"]).name: line for line in lines if line.get("source")}


def _figures(outcomes: list[Outcome]) -> dict[str, Any]:
    score = total(outcome.score for outcome in outcomes)
    return {
        "cines": len(outcomes),
        "items": score.items,
        "item_frames": score.item_frames,
        "item_recall": round(score.item_recall, 5),
        "item_frame_recall": round(score.item_frame_recall, 5),
        "ink_recall": round(score.ink_recall, 5),
        "clinical": score.clinical,
        "kept": round(score.kept, 5),
        "changed_elsewhere": round(score.changed_elsewhere, 6),
        "unseen_item_frames": score.unseen_item_frames,
        "header_leaks": sum(len(outcome.header_leaks) for outcome in outcomes),
        "missing": score.missing,
    }


def _groups(outcomes: list[Outcome]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.case.group, []).append(outcome)
    return groups


def _summary(outcomes: list[Outcome], seconds: float, code: int) -> dict[str, Any]:
    return {
        "total": _figures(outcomes) | {"seconds": round(seconds, 1), "exit_code": code},
        "groups": {name: _figures(group) for name, group in _groups(outcomes).items()},
        "misses": [
            {"case": outcome.case.name} | asdict(miss)
            for outcome in outcomes
            for miss in outcome.score.misses
        ],
        "header_leaks": [
            {"case": outcome.case.name, "place": place}
            for outcome in outcomes
            for place in outcome.header_leaks
        ],
        "no_output": [
            {"case": outcome.case.name, "status": outcome.status, "reason": outcome.reason}
            for outcome in outcomes
            if outcome.score.missing
        ],
    }


def _table(outcomes: list[Outcome]) -> str:
    rows = [("group".ljust(16), *(name.rjust(width) for name, width in _COLUMNS))]
    for name, group in (*_groups(outcomes).items(), ("all", outcomes)):
        figures = _figures(group)
        cells = (
            str(figures["cines"]),
            str(figures["items"]),
            *(
                f"{100 * figures[key]:.2f}"
                for key in ("item_recall", "item_frame_recall", "ink_recall", "kept")
            ),
            f"{100 * figures['changed_elsewhere']:.3f}",
            str(figures["header_leaks"]),
            str(figures["missing"]),
        )
        widths = (width for _, width in _COLUMNS)
        rows.append((name.ljust(16), *(c.rjust(w) for c, w in zip(cells, widths, strict=True))))
    return "\n".join("".join(row) for row in rows)


if __name__ == "__main__":
    raise SystemExit(main())
