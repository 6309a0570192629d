"""What a person may say to a Freqtrade bot that concerns pairs."""

from enum import StrEnum


class Command(StrEnum):
    """What can be said. The comment says what it is about."""

    FORCE_EXIT = "forceexit"  # a leg
    FORCE_EXIT_PART = "forceexit_part"  # a third of a leg, as the API can
    FORCE_EXIT_ALL = "forceexit_all"
    FORCE_ENTRY = "forceentry"  # one symbol alone
    DELETE = "delete"  # Freqtrade's memory of a leg, not the position
    RELOAD_TRADE = "reload_trade"  # a leg
    CANCEL_OPEN_ORDER = "cancel_open_order"  # a leg's
    BLACKLIST = "blacklist"  # a symbol
    PAUSE = "stopentry"
    STOP = "stop"
    START = "start"
    RELOAD_CONFIG = "reload_config"
