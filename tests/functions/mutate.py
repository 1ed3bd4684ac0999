#!/usr/bin/env python3
"""A test of the tests: mutations of right rotation functions, and whether `rotator validate` or `rotator test` notices each.

    tests/functions/mutate.py [--rotator PROGRAM] [--count N] [--seed N] [--kind KIND]... [--jobs N] [--out FILE]

The functions are what `rotator init` begins, in Python. Each mutant is one function with one change by one operator (see OPERATORS). All
possible ones are counted; `--count` of them are tried, spread over kinds and operators, and chosen by `--seed`. One that neither command
notices is a survivor, unless `equivalents.json` says why it does what the function does. `--out` gets a line of JSON for each, as they
come. Ends with 1 where a survivor is left.
"""

import argparse
import ast
import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

KINDS = ("api-key", "password", "admin-password", "signing-key")
EQUIVALENTS = pathlib.Path(__file__).with_name("equivalents.json")
# Names that hold what only a secret may hold; others may well be logged.
PRIVATE = {"admin", "basic", "before", "current", "found", "headers", "issued", "move", "password", "pending", "request", "signature", "text"}
# A mutant that hangs: no right function takes so long.
LIMIT_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class Mutant:
    kind: str
    operator: str
    function: str
    before: str
    after: str
    text: str

    @property
    def name(self):
        """What it is, wherever it stands: the same change of the same part of another kind has the same name."""
        return f"{self.operator} in {self.function}: {shown(self.before)} -> {shown(self.after)}"


def shown(text):
    return " ".join(text.split()) or "nothing"


class Source:
    """A function's code, and where its parts stand."""

    def __init__(self, kind, text):
        self.kind, self.text = kind, text
        self.tree = ast.parse(text)
        # Positions in the tree count bytes.
        self.bytes = text.encode()
        self.lines = [0]
        for line in self.bytes.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def span(self, node):
        start = self.lines[node.lineno - 1] + node.col_offset
        return start, self.lines[node.end_lineno - 1] + node.end_col_offset

    def functions(self):
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef):
                yield node

    def changed(self, operator, function, node, after):
        start, end = self.span(node)
        return self.replaced(operator, function, start, end, after)

    def replaced(self, operator, function, start, end, after):
        text = (self.bytes[:start] + after.encode() + self.bytes[end:]).decode()
        try:
            if ast.dump(ast.parse(text)) == ast.dump(self.tree):
                return None
        except SyntaxError:
            return None
        return Mutant(self.kind, operator, function.name, self.bytes[start:end].decode(), after, text)


def is_docstring(statement):
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def is_log(statement):
    return isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("logger.")


def statements(function):
    """Each statement that does something."""
    for node in ast.walk(function):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            for statement in body if isinstance(body, list) else []:
                if isinstance(statement, ast.stmt) and not is_docstring(statement) and not isinstance(statement, ast.Pass):
                    yield statement


def indent(source, node):
    return " " * node.col_offset


def drop_statement(source, function):
    """A statement is left out."""
    for statement in statements(function):
        if not is_log(statement):
            yield source.changed("drop-statement", function, statement, "pass")


def return_early(source, function):
    """A function ends before it has done anything."""
    first = next((one for one in function.body if not is_docstring(one)), None)
    if first is not None and not isinstance(first, ast.Pass):
        start, _ = source.span(first)
        yield source.replaced("return-early", function, start, start, "return\n" + indent(source, first))


def negate_condition(source, function):
    """A condition is turned round."""
    for node in ast.walk(function):
        if isinstance(node, (ast.If, ast.IfExp, ast.While)):
            yield source.changed("negate-condition", function, node.test, f"not ({ast.unparse(node.test)})")


def swap_logic(source, function):
    """`and` for `or`, `==` for `!=`, `is` for `is not`, `in` for `not in`."""
    other = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}
    for node in ast.walk(function):
        if isinstance(node, ast.BoolOp):
            changed = ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            yield source.changed("swap-logic", function, node, f"({ast.unparse(changed)})")
        if isinstance(node, ast.Compare) and type(node.ops[0]) in other:
            changed = ast.Compare(node.left, [other[type(node.ops[0])](), *node.ops[1:]], node.comparators)
            yield source.changed("swap-logic", function, node, f"({ast.unparse(changed)})")


