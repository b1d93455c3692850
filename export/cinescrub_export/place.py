"""Put a built model's folder into a bundle: whole or not at all, an old one replaced.

The one module that writes into a bundle.
"""

from __future__ import annotations

import errno
import shutil
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final

from cinescrub.bundle import Contract, Precision, Slot, folder_of, save_contract
from cinescrub.errors import OutputError
from cinescrub_export.model import Built

__all__ = ["install", "remove_variant"]

_ATTEMPTS: Final = 5
"""Renames against other exports that write to the same place at the same moment."""


def install(built: Built, out: Path) -> Contract:
    """Write a model's folder aside and rename it into the bundle.

    Parameters
    ----------
    built : Built
        What to write.
    out : Path
        The bundle's folder; made if it is missing.

    Returns
    -------
    Contract
        As written.

    Raises
    ------
    OutputError
        The folder can't be written; nothing is left of it.
    """
    contract = built.contract()
    aside = out / f".{built.slot}-{uuid.uuid4().hex}"
    try:
        aside.mkdir(parents=True)
        try:
            for name, data in built.files.items():
                (aside / name).write_bytes(data)
            save_contract(aside, contract)
            _replace(aside, out / contract.folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"{out} can't be written ({error.strerror}): choose another folder with --out"
        ) from error
    return contract


def remove_variant(out: Path, slot: Slot, precision: Precision) -> None:
    """Take a variant out of a bundle, if it is there: it is known to lose text here.

    Raises
    ------
    OutputError
        It can't be removed.
    """
    target = folder_of(out, slot, precision)
    old = out / f".{target.name}-{uuid.uuid4().hex}.old"
    try:
        with suppress(FileNotFoundError):
            target.rename(old)
    except OSError as error:
        raise OutputError(f"{target} can't be removed ({error.strerror}): remove it") from error
    shutil.rmtree(old, ignore_errors=True)


def _replace(new: Path, target: Path) -> None:
    """Rename `new` to `target`, moving an old folder out of the way.

    Between the two renames there is no model, never half a one. Another export that gets in
    between makes the rename fail; its folder is as good as an old one, so it is moved as well.
    """
    old = new.with_name(f"{new.name}.old")
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            target.rename(old)
        try:
            new.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                with suppress(OSError):  # the first error is the one to report
                    old.rename(target)
                raise
        else:
            return
        finally:
            shutil.rmtree(old, ignore_errors=True)
    raise OSError(errno.EBUSY, "another export is writing here")
