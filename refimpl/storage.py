"""The log of a running server in a directory of its own: opened, recovered, closed."""

from __future__ import annotations

from pathlib import Path

from refimpl import wal
from refimpl.ailing_directory import AilingDirectory
from refimpl.directory import Directory
from refimpl.durable import Durable
from refimpl.lossy_directory import LossyDirectory
from refimpl.real_directory import RealDirectory


class Storage:
    """`lossy`: what is not flushed stays in this process, so that kill -9 is to it what a power cut is to a disk.

    `ailment`: the file that says what ails the disk (refimpl/ailing_directory.py).
    """

    directory: Directory
    log_file: wal.Wal
    recovered: Durable

    def __init__(self, folder: Path, lossy: bool = False, ailment: Path | None = None) -> None:
        """Open the folder and recover. Raises WalDamaged, DiskError, DirectoryInUse."""
        self._lossy = lossy
        self._ailment = ailment
        self._open(folder)

    def move_to(self, folder: Path) -> None:
        """Let go of this folder and recover from another, as a new process would."""
        self.close()
        self._open(folder)

    def close(self) -> None:
        self._real.close()

    def _open(self, folder: Path) -> None:
        self._real = RealDirectory(folder)
        try:
            self.directory = LossyDirectory(self._real) if self._lossy else self._real
            if self._ailment is not None:
                self.directory = AilingDirectory(self.directory, self._ailment)
            self.log_file, self.recovered = wal.recover(self.directory)
        except BaseException:
            self._real.close()
            raise
