"""Puts the pair commands onto one bot's Telegram module and API server, and takes itself off at its end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pairbot_ext.control.service import PairService, PairsNow
from pairbot_ext.desk.trade_desk import TradeDesk

if TYPE_CHECKING:
    from pairbot_ext.host.rpc import Routes

logger = logging.getLogger(__name__)


class Page(Protocol):
    """What people look at in a browser, on the API server."""

    def routes(self, user: Any) -> Sequence[Routes]:
        """Its routes. :param user: dependency that gives the name of who asks."""
        ...

    def close(self) -> None:
        """Whoever looks is sent away: the server waits for them at its end."""
        ...


class Control:
    """One per bot. Whichever of bot, Telegram and strategy comes up first: `attach` is asked every loop
    until everything is in place.

    :param make_page: builds the page where there is an API server.
    """

    def __init__(
        self,
        desk: TradeDesk,
        pairs_now: Callable[[], PairsNow],
        make_page: Callable[[TradeDesk, Callable[[], PairsNow], Callable[[], PairService | None]], Page],
    ) -> None:
        self._pairs_now = pairs_now
        self._make_page = make_page
        self._page: Page | None = None
        self._desk = desk
        self._service: PairService | None = PairService(desk, pairs_now)
        self._bot = desk.bridge.bot
        self._has_api = False
        self._has_telegram = False

    @property
    def service(self) -> PairService | None:
        """None after `close`: handlers of a bot that is going down refuse."""
        return self._service

    def attach(self) -> None:
        """Add what can be added now. Never raises: a bot without commands still trades."""
        if self._has_api and self._has_telegram:
            return
        try:
            self._attach()
        except Exception:
            self._has_api = self._has_telegram = True
            logger.exception("The pair commands could not be added to Telegram and the API server")

    def _attach(self) -> None:
        if not {"telegram", "apiserver"} & {module.name for module in self._bot.rpc.registered_modules}:
            self._has_api = self._has_telegram = True
            return
        # Imported here: many bots have neither, and the two bring much along.
        from pairbot_ext.control import api, metrics, telegram
        from pairbot_ext.host import rpc

        if not self._has_api:
            measures = metrics.PairMetrics(self._desk)
            origins = self._bot.config.get("api_server", {}).get("CORS_origins", [])

            def routes(user: Any) -> list[rpc.Routes]:
                self._page = self._make_page(self._desk, self._pairs_now, lambda: self._service)
                router = api.make_router(lambda: self._service, user, measures.text, origins)
                return [rpc.Routes(router), *self._page.routes(user)]

            rpc.add_api_routes(self._bot, routes)
            self._has_api = True
        if not self._has_telegram:
            self._has_telegram = rpc.add_telegram_commands(
                self._bot,
                telegram.commands(lambda: self._service),
                telegram.help_command,
                telegram.KEYBOARD_ROW,
            )

    def close(self) -> None:
        """The bot is going down. Its modules go with it; until then their handlers refuse."""
        self._service = None
        if self._page is not None:
            self._page.close()
