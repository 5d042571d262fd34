"""Commands that refuse an option given twice, unless it is one that may be repeated: click would keep the last value
and drop the others in silence, so that a green verdict would be about less than was asked."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import click

ADVICE: Mapping[str, str] = {
    "--goal": "one after the other: --goal A --then B; both in one state: --goal 'A and B'",
    "--property": "name one, or leave it out to check them all",
}
"""What to do about an option that has another way to say two things."""


class OnceCommand(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _refuse_given_twice(self, ctx, args)
        return super().parse_args(ctx, args)


class OnceGroup(click.Group):
    command_class = OnceCommand

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _refuse_given_twice(self, ctx, args)
        return super().parse_args(ctx, args)


def _refuse_given_twice(command: click.Command, ctx: click.Context, args: list[str]) -> None:
    """Raises UsageError. The words are read once more, by the same options, each made one that collects its values."""
    params = command.get_params(ctx)
    options = [one for one in params if isinstance(one, click.Option)]
    again = [_collecting(one) if isinstance(one, click.Option) else one for one in params]
    collecting = click.Command(command.name, params=again, add_help_option=False)
    given, _, _ = collecting.make_parser(ctx).parse_args(list(args))
    for option in options:
        values = given.get(option.name)
        # a flag that is repeated says the same again; one that is taken back contradicts itself
        if not option.multiple and isinstance(values, list) and len(set(values) if option.is_flag else values) > 1:
            said = " and ".join(_said(option, value) for value in values)
            advice = ADVICE.get(option.opts[-1], "give it once")
            raise click.UsageError(f"given twice: {said}; {advice}", ctx)


def _collecting(option: click.Option) -> click.Option:
    collecting = copy(option)
    collecting.multiple = True
    return collecting


def _said(option: click.Option, value: Any) -> str:
    if not option.is_flag:
        return f"{option.opts[-1]} {value}"
    return option.opts[-1] if value or not option.secondary_opts else option.secondary_opts[-1]
