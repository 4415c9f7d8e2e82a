"""The small language of matrix identities: text to tree, with shapes, and errors that point at the character.

A capital letter is an n x n matrix, a lower-case one a column of length n; ``A'``, ``A.T`` and ``A^T``
transpose; ``*`` multiplies; ``/`` divides by a scalar; ``^`` takes an integer, or a size for a scalar base.
The text is parsed by a grammar and never evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any, cast

from lark import Lark, Token, Transformer, UnexpectedInput

LONGEST_FORMULA = 2_000
MOST_NODES = 400
DEEPEST = 40
LARGEST_EXPONENT = 12
MOST_DIGITS = 12

Shape = tuple[Any, Any]

GRAMMAR = r"""
start: sum "==" sum
?sum: product | sum "+" product -> add | sum MINUS product -> subtract
?product: signed | product "*" signed -> multiply | product "/" signed -> divide
?signed: postfix | MINUS signed -> negate
?postfix: atom
    | postfix "'" -> transpose
    | postfix ".T" -> transpose
    | postfix "^" exponent -> power
?exponent: INTEGER -> number | MINUS INTEGER -> negative | NAME -> name | "(" sum ")"
?atom: NUMBER -> number | INTEGER -> number | NAME -> name | "(" sum ")"
    | NAME "(" sum ("," sum)* ")" -> call
