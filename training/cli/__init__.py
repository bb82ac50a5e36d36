"""Commands that simulate, train, promote and watch. Each imports its packages when it runs, so that ``--help`` is
quick.

Importing a module adds its commands to their group, in the order in which help lists them.
"""

from training.cli import after_go_live
from training.cli.after_go_live import impact, model, silent
from training.cli.lifecycle import SEED, STUDIES, TEAMS, YEARS, SplitChoice, app
from training.cli.service_rows import ServiceRows

__all__ = [
    "SEED",
    "STUDIES",
    "TEAMS",
    "YEARS",
    "ServiceRows",
    "SplitChoice",
    "after_go_live",
    "app",
    "impact",
    "model",
    "silent",
]
