"""One tower's tensors: asked for their shapes first, then moved into a module, none left over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from export.errors import ExportError

_BELONG_TOGETHER = "use a complete checkpoint of one model"


@dataclass(frozen=True)
class TowerTensors:
    """Named float32 tensors and where they came from.

    Attributes:
        file: The checkpoint.
        prefix: What stands before the names in the file.
        values: Name to tensor.
    """

    file: Path
    prefix: str
    values: dict[str, Tensor]

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        """The shape of a tensor that must be there.

        Raises:
            ExportError: It is not, or has another number of dimensions.
        """
        if name not in self.values:
            raise self.contradiction(f"lacks {self.prefix}{name}")
        shape = tuple(self.values[name].shape)
        if len(shape) != dimensions:
            raise self.contradiction(
                f"{self.prefix}{name} has shape {shape}, not one of {dimensions} dimensions"
            )
        return shape

    def has(self, start: str) -> bool:
        """Whether any name begins so."""
        return any(name.startswith(start) for name in self.values)

    def count(self, start: str) -> int:
        """Members of a list of modules: names go `{start}{number}.`, with numbers from 0.

        Raises:
            ExportError: A number is left out, or there is none.
        """
        rest = (name.removeprefix(start) for name in self.values if name.startswith(start))
        numbers = {int(part) for part in (name.split(".")[0] for name in rest) if part.isdecimal()}
        gap = next(
            (number for number in range(max(1, len(numbers))) if number not in numbers), None
        )
        if gap is not None:
            raise self.contradiction(f"lacks {self.prefix}{start}{gap}")
        return len(numbers)

    def fill(self, module: nn.Module) -> None:
        """Put every tensor into its place in the module.

        Raises:
            ExportError: One is missing, left over, or of another shape.
        """
        wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
        given = {name: tuple(value.shape) for name, value in self.values.items()}
        self._refuse("lacks", wanted.keys() - given.keys())
        self._refuse("holds what this model has no place for:", given.keys() - wanted.keys())
        for name, shape in wanted.items():
            if given[name] != shape:
                raise self.contradiction(
                    f"{self.prefix}{name} has shape {given[name]}, but the rest of the tower "
                    f"asks for {shape}"
                )
        module.load_state_dict(self.values, assign=True)

    def contradiction(self, problem: str) -> ExportError:
        """The error for tensors that do not make up one model."""
        return ExportError(problem, file=self.file, remedy=_BELONG_TOGETHER)

    def _refuse(self, trouble: str, names: Iterable[str]) -> None:
        listed = sorted(names)
        if listed:
            more = f" and {len(listed) - 1} more" if len(listed) > 1 else ""
            raise self.contradiction(f"{trouble} {self.prefix}{listed[0]}{more}")
