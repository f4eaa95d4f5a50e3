"""`edgener publish`: a bundle in a repository of signed updates."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener_runtime.cli.console import write_line
from edgener_runtime.cli.options import FiniteRange

if TYPE_CHECKING:
    from edgener.publish.repository import RoleState

_ROLES = ("root", "targets", "snapshot", "timestamp")


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="[BUNDLE] REPOSITORY", type=click.Path(path_type=Path))
@click.option(
    "--keys",
    multiple=True,
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the roles' keys, root.key, root.pub and so on; repeatable.",
)
@click.option("--channel", default="stable", show_default=True, help="Channel of releases.")
@click.option(
    "--share",
    type=FiniteRange(0, 100),
    default=100,
    show_default=True,
    metavar="PERCENT",
    help="Share of the devices that get the release; publish again with a larger one.",
)
@click.option(
    "--valid",
    "days",
    type=click.IntRange(1, 366),
    default=14,
    show_default=True,
    metavar="DAYS",
    help="How long devices accept this state of the repository without a refresh.",
)
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    metavar="ROLE=N",
    callback=lambda *args: _thresholds(args[2]),
    help="Signatures that a role needs, in a new repository or with --rotate [default: 1]; repeatable.",
)
@click.option(
    "--refresh", is_flag=True, help="Sign the state as it is for --valid days more; needs the timestamp's key."
)
@click.option("--rotate", is_flag=True, help="Replace the keys of all roles by those of --keys.")
@click.option(
    "--old-keys",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="With --rotate: folder of the old root's keys; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def publish(
    folders: tuple[Path, ...],
    keys: tuple[Path, ...],
    channel: str,
    share: float,
    days: int,
    thresholds: dict[str, int],
    refresh: bool,
    rotate: bool,
    old_keys: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Publish a bundle in a repository of signed updates.

    REPOSITORY is a folder of static files, for a web server, an object store or a USB stick; devices update from it
    with edgener-runtime pull. It is a TUF repository: its metadata/1.root.json is the root that devices trust. The keys
    are those of edgener keygen, named after their roles: root, targets, snapshot, timestamp.

    \b
    Examples:
      edgener publish out/bundle out/updates --channel stable --share 5 --keys keys
      edgener publish out/updates --refresh --keys online-keys
      edgener publish out/updates --rotate --keys new-keys --old-keys keys
    """
    if refresh and rotate:
        raise click.UsageError("give --refresh or --rotate, not both")
    expected = 1 if refresh or rotate else 2
    if len(folders) != expected:
        raise click.UsageError("expected REPOSITORY alone" if expected == 1 else "expected BUNDLE and REPOSITORY")
    if bool(old_keys) != rotate:
        raise click.UsageError("--rotate and --old-keys go together")
    from edgener.cli.trust.password import read_password
    from edgener.publish.keys import read_keyring
    from edgener.publish.publish import refresh as refresh_roles
    from edgener.publish.publish import rotate as rotate_keys

    ring = read_keyring(keys, read_password)
    if refresh:
        _print_roles(refresh_roles(folders[0], ring, days), as_json)
    elif rotate:
        _print_roles(rotate_keys(folders[0], ring, read_keyring(old_keys, read_password), days, thresholds), as_json)
    else:
        _publish(folders[0], folders[1], channel, ring, share, days, thresholds, as_json)


def _publish(bundle: Path, repository: Path, channel: str, ring: Any, share: float, days: int, *rest: Any) -> None:
    from edgener.publish.publish import publish as publish_bundle
    from edgener_runtime.bundle.slim import slim
    from edgener_runtime.bundle.verify import verify_files

    thresholds, as_json = rest
    manifest = verify_files(bundle)
    done = publish_bundle(bundle, manifest, slim, repository, channel, ring, share, days, thresholds)
    if as_json:
        write_line(json.dumps(asdict(done)))
        return
    for each in done.channel.releases:
        write_line(f"{channel}\t{each.version}\t{each.share:g} % of the devices")
    _print_roles(done.roles, False)
    write_line(f"{repository}: {done.added:,} bytes added, {done.size:,} in all")


def _print_roles(roles: Iterable[RoleState], as_json: bool) -> None:
    if as_json:
        write_line(json.dumps({"roles": [asdict(role) for role in roles]}))
        return
    for role in roles:
        write_line(f"{role.role}\tversion {role.version}\t{role.threshold} of {role.keys} keys\tuntil {role.expires}")


def _thresholds(values: tuple[str, ...]) -> dict[str, int]:
    found = {}
    for value in values:
        role, _, number = value.partition("=")
        if role not in _ROLES or not number.isdecimal() or int(number) < 1:
            raise click.BadParameter(f"{value!r}, expected ROLE=N, for example root=2")
        found[role] = int(number)
    return found
