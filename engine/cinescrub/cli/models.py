"""`export` and `models`: make bundles, list them, check their hashes."""

from __future__ import annotations

import importlib.util
import json as jsonlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import typer

from cinescrub import bundle
from cinescrub.bundle import Contract, Slot, folder_of
from cinescrub.config import PrecisionChoice
from cinescrub.errors import ConfigError, ModelError

__all__ = ["ensure_models", "export_models", "list_models", "say"]


def say(line: str) -> None:
    """Tell people something: on stderr, so that stdout stays for machines."""
    typer.echo(line, err=True)


def export_models(
    what: str,
    out: Path | None,
    *,
    weights: str | None,
    source: str,
    precision: PrecisionChoice,
    json: bool,
) -> None:
    """Export one slot or all of them, and their variants in a precision.

    Raises
    ------
    ConfigError
        `what` is no slot, or the `export` extra is not installed.
    """
    folder = out or bundle.default_models_dir()
    slots = tuple(Slot) if what == "all" else _slot(what)
    contracts = _exporter()(
        slots,
        folder,
        weights=Path(weights) if weights and Path(weights).is_dir() else weights,
        source=source,
        precision=precision,
        progress=say,
    )
    if json:
        made = {c.folder: {"name": c.name, "files": c.files} for c in contracts}
        typer.echo(jsonlib.dumps(made))


def ensure_models(models: Path) -> None:
    """Export what is missing from a bundle, once, where the `export` extra is installed.

    A model that is there and differs from its contract is never replaced here: that is for its
    operator to look at.

    Raises
    ------
    ModelError
        Models are missing and can't be made here; the message names the command.
    """
    missing = tuple(s for s in Slot if not (models / s / bundle.CONTRACT_FILE).exists())
    if not missing:
        return
    if importlib.util.find_spec("onnx") is None:
        bundle.load_contract(models, missing[0])  # raises the error that names the command
    say(f"models missing in {models}: exporting {', '.join(missing)} (once)")
    _exporter()(missing, models, precision=PrecisionChoice.AUTO, progress=say)


def list_models(folder: Path | None, *, verify: bool, json: bool) -> None:
    """Print a line a model: folder, name, precision, opset, size, hash and whether it holds.

    Variants stand behind their base.

    Raises
    ------
    ModelError
        With `verify`, after the list: a file is missing or its hash differs.
    """
    models = folder or bundle.default_models_dir()
    rows: list[dict[str, object]] = []
    faults: list[ModelError] = []
    for slot, precision in bundle.listed(models):
        folder_name = folder_of(models, slot, precision).name
        try:
            contract = (bundle.verify if verify else bundle.load_contract)(models, slot, precision)
            size = _size(folder_of(models, slot, precision) / bundle.MODEL_FILE, slot)
        except ModelError as error:
            faults.append(error)
            rows.append({"slot": slot.value, "folder": folder_name, "state": error.message})
            continue
        rows.append(
            {
                "slot": slot.value,
                "folder": folder_name,
                "state": "verified" if verify else "present",
                "name": contract.name,
                "precision": contract.precision,
                "gate": None if contract.gate is None else asdict(contract.gate),
                "opset": contract.opset,
                "bytes": size,
                "sha256": contract.files[bundle.MODEL_FILE],
                "origin": contract.origin.package,
                "licence": contract.origin.licence,
            }
        )
    if json:
        typer.echo(jsonlib.dumps({"folder": str(models), "models": rows}))
    else:
        typer.echo(f"{models}")
        for row in rows:
            typer.echo(_line(row))
    if verify and faults:
        raise faults[0]


def _size(path: Path, slot: Slot) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise ModelError(f"{path} is missing: run `cinescrub export {slot}` again") from error


def _line(row: dict[str, object]) -> str:
    if "name" not in row:
        return f"  {row['folder']:16} {row['state']}"
    return (
        f"  {row['folder']:16} {row['name']:18} {row['precision']:5} opset {row['opset']}"
        f"  {int(str(row['bytes'])) / 1e6:7.1f} MB  {str(row['sha256'])[:16]}  {row['state']}"
    )


def _slot(name: str) -> tuple[Slot, ...]:
    try:
        return (Slot(name),)
    except ValueError:
        raise ConfigError(f"unknown model {name}: choose {', '.join(Slot)} or all") from None


def _exporter() -> Callable[..., list[Contract]]:
    """Import the export package, where its extra is installed."""
    if importlib.util.find_spec("onnx") is None:
        raise ConfigError("exporting needs onnx: run `pip install cinescrub[export]`")
    from cinescrub_export.api import export

    return export
