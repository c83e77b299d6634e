"""`elfowl-cloud rollout`: bring bundles to many cameras, group by group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from cloud.commands.options import AsJson, Home, Token, Url, duration_s
from cloud.commands.terminal import answer, megabytes
from cloud.errors import InputError
from cloud.fleet.rollout_plan import Gates, Plan, Selector, Trial
from cloud.fleet.rollout_states import ORDERS, Order

app = typer.Typer(no_args_is_help=True, help="Roll-outs: bundles for many cameras, group by group.")

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Number of the roll-out; see `rollout list`.")]
_WORDS: dict[Order, str] = {
    "pause": "Ask no more cameras until it is continued.",
    "continue": "Go on after a pause or a halt; failures so far no longer count.",
    "abort": "End it; cameras under way go back to what they ran.",
    "roll_back": "Bring every camera of it back to what it ran before.",
    "retry": "Ask failed and late cameras again.",
}


@app.command()
def begin(  # noqa: PLR0913 - options of a command
    bundles: Annotated[
        list[str], typer.Argument(metavar="BUNDLE...", help="Published bundles, one for each kind of camera.")
    ],
    *,
    name: Annotated[str | None, typer.Option(help="How to call it; the bundles by default.")] = None,
    device: Annotated[list[str] | None, typer.Option(help="Only this camera; may be repeated.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Only cameras of this group.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Only cameras with this label.")] = None,
    canary: Annotated[list[str] | None, typer.Option(help="This camera is among the first.")] = None,
    canaries: Annotated[int, typer.Option(help="First ones of each kind of camera.")] = 1,
    shares: Annotated[str, typer.Option(help="Shares of all cameras that the groups reach.")] = "0.1,0.5,1",
    observe: Annotated[str, typer.Option(help="Watch a camera so long after its update.")] = "10m",
    late_after: Annotated[str, typer.Option(help="Do not wait for a camera that is silent so long.")] = "1h",
    success_share: Annotated[float, typer.Option(help="Of a group, before the next one begins.")] = 0.9,
    error_share: Annotated[float, typer.Option(help="More failures than this stop everything.")] = 0.2,
    error_count: Annotated[int | None, typer.Option(help="So many failures stop everything.")] = None,
    shadow_first: Annotated[
        str | None, typer.Option(help="First ones try it in the shadow of what they run for so long.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell only what it would do.")] = False,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Begin a roll-out; the server carries it on by itself."""
    gates = Gates(success_share=success_share, error_share=error_share, error_count=error_count)
    look_s = duration_s(shadow_first)
    selector = Selector(devices=tuple(device or ()), groups=tuple(group or ()), labels=tuple(label or ()))
    plan = _plan(
        name=name or " ".join(bundles),
        bundle_ids=tuple(bundles),
        selector=selector,
        canaries=canaries,
        canary_devices=tuple(canary or ()),
        shares=tuple(_numbers(shares)),
        gates=gates,
        shadow=None if look_s is None else Trial(look_s=look_s),
        observe_s=duration_s(observe),
        late_after_s=duration_s(late_after),
    )
    from cloud.commands.fleet import connect_fleet

    fleet = connect_fleet(home, url, token)
    if dry_run:
        shown = fleet.preview(plan)
        answer(shown, _preview_lines(shown), as_json=as_json)
        return
    begun = fleet.begin(plan)
    lines = [_line(begun), f"next: elfowl-cloud rollout show {begun['number']}"]
    answer(begun, lines, as_json=as_json)


@app.command("list")
def list_all(*, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List all roll-outs, newest first."""
    from cloud.commands.fleet import connect_fleet

    found = connect_fleet(home, url, token).rollouts()
    lines = [_line(one) for one in found]
    answer(found, lines or ["no roll-outs yet; see `rollout begin --help`"], as_json=as_json)


@app.command()
def show(
    number: Number, *, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Show a roll-out with each of its cameras."""
    from cloud.commands.fleet import connect_fleet

    one = connect_fleet(home, url, token).rollout(number)
    answer(one, [_line(one), *(_member_line(member) for member in one["members"])], as_json=as_json)


def _ordering(order: Order) -> Callable[..., None]:
    def command(
        number: Number, *, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False
    ) -> None:
        from cloud.commands.fleet import connect_fleet

        one = connect_fleet(home, url, token).order(number, order)
        answer(one, [_line(one)], as_json=as_json)

    command.__doc__ = _WORDS[order]
    return command


for _order in ORDERS:
    app.command(_order.replace("_", "-"))(_ordering(_order))


def _plan(**fields: object) -> Plan:
    try:
        return Plan.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = "-".join(str(part) for part in first["loc"]) or "shares"
        message = f"--{name.replace('_', '-')}: {first['msg'].removeprefix('Value error, ')}"
        raise InputError(message) from None


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        message = f"--shares {text!r}: write numbers that grow to 1, as in 0.1,0.5,1"
        raise InputError(message) from None


def _line(one: dict[str, Any]) -> str:
    counted = ", ".join(f"{count} {state}" for state, count in sorted(one["counts"].items()))
    reason = f": {one['reason']}" if one["reason"] else ""
    group = f"group {one['group'] + 1} of {one['groups']}"
    return f"{one['number']:4} {one['name'][:30]:30} {one['state']}{reason}; {group}; {counted}"


def _member_line(member: dict[str, Any]) -> str:
    reason = f"  {member['reason']}" if member["reason"] else ""
    return f"     {member['group'] + 1:2}  {member['device']:24} {member['state']:10}{reason}"


def _preview_lines(shown: dict[str, Any]) -> list[str]:
    lines = [
        f"{one['group'] + 1:2}  {one['device']:24} {'online' if one['online'] else 'offline':8} "
        f"{megabytes(one['bytes']):>9}  runs {one['runs'] or 'nothing'}"
        + (f", taken from roll-out {one['taken_from']}" if one["taken_from"] else "")
        for one in shown["devices"]
    ]
    lines += [f" -  {name:24} left out: {reason}" for name, reason in shown["left_out"].items()]
    return [*lines, f"{len(shown['devices'])} cameras, {megabytes(shown['total_bytes'])} together"]
