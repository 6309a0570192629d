"""The file of a backup: a ZIP with the database, waiting intents, pairs file and configuration, each with its
hash. A torn, changed or foreign file is known for what it is before anything is done with it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pairbot_ext.backup.databases import Contents
from pairbot_ext.support.disk import sync_folder
from pairbot_ext.support.errors import PairbotError

FORMAT = 1
MANIFEST, DATABASE, INTENTS, PAIRS, CONFIG = (
    "manifest.json", "trades.sqlite", "intents.dat", "pairs.json", "config.json",
)  # fmt: skip
_MEMBERS = (DATABASE, INTENTS, PAIRS, CONFIG)
_MANIFEST_BYTES = 1024 * 1024
_BLOCK_BYTES = 1024 * 1024
_REMEDY = "Nothing was done; use another backup"


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself.

    :param files: name -> (SHA-256, bytes).
    :param contents: of the database, as `databases.Contents`.
    """

    made_at: str
    source: str
    versions: Mapping[str, str]
    contents: Contents
    files: Mapping[str, tuple[str, int]]


@dataclass(frozen=True)
class Opened:
    """A backup whose every byte was checked, unpacked."""

    manifest: Manifest
    folder: Path

    def file(self, name: str) -> Path | None:
        """None where the backup has no such part."""
        return self.folder / name if name in self.manifest.files else None


def write_archive(
    target: Path, parts: Mapping[str, Path], found: Contents, source: str, now: datetime
) -> None:
    """Make `target` of these parts, whole or not at all, readable by its owner alone. Raises OSError.

    :param source: kind of the database.
    """
    files = {name: (_sha256(path), path.stat().st_size) for name, path in parts.items()}
    manifest = {
        "format": FORMAT,
        "made_at": now.isoformat(timespec="seconds"),
        "source": source,
        "versions": {name: _version(name) for name in ("pairbot-ext", "freqtrade", "ccxt")},
        "contents": asdict(found),
        "files": files,
    }
    text = json.dumps(manifest, indent=2).encode()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
                packed.writestr(MANIFEST, text)
                for name, path in parts.items():
                    packed.write(path, name)
                packed.comment = hashlib.sha256(text).hexdigest().encode()
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            raise FileExistsError(17, "a file of this name was made meanwhile", str(target))
        os.replace(temporary, target)
        sync_folder(target.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def opened(path: Path, beside: Path | None = None) -> Iterator[Opened]:
    """Check `path` and unpack it; what was unpacked is gone afterwards.

    :param beside: folder to unpack into a folder of; the system's own for such where None.
    :raises PairbotError: not there, no backup, torn, changed, or of a newer version.
    """
    with tempfile.TemporaryDirectory(prefix=".pairbot-restore-", dir=beside) as folder:
        try:
            manifest = _unpack(path, Path(folder))
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError) as error:
            raise PairbotError(f"{path} is no whole backup of pairbot: {error}", remedy=_REMEDY) from error
        yield Opened(manifest, Path(folder))


def _unpack(path: Path, folder: Path) -> Manifest:
    try:
        packed = zipfile.ZipFile(path)
    except OSError as error:
        raise PairbotError(
            f"the backup {path} cannot be read: {error.strerror or error}",
            remedy="Name a file of `pairbot backup`",
        ) from error
    with packed:
        manifest = _manifest(packed, path)
        for name, (sha256, size) in manifest.files.items():
            if packed.getinfo(name).file_size != size or _extract(packed, name, folder) != sha256:
                raise PairbotError(f"{name} in {path} is not what was backed up", remedy=_REMEDY)
    return manifest


def _manifest(packed: zipfile.ZipFile, path: Path) -> Manifest:
    if packed.getinfo(MANIFEST).file_size > _MANIFEST_BYTES:
        raise PairbotError(f"{path} is no backup of pairbot: its manifest is too large", remedy=_REMEDY)
    text = packed.read(MANIFEST)
    if hashlib.sha256(text).hexdigest().encode() != packed.comment:
        raise PairbotError(f"the manifest of {path} is not what was written", remedy=_REMEDY)
    try:
        document: dict[str, Any] = json.loads(text)
        if document["format"] > FORMAT:
            raise PairbotError(
                f"{path} was made by a newer version of pairbot",
                value=f"format {document['format']}, this version knows {FORMAT}",
                remedy="Use that version, or a newer one",
            )
        found = document["contents"]
        lists = {name: tuple(found[name]) for name in ("open_pairs", "open_trades", "lost")}
        files = {str(name): (str(sha), int(size)) for name, (sha, size) in document["files"].items()}
        manifest = Manifest(
            document["made_at"], document["source"], document["versions"],
            Contents(found["version"], found["rows"], **lists), files,
        )  # fmt: skip
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise PairbotError(f"{path} is no backup of pairbot: {error!r}", remedy=_REMEDY) from error
    if DATABASE not in files or not set(files) <= set(_MEMBERS):
        raise PairbotError(f"{path} is no backup of pairbot: it holds other files", remedy=_REMEDY)
    return manifest


def _extract(packed: zipfile.ZipFile, name: str, folder: Path) -> str:
    """Only names of ours come here, so none leads out of the folder. Returns the SHA-256."""
    digest = hashlib.sha256()
    with packed.open(name) as source, (folder / name).open("xb") as target:
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
            target.write(block)
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    return one.stat().st_size == other.stat().st_size and _sha256(one) == _sha256(other)


def place(source: Path, target: Path) -> None:
    """Copy a file into place in one step, durable before this returns. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file, source.open("rb") as content:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
        sync_folder(target.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
