"""The names of TensorRT's interface that a source file uses, read from its syntax tree.

Objects of TensorRT in our code are found by the names of variables, listed in HOLDERS, with or without leading
underscores. A variable of type Any, or made from TensorRT's, under another name is unknown: its attributes cannot be
checked, so there must be none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOLDERS = {
    "trt": "",
    "builder": "Builder",
    "cache": "ITimingCache",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "engine": "ICudaEngine",
    "error": "ParserError",
    "inspector": "EngineInspector",
    "layer": "ILayer",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "profile": "IOptimizationProfile",
    "runtime": "Runtime",
    "severity": "ILogger.Severity",
    "tensor": "ITensor",
}
_EVERYWHERE = {name for kind in (object, str, bytes, list, tuple, dict, int, type) for name in dir(kind)}
# What of ours goes by a holder's name, too: an exception, the file of an engine, a Profile.
_OURS = {
    "error": {"message", "hint", "strerror", "name"},
    "engine": set(dir(Path)),
    "profile": {"minimum", "optimum", "maximum", "takes"},
}


@dataclass(frozen=True)
class Use:
    """A member of a class of TensorRT ("" is the module) in our code: where, and the arguments of a call, if it is one.

    `optional` ones are looked for at run time, and may be missing.
    """

    owner: str
    name: str
    line: int
    arguments: int | None = None
    keywords: tuple[str, ...] = ()
    optional: bool = False


def uses(source: str) -> list[Use]:
    """Every use of TensorRT's interface in a source file."""
    tree = ast.parse(source)
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = [*_optional(tree), *_overridden(tree)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr not in _ours(node) | _EVERYWHERE:
            owner = _owner(node.value)
            found += [] if owner is None else [_use(owner, node, calls.get(id(node)))]
    return found


def unknowns(source: str) -> list[tuple[str, int]]:
    """Attributes of variables that hold something of TensorRT under a name that HOLDERS does not list."""
    found = []
    for function in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)):
        held = {*_any_arguments(function)}
        for node in ast.walk(function):
            held |= {name for name in _targets(node) if _reads(node, held)}
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in held - set(HOLDERS)
                and node.attr not in _EVERYWHERE
            ):
                found.append((f"{node.value.id}.{node.attr}", node.lineno))
    return found


def _use(owner: str, node: ast.Attribute, call: ast.Call | None) -> Use:
    if call is None:
        return Use(owner, node.attr, node.lineno)
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    keywords = tuple(keyword.arg for keyword in call.keywords if keyword.arg)
    return Use(owner, node.attr, node.lineno, None if starred else len(call.args), keywords)


def _owner(node: ast.expr) -> str | None:
    """The class of TensorRT that an expression is of, or is itself; None where it is neither."""
    if isinstance(node, ast.Name):
        return HOLDERS.get(node.id.lstrip("_"))
    if isinstance(node, ast.Attribute):
        if (holder := _owner(node.value)) == "":
            return node.attr  # trt.BuilderFlag
        if holder is None:
            return HOLDERS.get(node.attr.lstrip("_"))  # self._engine
    return None


def _ours(node: ast.Attribute) -> set[str]:
    held = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
    return _OURS.get(held.lstrip("_"), set())


def _optional(tree: ast.AST) -> Iterator[Use]:
    """`member(trt, "Enumeration", "NAME")`, which raises a clear error where the version has it not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "member":
            _, owner, name = node.args
            if isinstance(owner, ast.Constant) and isinstance(name, ast.Constant):
                yield Use(str(owner.value), str(name.value), node.lineno, optional=True)


def _overridden(tree: ast.AST) -> Iterator[Use]:
    """Methods that TensorRT calls, of classes of ours that are made from its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                if isinstance(base, ast.Attribute) and _owner(base.value) == "":
                    methods = (item for item in node.body if isinstance(item, ast.FunctionDef))
                    yield from (
                        Use(base.attr, each.name, each.lineno, len(each.args.args) - 1)
                        for each in methods
                        if each.name not in _EVERYWHERE
                    )


def _any_arguments(function: ast.FunctionDef) -> Iterator[str]:
    for argument in (*function.args.args, *function.args.kwonlyargs):
        if isinstance(argument.annotation, ast.Name) and argument.annotation.id == "Any":
            yield argument.arg


def _targets(node: ast.AST) -> Iterator[str]:
    """The names that an assignment, a loop or a comprehension gives a value."""
    targets = {
        ast.Assign: lambda: node.targets,  # type: ignore[attr-defined]
        ast.NamedExpr: lambda: [node.target],  # type: ignore[attr-defined]
        ast.For: lambda: [node.target],  # type: ignore[attr-defined]
        ast.comprehension: lambda: [node.target],  # type: ignore[attr-defined]
    }.get(type(node), list)()
    for target in targets:
        parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        yield from (each.id for each in parts if isinstance(each, ast.Name))


def _reads(node: ast.AST, held: set[str]) -> bool:
    """Whether the value that it gives comes out of TensorRT: an attribute of what is held, an element, an answer."""
    value = getattr(node, "value", None) or getattr(node, "iter", None)
    return value is not None and _comes_of(value, held)


def _comes_of(value: ast.expr, held: set[str]) -> bool:
    if isinstance(value, ast.Call):
        makes = isinstance(value.func, ast.Name) and value.func.id == "make"
        return makes or (isinstance(value.func, ast.Attribute) and _comes_of(value.func, held))
    if isinstance(value, ast.Attribute | ast.Subscript):
        return _comes_of(value.value, held)
    if isinstance(value, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        return _comes_of(value.elt, held)
    return isinstance(value, ast.Name) and value.id in held
