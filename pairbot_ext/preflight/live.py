"""The same checks for a bot that is starting with real money."""

from __future__ import annotations

from freqtrade.strategy import IStrategy

from pairbot_ext.host.access import client_of, exchange_of
from pairbot_ext.preflight.results import Report, Status
from pairbot_ext.preflight.runner import run_checks
from pairbot_ext.preflight.setup import TELEGRAM_URL, NotCheckedError, Part, Setup
from pairbot_ext.support.errors import PairbotError


class PreflightRefusedError(PairbotError):
    """A live bot must not start. `report` holds every check."""

    def __init__(self, report: Report) -> None:
        failed = report.of(Status.FAIL)
        named = "; ".join(f"{result.name}: {result.text}" for result in failed)
        super().__init__(
            f"preflight refuses live trading, {len(failed)} of {len(report.results)} checks failed: {named}",
            remedy="Run `pairbot preflight --live`: it names the remedy of each",
        )
        self.report = report


def setup_of(strategy: IStrategy, *, telegram_url: str = TELEGRAM_URL) -> Setup:
    """The checks' view of a starting bot: its own exchange, strategy and configuration, nothing built anew.

    :param strategy: with `dp` set, as Freqtrade has it when it calls `ft_bot_start`.
    """
    setup = Setup(strategy.config, live=True, telegram_url=telegram_url)
    exchange = exchange_of(strategy.dp)
    client = client_of(exchange)
    # Freqtrade has removed the keys from the configuration by now.
    setup.secrets |= {secret for secret in (client.apiKey, client.secret) if secret}
    setup.exchange = setup.account = Part(lambda: exchange)
    setup.strategy = Part(lambda: strategy)
    setup.is_starting = True
    return setup


def check_live(strategy: IStrategy, *, telegram_url: str = TELEGRAM_URL) -> Report:
    """Call at the start of a bot that trades with real money and holds nothing.

    :returns: the report, to be told to the operator.
    :raises PreflightRefusedError: a check failed.
    """
    report = check_held(strategy, telegram_url=telegram_url)
    if not report.is_passed:
        raise PreflightRefusedError(report)
    return report


def check_held(strategy: IStrategy, *, telegram_url: str = TELEGRAM_URL) -> Report:
    """The same for a bot that holds something, and is started whatever is wrong: nobody else would close it.
    It then must not enter anything, which is the caller's to see to where `Report.is_passed` is false."""
    return run_checks(setup_of(strategy, telegram_url=telegram_url))


def holds_anything(strategy: IStrategy) -> bool:
    """Whether the bot's database holds an open trade or pair trade."""
    try:
        return not setup_of(strategy).known().is_empty
    except NotCheckedError:
        # Freqtrade could not manage what is in a database that cannot be read.
        return False
