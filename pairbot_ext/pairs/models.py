"""Which model the pairs of a file are traded with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from pairbot_ext.models.protocol import SpreadModel
from pairbot_ext.models.variants import FROZEN
from pairbot_ext.pairs.schema import (
    MODELS_VERSION,
    SCHEMA_VERSION,
    Epoch,
    Pair,
    PairsFile,
    lacks,
    symbols_of,
)


def with_model(pairs_file: PairsFile, model: SpreadModel) -> PairsFile:
    """The same pairs, each traded with this model. The frozen one is the file without a model, as it was.

    A pair that lacks what the model needs (`lacks`) keeps the frozen one.
    """
    return with_models(pairs_file, lambda _, pair: None if lacks(pair, model) else model)


def with_models(pairs_file: PairsFile, choose: Callable[[Epoch, Pair], SpreadModel | None]) -> PairsFile:
    """The same pairs, each with the model chosen for it, None for none; the version follows."""
    epochs = tuple(_chosen(epoch, choose) for epoch in pairs_file.epochs)
    return pairs_file.model_copy(update={"epochs": epochs, "schema_version": version_of(epochs)})


def epoch_with(epoch: Epoch, model: SpreadModel) -> Epoch:
    """One selection, as `with_model`."""
    return _chosen(epoch, lambda _, pair: None if lacks(pair, model) else model)


def _chosen(epoch: Epoch, choose: Callable[[Epoch, Pair], SpreadModel | None]) -> Epoch:
    chosen = ((pair, choose(epoch, pair)) for pair in epoch.pairs)
    pairs = tuple(pair.model_copy(update={"model": None if m == FROZEN else m}) for pair, m in chosen)
    return epoch.model_copy(update={"pairs": pairs})


def version_of(epochs: Iterable[Epoch]) -> Literal[1, 2]:
    """The format these need: older versions of this package read all they can."""
    has_model = any(pair.model is not None for epoch in epochs for pair in epoch.pairs)
    return MODELS_VERSION if has_model else SCHEMA_VERSION


def funded_symbols(pairs_file: PairsFile) -> tuple[str, ...]:
    """Legs of the pairs whose model reads funding rates, in file order."""
    return symbols_of(
        epoch.model_copy(
            update={"pairs": tuple(pair for pair in epoch.pairs if pair.spread_model.needs_funding)}
        )
        for epoch in pairs_file.epochs
    )
