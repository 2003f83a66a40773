# SPDX-License-Identifier: Apache-2.0
"""Expressions in spaces of sweeps: arithmetic and comparisons over names, read by Python's own parser and computed by a list of what is allowed.

Names may have dots (`pe_array.rows`), sizes may have units (`512KiB`). Nothing else of Python is there: no attributes, no calls but those of
FUNCTIONS and AGGREGATES, no numbers beyond what parameters need.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

Scope = Callable[[str], Any]  # name -> value
# Of one expression over several networks: the scopes of each.
Compute = Callable[[Scope, Sequence[Scope]], Any]

_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?) ?([KMG])iB\b")
_SHIFT = {"K": 10, "M": 20, "G": 30}
_LONGEST = 2000  # characters
_GREATEST = 1 << 80


class ExpressionError(Exception):
    """What is wrong with an expression, or with what it computes."""


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > 64 or abs(base) > _GREATEST:
        raise ExpressionError(f"{base} ** {exponent} is too large")
    return base**exponent


def _geomean(values: Sequence[Any]) -> float:
    return math.exp(sum(math.log(value) for value in values) / len(values))


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Pow: _power,
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs, "ceil": math.ceil, "floor": math.floor, "log2": math.log2, "max": max, "min": min, "round": round, "sqrt": math.sqrt,
}  # fmt: skip
# Over the networks of a design: the value of the expression inside of each.
AGGREGATES: dict[str, Callable[[Sequence[Any]], Any]] = {
    "geomean": _geomean, "least": min, "mean": lambda values: sum(values) / len(values), "total": sum, "worst": max,
}  # fmt: skip


class Expression:
    """Raises ExpressionError if the text is none. `names`: all that it reads, in order; `aggregates`: whether it goes over networks one by one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: list[str] = []
        self.aggregates = False
        if len(text) > _LONGEST:
            raise ExpressionError(f"an expression has at most {_LONGEST} characters, and this one has {len(text)}")
        plain = _SIZE.sub(lambda size: repr(_whole(float(size[1]) * (1 << _SHIFT[size[2]]))), text.strip())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Python's own, such as `0x1for x`
                tree = ast.parse(plain, mode="eval")
            self._compute = self._node(tree.body)
        except SyntaxError as error:
            raise ExpressionError(f"`{text}` is no expression: {error.msg}") from None
        except (ValueError, RecursionError, MemoryError):
            raise ExpressionError(f"`{text[:80]}` is no expression") from None

    def value(self, scope: Scope, networks: Sequence[Scope] = ()) -> Any:
        """Raises ExpressionError."""
        try:
            found = self._compute(scope, networks)
        except ZeroDivisionError:
            raise ExpressionError(f"`{self.text}` divides by zero") from None
        except (ArithmeticError, ValueError, TypeError) as error:
            raise ExpressionError(f"`{self.text}` cannot be computed: {error}") from None
        if isinstance(found, complex) or (isinstance(found, float) and not math.isfinite(found)):
            raise ExpressionError(f"`{self.text}` is {found}, which is no number to go on with")
        return found

    def __repr__(self) -> str:
        return f"<Expression {self.text}>"

    def _node(self, node: ast.expr) -> Compute:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str):
            constant = node.value
            if isinstance(constant, int) and abs(constant) > _GREATEST:
                raise ExpressionError(f"{constant} is too large")
            return lambda scope, networks: constant
        if isinstance(node, ast.Name | ast.Attribute):
            name = self._name(node)
            if name in ("true", "false"):
                truth = name == "true"
                return lambda scope, networks: truth
            if name not in self.names:
                self.names.append(name)
            return lambda scope, networks: scope(name)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            binary, left, right = _BINARY[type(node.op)], self._node(node.left), self._node(node.right)
            return lambda scope, networks: binary(left(scope, networks), right(scope, networks))
        if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
            unary, operand = _UNARY[type(node.op)], self._node(node.operand)
            return lambda scope, networks: unary(operand(scope, networks))
        if isinstance(node, ast.BoolOp):
            parts, all_of = [self._node(value) for value in node.values], isinstance(node.op, ast.And)
            return lambda scope, networks: (all if all_of else any)(part(scope, networks) for part in parts)
        if isinstance(node, ast.IfExp):
            test, yes, no = self._node(node.test), self._node(node.body), self._node(node.orelse)
            return lambda scope, networks: (yes if test(scope, networks) else no)(scope, networks)
        if isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
            return self._comparison(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, node.args)
        raise ExpressionError(f"`{self.text}`: `{ast.unparse(node)}` is not allowed in an expression")

    def _comparison(self, node: ast.Compare) -> Compute:
        operands = [self._node(operand) for operand in (node.left, *node.comparators)]
        comparisons = [_COMPARE[type(op)] for op in node.ops]

        def compute(scope: Scope, networks: Sequence[Scope]) -> bool:
            values = [operand(scope, networks) for operand in operands]
            return all(compare(left, right) for compare, left, right in zip(comparisons, values, values[1:], strict=False))

        return compute

    def _call(self, name: str, nodes: Sequence[ast.expr]) -> Compute:
        arguments = [self._node(node) for node in nodes]
        if name in AGGREGATES and len(arguments) == 1:
            over, inside = AGGREGATES[name], arguments[0]
            self.aggregates = True
            return lambda scope, networks: over([inside(network, ()) for network in networks])
        if name not in FUNCTIONS or not arguments:
            known = ", ".join(f"`{known}`" for known in sorted({**FUNCTIONS, **AGGREGATES}))
            raise ExpressionError(f"`{self.text}`: `{name}` with {len(arguments)} arguments is no function; there are {known}")
        function = FUNCTIONS[name]
        return lambda scope, networks: function(*(argument(scope, networks) for argument in arguments))

    def _name(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return f"{self._name(node.value)}.{node.attr}"
        raise ExpressionError(f"`{self.text}`: `{ast.unparse(node)}` is not allowed in an expression")


def _whole(number: float) -> int | float:
    return int(number) if number == int(number) else number