def swap_label(source, function):
    """A label is taken for another one."""
    labels = {"AWSPENDING": ["AWSCURRENT"], "AWSCURRENT": ["AWSPENDING"], "AWSPREVIOUS": ["AWSCURRENT"]}
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and node.value in labels:
            for label in labels[node.value]:
                yield source.changed("swap-label", function, node, f'"{label}"')


def swap_member(source, function):
    """A member of the secret is taken for another one."""
    members = {"password": "username", "username": "password", "api_key": "key_id", "key_id": "api_key", "url": "username"}
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value in members:
            yield source.changed("swap-member", function, node.slice, f'"{members[node.slice.value]}"')


def drop_argument(source, function):
    """An argument of a call is left out."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or is_log(ast.Expr(node)):
            continue
        for number in range(len(node.args)):
            call = ast.Call(node.func, node.args[:number] + node.args[number + 1 :], node.keywords)
            yield source.changed("drop-argument", function, node, ast.unparse(call))
        for number in range(len(node.keywords)):
            call = ast.Call(node.func, node.args, node.keywords[:number] + node.keywords[number + 1 :])
            yield source.changed("drop-argument", function, node, ast.unparse(call))


def swallow_exception(source, function):
    """What a statement raises is caught, and forgotten."""
    for statement in statements(function):
        has_call = any(isinstance(node, ast.Call) for node in ast.walk(statement))
        if isinstance(statement, (ast.Expr, ast.Return, ast.Assign)) and has_call and not is_log(statement):
            space = indent(source, statement)
            inner = ast.unparse(statement).replace("\n", f"\n{space}    ")
            text = f"try:\n{space}    {inner}\n{space}except Exception:\n{space}    pass"
            yield source.changed("swallow-exception", function, statement, text)


def drop_raise(source, function):
    """What is wrong is logged, and not raised."""
    for statement in statements(function):
        if isinstance(statement, ast.Raise):
            yield source.changed("drop-raise", function, statement, 'logger.error("it failed")')


def widen_except(source, function):
    """One error is expected, and all are caught."""
    for node in ast.walk(function):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            yield source.changed("widen-except", function, node.type, "Exception")


def log_variable(source, function):
    """What a name holds goes into the log."""
    for statement in statements(function):
        if isinstance(statement, ast.Assign):
            names = [node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name)]
            for name in names:
                _, end = source.span(statement)
                if name not in PRIVATE or function.name == "finish_secret":
                    continue
                text = f'\n{indent(source, statement)}logger.info("%s", {name})'
                yield source.replaced("log-variable", function, end, end, text)


def do_twice(source, function):
    """A statement is done twice."""
    for statement in statements(function):
        if isinstance(statement, ast.Expr) and not is_log(statement):
            text = ast.unparse(statement).replace("\n", "\n" + indent(source, statement))
            yield source.changed("do-twice", function, statement, f"{text}\n{indent(source, statement)}{text}")


def answer_otherwise(source, function):
    """A function answers yes where it would say no, nothing where it would say something, and the other way round."""
    for statement in statements(function):
        if isinstance(statement, ast.Return) and statement.value is not None:
            value = statement.value
            if isinstance(value, ast.Constant) and isinstance(value.value, bool):
                yield source.changed("answer-otherwise", function, value, str(not value.value))
            elif isinstance(value, ast.Compare):
                yield source.changed("answer-otherwise", function, value, "True")
            else:
                yield source.changed("answer-otherwise", function, value, "None")


def change_number(source, function):
    """A number is another one."""
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
            yield source.changed("change-number", function, node, str(node.value + 1))
            if node.value > 8:
                yield source.changed("change-number", function, node, "1")


OPERATORS = (
    drop_statement,
    return_early,
    negate_condition,
    swap_logic,
    swap_label,
    swap_member,
    drop_argument,
    swallow_exception,
    drop_raise,
    widen_except,
    log_variable,
    do_twice,
    answer_otherwise,
    change_number,
)


def mutants(kind, text):
    """All of a function's."""
    source = Source(kind, text)
    found = {}
    for function in source.functions():
        for operator in OPERATORS:
            for mutant in operator(source, function):
                if mutant is not None:
                    found.setdefault(mutant.text, mutant)
    return list(found.values())


