"""Follows the pairs file while a bot runs: a good new file is taken, a broken one is reported once."""

from dataclasses import dataclass
from pathlib import Path

from pairbot_ext.pairs import PairsFile, load_pairs_file
from pairbot_ext.support.errors import PairsFileError


@dataclass(frozen=True)
class Change:
    """What `poll` found. `pairs_file` is None where the last good one stays in force."""

    pairs_file: PairsFile | None
    message: str


class PairsFileWatcher:
    """Reads the pairs file again when it has changed on disk.

    :param path: the pairs file.
    :raises PairsFileError: where the file is bad at the start; later problems are reported by `poll`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._stamp()
        self.current = load_pairs_file(path)

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
            fresh = load_pairs_file(self._path)
        except PairsFileError as error:
            return Change(None, f"{error}. The pairs read before stay in force")
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