MINUS: "-"
NUMBER.2: /[0-9]+\.[0-9]+/
INTEGER: /[0-9]+/
NAME: /[A-Za-z][A-Za-z0-9_]*/
%ignore /[ \t]+/
"""

# Name of a function: how many arguments it takes.
FUNCTIONS: Mapping[str, tuple[int, ...]] = {
    "inv": (1,),
    "det": (1,),
    "tr": (1,),
    "log": (1,),
    "exp": (1,),
    "diag": (1,),
    "vec": (1,),
    "kron": (2,),
    "hadamard": (2,),
    "norm2": (1,),
    "grad": (2,),
    "ascent": (2,),
    "hess": (2,),
    "d": (2, 3),
}
RESERVED = (*FUNCTIONS, "I", "ones")


class FormulaError(ValueError):
    """A formula that cannot be read; the message shows the place.

    Parameters
    ----------
    reason : str
        What is wrong and what to do.
    text : str
        The formula.
    position : int or None
        The index of the offending character; None if the formula as a whole is meant.
    """

    def __init__(self, reason: str, text: str, position: int | None = None) -> None:
        super().__init__(reason, text, position)
        self.reason, self.text, self.position = reason, text, position

    def __str__(self) -> str:
        if self.position is None:
            return self.reason
        start = max(0, self.position - 60)
        shown = "".join(c if c.isprintable() else "?" for c in self.text[start : self.position + 40])
        return f"{self.reason}\n  {shown}\n  {' ' * (self.position - start)}^"


@dataclass(frozen=True)
class Node:
    """A node of the tree.

    Parameters
    ----------
    op : str
        ``number``, ``symbol``, ``size``, ``identity``, ``ones``, ``zero``, ``add``, ``negate``, ``multiply``,
        ``divide``, ``power``, ``transpose`` or the name of a function.
    args : tuple of Node
        The operands.
    position : int
        Where it starts in the text.
    name : str
        The name of a symbol or of a size.
    number : Fraction
        The value of a number; for ``power`` an integer exponent, unless there is a second operand.
    """

    op: str
    args: tuple[Node, ...] = ()
    position: int = field(default=0, compare=False)
    name: str = ""
    number: Fraction = Fraction(0)


class _TooManyDigits(Exception):
    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class _Builder(Transformer[Token, Any]):
    """Turns the parse tree into nodes."""

    def start(self, children: list[Node]) -> tuple[Node, Node]:
        left, right = children
        return left, right

    def _binary(self, op: str, children: list[Node]) -> Node:
        return Node(op, tuple(children), children[0].position)

    def add(self, children: list[Node]) -> Node:
        return self._binary("add", children)

    def subtract(self, children: list[Any]) -> Node:
        left, _, right = children
        return Node("add", (left, Node("negate", (right,), right.position)), left.position)

    def multiply(self, children: list[Node]) -> Node:
        return self._binary("multiply", children)

    def divide(self, children: list[Node]) -> Node:
        return self._binary("divide", children)

    def negate(self, children: list[Any]) -> Node:
        sign, inner = children
        return Node("negate", (inner,), sign.start_pos or 0)

    def transpose(self, children: list[Node]) -> Node:
        return Node("transpose", tuple(children), children[0].position)

    def power(self, children: list[Node]) -> Node:
        base, exponent = children
        if exponent.op == "name" and exponent.name == "T":
            return Node("transpose", (base,), base.position)
        return Node("power", (base, exponent), base.position)

    def number(self, children: list[Token]) -> Node:
        (token,) = children
        position = token.start_pos or 0
        if len(token) > MOST_DIGITS:
            raise _TooManyDigits(position)
        return Node("number", (), position, number=Fraction(str(token)))

    def negative(self, children: list[Token]) -> Node:
        sign, digits = children
        return Node("negate", (self.number([digits]),), sign.start_pos or 0)

    def name(self, children: list[Token]) -> Node:
        (token,) = children
        return Node("name", (), token.start_pos or 0, name=str(token))

    def call(self, children: list[Any]) -> Node:
        token, *arguments = children
        return Node("call", tuple(arguments), token.start_pos or 0, name=str(token))


@cache
def _parser() -> Lark:
    # The nodes are built while parsing: walking a deep tree afterwards would recurse.
    return Lark(GRAMMAR, parser="lalr", maybe_placeholders=False, transformer=_Builder())


def parse(text: str) -> tuple[Node, Node]:
    """Return the two sides of an identity as trees, names not yet looked up.

    Parameters
    ----------
    text : str
        ``LEFT == RIGHT``.

    Returns
    -------
    tuple of Node
        Left and right.

    Raises
    ------
    FormulaError
        The text is not an identity in the language, or passes one of its limits: 2000 characters,
        400 nodes, 40 levels, 12 digits.

    Examples
    --------
    >>> left, right = parse("tr(A*B) == tr(B*A)")
    >>> left.op, left.name
    ('call', 'tr')
    """
    _check_text(text)
    try:
        left, right = cast("tuple[Node, Node]", _parser().parse(text))
    except UnexpectedInput as error:
        raise _syntax_error(text, error) from None
    except _TooManyDigits as error:
        raise FormulaError(f"a number of more than {MOST_DIGITS} digits", text, error.position) from None
    _check_tree(text, left, right)
    return left, right


def _check_text(text: str) -> None:
    if len(text) > LONGEST_FORMULA:
        raise FormulaError(f"the formula has {len(text)} characters; at most {LONGEST_FORMULA} are read", text)
    depth = 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth > DEEPEST:
            raise FormulaError(f"more than {DEEPEST} nested parentheses", text, position)
    if text.count("==") != 1:
        place = text.find("=") if "==" not in text else text.find("==", text.find("==") + 2)
        raise FormulaError("write one identity as LEFT == RIGHT, with one ==", text, place if place >= 0 else None)


def _syntax_error(text: str, error: UnexpectedInput) -> FormulaError:
    position = getattr(error, "pos_in_stream", None)
    token = getattr(error, "token", None)
    if token is not None and token.type == "$END":
        return FormulaError("the formula ends too early", text, len(text))
    if token is not None:
        return FormulaError(f"did not expect '{token}' here{_hint(text, token)}", text, token.start_pos)
    return FormulaError("this character is not part of the language", text, position)


def _hint(text: str, token: Token) -> str:
    before = text[: token.start_pos].rstrip()
    if token.type in ("NAME", "INTEGER", "NUMBER", "LPAR") and before and (before[-1].isalnum() or before[-1] in ")'"):
        return "; write * between factors"
    return ""


def _check_tree(text: str, *roots: Node) -> None:
    count = 0
    stack = [(root, 1) for root in roots]
    while stack:
        node, depth = stack.pop()
        count += 1
        if depth > DEEPEST:
            raise FormulaError(f"more than {DEEPEST} levels of operations; shorten the formula", text, node.position)
        if count > MOST_NODES:
            raise FormulaError(f"more than {MOST_NODES} operations and symbols; shorten the formula", text)
        stack.extend((arg, depth + 1) for arg in node.args)
