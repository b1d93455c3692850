"""`doctor`: is this installation able to do the main job, and if not, what to do."""

from __future__ import annotations

import json as jsonlib
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final

import typer

from cinescrub import __version__, bundle
from cinescrub.bundle import VARIANTS, Slot
from cinescrub.cli.progress import Quiet
from cinescrub.config import EngineConfig, PrecisionChoice, Provider
from cinescrub.errors import CinescrubError, RedactionError
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.pixels import jpeg_core, registry
from cinescrub.report import Status
from cinescrub.runtime.precision import choose, exact_int8, suits
from cinescrub.runtime.providers import installed_runtimes, load_runtime, resolve
from cinescrub.runtime.session import open_session
from cinescrub.stream import CancelToken
from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine
from cinescrub.testing.leaks import find_leaks

__all__ = ["examine"]

_PACKAGES: Final = ("numpy", "pydicom", "opencv-python-headless", "imagecodecs", "tokenizers")


@dataclass(frozen=True, slots=True)
class _Finding:
    check: str
    ok: bool
    says: str
    exit_code: int = 0


def examine(config: EngineConfig, *, json: bool) -> int:
    """Run every check, print a line each, and return the exit code of the first that failed."""
    findings = [
        _Finding("versions", ok=True, says=_versions()),
        _check("runtime", _runtime),
        _check("precision", partial(_precision, config)),
        _Finding("codecs", ok=True, says="; ".join(registry.names())),
        _Finding("JPEG core", ok=True, says=jpeg_core.describe()),
        *(_check(f"model {slot}", partial(_model, config, slot)) for slot in Slot),
    ]
    if all(finding.ok for finding in findings):
        findings.append(_check("self-test", lambda: _self_test(config)))
    if json:
        rows = [{"check": f.check, "ok": f.ok, "says": f.says} for f in findings]
        typer.echo(jsonlib.dumps({"ok": all(f.ok for f in findings), "checks": rows}))
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'} {finding.check:18} {finding.says}")
    return next((f.exit_code for f in findings if not f.ok), 0)


def _check(name: str, look: Callable[[], str]) -> _Finding:
    try:
        return _Finding(name, ok=True, says=look())
    except CinescrubError as error:
        return _Finding(name, ok=False, says=error.message, exit_code=error.exit_code)


def _versions() -> str:
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    return (
        f"cinescrub {__version__}, Python {platform.python_version()}"
        f" on {platform.system()} {platform.machine()}, {packages}"
    )


def _runtime() -> str:
    built_in = load_runtime().get_available_providers()
    ((name, version),) = installed_runtimes().items()
    return f"{name} {version}, built with {', '.join(built_in)}"


def _precision(config: EngineConfig) -> str:
    """Tell what suits this machine, and how to come by it where the bundle lacks it."""
    provider = _provider(config)
    best = suits(provider)
    how = exact_int8() if provider is Provider.CPU else None
    told = f"{best} suits {provider}" + (f" ({how})" if how else "")
    lacking = [
        slot.value
        for slot in VARIANTS[best]
        if choose(config.models, slot, PrecisionChoice.AUTO, provider) is not best
    ]
    if lacking:
        command = f"cinescrub export {lacking[0] if len(lacking) == 1 else 'all'}"
        told += f"; {', '.join(lacking)} lacks it: run `{command} --precision {best}`"
    return told


def _provider(config: EngineConfig) -> Provider:
    return resolve(config.provider, load_runtime().get_available_providers())


def _model(config: EngineConfig, slot: Slot) -> str:
    provider = _provider(config)
    precision = choose(config.models, slot, config.precision, provider)
    session = open_session(config.models, slot, precision=precision, provider=provider)
    contract = session.contract
    digest = contract.files[bundle.MODEL_FILE][:16]
    return f"{contract.name} {contract.precision}, sha256 {digest}, runs on {session.provider}"


def _self_test(config: EngineConfig) -> str:
    """De-identify a made cine in a folder that goes, and look for what was planted in it."""
    with tempfile.TemporaryDirectory(prefix="cinescrub-doctor-") as scratch:
        folder = Path(scratch)
        spec = CineSpec(
            seed=2,
            frames=2,
            rows=240,
            columns=320,
            syntax=Syntax.JPEG_BASELINE,
            photometric=Photometric.YBR_FULL_422,
        )
        truth = make_cine(spec, folder / "made.dcm")
        # The whole chain, at the least cost: one frame of each kind is looked at enlarged.
        settings = replace(config, key_file=folder / "key", verify_frames=1)
        engine = Engine.open(settings)
        report = engine.run(
            folder / "made.dcm",
            Targets.open(folder / "out", []),
            token=CancelToken(),
            observer=Quiet(),
        )
        if report.status is not Status.OK or report.output is None:
            raise RedactionError(f"a made cine ended as {report.status}: {report.reason}")
        leaks = find_leaks(report.output, truth.planted)
        if leaks:
            raise RedactionError(f"{len(leaks)} planted identifiers are still in the output")
        seconds = sum(report.seconds.values())
        return (
            f"a made cine of {spec.frames} frames in {seconds:.1f} s:"
            f" {len(report.rectangles)} rectangles, {len(truth.planted)} planted identifiers gone"
        )
