"""``work health``: ask a running worker how it does."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException

import click

from work_core.errors import WorkError


@click.command()
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65535),
    envvar="WORK_METRICS_PORT",
    show_envvar=True,
    required=True,
    help="The --metrics-port of the worker.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the worker runs.")
@click.option(
    "--live", is_flag=True, help="Ask whether it should be restarted, not if it is ready."
)
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait for the answer.")
def health(metrics_port: int, host: str, live: bool, timeout: float) -> None:
    """Ask a running worker how it does.

    Exit with 0 if it fetches jobs, with 1 if it does not, and say why.
    """
    path = "/livez" if live else "/readyz"
    try:
        status, body = _ask(host, metrics_port, path, timeout)
    except (OSError, HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise WorkError(f"no worker answers on {host}:{metrics_port}: {reason}") from error
    if status != 200:  # noqa: PLR2004 - HTTP's OK
        raise WorkError("; ".join(body.split("\n")))
    click.echo(body)


def _ask(host: str, port: int, path: str, timeout: float) -> tuple[int, str]:
    connection = HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(65536).decode(errors="replace").strip()
    finally:
        connection.close()
