"""10,000 random sums: the normal form against a loop that knows nothing of SymPy's sums.

The generator writes a tree of tuples. One reader turns the tree into SymPy, another into a number by
loops over Python integers. A third evaluates the normal form. None uses a rule of emlib.proof.sums.
"""

import random
from fractions import Fraction

import pytest
import sympy as sp

from emlib.proof.sums import Inside, SumsTo, normal_form

n, m = sp.symbols("n m", integer=True, positive=True)
k, h = sp.symbols("k h", integer=True)  # free; k is declared to lie in 0..n-1, h is not declared
u, v, s, p = (sp.IndexedBase(name) for name in "uvsp")
f = sp.Function("f")
RULE = SumsTo(p, 0, n - 1)
SIZES = ({"n": 1, "m": 2}, {"n": 2, "m": 3}, {"n": 3, "m": 1})
RANGES = (("0", "n-1"), ("0", "n-1"), ("0", "m-1"), ("1", "n"), ("1", "n-1"), ("2", "n-1"), ("0", "2"), ("1", "1"))
BOUNDS = {
    "0": (sp.Integer(0), lambda _: 0),
    "1": (sp.Integer(1), lambda _: 1),
    "2": (sp.Integer(2), lambda _: 2),
    "n": (n, lambda at: at["n"]),
    "n-1": (n - 1, lambda at: at["n"] - 1),
    "m-1": (m - 1, lambda at: at["m"] - 1),
}
SYMBOLS = {"k": k, "h": h}


# --- the generator ---


def index(rng, names):
    name = rng.choice(names)
    return (name, rng.choice((0, 0, 0, 0, 1, -1)))


def atom(rng, names):
    kind = rng.choice(("u", "v", "s", "p", "delta", "delta", "ranged", "1/u", "f", "number"))
    if kind == "number":
        return ("number", rng.choice((-2, -1, 2, 3)))
    if kind == "f":
        return ("f", tree(rng, names, 1) if rng.random() < 0.3 else ("u", index(rng, names)))
    if kind in ("u", "1/u", "p"):
        return (kind, index(rng, names))
    if kind == "delta" and rng.random() < 0.1:
        return (kind, index(rng, names), ("0", 0))
    if kind == "ranged":
        return (kind, index(rng, names), index(rng, names), rng.choice(RANGES))
    return (kind, index(rng, names), index(rng, names))


def tree(rng, names, depth):
    if depth == 0 or rng.random() < 0.1:
        return atom(rng, names)
    kind = rng.choice(("add", "mul", "mul", "sum", "sum", "sum", "square" if depth == 1 else "sum"))
    if kind == "sum":
        fresh = rng.choice(("i", "j", "l"))  # names may shadow each other
        return ("sum", fresh, rng.choice(RANGES), tree(rng, [*names, fresh, fresh], depth - 1))
    if kind == "square":
        return ("square", tree(rng, names, depth - 1))
    return (kind, tree(rng, names, depth - 1), tree(rng, names, depth - 1))


def claim(rng):
    """Return a tree that holds a sum at the top, or next to it."""
    names = ["k", "h"]
    top = rng.choice(("i", "j", "l"))
    summed = ("sum", top, rng.choice(RANGES), tree(rng, [*names, top, top], rng.choice((0, 0, 1, 1, 2))))
    if rng.random() < 0.6:
        return summed
    return (rng.choice(("add", "mul")), summed, tree(rng, names, rng.choice((0, 1, 1))))


# --- tree to SymPy ---


def symbol(place):
    name, shift = place
    return (sp.Integer(0) if name == "0" else SYMBOLS.get(name, sp.Symbol(name, integer=True))) + shift


def to_sympy(node):
    kind, *parts = node
    if kind == "number":
        return sp.Integer(parts[0])
    if kind in ("u", "p"):
        return {"u": u, "p": p}[kind][symbol(parts[0])]
    if kind == "1/u":
        return 1 / u[symbol(parts[0])]
    if kind in ("v", "s"):
        return {"v": v, "s": s}[kind][symbol(parts[0]), symbol(parts[1])]
    if kind == "delta":
        return sp.KroneckerDelta(symbol(parts[0]), symbol(parts[1]))
    if kind == "ranged":
        low, high = (BOUNDS[bound][0] for bound in parts[2])
        # Built unevaluated: SymPy drops the range of delta(i, i) when it evaluates it to 1.
        left, right = symbol(parts[0]), symbol(parts[1])
        if left == right:
            return Inside(left, low, high)
        return sp.KroneckerDelta(left, right, (low, high))
    if kind == "f":
        return f(to_sympy(parts[0]))
    if kind == "sum":
        low, high = (BOUNDS[bound][0] for bound in parts[1])
        return sp.Sum(to_sympy(parts[2]), (symbol((parts[0], 0)), low, high))
    if kind == "square":
        return to_sympy(parts[0]) ** 2
    left, right = map(to_sympy, parts)
    return left + right if kind == "add" else left * right


# --- tree to a number ---


def family(name, where, at):
    if name == "u":
        return (5 * where[0] + 7) % 11 + 1
    if name == "v":
        return (3 * where[0] + 5 * where[1] + 2) % 13 - 4
    if name == "s":
        return (where[0] * where[1] * 3 + where[0] + where[1]) % 7 - 2
    last = at["n"] - 1
    return 1 - sum(Fraction(i + 2, 7) for i in range(last)) if where[0] == last else Fraction(where[0] + 2, 7)


