"""`pairbot preflight`: everything that can be known to be wrong before the first pair trade.

`run_checks(Setup(load_config(files, live=...), live=...))` gives a `Report`; `check_live` and `check_held`
are the same for a bot that is starting. `entry.both_legs` is another thing: it looks at both legs before each
entry.
"""

from pairbot_ext.preflight.live import PreflightRefusedError, check_held, check_live, holds_anything
from pairbot_ext.preflight.results import CheckResult, Finding, Report, Status
from pairbot_ext.preflight.runner import CHECKS, Check, run_check, run_checks
from pairbot_ext.preflight.setup import Known, Setup, load_config

__all__ = [
    "CHECKS",
    "Check",
    "CheckResult",
    "Finding",
    "Known",
    "PreflightRefusedError",
    "Report",
    "Setup",
    "Status",
    "check_held",
    "check_live",
    "holds_anything",
    "load_config",
    "run_check",
    "run_checks",
]
