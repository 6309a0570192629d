"""Why a command of an operator was not carried out; nothing was done then."""

from pairbot_ext.support.errors import PairbotError


class UnknownPairError(PairbotError):
    """No pair and no pair trade has this id."""


class NotNowError(PairbotError):
    """The command makes no sense in the state things are in. Nothing was done."""
