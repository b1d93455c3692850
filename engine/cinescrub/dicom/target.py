"""Where outputs go: names, folders, checks before work starts, and the system's refusals.

Knows files and errors of the operating system; nothing of DICOM besides what a UID looks like.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cinescrub.errors import ConfigError, OutputError, ScrubError

__all__ = [
    "check_target",
    "claim",
    "copy_range",
    "lies_in",
    "make_folders",
    "os_errors",
    "output_path",
    "sweep",
    "sync_folder",
    "temporary_name",
]

_BLOCK = 1 << 20
_SECTOR = 512  # no file system has smaller blocks
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")

_REASONS = {
    errno.ENOSPC: "no space left on the target: free some and run again",
    errno.EDQUOT: "the quota of the target is used up: free some and run again",
    errno.EFBIG: "the target's file system can't hold a file of this size",
    errno.EROFS: "the target is mounted read-only: choose another",
    errno.EACCES: "the target is not writable: choose another or change its permissions",
    errno.EPERM: "the target is not writable: choose another or change its permissions",
    errno.ENOTDIR: "the target is not a folder: choose another",
}


@contextmanager
def os_errors() -> Iterator[None]:
    """Turn what the system refuses into an OutputError of one line."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        fallback = f"the target can't be written: {errno.errorcode.get(error.errno or 0, 'error')}"
        raise OutputError(_REASONS.get(error.errno or 0, fallback)) from None


def output_path(root: Path, study_uid: str, series_uid: str, instance_uid: str) -> Path:
    """Return where an instance goes: `root/<study>/<series>/<instance>.dcm`, of its new UIDs.

    Raises
    ------
    ScrubError
        One of them isn't a UID: it would end up in a path.
    """
    for uid in (study_uid, series_uid, instance_uid):
        if len(uid) > 64 or not _UID.fullmatch(uid):
            raise ScrubError("a UID of the scrubbed header is missing or not one: no output name")
    return root / study_uid / series_uid / f"{instance_uid}.dcm"


def check_target(root: Path, inputs: Sequence[Path]) -> None:
    """Refuse a target that would mix with the inputs or can't be written, before work starts.

    Raises
    ------
    ConfigError
        The target is an input folder, lies inside of one, or is itself an input file.
    OutputError
        The target is a file or not writable.
    """
    # os.path, as pathlib's own raise on links that lead in circles and on names that are too long
    target = Path(os.path.realpath(root))
    for given in inputs:
        source = Path(os.path.realpath(given))
        if target == source and not os.path.isdir(source):
            raise ConfigError("the target is an input: choose a folder of its own")
        if target == source or (os.path.isdir(source) and source in target.parents):
            raise ConfigError("the target lies inside of a source folder: choose another")
    with os_errors():
        existing = next(folder for folder in (target, *target.parents) if folder.exists())
        if not existing.is_dir():
            raise OutputError("the target is a file, not a folder: choose another")
        probe = existing / temporary_name()
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        probe.unlink()


def lies_in(path: Path | None, folder: Path | None) -> bool:
    """Tell whether a path is a folder or in it, links followed; False where there is none."""
    if path is None or folder is None:
        return False
    # os.path, as pathlib's own raises on links that lead in circles
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk.

    Raises
    ------
    OSError
        The disk fails.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_name() -> str:
    """Return a name that can't be guessed and says nothing."""
    return f".cinescrub-{secrets.token_hex(8)}.part"


_TEMPORARY = re.compile(r"\.cinescrub-[0-9a-f]{16}\.part")


def claim(descriptor: int) -> bool:
    """Tell `sweep` that a temporary file is in use; False if it has just been swept.

    The claim ends with the process, however it ends. Where the file system knows no locks there is
    nothing to tell: `sweep` leaves all there.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return os.fstat(descriptor).st_nlink > 0


def sweep(root: Path) -> int:
    """Remove temporary files that a killed run left below `root`; return how many.

    Those that another process writes at the moment stay, and so does all with another name.
    """
    removed = 0
    for folder, _, names in os.walk(root):
        for name in filter(_TEMPORARY.fullmatch, names):
            path = os.path.join(folder, name)
            with suppress(OSError):  # its writer was quicker, or it isn't ours to remove
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(path)
                    removed += 1
                finally:
                    os.close(descriptor)
    return removed


def make_folders(folder: Path) -> list[Path]:
    """Create `folder` and its parents; return those that weren't there, outermost first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    created = []
    for folder in reversed(missing):
        with suppress(FileExistsError):  # by another worker, in between
            folder.mkdir()
            created.append(folder)
    return created


def copy_range(source: int, at: int, target: int, to: int, length: int) -> None:
    """Copy bytes between files, within the kernel where that can't share blocks.

    Files that share blocks (reflinks) would need new space when a page is changed: on a full disk
    that is a signal and not an error. Sharing needs both offsets in step with the blocks.
    """
    end = at + length
    while at < end:
        done = 0
        if hasattr(os, "copy_file_range") and (at - to) % _SECTOR:
            # not between these file systems, or not this kernel: then the plain way
            with _without(errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
                done = os.copy_file_range(source, target, end - at, at, to)
        if not done:
            done = os.pwrite(target, os.pread(source, min(_BLOCK, end - at), at), to)
        if not done:
            raise OutputError("the input became shorter while it was copied: output dropped")
        at, to = at + done, to + done


@contextmanager
def _without(*codes: int) -> Iterator[None]:
    """Ignore an OSError of one of these codes."""
    try:
        yield
    except OSError as error:
        if error.errno not in codes:
            raise
