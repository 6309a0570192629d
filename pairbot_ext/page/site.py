"""The routes of the page: its files for everybody, its data behind Freqtrade's login."""

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.control.api import IdInPath, PairId, answer_of, name_of
from pairbot_ext.control.refusals import NotNowError
from pairbot_ext.control.refusing import NOT_KEPT, FromHere, Refusing, as_json
from pairbot_ext.control.service import PairService, PairsNow
from pairbot_ext.desk.trade_desk import TradeDesk
from pairbot_ext.host.rpc import Routes, give_session_back
from pairbot_ext.page.broadcast import Broadcast
from pairbot_ext.page.chart import chart_of
from pairbot_ext.page.confirm import Action, Confirmations
from pairbot_ext.page.files import HEADERS, INDEX, Asset, assets
from pairbot_ext.page.history import read_events
from pairbot_ext.page.results import Results
from pairbot_ext.page.sheet import Look, Sheet

ROOT = "/pairs"


class Asked(BaseModel):
    """What a person wants to do."""

    model_config = ConfigDict(extra="forbid")

    action: Action
    id: PairId = Field(
        default="all", description="of a pair or an open pair trade, for close, lock and unlock"
    )


class Confirmed(BaseModel):
    """The ticket of a question that a person has said yes to."""

    model_config = ConfigDict(extra="forbid")

    ticket: Annotated[str, Field(strict=True, min_length=1, max_length=64)]


class Site:
    """The page of one bot.

    :param service: None where the strategy is not running (any more).
    """

    def __init__(
        self, desk: TradeDesk, pairs_now: Callable[[], PairsNow], service: Callable[[], PairService | None]
    ) -> None:
        self._desk = desk
        self._pairs_now = pairs_now
        self._service = service
        self._sheet = Sheet(desk, pairs_now)
        self._confirmations = Confirmations(desk.clock)
        self._results = Results(FilePath(desk.bridge.bot.config["user_data_dir"]))
        self.broadcast = Broadcast(self._look, desk.clock.now_ms)

    @cached_property
    def _assets(self) -> dict[str, Asset]:
        return assets()

    def close(self) -> None:
        """The bot goes down: whoever looks is sent away, or the server would wait for them."""
        self.broadcast.close()

    def _look(self) -> Look | None:
        service = self._service()
        if service is None:
            return None
        try:
            return self._sheet.look(service)
        finally:
            give_session_back()

    def routes(self, user: Any) -> Sequence[Routes]:
        """See `control.attach.Page`."""
        origins = self._desk.bridge.bot.config.get("api_server", {}).get("CORS_origins", [])
        return [
            Routes(self._public(), is_private=False),
            Routes(self._live(), lasts=True),
            Routes(self._private(user, origins)),
        ]

    # -- for everybody -----------------------------------------------------------------------------

    def _public(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)

        def answer(request: Request, name: str) -> Response:
            asset = self._assets.get(name)
            if asset is None:
                raise HTTPException(404, "Not Found")
            headers = {**HEADERS, "ETag": asset.etag}
            if request.headers.get("if-none-match") == asset.etag:
                return Response(status_code=304, headers=headers)
            return Response(asset.content, media_type=asset.media_type, headers=headers)

        @router.get(ROOT)
        def page(request: Request) -> Response:
            """The page itself: no data, no login."""
            return answer(request, INDEX)

        @router.get(ROOT + "/{name:path}")
        def file(request: Request, name: str) -> Response:
            """One of its files, by a name that is known."""
            return answer(request, name)

        return router

    # -- behind the login --------------------------------------------------------------------------

    def _live(self) -> APIRouter:
        router = APIRouter(include_in_schema=False, route_class=Refusing)

        @router.get("/pairs_live")
        def live() -> StreamingResponse:
            """Everything that moves, as server-sent events."""
            answer_of(self._service, lambda service: service)
            if self.broadcast.is_full:
                raise HTTPException(503, "Too many look already: close the page elsewhere")
            return StreamingResponse(
                self.broadcast.follow(),
                media_type="text/event-stream",
                # A proxy that collects what it passes on would hold every frame back.
                headers={**NOT_KEPT, "X-Accel-Buffering": "no"},
            )

        return router

    def _private(self, user: Any, origins: Sequence[str]) -> APIRouter:
        router = APIRouter(
            include_in_schema=False, route_class=Refusing, dependencies=[Depends(FromHere(origins))]
        )

        @router.get("/pairs_chart/{pair_id}")
        def chart(pair_id: IdInPath) -> Response:
            """Prices, spread and z of one pair, with its entries and exits."""
            known = answer_of(self._service, lambda s: s.pair(pair_id)).pair
            return _plain(answer_of(self._service, lambda _: chart_of(self._desk, self._pairs_now(), known)))

        @router.get("/pairs_journal")
        def journal(before: Annotated[int, Query(ge=1)]) -> Response:
            """Events older than one that is known."""
            return _plain(answer_of(self._service, lambda _: self._older(before)))

        @router.get("/pairs_results")
        def results() -> Response:
            """The results in the user's folder."""
            return _plain(answer_of(self._service, lambda _: self._results.listing()))

        @router.get("/pairs_results/{key}")
        def result(key: Annotated[str, Path(pattern="^[0-9a-f]{16}$")]) -> Response:
            """One of them."""
            return _plain(answer_of(self._service, lambda _: self._results.result(key)))

        @router.post("/pairs_ask")
        def ask(asked: Asked, by: Annotated[str, Depends(user)]) -> Response:
            """The numbers that an action would act on, and the ticket to do it."""
            return as_json(
                answer_of(
                    self._service,
                    lambda s: self._confirmations.ask(s, asked.action, asked.id, name_of(by)),
                )
            )

        @router.post("/pairs_act")
        def act(confirmed: Confirmed, by: Annotated[str, Depends(user)]) -> Response:
            """Do what was confirmed, if it still stands."""
            return as_json(
                answer_of(self._service, lambda s: self._confirmations.act(s, confirmed.ticket, name_of(by)))
            )

        return router

    def _older(self, before: int) -> list[dict[str, Any]]:
        try:
            return read_events(self._desk.bridge, before=before)
        except SQLAlchemyError as error:
            raise NotNowError("the journal cannot be read now", remedy="Ask again") from error


def _plain(document: Any) -> Response:
    return Response(
        json.dumps(document, separators=(",", ":")), media_type="application/json", headers=NOT_KEPT
    )
