"""``python -m checker`` is ``model-check``."""

from checker.cli import main

main()
