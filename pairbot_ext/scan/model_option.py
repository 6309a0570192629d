"""A model as a person writes it on a command line."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from pairbot_ext.models.protocol import SpreadModel
from pairbot_ext.models.variants import VARIANTS, Chosen
from pairbot_ext.support.errors import PairbotError

_ANY: TypeAdapter[SpreadModel] = TypeAdapter(Chosen)


def model_of(text: str) -> SpreadModel:
    """The model that `KIND` or `KIND:parameter=number,parameter=number` names.

    :raises PairbotError: an unknown kind or parameter, or a value out of its bounds.
    """
    kind, _, rest = text.partition(":")
    if kind not in VARIANTS:
        raise PairbotError("there is no such model", value=kind, remedy=f"Name one of {', '.join(VARIANTS)}")
    given: dict[str, object] = {}
    for part in filter(None, rest.split(",")):
        name, _, value = part.partition("=")
        try:
            given[name] = int(value) if value.lstrip("-").isdigit() else float(value)
        except ValueError:
            raise PairbotError(
                f"the parameter {name} of model {kind} is no number",
                value=part,
                remedy="Write it like half_life_window:window_half_lives=5",
            ) from None
    try:
        return _ANY.validate_python({"kind": kind, **given})
    except ValidationError as error:
        first = error.errors()[0]
        known = [name for name in type(VARIANTS[kind]).model_fields if name != "kind"]
        raise PairbotError(
            f"model {kind}: {first['loc'][-1]}: {first['msg']}",
            value=repr(first["input"]),
            remedy=f"Its parameters are {', '.join(known) or 'none'} (docs/models.md)",
        ) from error
