"""The exception tree of cinescrub, with the exit code each branch maps to.

A message is one line that says what is wrong and what to do. It never holds a value of the
dataset, text read from pixels, or anything else that could be PHI: facts here are tags, UIDs of
the standard, sizes and names of our own options.

::

    CinescrubError                exit
    ├── ConfigError                 2   unknown key, out of range, two runtimes installed
    ├── ModelError                  3   missing, hash differs, contract differs, provider not loaded
    ├── InputError                  4   not DICOM, unsupported object or syntax, corrupt pixel data
    │   ├── NotDicomError           4   the content is not a DICOM instance: skipped, not failed
    │   └── DuplicateError          4   a copy of another input of the run: skipped, not failed
    ├── InferenceError              5   a model run failed
    ├── RedactionError              6   residual text found, review required
    ├── ScrubError                  7   a rule can't be applied, an identifier survived
    ├── OutputError                 8   target not writable, disk full
    ├── RegressionError             9   `bench compare`: a figure got worse
    ├── ClusterError               10   workers of the cluster can't be had, or are gone
    └── CancelledError            130   the operator stopped the run
"""

from typing import ClassVar

__all__ = [
    "CancelledError",
    "CinescrubError",
    "ClusterError",
    "ConfigError",
    "DuplicateError",
    "InferenceError",
    "InputError",
    "ModelError",
    "NotDicomError",
    "OutputError",
    "RedactionError",
    "RegressionError",
    "ScrubError",
    "error_of",
    "origin_of",
]


class CinescrubError(Exception):
    """Base of every error that cinescrub raises on purpose.

    Parameters
    ----------
    message : str
        One line, free of PHI, that says what to do.
    """

    exit_code: ClassVar[int] = 1

    @property
    def message(self) -> str:
        """The one line that is shown to the operator."""
        return str(self.args[0]) if self.args else type(self).__name__


class ConfigError(CinescrubError, ValueError):
    """An option, key or profile is unknown, out of range or contradicts another."""

    exit_code = 2


class ModelError(CinescrubError):
    """A model is missing, differs from its contract, or its provider was not loaded."""

    exit_code = 3


class InputError(CinescrubError, ValueError):
    """An input can't be handled: unsupported, malformed or truncated. It is refused whole."""

    exit_code = 4


class NotDicomError(InputError):
    """The content is not a DICOM instance (or is a directory record): reported as skipped."""


class DuplicateError(InputError):
    """The input is a copy, byte for byte, of another one of the run: reported as skipped."""


class InferenceError(CinescrubError, RuntimeError):
    """A model run failed."""

    exit_code = 5


class RedactionError(CinescrubError):
    """Text that the policy redacts is still visible in the output: review required."""

    exit_code = 6


class ScrubError(CinescrubError):
    """A header rule can't be applied, or an identifier survived the scrub."""

    exit_code = 7


class OutputError(CinescrubError, OSError):
    """The target can't be written."""

    exit_code = 8


class RegressionError(CinescrubError):
    """A measured figure is worse than before by more than its threshold."""

    exit_code = 9


class ClusterError(CinescrubError):
    """Workers of the cluster can't be had, differ from each other, or are gone."""

    exit_code = 10


class CancelledError(CinescrubError):
    """The run was stopped by its operator; nothing half-written is left."""

    exit_code = 130


def error_of(exit_code: int) -> type[CinescrubError]:
    """Return the class of errors that an exit code stands for; the base class where none does."""
    kinds = CinescrubError.__subclasses__()
    return next((kind for kind in kinds if kind.exit_code == exit_code), CinescrubError)


def origin_of(error: BaseException) -> str:
    """Return module and line of ours where an error began; names of code hold no PHI."""
    trace, place = error.__traceback__, "unknown"
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.startswith("cinescrub."):
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
