"""The list of checks, and what makes a report of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import ccxt
from freqtrade.exceptions import FreqtradeException

from pairbot_ext.preflight import account, effective, files, server, sizes, telegram, venue
from pairbot_ext.preflight.results import CheckResult, Finding, Number, Report, Status
from pairbot_ext.preflight.setup import NotCheckedError, Setup
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.redact import hide, scrub

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """One line of the report.

    :param run: what is done; it returns a finding or raises one of the errors `run_check` knows.
    """

    name: str
    run: Callable[[Setup], Finding]


CHECKS: tuple[Check, ...] = (
    Check("configuration", files.configuration),
    Check("pairs file", files.pairs_file),
    Check("pairs age", files.pairs_age),
    Check("whitelist", files.whitelist),
    Check("market mode", effective.market_mode),
    Check("pricing", effective.pricing),
    Check("strategy settings", effective.strategy_settings),
    Check("slots", effective.slots),
    Check("versions", files.versions),
    Check("database", files.database),
    Check("directories", files.directories),
    Check("live venue", account.live_venue),
    Check("exchange", venue.reachable),
    Check("clock", venue.clock),
    Check("symbols", venue.symbols),
    Check("candles", venue.candles),
    Check("account mode", account.account_mode),
    Check("key permissions", account.key_permissions),
    Check("balance", sizes.balance),
    Check("leverage", sizes.brackets),
    Check("pair sizes", sizes.pair_sizes),
    Check("request weight", venue.request_weight),
    Check("foreign", account.foreign),
    Check("telegram", telegram.telegram),
    Check("api server", server.api_server),
)


def run_check(check: Check, setup: Setup) -> CheckResult:
    """Run one check. Whatever goes wrong in it becomes its result: a check that breaks has not passed."""
    try:
        finding = check.run(setup)
    except NotCheckedError as error:
        finding = Finding(error.status, f"not checked: {error}", error.remedy)
    except PairbotError as error:
        value = "" if error.value is None else f" (found: {error.value})"
        finding = Finding(Status.FAIL, f"{error.what}{value}", error.remedy)
    except (FreqtradeException, ccxt.BaseError) as error:
        finding = Finding(
            setup.grave,
            f"the exchange did not answer: {type(error).__name__}: {' '.join(str(error).split())[:240]}",
            "Try again; if it stays, look at the exchange's status page",
        )
    except Exception as error:
        logger.debug(f"check {check.name} broke", exc_info=True)
        finding = Finding(
            Status.FAIL,
            f"the check itself broke: {type(error).__name__}: {error}",
            "Please report this with the line above",
        )
    return _redacted(CheckResult.of(check.name, finding), setup.secrets)


def _redacted(result: CheckResult, secrets: frozenset[str]) -> CheckResult:
    """Without any of the secrets, in whatever field they came: a failed request's error message may hold the
    URL with the token or the signature in it."""

    def clean(row: Mapping[str, Number]) -> dict[str, Number]:
        return {key: text(value) if isinstance(value, str) else value for key, value in row.items()}

    def text(value: str) -> str:
        return scrub(hide(value, secrets))

    return replace(
        result,
        text=text(result.text),
        remedy=text(result.remedy),
        numbers=clean(result.numbers),
        details=tuple(clean(row) for row in result.details),
    )


def run_checks(setup: Setup, checks: Iterable[Check] = CHECKS) -> Report:
    """Every check, in order."""
    return Report(tuple(run_check(check, setup) for check in checks), setup.live)
