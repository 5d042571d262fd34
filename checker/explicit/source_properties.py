"""Properties as Python source: a function for each predicate on a state, or on a step."""

from __future__ import annotations

from checker.explicit.source_expressions import Expressions
from checker.explicit.source_frame import Frame, Slots
from checker.explicit.source_text import Text
from spec.system import Property


class Properties:
    """Writes predicates at the top of the source."""

    def __init__(self, text: Text, slots: Slots) -> None:
        self.text, self.slots = text, slots

    def predicate(self, property_: Property) -> str:
        """The name of a function of a state."""
        return self._function(property_, "s")

    def of_step(self, property_: Property) -> str:
        """The name of a function of the state before, the label's rule, and the state after."""
        return self._function(property_, "before, rule, s")

    def _function(self, property_: Property, arguments: str) -> str:
        text, frame = self.text, Frame(self.text, self.slots)
        name = text.fresh("holds")
        with text.aside() as lines:
            text.line(f"return {Expressions(frame).of(property_.expr)}")
        with text.block(f"def {name}({arguments}):"):
            frame.unpack("s")
            frame.unpack("before", old=True)
            text.paste(lines)
        return name
