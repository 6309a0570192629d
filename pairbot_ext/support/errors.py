"""Errors meant for the person who reads them: what is wrong, with which value, and what to do."""


class PairbotError(Exception):
    """A problem the user can solve.

    :param what: the sentence that names the file or setting and what is wrong with it.
    :param value: the offending value, shown as it was read; left out where there is none.
    :param remedy: what to do about it.
    """

    def __init__(self, what: str, *, value: object = None, remedy: str = "") -> None:
        self.what = what
        self.value = value
        self.remedy = remedy
        message = what
        if value is not None:
            message += f" (found: {value})"
        if remedy:
            message += f". {remedy}"
        super().__init__(message)


class PairsFileError(PairbotError):
    """The pairs file is missing, malformed or contradicts itself. The last good one stays in force."""


class SettingsError(PairbotError):
    """A Freqtrade or pairbot setting would let one leg live without the other."""


class DataError(PairbotError):
    """Candles that a command needs are missing or unusable."""
