"""Says what a version of Python can't do with a function's code, by reading the code: nothing of it runs.

Arguments: the package's root, the handler, the minor version of Python 3. Prints one JSON object, empty where nothing is found.
Only modules that the handler's own leads to are read, and of their libraries Python's own.
"""

import ast
import json
import os
import sys

ROOT, HANDLER, MINOR = sys.argv[1], sys.argv[2], int(sys.argv[3])

# Modules of the standard library: since, and before which minor version.
ADDED = {"zoneinfo": 9, "graphlib": 9, "tomllib": 11, "annotationlib": 14, "compression": 14}
REMOVED = {
    **dict.fromkeys(["formatter", "parser", "symbol"], 10),
    **dict.fromkeys(["binhex"], 11),
    **dict.fromkeys(["asynchat", "asyncore", "distutils", "imp", "smtpd"], 12),
    **dict.fromkeys(
        ["aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis", "nntplib",
         "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"], 13),
}
# Names of those modules, the same way.
NAMES_ADDED = {
    10: ["contextlib.aclosing", "itertools.pairwise", "types.EllipsisType",
         "types.NoneType", "types.NotImplementedType", "types.UnionType", "typing.Concatenate", "typing.ParamSpec",
         "typing.TypeAlias", "typing.TypeGuard", "typing.is_typeddict", "statistics.correlation", "sys.stdlib_module_names",
         "sys.orig_argv", "inspect.get_annotations"],
    11: ["asyncio.Barrier", "asyncio.Runner", "asyncio.TaskGroup", "asyncio.timeout", "asyncio.timeout_at", "contextlib.chdir",
         "datetime.UTC", "enum.ReprEnum", "enum.StrEnum", "enum.member", "enum.nonmember", "enum.verify", "hashlib.file_digest",
         "logging.getLevelNamesMapping", "math.cbrt", "math.exp2", "operator.call", "sys.exception", "typing.LiteralString",
         "typing.Never", "typing.NotRequired", "typing.Required", "typing.Self", "typing.TypeVarTuple", "typing.Unpack",
         "typing.assert_never", "typing.assert_type", "typing.clear_overloads", "typing.dataclass_transform",
         "typing.get_overloads", "typing.reveal_type"],
    12: ["calendar.Day", "calendar.Month", "inspect.BufferFlags", "inspect.markcoroutinefunction",
         "itertools.batched", "math.sumprod", "os.listdrives", "sys.activate_stack_trampoline", "sys.monitoring",
         "types.get_original_bases", "typing.TypeAliasType", "typing.override"],
    13: ["copy.replace", "base64.z85decode", "base64.z85encode", "queue.ShutDown", "typing.NoDefault", "typing.ReadOnly", "typing.TypeIs",
         "typing.get_protocol_members", "typing.is_protocol", "warnings.deprecated"],
    14: ["heapq.heapify_max", "heapq.heappop_max", "heapq.heappush_max", "uuid.uuid6", "uuid.uuid7", "uuid.uuid8"],
}
NAMES_REMOVED = {
    10: ["collections." + name for name in
         ["Callable", "Iterable", "Iterator", "Mapping", "MutableMapping", "MutableSequence", "MutableSet", "Sequence", "Set"]]
        + ["fractions.gcd"],
    11: ["asyncio.coroutine", "inspect.formatargspec", "inspect.getargspec"],
    12: ["configparser.SafeConfigParser", "pkgutil.ImpImporter", "ssl.RAND_pseudo_bytes", "ssl.match_hostname", "ssl.wrap_socket"],
    13: ["locale.resetlocale", "typing.io", "typing.re", "webbrowser.MacOSX", "configparser.LegacyInterpolation",
         "unittest.findTestCases"],
    14: ["ast.Bytes", "ast.Num", "ast.Str", "pkgutil.find_loader", "pkgutil.get_loader", "asyncio.get_child_watcher"],
}
BUILTINS = {"BaseExceptionGroup": 11, "ExceptionGroup": 11, "aiter": 10, "anext": 10, "PythonFinalizationError": 13}
KEYWORDS = {("zip", "strict"): 10, ("dataclass", "slots"): 10, ("dataclass", "kw_only"): 10}
TYPES = {"bool", "bytes", "dict", "float", "frozenset", "int", "list", "object", "set", "str", "tuple", "type"}
# What code catches or asks for that knows what it may not find.
CAUGHT = {"AttributeError", "BaseException", "Exception", "ImportError", "ModuleNotFoundError", "NameError", "TypeError"}
ASKED = {"version_info", "hasattr", "getattr", "find_spec", "hexversion"}


