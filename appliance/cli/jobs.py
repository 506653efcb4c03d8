"""`hearthbeat jobs …`."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import click
from rich.table import Table

from appliance.cli.common import WHERE, out, services_for, settings_options


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@settings_options(*WHERE)
@click.pass_context
def jobs(context: click.Context, /, *, as_json: bool, **given: Any) -> None:
    """List the jobs of upkeep with their last run; works whether the server runs or not."""
    if context.invoked_subcommand is not None:
        return
    with services_for(given, "jobs") as services:
        states = services.upkeep.listed()
    if as_json:
        click.echo(json.dumps([_as_dict(state) for state in states]))
        return
    table = Table("Job", "Due", "Last run", "Took", "Outcome", "Next", box=None, pad_edge=False)
    for state in states:
        last = state.last
        table.add_row(
            state.job.name,
            str(state.job.trigger),
            _local(last.started_at) if last else "never",
            f"{last.duration_s:.1f} s" if last and last.duration_s is not None else "",
            f"{last.outcome}: {last.told}" if last else "",
            _local(state.next_at) if state.next_at else "",
        )
    out.print(table)


@jobs.command("run")
@click.argument("name")
@settings_options(*WHERE)
def run_job(name: str, **given: Any) -> None:
    """Run a job now, here, and wait for its end. Exit status 1 when it failed."""
    with services_for(given, "jobs run") as services:
        run = services.upkeep.run(name)
    click.echo(f"{run.outcome}: {run.told}")
    for counted, value in run.result.items():
        click.echo(f"  {counted}: {json.dumps(value)}")
    sys.exit(1 if run.outcome == "failed" else 0)


def _as_dict(state: Any) -> dict[str, Any]:
    last = state.last
    return {
        "name": state.job.name,
        "keeps_true": state.job.keeps_true,
        "due": str(state.job.trigger),
        "last": last
        and {
            "started_at": last.started_at.isoformat(),
            "seconds": last.duration_s,
            "outcome": last.outcome,
            "told": last.told,
            "result": last.result,
        },
        "next_at": state.next_at and state.next_at.isoformat(),
    }


def _local(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
