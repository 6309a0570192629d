"""The pair routes of Freqtrade's API server: the same answers as Telegram, as JSON models."""

from collections.abc import Callable, Collection
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from pairbot_ext.control.refusals import NotNowError, UnknownPairError
from pairbot_ext.control.refusing import NOT_KEPT, FromHere, Refusing, as_json
from pairbot_ext.control.service import MOST_ID_CHARS, PairService
from pairbot_ext.control.views import ActionView, OverviewView, PairView, ScanView
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.redact import scrub

TAG = "Pairs"
Answer = TypeVar("Answer")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PairId = Annotated[str, Field(strict=True, min_length=1, max_length=MOST_ID_CHARS)]
IdInPath = Annotated[str, Path(min_length=1, max_length=MOST_ID_CHARS)]


class PairRequest(BaseModel):
    """Which pair a command is for."""

    model_config = ConfigDict(extra="forbid")

    id: PairId = Field(description='id of a pair or of an open pair trade; "all" where a route says so')


class SelectionRequest(BaseModel):
    """Which selection is accepted: another one may have taken its place."""

    model_config = ConfigDict(extra="forbid")

    id: PairId = Field(description="of the selection that waits")


def answer_of(service: Callable[[], PairService | None], ask: Callable[[PairService], Answer]) -> Answer:
    """What the service answers, its refusals as HTTPExceptions.

    :param service: None where the strategy is not running (any more).
    """
    pairs = service()
    if pairs is None:
        raise HTTPException(503, "The strategy is not running: it is being stopped or reloaded")
    try:
        return ask(pairs)
    except UnknownPairError as error:
        raise HTTPException(404, scrub(str(error))) from None
    except NotNowError as error:
        raise HTTPException(409, scrub(str(error))) from None
    except PairbotError as error:
        raise HTTPException(422, scrub(str(error))) from None


def make_router(
    service: Callable[[], PairService | None],
    user: Any,
    metrics: Callable[[PairService], bytes],
    origins: Collection[str] = (),
) -> APIRouter:
    """All routes, without prefix and login.

    :param service: None where the strategy is not running (any more).
    :param user: dependency that gives the name of who asks.
    :param metrics: the bot's measures in Prometheus' text format.
    :param origins: see `FromHere`.
    """
    router = APIRouter(tags=[TAG], route_class=Refusing, dependencies=[Depends(FromHere(origins))])
    refusals: dict[int | str, dict[str, Any]] = {
        401: {"description": "no or wrong login"},
        403: {"description": "sent by a browser for another site; nothing was done"},
        409: {"description": "makes no sense now; nothing was done"},
        413: {"description": "the body is too large"},
        503: {"description": "the strategy is not running"},
    }
    with_id = {**refusals, 404: {"description": "no such pair"}}

    def answer(ask: Callable[[PairService], BaseModel]) -> Response:
        return as_json(answer_of(service, ask))

    @router.get("/pairs", response_model=OverviewView, responses=refusals)
    def pairs() -> Any:
        """Risk state, open pair trades, watched pairs."""
        return answer(lambda s: s.overview())

    @router.get("/pairs_scan", response_model=ScanView, responses=refusals)
    def pairs_scan() -> Any:
        """When and what the last scan found."""
        return answer(lambda s: s.scan())

    @router.get(
        "/pairs_metrics",
        response_class=Response,
        responses={**refusals, 200: {"content": {METRICS_TYPE: {}}}},
    )
    def pairs_metrics() -> Response:
        """For Prometheus, which logs in with `basic_auth`."""
        return Response(answer_of(service, metrics), media_type=METRICS_TYPE, headers=NOT_KEPT)

    @router.get("/pairs/{pair_id}", response_model=PairView, responses=with_id)
    def pair(pair_id: IdInPath) -> Any:
        """One pair, by its id or by the id of an open pair trade."""
        return answer(lambda s: s.pair(pair_id))

    @router.get(
        "/pairs/{pair_id}/picture",
        response_class=Response,
        responses={**with_id, 200: {"content": {"image/png": {}}}},
    )
    def picture(pair_id: IdInPath) -> Response:
        """The pair's spread as a PNG."""
        return Response(
            answer_of(service, lambda s: s.picture(pair_id)), media_type="image/png", headers=NOT_KEPT
        )

    @router.post("/pairs/close", response_model=ActionView, responses=with_id)
    def close(request: PairRequest, by: Annotated[str, Depends(user)]) -> Any:
        """Close both legs of an open pair trade now, or of every one with the id "all"."""
        return answer(lambda s: s.close(request.id, name_of(by)))

    @router.post("/pairs/lock", response_model=ActionView, responses=with_id)
    def lock(request: PairRequest, by: Annotated[str, Depends(user)]) -> Any:
        """Enter this pair no more until it is unlocked."""
        return answer(lambda s: s.lock(request.id, name_of(by)))

    @router.post("/pairs/unlock", response_model=ActionView, responses=with_id)
    def unlock(request: PairRequest, by: Annotated[str, Depends(user)]) -> Any:
        """Let this pair be entered again."""
        return answer(lambda s: s.unlock(request.id, name_of(by)))

    @router.post("/pairs/accept", response_model=ActionView, responses=with_id)
    def accept(request: SelectionRequest, by: Annotated[str, Depends(user)]) -> Any:
        """Put the new selection in force that waits under this id (`GET /pairs_scan`)."""
        return answer(lambda s: s.accept(request.id, name_of(by)))

    @router.post("/pairs/halt", response_model=ActionView, responses=refusals)
    def halt(by: Annotated[str, Depends(user)]) -> Any:
        """Kill switch: close every pair, enter nothing."""
        return answer(lambda s: s.halt(name_of(by)))

    @router.post("/pairs/resume", response_model=ActionView, responses=refusals)
    def resume(by: Annotated[str, Depends(user)]) -> Any:
        """Release the bot: ACTIVE again."""
        return answer(lambda s: s.resume(name_of(by)))

    return router


def name_of(user: str) -> str:
    """Who asks, for the journal."""
    return f"API user {user}"
