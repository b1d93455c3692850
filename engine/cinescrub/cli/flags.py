"""The options that several commands share, each said once. No command is here."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cinescrub.config import DetectorChoice, InspectMode, Policy, PrecisionChoice, Provider
from cinescrub.kinds import Fill

__all__ = [
    "Actors",
    "CleanDescriptors",
    "CleanGraphics",
    "CleanStructured",
    "Config",
    "Dates",
    "DetectorFlag",
    "FillFlag",
    "GpusPerActor",
    "Inputs",
    "InspectFlag",
    "Jobs",
    "Json",
    "Key",
    "MaxMemory",
    "Models",
    "PolicyFlag",
    "PrecisionFlag",
    "Private",
    "ProfileFlag",
    "ProviderFlag",
    "RayFlag",
    "ResumeFlag",
    "RetainDates",
    "RetainDevice",
    "RetainInstitution",
    "RetainPatient",
    "RetainPrivate",
    "RetainUids",
    "StateFlag",
    "Threads",
    "VocabularyFlag",
    "asked_options",
]

Inputs = Annotated[
    list[str],
    typer.Argument(help="Files, folders, s3:// gs:// az:// URLs; content decides, not the suffix."),
]
Models = Annotated[
    Path | None, typer.Option("--models", help="Bundle folder; default: the user's cache.")
]
Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
PolicyFlag = Annotated[
    Policy | None, typer.Option("--policy", help="What happens to burned-in text.")
]
FillFlag = Annotated[
    Fill | None, typer.Option("--fill", help="What redacted rectangles are filled with.")
]
ProviderFlag = Annotated[
    Provider | None, typer.Option("--provider", help="Execution provider; never falls back.")
]
PrecisionFlag = Annotated[
    PrecisionChoice | None,
    typer.Option("--precision", help="Of the models; auto: the fastest that lost nothing."),
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=0, help="Threads of a model run; 0: one a core.")
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="Inputs worked on at once; each takes memory of its own."),
]
MaxMemory = Annotated[
    int | None,
    typer.Option(
        "--max-memory",
        min=0,
        help="Most MiB of memory: inputs wait for it, or are refused; 0: all.",
    ),
]
RayFlag = Annotated[
    str | None,
    typer.Option("--ray", help="Run on the Ray cluster of this address, or of a new one: local."),
]
Actors = Annotated[
    int | None, typer.Option("--actors", min=1, help="With --ray: workers; default: all cores.")
]
GpusPerActor = Annotated[
    float, typer.Option("--gpus-per-actor", min=0, help="With --ray: GPUs, or a part, of each.")
]
StateFlag = Annotated[
    Path | None,
    typer.Option("--state", help="Folder that keeps what was looked at and done, without PHI."),
]
ResumeFlag = Annotated[
    bool | None,
    typer.Option(
        "--resume/--no-resume", help="Skip inputs that --state says are done, and still are."
    ),
]
DetectorFlag = Annotated[
    DetectorChoice | None, typer.Option("--detector", help="Which detectors look for text.")
]
InspectFlag = Annotated[
    InspectMode | None,
    typer.Option("--inspect", help="Look at each new piece of overlay once, or at every frame."),
]
VocabularyFlag = Annotated[
    Path | None,
    typer.Option("--vocabulary", help="File with more clinical terms, one a line."),
]
ProfileFlag = Annotated[
    str | None,
    typer.Option("--profile", help="basic, research-echo, public-release, or a TOML file."),
]
Key = Annotated[
    Path | None,
    typer.Option("--key", help="Key file of the pseudonyms; created 0600 on first use."),
]


class Dates(StrEnum):
    """What `--retain-dates` may be."""

    FULL = "full"
    MODIFIED = "modified"


class Private(StrEnum):
    """What `--retain-private` may be."""

    PS315 = "ps315"
    TCIA = "tcia"


RetainDates = Annotated[
    Dates | None, typer.Option("--retain-dates", help="Keep dates, or move all of a patient's.")
]
RetainPatient = Annotated[
    bool, typer.Option("--retain-patient", help="Keep age, sex, size, weight and the like.")
]
RetainDevice = Annotated[
    bool, typer.Option("--retain-device", help="Keep serial numbers and station names.")
]
RetainInstitution = Annotated[
    bool, typer.Option("--retain-institution", help="Keep name and address of the site.")
]
RetainUids = Annotated[bool, typer.Option("--retain-uids", help="Keep UIDs.")]
RetainPrivate = Annotated[
    Private | None,
    typer.Option("--retain-private", help="Keep private elements on a list of safe ones."),
]
CleanDescriptors = Annotated[
    bool, typer.Option("--clean-descriptors", help="Keep free text in which nothing is found.")
]
CleanStructured = Annotated[
    bool, typer.Option("--clean-structured", help="Keep structured content, cleaned.")
]
CleanGraphics = Annotated[
    bool, typer.Option("--clean-graphics", help="Keep graphic annotations, cleaned.")
]


def asked_options(
    *,
    dates: Dates | None,
    private: Private | None,
    retain_patient: bool,
    retain_device: bool,
    retain_institution: bool,
    retain_uids: bool,
    clean_descriptors: bool,
    clean_structured: bool,
    clean_graphics: bool,
) -> tuple[str, ...] | None:
    """Return the names of the profile's options that flags ask for; None if none does."""
    asked = {
        "retain-patient-characteristics": retain_patient,
        "retain-device-identity": retain_device,
        "retain-institution-identity": retain_institution,
        "retain-uids": retain_uids,
        "clean-descriptors": clean_descriptors,
        "clean-structured-content": clean_structured,
        "clean-graphics": clean_graphics,
        f"retain-{dates}-dates": dates is not None,
        "retain-safe-private": private is not None and private is not Private.TCIA,
        "retain-tcia-private": private is Private.TCIA,
    }
    return tuple(name for name, wanted in asked.items() if wanted) or None
