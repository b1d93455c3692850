"""Where `run` may put what: nothing that leads back to patients lies beside the outputs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cinescrub.dicom.target import lies_in
from cinescrub.errors import ConfigError

__all__ = ["check_places"]


def check_places(
    *,
    out: Path | None,
    inputs: Sequence[Path],
    report: Path | None,
    key: Path,
    state: Path | None,
    crosswalk: Path | None,
    midi_b: Path | None,
    others: Sequence[Path | None] = (),
) -> None:
    """Refuse places before any work is done.

    Parameters
    ----------
    out : Path or None
        Output folder; None if outputs go into a store, where none of the rest can lie.
    inputs : sequence of Path
        Files and folders, those in stores left out.
    report, state, crosswalk, midi_b : Path or None
        Of the options of these names.
    key : Path
        The file of the site's key, whether or not it was named.
    others : sequence of Path or None
        Files and folders that the run reads besides: settings, vocabulary, profile, models.

    Raises
    ------
    ConfigError
        One of them would leave with the outputs, or change an input or its folder.
    """
    _check_report_and_key(report, key, out, inputs)
    _check_report(report, [*others, key, crosswalk, state, midi_b])
    _check_links(crosswalk, midi_b, out, inputs)
    _check_state(state, out, inputs)


def _check_report_and_key(
    report: Path | None, key: Path, out: Path | None, inputs: Sequence[Path]
) -> None:
    """Refuse a report or key that would leave with the outputs, or a report over an input."""
    if report is not None and lies_in(report, out):
        raise ConfigError(
            "--report names source paths, which can hold PHI: put it outside of --out"
        )
    if report is not None and any(lies_in(report, given) for given in inputs):
        raise ConfigError("--report would change an input or its folder: put it elsewhere")
    if not os.path.lexists(key) and any(lies_in(key, g) for g in inputs):
        raise ConfigError("the key would be made in an input's folder: name another with --key")
    if lies_in(key, out):
        raise ConfigError("the key leads back to patients: keep it outside of --out (--key)")


def _check_report(report: Path | None, others: Sequence[Path | None]) -> None:
    """Refuse a report over what else the run reads or writes: it would be that file's end."""
    if report is not None and any(lies_in(report, other) for other in others):
        raise ConfigError("--report would overwrite another file of the run: put it elsewhere")


def _check_links(
    crosswalk: Path | None, midi_b: Path | None, out: Path | None, inputs: Sequence[Path]
) -> None:
    """Refuse what leads back to patients where the outputs go or the inputs are."""
    for name, path in (("--crosswalk", crosswalk), ("--midi-b-export", midi_b)):
        if path is None:
            continue
        if lies_in(path, out) or (path == midi_b and lies_in(out, path)):
            raise ConfigError(f"{name} leads back to patients: put it outside of --out")
        if any(lies_in(path, given) for given in inputs):
            raise ConfigError(f"{name} would change an input or its folder: put it elsewhere")


def _check_state(state: Path | None, out: Path | None, inputs: Sequence[Path]) -> None:
    """Refuse a state among the outputs, which are given away, or among the inputs."""
    if state is None:
        return
    if lies_in(state, out) or lies_in(out, state):
        raise ConfigError("--state is of this site: put it outside of --out")
    if any(lies_in(state, given) for given in inputs):
        raise ConfigError("--state would change an input or its folder: put it elsewhere")
