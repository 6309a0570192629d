"""Follows the pairs file while a bot runs: a good new file is taken, any other is reported once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pairbot_ext.pairs.files import load_pairs_file
from pairbot_ext.pairs.schema import PairsFile
from pairbot_ext.support.errors import PairsFileError


@dataclass(frozen=True)
class Change:
    """What `poll` found. `pairs_file` is None where the last good one stays in force."""

    pairs_file: PairsFile | None
    message: str


class PairsFileWatcher:
    """Reads the pairs file again when it has changed on disk.

    :param path: the pairs file.
    :param accept: gives a file back that may come in, and raises PairsFileError for any other.
    :param instead: what stands in for a file that may not come in at the start, where something must be
        managed; where it answers None the error is raised.
    :raises PairsFileError: where the file is bad at the start; later problems are reported by `poll`.
    """

    def __init__(
        self,
        path: Path,
        accept: Callable[[PairsFile], PairsFile] = lambda pairs_file: pairs_file,
        instead: Callable[[PairsFileError], PairsFile | None] = lambda _: None,
    ) -> None:
        self._path = path
        self._accept = accept
        self._seen = self._stamp()
        self.refused: str | None = None
        """Why the file on disk is not the one in force; None where it is."""
        try:
            self.current = accept(load_pairs_file(path))
        except PairsFileError as error:
            stand_in = instead(error)
            if stand_in is None:
                raise
            self.current = stand_in
            self.refused = str(error)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def poll(self) -> Change | None:
        """Look once. None where nothing has changed since the last look."""
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        self._seen = stamp
        try:
            fresh = self._accept(load_pairs_file(self._path))
        except PairsFileError as error:
            self.refused = str(error)
            return Change(None, f"{error}. The pairs read before stay in force")
        self.refused = None
        if fresh == self.current:
            return None
        gone = [pair for pair in self.current.pair_ids() if pair not in fresh.pair_ids()]
        new = [pair for pair in fresh.pair_ids() if pair not in self.current.pair_ids()]
        self.current = fresh
        return Change(
            fresh,
            f"Pairs file {self._path} read again: {len(fresh.pair_ids())} pairs, "
            f"new: {', '.join(new) or 'none'}, gone: {', '.join(gone) or 'none'} (open pair trades go on)",
        )
