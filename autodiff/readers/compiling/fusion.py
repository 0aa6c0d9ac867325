"""Which lines of a program become one loop of machine code, and in which order loops and calls follow each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .elements import form
from .lines import Line

Group = list[Line]


class Schedule:
    """`groups`: lines that are one loop together, or one line; each after all that it uses.

    `place`: for a view, what it looks at. `written`: results that go into the arrays of inputs, when nobody reads those
    any more.
    """

    def __init__(self, lines: Iterable[Line], outputs: Sequence[Line], renewed: Mapping[Line, Line]) -> None:
        self.lines: list[Line] = list(lines)
        self.outputs: Sequence[Line] = outputs
        self.place: dict[Line, Line] = {x: x.operands[0] for x in self.lines if _views_memory(x)}
        self.groups: list[Group] = []
        self._where: dict[Line, int] = {}  # the number of a line's group
        for line in self.lines:
            group = self._loop_for(line)
            if group is None:
                group = len(self.groups)
                self.groups.append([])
            self.groups[group].append(line)
            self._where[line] = group
        self.written: dict[Line, Line] = {x: array for x, array in renewed.items() if self._may_overwrite(x, array)}

    def owner(self, x: Line) -> Line:
        """The value whose memory a value is in."""
        while x in self.place:
            x = self.place[x]
        return x

    def views(self, x: Line) -> list[str]:
        """How a value is seen in its owner's memory, the last view first."""
        found: list[str] = []
        while x in self.place:
            found.append(x.template.removeprefix("{0}"))
            x = self.place[x]
        return found

    def transposed(self, x: Line) -> bool:
        """Whether a value's elements are in another order than its owner's memory."""
        return ".T" in self.views(x)

    def elementwise(self, line: Line) -> bool:
        """Whether a line is part of a loop over the elements of its result."""
        if line in self.place or line.shape == () or not line.size or form(line) is None:
            return False
        return all(self.index(x, line.shape) is not None for x in line.inputs)

    def index(self, x: Line, shape: tuple[int, ...]) -> str | None:
        """Where an operand is read in a loop over rows i and columns j, whose elements are numbered k."""
        if x.dtype is None or x.shape == () or x.number is not None:
            return ""
        if self.transposed(x) and len(x.shape) > 1:
            return None
        if x.shape == shape:
            return "k"
        if x.size == 1:
            return "0"
        if x.shape[-1:] == shape[-1:] and x.size == shape[-1]:
            return "j"
        return "i" if x.shape == (*shape[:-1], 1) else None

    def _loop_for(self, line: Line) -> int | None:
        """The latest loop that a line can be part of: of its shape, after all that it uses, with no product between.

        (Across a product it would keep values that can be computed again from what is kept anyway.)
        """
        if not self.elementwise(line):
            return None
        first = max((self._after(x) for x in line.inputs), default=0)
        for number in range(len(self.groups) - 1, first - 1, -1):
            head = self.groups[number][0]
            if self.elementwise(head):
                if head.shape == line.shape:
                    return number
            elif head.size > 1 and head not in self.place and form(head) is None and not _reduces(head):
                return None
        return None

    def _after(self, x: Line) -> int:
        """The number of the first group that may use a value; in its own loop only what is no view may."""
        return self._where.get(self.owner(x), 0) + (x in self.place)

    def _may_overwrite(self, line: Line, array: Line) -> bool:
        """Whether a result may go into the array of an input: it is read no later, and is no result itself."""
        if line not in self._where or not self.elementwise(line) or self.outputs.count(line) != 1:
            return False
        if (line.shape, line.dtype) != (array.shape, array.dtype) or array in map(self.owner, self.outputs):
            return False
        readers = [user for user in self.lines if any(self.owner(x) is array for x in user.inputs)]
        later = (self._where[user] > self._where[line] for user in readers if user not in self.place)
        return not any(later)


def _views_memory(line: Line) -> bool:
    """Whether a value is another look at an array that is there."""
    x = line.operands[0] if line.operands else None
    if not isinstance(x, Line) or x.value is not None or () in (x.shape, line.shape):
        return False
    return line.template == "{0}.T" or (line.template.startswith("{0}.reshape(") and x.ordered)


def _reduces(line: Line) -> bool:
    return line.template.startswith(("np.sum(", "np.mean(", "np.max("))