def shape_of_f(value):
    return value * value + 3 * value + 1


def place(where, env):
    return (0 if where[0] == "0" else env[where[0]]) + where[1]


def brute_force(node, at, env):
    kind, *parts = node
    if kind == "number":
        return parts[0]
    if kind in ("u", "p", "v", "s"):
        return family(kind, [place(part, env) for part in parts], at)
    if kind == "1/u":
        return Fraction(1, family("u", [place(parts[0], env)], at))
    if kind == "delta":
        return int(place(parts[0], env) == place(parts[1], env))
    if kind == "ranged":
        low, high = (BOUNDS[bound][1](at) for bound in parts[2])
        return int(low <= place(parts[0], env) == place(parts[1], env) <= high)
    if kind == "f":
        return shape_of_f(brute_force(parts[0], at, env))
    if kind == "sum":
        low, high = (BOUNDS[bound][1](at) for bound in parts[1])
        return sum(brute_force(parts[2], at, {**env, parts[0]: value}) for value in range(low, high + 1))
    if kind == "square":
        return brute_force(parts[0], at, env) ** 2
    left, right = (brute_force(part, at, env) for part in parts)
    return left + right if kind == "add" else left * right


# --- the normal form to a number ---


def read(expr, at, env):
    if expr.is_Symbol:
        return env[expr.name]
    if expr.is_Integer:
        return int(expr)
    if expr.is_Rational:
        return Fraction(int(expr.p), int(expr.q))
    if expr.is_Add:
        return sum(read(arg, at, env) for arg in expr.args)
    if expr.is_Mul:
        result = 1
        for arg in expr.args:
            result = result * read(arg, at, env)
        return result
    if expr.is_Pow:
        return Fraction(read(expr.args[0], at, env)) ** int(expr.args[1])
    if isinstance(expr, sp.Indexed):
        return family(str(expr.base), [read(arg, at, env) for arg in expr.indices], at)
    if isinstance(expr, sp.KroneckerDelta):
        assert len(expr.args) == 2
        return int(read(expr.args[0], at, env) == read(expr.args[1], at, env))
    if isinstance(expr, Inside):
        index_value, low, high = (read(arg, at, env) for arg in expr.args)
        return int(low <= index_value <= high)
    if isinstance(expr, sp.Sum):
        return loops(expr.function, list(expr.limits), at, env)
    assert expr.func == f, expr
    return shape_of_f(read(expr.args[0], at, env))


def loops(body, limits, at, env):
    if not limits:
        return read(body, at, env)
    name, low, high = limits[-1]
    first, last = read(low, at, env), read(high, at, env)
    return sum(loops(body, limits[:-1], at, {**env, name.name: value}) for value in range(first, last + 1))


def points():
    for at in SIZES:
        for value in {0, at["n"] - 1}:
            yield at, {"k": value, "h": 1 - at["m"] + at["n"], **at}


def disagreement(node):
    """Where the normal form and brute force differ, or None."""
    form = normal_form(to_sympy(node), ranges={k: (0, n - 1)}, symmetric=[s], normalised=[RULE])
    for at, env in points():
        want, got = brute_force(node, at, env), read(form, at, env)
        if want != got:
            return f"{to_sympy(node)}\n  -> {form}\n  at {env}: brute force {want}, normal form {got}"
    return None


@pytest.mark.parametrize("block", range(10))
def test_normal_form_agrees_with_brute_force(block):
    rng = random.Random(f"finite sums {block}")
    for _ in range(1000):
        node = claim(rng)
        assert disagreement(node) is None


def test_the_fuzz_sees_a_broken_rule(monkeypatch):
    """A collapse that forgets the range of the delta is found among the first thousand."""
    monkeypatch.setattr("emlib.proof.sums.Inside", lambda *_: sp.Integer(1))
    rng = random.Random("finite sums 0")
    trees = (claim(rng) for _ in range(1000))
    monkeypatch.setattr("emlib.proof.sums._drop_inside", lambda *_: None)
    assert any(disagreement(node) is not None for node in trees)


def renamed(node, names):
    """The same tree with other names for the bound indices, and two sides exchanged wherever that is allowed."""
    kind, *parts = node
    if kind == "sum":
        fresh = f"{parts[0]}_"
        return ("sum", fresh, parts[1], renamed(parts[2], {**names, parts[0]: fresh}))
    if kind in ("add", "mul"):
        return (kind, renamed(parts[1], names), renamed(parts[0], names))
    if kind in ("f", "square"):
        return (kind, renamed(parts[0], names))
    if kind == "number":
        return node
    if kind == "s":
        parts.reverse()
    return (kind, *((names.get(part[0], part[0]), part[1]) if part not in RANGES else part for part in parts))


def test_names_and_order_do_not_matter():
    rng = random.Random("renamed")
    settings = {"ranges": {k: (0, n - 1)}, "symmetric": [s], "normalised": [RULE]}
    for _ in range(300):
        node = claim(rng)
        assert normal_form(to_sympy(node), **settings) == normal_form(to_sympy(renamed(node, {})), **settings)
