"""Run ``python -m work_core.cli`` as ``work``."""

from work_core.cli import main

main()
