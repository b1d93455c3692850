"""`node status`, `list`, `release`, `delete`: what people see of a node's spool and do with it."""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cinescrub.cli.flags import Json
from cinescrub.cli.models import say
from cinescrub.cli.serve import need_the_extra
from cinescrub.errors import ConfigError

if TYPE_CHECKING:
    from cinescrub.node.desk import Desk
    from cinescrub.node.entry import Entry

__all__ = ["app"]

app = typer.Typer(help="Look at a node's spool, and decide on what is held.", no_args_is_help=True)

_NodeConfig = Annotated[Path, typer.Option("--config", help="TOML file of the node.")]
_Ids = Annotated[
    list[str] | None, typer.Argument(help="Ids, as `node list` shows them.", show_default=False)
]
_AllHeld = Annotated[bool, typer.Option("--all-held", help="All that are held.")]


@app.command()
def status(config: _NodeConfig, json: Json = False) -> None:
    """Count instances by state, and tell how long the oldest has waited."""
    with _desk(config) as desk:
        counts, waiting = desk.counts(), desk.entries()
    age = max(0.0, time.time() - waiting[0].received) if waiting else 0.0
    if json:
        told: dict[str, Any] = {state.value: count for state, count in counts.items()}
        typer.echo(jsonlib.dumps(told | {"oldest_s": round(age, 1)}))
        return
    for state, count in counts.items():
        typer.echo(f"{state.value:10} {count}")
    if waiting:
        typer.echo(f"{'oldest':10} {_age(age)}")


@app.command("list")
def list_(
    config: _NodeConfig,
    state: Annotated[
        str | None, typer.Option("--state", help="Only these; all but sent by default.")
    ] = None,
    json: Json = False,
) -> None:
    """List instances: id, state, age, size, sender, and why one is held or failed."""
    with _desk(config) as desk:
        entries = desk.entries(*_states(state))
    for entry in entries:
        typer.echo(jsonlib.dumps(_as_dict(entry)) if json else _as_text(entry))


@app.command()
def release(
    config: _NodeConfig, ids: _Ids = None, all_held: _AllHeld = False, json: Json = False
) -> None:
    """Let instances go on that are held or wait for another attempt."""
    with _desk(config) as desk:
        for identity in _chosen(desk, ids, all_held):
            desk.release(identity)
            _tell("released", identity, json=json)


@app.command()
def delete(
    config: _NodeConfig, ids: _Ids = None, all_held: _AllHeld = False, json: Json = False
) -> None:
    """Shred instances, and forget them: sent again, each is a new one."""
    with _desk(config) as desk:
        for identity in _chosen(desk, ids, all_held):
            desk.delete(identity)
            _tell("deleted", identity, json=json)


@contextmanager
def _desk(path: Path) -> Iterator[Desk]:
    need_the_extra()
    from cinescrub.node.config import load_node_config
    from cinescrub.node.desk import Desk

    with Desk.open(load_node_config(path).spool.folder) as desk:
        yield desk


def _tell(done: str, identity: str, *, json: bool) -> None:
    """Say what was done with an instance, at once: the next one may fail."""
    if json:
        typer.echo(jsonlib.dumps({"id": identity, "done": done}))
    else:
        say(f"{done} {identity}")


def _chosen(desk: Desk, ids: list[str] | None, all_held: bool) -> list[str]:
    if bool(ids) == all_held:
        raise ConfigError("give ids, or --all-held")
    return list(ids) if ids else [entry.id for entry in desk.entries(*_states("held"))]


def _states(name: str | None) -> tuple[Any, ...]:
    from cinescrub.node.entry import State

    if name is None:
        return ()
    if name not in tuple(State):
        raise ConfigError(f"--state {name}: choose {', '.join(State)}")
    return (State(name),)


def _as_dict(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "state": entry.state.value,
        "reason": entry.reason,
        "peer": entry.peer,
        "bytes": entry.size,
        "received": entry.received,
        "attempts": entry.attempts,
        "crashes": entry.crashes,
        "output": None if entry.output is None else Path(entry.output).stem,
    }


def _as_text(entry: Entry) -> str:
    age = _age(max(0.0, time.time() - entry.received))
    size = f"{entry.size / 1e6:.1f} MB"
    told = f"{entry.id}  {entry.state.value:8} {age:>7} {size:>10}  {entry.peer or '-':16}"
    return f"{told}  {entry.reason or ''}".rstrip()


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
