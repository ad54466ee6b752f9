"""Run shell commands as jobs, like the demo pair of the Go library.

In one terminal: ``work worker examples.commands:app``
In another: ``work enqueue commands -- ls -l``
"""

import subprocess

from work_core import App

app = App()


@app.task(timeout=60.0)
def commands(args: list[str]) -> None:
    """Run the command *args* and print what it prints; a failure is tried again."""
    done = subprocess.run(args, capture_output=True, text=True, check=True)  # noqa: S603 - its purpose
    print(done.stdout, end="", flush=True)