def since(table, name):
    return next((minor for minor, names in table.items() if name in names and MINOR < minor), None)


def before(table, name):
    return next((minor for minor, names in table.items() if name in names and MINOR >= minor), None)


class Found(Exception):
    """What code can't do; `loading`: as soon as its module is loaded."""

    def __init__(self, kind, message, line, loading):
        self.kind, self.message, self.line, self.loading = kind, message, line, loading


def own(module):
    """The file of a module of the package."""
    path = os.path.join(ROOT, *module.split("."))
    return next((file for file in (path + ".py", os.path.join(path, "__init__.py")) if os.path.isfile(file)), None)


def is_own(module):
    return own(module) is not None or os.path.isdir(os.path.join(ROOT, *module.split(".")))


class Reader(ast.NodeVisitor):
    def __init__(self, tree, module):
        self.package = module if os.path.basename(own(module) or "") == "__init__.py" else module.rpartition(".")[0]
        self.leads, self.modules, self.guards = [], {}, 0
        self.lazy = any(isinstance(node, ast.ImportFrom) and node.module == "__future__"
                        and any(name.name == "annotations" for name in node.names) for node in tree.body) or MINOR >= 14
        stored = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        defined = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef))]
        aliases = [name for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)) for name in node.names]
        self.own = {node.id for node in stored} | {node.name for node in defined} | {one.asname or one.name for one in aliases}

    def found(self, kind, message, node, loading=False):
        if not self.guards:
            raise Found(kind, message, node.lineno, loading)

    def look_up(self, module, node):
        top = module.split(".")[0]
        if is_own(top):
            self.leads.append(module)
            return False
        gone = (top in ADDED and MINOR < ADDED[top]) or (top in REMOVED and MINOR >= REMOVED[top])
        if gone:
            self.found("ModuleNotFoundError", f"No module named '{top}'", node)
        return not gone

    def visit_Import(self, node):
        for name in node.names:
            if self.look_up(name.name, node):
                self.modules[name.asname or name.name.split(".")[0]] = name.name if name.asname else name.name.split(".")[0]

    def visit_ImportFrom(self, node):
        base = node.module or ""
        if node.level:
            above = self.package.split(".") if self.package else []
            above = above[: len(above) - (node.level - 1)]
            base = ".".join([*above, base] if base else above)
            self.leads += [base] + [f"{base}.{name.name}" if base else name.name for name in node.names]
            return
        if not self.look_up(base, node):
            self.leads += [f"{base}.{name.name}" for name in node.names]
            return
        for name in node.names:
            whole = f"{base}.{name.name}"
            if since(NAMES_ADDED, whole) or before(NAMES_REMOVED, whole):
                self.found("ImportError", f"cannot import name '{name.name}' from '{base}'", node)

    def visit_Attribute(self, node):
        if isinstance(node.value, ast.Name) and node.value.id in self.modules:
            module = self.modules[node.value.id]
            whole = f"{module}.{node.attr}"
            if since(NAMES_ADDED, whole) or before(NAMES_REMOVED, whole):
                self.found("AttributeError", f"module '{module}' has no attribute '{node.attr}'", node)
        self.generic_visit(node)

    def visit_Name(self, node):
        if MINOR < BUILTINS.get(node.id, 0) and node.id not in self.own:
            self.found("NameError", f"name '{node.id}' is not defined", node)

    def visit_Call(self, node):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        for keyword in node.keywords:
            if MINOR < KEYWORDS.get((name, keyword.arg), 0):
                self.found("TypeError", f"{name}() got an unexpected keyword argument '{keyword.arg}'", node)
        if name in ("isinstance", "issubclass") and len(node.args) == 2:
            self.union(node.args[1])
        self.generic_visit(node)

    def union(self, node, loading=False):
        """`int | None` is an error of types before Python 3.10, where it is worked out."""
        def is_type(side):
            return (isinstance(side, ast.Name) and side.id in TYPES) or (
                isinstance(side, ast.Subscript) and isinstance(side.value, ast.Name) and side.value.id in TYPES)
        for part in ast.walk(node) if node is not None else ():
            if MINOR < 10 and isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitOr):
                sides = [part.left, part.right]
                none = any(isinstance(side, ast.Constant) and side.value is None for side in sides)
                if any(map(is_type, sides)) and (none or all(map(is_type, sides))):
                    self.found("TypeError", "unsupported operand type(s) for |: 'type' and 'type'", part, loading)

    def function(self, node):
        if not self.lazy:
            arguments = node.args
            for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]:
                self.union(one and one.annotation, loading=True)
            self.union(node.returns, loading=True)
        self.generic_visit(node)

    visit_FunctionDef = visit_AsyncFunctionDef = function

    def visit_ClassDef(self, node):
        for part in node.body:
            if isinstance(part, ast.AnnAssign) and not self.lazy:
                self.union(part.annotation, loading=True)
        self.generic_visit(node)

    def visit_Module(self, node):
        self.visit_ClassDef(node)

    def guarded(self, nodes):
        self.guards += 1
        for node in nodes:
            self.visit(node)
        self.guards -= 1

    def visit_Try(self, node):
        caught = {part.id for handler in node.handlers for part in ast.walk(handler.type or ast.Name("Exception"))
                  if isinstance(part, ast.Name)}
        if caught & CAUGHT:
            self.guarded(node.body)
            rest = [*node.handlers, *node.orelse, *node.finalbody]
            # What stands in for something that isn't there may be what another version lacks.
            self.guarded(rest)
        else:
            self.generic_visit(node)

    def visit_If(self, node):
        words = {getattr(part, "attr", None) or getattr(part, "id", None) for part in ast.walk(node.test)}
        if words & ASKED or "TYPE_CHECKING" in words:
            self.guarded([*node.body, *node.orelse])
        else:
            self.generic_visit(node)


