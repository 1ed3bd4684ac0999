"""The shape of an answer: which members it has and of which kind each is, and none of its values.

A shape is a map from paths, such as `Stacks[].StackStatus`, to the kinds that were seen there. Masking works by what may be kept, never
by what must go: a text is kept only where AWS's public model lists it as one of a member's few values; names of members only where the
model has them, or where they have the form of one; every other text becomes the name of a form, such as `arn` or `time`.
"""

import json
import re

#: Forms of texts. The name of the form is kept, the text isn't.
FORMS = (
    ("empty", re.compile(r"")),
    ("account", re.compile(r"[0-9]{12}")),
    ("digits", re.compile(r"[0-9]+")),
    ("arn", re.compile(r"arn:[^ ]+")),
    ("url", re.compile(r"https?://[^ ]+")),
    ("uuid", re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    ("time", re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)?")),
)

#: Members that hold JSON as a text, and whose own shape is of interest: a function's policy.
EMBEDDED = {"Policy", "Statement"}

#: What the language of policies consists of; any other name in a policy is somebody's own.
POLICY_WORDS = {
    *("version", "id", "statement", "sid", "effect", "principal", "action", "resource", "condition", "service", "aws"),
    *("stringequals", "stringlike", "arnequals", "arnlike", "aws:sourceaccount", "aws:sourcearn"),
}

#: Sentences of refusals that decide what `rotator` does. Of a message, the ones that it has are kept, and nothing else.
SENTENCES = (
    "cannot invoke the specified Lambda function",
    "previous rotation isn't complete",
    "cannot be assumed by Lambda",
    "execution role does not have permissions",
    "KMS key is invalid for CreateGrant",
    "throttled by EC2",
    "didn't contain changes",
    "No updates are to be performed",
    "hook(s)/validation failed",
    "is not authorized to perform",
    "were not provided",
    "does not exist",
    "can't find",
    "already exists",
)

#: What a refusal's code looks like.
CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,63}")

#: What the name of a member looks like that the model lacks: AWS's models are older than AWS.
MEMBER = re.compile(r"[A-Za-z][A-Za-z0-9]{0,39}")


def form(text):
    """What a text looks like."""
    return next((name for name, pattern in FORMS if pattern.fullmatch(text)), "text")


def sentences(message):
    """Which of the known sentences a message has."""
    found = [sentence for sentence in SENTENCES if sentence.lower() in (message or "").lower()]
    return found or ["other words" if message else "no words"]


class Shape:
    """What was seen, by path."""

    def __init__(self, seen=None):
        self.seen = {path: set(kinds) for path, kinds in (seen or {}).items()}

    def note(self, path, kind):
        self.seen.setdefault(path or ".", set()).add(kind)

    def written(self):
        return {path: sorted(kinds) for path, kinds in sorted(self.seen.items())}

    def answer(self, value, model, path=""):
        """Adds an answer. `model`: botocore's shape of it; without one, no text is known to be harmless."""
        kind = getattr(model, "type_name", None)
        if isinstance(value, dict):
            self.map(value, model, kind, path)
        elif isinstance(value, (list, tuple)):
            if not value:
                self.note(f"{path}[]", "none")
            for item in value:
                self.answer(item, getattr(model, "member", None), f"{path}[]")
        elif isinstance(value, str):
            self.text(value, model, path)
        else:
            self.note(path, {bool: "boolean", int: "number", float: "number", type(None): "null"}.get(type(value), "other"))

    def map(self, value, model, kind, path):
        if not value:
            self.note(f"{path}{{}}", "none")
        # XML is read by the model's names, JSON is written with those of the wire.
        known = {}
        for name, inner in getattr(model, "members", {}).items() if kind == "structure" else ():
            known[inner.serialization.get("name", name)] = known[name] = (name, inner)
        for name, inner in value.items():
            if name in known:
                self.answer(inner, known[name][1], joined(path, known[name][0]))
            elif kind == "structure":
                # Newer than the model: that it is there is news, what it holds is masked without exception.
                self.answer(inner, None, joined(path, name if MEMBER.fullmatch(name) else "<name>"))
            else:
                # The keys of a map are data, as a function's variables are.
                self.answer(inner, getattr(model, "value", None), joined(path, "<key>"))

    def text(self, value, model, path):
        if value in (getattr(model, "enum", None) or ()):
            self.note(path, f"={value}")
            return
        name = path.rpartition(".")[2]
        embedded = loaded(value) if name in EMBEDDED else None
        if embedded is None:
            self.note(path, form(value))
        else:
            self.policy(embedded, f"{path}<json>")

    def policy(self, value, path):
        if isinstance(value, dict):
            for name, inner in value.items():
                self.policy(inner, joined(path, name if name.lower() in POLICY_WORDS else "<key>"))
        elif isinstance(value, list):
            for item in value:
                self.policy(item, f"{path}[]")
        else:
            self.note(path, form(value) if isinstance(value, str) else type(value).__name__)


def joined(path, name):
    return f"{path}.{name}" if path else name


def loaded(text):
    """JSON's map in a text, where it holds one."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


class Recording:
    """The shapes of all answers, by operation and by how it ended."""

    def __init__(self, operations=None):
        self.operations = {
            operation: {ending: Shape(seen) for ending, seen in endings.items()}
            for operation, endings in (operations or {}).items()
        }

    def shape(self, operation, ending):
        return self.operations.setdefault(operation, {}).setdefault(ending, Shape())

    def success(self, operation, value, model):
        self.shape(operation, "answered").answer(value, model)

    def refusal(self, operation, status, code, message):
        code = code if CODE.fullmatch(code or "") else "<code>"
        for sentence in sentences(message):
            self.shape(operation, f"{status} {code}").note("message", sentence)

    def written(self):
        return {
            operation: {ending: shape.written() for ending, shape in sorted(endings.items())}
            for operation, endings in sorted(self.operations.items())
        }


def differences(ours, theirs):
    """What one recording has that another lacks: lines of `(operation, how it ended, path, what)`.

    Values aren't compared: how far a stack has come when it is looked at is chance.
    """
    lines = []
    for operation in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(operation), theirs.get(operation)
        if here is None or there is None:
            lines.append((operation, "", "", "never called there" if there is None else "never called here"))
            continue
        for ending in sorted(here.keys() | there.keys()):
            mine, other = here.get(ending), there.get(ending)
            if mine is None or other is None:
                lines.append((operation, ending, "", "never there" if other is None else "never here"))
                continue
            for path in sorted(mine.keys() | other.keys()):
                one, two = kinds(mine.get(path)), kinds(other.get(path))
                if one != two:
                    lines.append((operation, ending, path, f"{said(one)} here, {said(two)} there"))
    return lines


def kinds(seen):
    return {"one of the model's" if kind.startswith("=") else kind for kind in seen or ()}


def said(seen):
    return ", ".join(sorted(seen)) or "absent"
