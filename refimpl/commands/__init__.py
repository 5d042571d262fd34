"""The commands of ``python -m refimpl``, a module each, imported when its command is asked for."""
