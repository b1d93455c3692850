"""`profile`: what is done to each header element, to be read, checked and compared."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from typing import Annotated

import typer

from cinescrub.cli.flags import Json

__all__ = ["app"]

app = typer.Typer(
    help="Show, check and compare what is done to header elements.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="basic, research-echo, public-release, or a TOML file.")]


@app.command()
def show(name: Name = "basic", json: Json = False) -> None:
    """Print every element that a profile names: its action and the reason.

    X removed, Z empty or a pseudonym, D a dummy, U a new UID, K kept, C cleaned; of X/Z/D the
    first that leaves the object conformant.
    """
    from cinescrub.dicom.profiles import lines, load_profile

    profile = load_profile(name)
    if json:
        said = {
            "name": profile.name,
            "edition": profile.edition,
            "sha256": profile.sha256,
            "options": sorted(profile.options),
            "allow_list": profile.allow_list,
            "elements": [asdict(line) for line in lines(profile)],
        }
        typer.echo(jsonlib.dumps(said))
        return
    options = ", ".join(sorted(profile.options)) or "none"
    typer.echo(f"# profile {profile.name}, PS3.15 {profile.edition}, options: {options}")
    typer.echo(f"# sha256 {profile.sha256}")
    if profile.allow_list:
        typer.echo("# elements without a rule go, as far as the object's IOD lets them")
    for line in lines(profile):
        typer.echo(f"{line.element}\t{line.action}\t{line.name}\t{line.reason}")


@app.command()
def check(name: Name) -> None:
    """Read a profile and tell what it keeps beyond the standard.

    Ends with 2 if it can't be used.
    """
    from cinescrub.dicom.profiles import lines, load_profile

    profile = load_profile(name)
    names = {line.element: line.name for line in lines(profile)}
    typer.echo(f"{profile.name}: {len(profile.rules)} rules, sha256 {profile.sha256}")
    for tag in profile.exceptions:
        element = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
        typer.echo(f"keeps {element} {names.get(element, '')}: not the Basic Profile any more")
    if profile.exceptions:
        typer.echo("outputs won't claim 113100, nor that the identity is removed")


@app.command()
def diff(one: Name, other: Name, json: Json = False) -> None:
    """Print the elements that two profiles treat differently."""
    from cinescrub.dicom.profiles import lines, load_profile

    first, second = (
        {line.element: line for line in lines(load_profile(name))} for name in (one, other)
    )
    for element in sorted(first.keys() | second.keys()):
        before, after = first.get(element), second.get(element)
        was, now = (line.action if line is not None else "-" for line in (before, after))
        line = after or before
        if was == now or line is None:
            continue
        if json:
            typer.echo(jsonlib.dumps({"element": element, "one": was, "other": now}))
        else:
            typer.echo(f"{element}\t{was} -> {now}\t{line.name}\t{line.reason}")
