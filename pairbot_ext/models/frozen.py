"""The default: the formation's model, unchanged until the epoch ends.

z = (log A - α - β·log B - μ) / σ with α, β, μ and σ of an ordinary regression on the formation (Engle &
Granger 1987, Econometrica 55:251).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pairbot_ext.models.protocol import SpreadModel


class Frozen(SpreadModel):
    """The formation's regression, unchanged until the epoch ends."""

    kind: Literal["frozen"] = Field(default="frozen", description="names the model")
