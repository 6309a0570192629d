"""Why a pair is not entered now: a code for the statistics, a sentence with numbers for people."""

from pairbot_ext.support.errors import PairbotError


class RefusedError(PairbotError):
    """This pair is not entered now.

    :param code: a short reason for the statistics.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
