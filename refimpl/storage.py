"""The log of a running server in a directory of its own: opened, recovered, closed."""

from __future__ import annotations

from pathlib import Path

from refimpl import wal
from refimpl.directory import Directory
from refimpl.durable import Durable
from refimpl.lossy_directory import LossyDirectory
from refimpl.real_directory import RealDirectory


class Storage:
    """`lossy`: what is not flushed stays in this process, so that kill -9 is to it what a power cut is to a disk."""

    directory: Directory
    log_file: wal.Wal
    recovered: Durable

    def __init__(self, folder: Path, lossy: bool = False) -> None:
        """Open the folder and recover. Raises WalDamaged, DiskError, DirectoryInUse."""
        self._lossy = lossy
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
            self.log_file, self.recovered = wal.recover(self.directory)
        except BaseException:
            self._real.close()
            raise
