"""`bench work`: how much of a cine the detectors ran on, of what every frame would cost."""

from __future__ import annotations

import json as jsonlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from cinescrub.cli.bench import machine
from cinescrub.cli.models import say
from cinescrub.errors import ConfigError
from cinescrub.testing import CineSpec, Dynamic, Photometric, Syntax
from cinescrub.testing.accuracy import make_cases
from cinescrub.testing.accuracy.tool import inspected_share, run_tool
from cinescrub.testing.suite import Case

__all__ = ["measure_work"]


def measure_work(
    dynamics: Sequence[Dynamic],
    run_options: Sequence[str],
    *,
    frames: int,
    rows: int,
    columns: int,
    json: bool,
) -> int:
    """Run the main job on one JPEG cine of each dynamic, print its work, return its exit code.

    Raises
    ------
    ConfigError
        The run reported nothing: its options or its models are wrong.
    """
    base = CineSpec(
        seed=1,
        frames=frames,
        rows=rows,
        columns=columns,
        syntax=Syntax.JPEG_BASELINE,
        photometric=Photometric.YBR_FULL_422,
    )
    cases = [Case(each.value, each.value, replace(base, dynamic=each)) for each in dynamics]
    with tempfile.TemporaryDirectory(prefix="cinescrub-work-") as scratch:
        folder = Path(scratch)
        made = make_cases(cases, folder / "in", say)
        run = run_tool([each.path for each in made], folder / "run", run_options)
    if not run.lines:
        raise ConfigError(f"`cinescrub run` reported nothing and ended with {run.code}: see above")
    told = [_row(each.case.name, run.lines.get(each.path.name, {})) for each in made]
    result = {"machine": machine(), "rows": rows, "columns": columns, "cines": told}
    typer.echo(jsonlib.dumps(result) if json else _as_text(told))
    return run.code


def _row(name: str, line: Mapping[str, Any]) -> dict[str, Any]:
    seconds = line.get("seconds", {})
    return {
        "cine": name,
        "status": line.get("status", "absent"),
        "frames": line.get("frames", 0),
        "inspected_share": inspected_share(line),
        "inspect_s": seconds.get("inspect", 0.0),
        "verify_s": seconds.get("verify", 0.0),
        "all_s": round(sum(seconds.values()), 3),
    }


def _as_text(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"{'cine':12}{'frames':>8}{'pixels inspected':>18}{'inspect':>10}{'verify':>10}"]
    for row in rows:
        share = row["inspected_share"]
        shown = row["status"] if share is None else f"{100 * share:.2f} %"
        lines.append(
            f"{row['cine']:12}{row['frames']:>8}{shown:>18}"
            f"{row['inspect_s']:>8.1f} s{row['verify_s']:>8.1f} s"
        )
    return "\n".join(lines)