def named(tree, line):
    """The innermost function or class that a line stands in."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    around = [node for node in ast.walk(tree) if isinstance(node, kinds) and node.lineno <= line <= (node.end_lineno or 0)]
    return max(around, key=lambda node: node.lineno).name if around else "<module>"


def look(module):
    """What is wrong with a module, and to which modules it leads."""
    file = own(module)
    if file is None:
        return None, []
    with open(file, encoding="utf-8", errors="replace") as opened:
        text = opened.read(4_000_000)
    lines, name = text.splitlines(), os.path.relpath(file, ROOT)

    def problem(kind, message, line, function):
        source = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        return {"kind": kind, "message": message, "file": name, "line": line, "text": source, "function": function}

    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        # This machine's own Python says it, when it runs the code.
        return None, []
    try:
        ast.parse(text, feature_version=(3, MINOR))
    except SyntaxError as error:
        # Python names the end of a statement that it reads and doesn't take.
        statements = [node.lineno for node in ast.walk(tree) if type(node).__name__ in ("Match", "TryStar")]
        line = max((one for one in statements if one < (error.lineno or 1)), default=error.lineno or 1)
        message = f"Syntax error in module '{module}': {error.msg} ({os.path.basename(file)}, line {line})"
        return problem("Runtime.UserCodeSyntaxError", message, line, "<module>"), []
    reader = Reader(tree, module)
    try:
        reader.visit(tree)
    except Found as found:
        function = "<module>" if found.loading else named(tree, found.line)
        if function == "<module>" and found.kind in ("ModuleNotFoundError", "ImportError"):
            kind, message = "Runtime.ImportModuleError", f"Unable to import module '{module}': {found.message}"
        else:
            kind, message = found.kind, found.message
        return problem(kind, message, found.line, function), []
    return None, reader.leads


def main():
    first = HANDLER.rpartition(".")[0].replace("/", ".")
    waiting, seen = [first], set()
    while waiting:
        module = waiting.pop(0)
        if not module or module in seen or len(seen) > 500:
            continue
        seen.add(module)
        found, leads = look(module)
        if found:
            return found
        parents = [lead.rpartition(".")[0] for lead in leads]
        waiting += leads + parents
    return {}


print(json.dumps(main()))
