"""Whether the database can be written, told once each way."""

from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal


class StorageVoice:
    """Asked by the loop. Never from within a write: an exit waits."""

    def __init__(self, journal: Journal, broker: Broker) -> None:
        self._journal = journal
        self._broker = broker
        self._has_told = False

    def look(self) -> None:
        """Tell once when the database fails and once when it is back."""
        if self._journal.is_degraded == self._has_told:
            return
        self._has_told = self._journal.is_degraded
        if self._has_told:
            self._broker.tell(
                "The database cannot be written: nothing new is opened. Exits and unwinds go out, with "
                f"their intents in {self._journal.intent_path}. Free the disk, or end what locks the "
                "database",
                is_warning=True,
            )
        else:
            self._broker.tell("The database can be written again, everything sent meanwhile is stored in it")