def chosen(all_mutants, count, seed):
    """Some of them, in turn from each kind and operator, so that no large part of the code decides alone."""
    groups = collections.defaultdict(list)
    for mutant in all_mutants:
        groups[mutant.kind, mutant.operator].append(mutant)
    dice = random.Random(seed)
    for group in groups.values():
        group.sort(key=lambda mutant: (mutant.name, mutant.text))
        dice.shuffle(group)
    picked = []
    while len(picked) < min(count, len(all_mutants)):
        for key in sorted(groups):
            if groups[key] and len(picked) < count:
                picked.append(groups[key].pop())
    return picked


class Tool:
    """The program, and a folder for each kind that it has begun."""

    def __init__(self, program, folder, kinds):
        self.program, self.folder = program, folder
        for kind in kinds:
            self.run(folder, "init", kind, "--into", kind, "--yes", exits=0)

    def run(self, folder, *arguments, exits=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            [self.program, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
        if exits is not None and done.returncode != exits:
            raise SystemExit(f"rotator {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def code(self, kind):
        return next((self.folder / kind / "functions").glob("*/lambda_function.py"))

    def noticed(self, kind, text):
        """What notices a function's code, if anything does."""
        with tempfile.TemporaryDirectory(prefix="mutant-") as name:
            place = pathlib.Path(name) / kind
            shutil.copytree(self.folder / kind, place)
            (place / self.code(kind).relative_to(self.folder / kind)).write_text(text)
            if self.run(place, "validate", "--strict").returncode != 0:
                return "validate"
            try:
                done = self.run(place, "test", "--format", "json")
            except subprocess.TimeoutExpired:
                return "test: no end"
            if done.returncode == 0:
                return None
            try:
                return f"test: {first_failure(json.loads(done.stdout))}"
            except ValueError:
                raise SystemExit(f"rotator test: exit {done.returncode}\n{done.stdout}{done.stderr}") from None


def first_failure(document):
    """The first check that didn't pass."""
    for function in document["functions"]:
        for check in function["checks"]:
            if check["ending"] == "failed":
                return check["name"]
    return "not tested"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rotator", default="rotator")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    kinds = options.kind or KINDS
    program = shutil.which(options.rotator) or parser.error(f"there is no program {options.rotator}")
    program = os.path.abspath(program)
    equivalents = {
        (kind, one["mutant"]) for one in json.loads(EQUIVALENTS.read_text()) for kind in one.get("kinds", KINDS)
    }
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        tool = Tool(program, pathlib.Path(name), kinds)
        every = []
        for kind in kinds:
            text = tool.code(kind).read_text()
            if (what := tool.noticed(kind, text)) is not None:
                raise SystemExit(f"{kind}: the function itself doesn't pass: {what}")
            every += mutants(kind, text)
        picked = chosen(every, options.count, options.seed)
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            results = []
            for mutant, what in zip(picked, pool.map(lambda one: tool.noticed(one.kind, one.text), picked)):
                results.append((mutant, what))
                if options.out:
                    row = {"kind": mutant.kind, "mutant": mutant.name, "noticed": what}
                    options.out.open("a").write(json.dumps(row) + "\n")
    return report(every, results, equivalents, time.monotonic() - began)


def report(every, results, equivalents, seconds):
    by = collections.Counter(what for _, what in results if what is not None)
    silent = [mutant for mutant, what in results if what is None]
    equal = [mutant for mutant in silent if (mutant.kind, mutant.name) in equivalents]
    survivors = [mutant for mutant in silent if (mutant.kind, mutant.name) not in equivalents]
    for mutant, what in results:
        if what is not None and (mutant.kind, mutant.name) in equivalents:
            print(f"noticed, though equivalents.json has it ({what}): {mutant.name}")
    print(f"{len(results)} of {len(every)} mutants, in {seconds:.0f} s")
    for what, number in by.most_common():
        print(f"  {number:4} {what}")
    real = len(results) - len(equal)
    print(f"  {len(equal):4} equivalent")
    print(f"caught: {real - len(survivors)} of {real}")
    for mutant in survivors:
        print(f"survived: {mutant.kind}: {mutant.name}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
