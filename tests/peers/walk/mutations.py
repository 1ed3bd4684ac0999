"""Every way in which a good request can be spoilt, from the model: what is missing, too short, too long, too small, too
large, of another pattern, not among the values, of another type. Nested members too. And what the model just allows: the
shortest and longest, the smallest and largest, each of the values, and no more than what it requires."""

import copy
import re
from dataclasses import dataclass

from . import excused, models, wire

#: Texts of which one breaks any pattern that a text can break.
ODD = ("!", ":", "a b", "", "é", "12", "a.", "中", "\n", "\x01")
#: Python can't read Java's Unicode classes; no such pattern of a served operation allows this.
UNICODE_CLASS = r"\p{"


#: Texts of which one meets most patterns, at any length.
PLAIN = ("a", "A", "1", "-", "aA1", "a-1", "v1")
#: Texts that meet the patterns of names and ARNs.
NAMED = (
    "eu-west-1",
    "123456789012",
    "subnet-1",
    "sg-1",
    "/mnt/a",
    "arn:aws:lambda:eu-west-1:123456789012:layer:a:1",
    "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:a",
    "arn:aws:lambda:eu-west-1:123456789012:runtime/aaaaaaaa",
    "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0",
)
#: More than any sensible limit: what the model doesn't limit takes so many.
MANY = 120
#: Values that are longer than this aren't sent.
LONGEST = 300_000


@dataclass
class NotMade:
    """A spoilt request that isn't made."""

    at: str
    #: One of `excused.NOT_MADE`.
    reason: str


@dataclass
class Spoilt:
    """A request with one thing wrong with it."""

    request: wire.Request
    #: `required`, `min`, `max`, `pattern`, `enum` or `type`. The same kinds, where the request is just what is allowed.
    kind: str
    #: The member, as a path: `Tags[].Key`.
    at: str
    #: The member's name: an error has to say it.
    member: str


def spoil(service, operation, params):
    """All spoilt requests that can be made of a good one, and those that can't be."""
    shape = models.MODELS[service].operation_model(operation).input_shape
    if shape is not None:
        yield from Spoiler(service, operation, params).structure(shape, ())


def allow(service, operation, params):
    """Requests that are just within what the model allows: nothing about their members may be refused by its words."""
    shape = models.MODELS[service].operation_model(operation).input_shape
    if shape is None:
        return
    least = {name: params.get(name, sample(shape.members[name])) for name in shape.required_members}
    yield Spoilt(wire.written(service, operation, least), "required", "", operation)
    yield from Allower(service, operation, params).structure(shape, ())


def sample(shape):
    """A small value of a shape, with what it requires."""
    kind, least = shape.type_name, shape.metadata.get("min", 0)
    if kind == "structure":
        return {name: sample(shape.members[name]) for name in shape.required_members}
    if kind == "list":
        return [item(shape.member)] * max(int(least), 1)
    if kind == "map":
        return {"key": sample(shape.value)}
    if kind == "boolean":
        return False
    if kind in ("integer", "long", "float", "double"):
        return max(int(least), 1)
    if kind == "blob":
        return b"x"
    if kind == "timestamp":
        return 1_700_000_000
    if shape.enum:
        return shape.enum[0]
    plain, pattern = "a" * max(int(least), 1), shape.metadata.get("pattern")
    if not pattern or UNICODE_CLASS in pattern:
        return plain
    return next((text for text in (plain, *NAMED) if re.fullmatch(pattern, text)), plain)


def item(shape):
    """A small member of a list. Forms can't hold a structure without members, so it has one."""
    made = sample(shape)
    if shape.type_name == "structure" and not made and shape.members:
        name, member = next(iter(shape.members.items()))
        made[name] = sample(member)
    return made


class Spoiler:
    def __init__(self, service, operation, params):
        self.service, self.operation, self.params = service, operation, params

    def structure(self, shape, path):
        for name, member in shape.members.items():
            place = member.serialization.get("location")
            if shape.serialization.get("payload") == name:
                continue
            if name in shape.required_members:
                yield self.not_made((*path, name), "missing label") if place == "uri" else self.without(path, name)
            yield from self.value(member, (*path, name), place, name)

    def value(self, shape, path, place, name):
        kind, facts = shape.type_name, shape.metadata
        least, most = facts.get("min"), facts.get("max")
        if kind == "string":
            yield from self.text(shape, path, place, name)
        elif kind in ("integer", "long"):
            if least is not None:
                yield self.put(path, least - 1, "min", name)
            if most is not None:
                yield self.put(path, most + 1, "max", name)
        elif kind == "blob":
            if least:
                yield self.put(path, b"x" * (least - 1), "min", name)
            if most is not None:
                yield self.put(path, b"x" * (most + 1), "max", name)
        elif kind == "list":
            if least and place is None:
                yield self.put(path, [item(shape.member)] * (least - 1), "min", name)
            if most is not None:
                yield self.put(path, [item(shape.member)] * (most + 1), "max", name)
            yield from self.value(shape.member, (*path, 0), place, name)
        elif kind == "map":
            if least:
                yield self.put(path, {}, "min", name)
            if most is not None:
                yield self.put(path, {f"key{n}": sample(shape.value) for n in range(most + 1)}, "max", name)
            for broken, key in self.odd_texts(shape.key, None):
                if broken in excused.NOT_MADE:
                    yield self.not_made(path, broken)
                else:
                    yield self.put(path, {key: sample(shape.value)}, broken, name)
            yield from self.value(shape.value, (*path, "key"), place, name)
        elif kind == "structure":
            yield from self.structure(shape, path)
        yield from self.types(shape, path, place, name)

    def text(self, shape, path, place, name):
        for kind, text in self.odd_texts(shape, place):
            yield self.not_made(path, kind) if kind in excused.NOT_MADE else self.put(path, text, kind, name)

    def not_made(self, path, reason):
        assert reason in excused.NOT_MADE
        return NotMade(self.at(path), reason)

    @staticmethod
    def odd_texts(shape, place):
        """Texts that a shape forbids, each with the constraint that it breaks."""
        facts = shape.metadata
        least, most, pattern = facts.get("min", 0), facts.get("max"), facts.get("pattern")
        if shape.enum:
            yield "enum", "no-such-value"
            return
        if least:
            yield ("empty label", "") if place == "uri" and least == 1 else ("min", "a" * (least - 1))
        if most is not None:
            yield "max", "a" * (most + 1)
        if pattern:
            unreadable = UNICODE_CLASS in pattern
            for odd in ODD:
                text = odd * max(1, -(-least // max(len(odd), 1)))
                if place == "header" and not text.isprintable() or place and not text or len(text) < least:
                    continue
                if odd == "\x01" if unreadable else not re.fullmatch(pattern, text):
                    yield "pattern", text
                    return
            yield "unbreakable", ""

    def types(self, shape, path, place, name):
        """Values of another type than the shape's, written where the good one stands."""
        kind = shape.type_name
        if kind in ("string", "blob") and (place or models.is_query(self.service)):
            yield self.not_made(path, "text")
        if place or models.is_query(self.service):
            # All is text there, so only what isn't a text can be something else.
            wrong = {"integer": "seven", "long": "seven", "boolean": "perhaps", "float": "much", "double": "much"}
            if not place:
                wrong |= {"list": "text", "map": "text", "structure": "text"}
            wrong = [wrong[kind]] if kind in wrong else []
        else:
            wrong = {
                "string": [7, {}],
                "integer": ["seven", 1.5],
                "long": ["seven", 1.5],
                "float": ["much"],
                "double": ["much"],
                "boolean": ["perhaps", 1],
                "blob": [7, "not base64!"],
                "list": ["text", {}],
                "map": ["text", []],
                "structure": ["text", []],
                "timestamp": [{}],
            }[kind]
        for value in wrong:
            request = self.good(path, sample(shape))
            self.write(request, path, place, value)
            yield Spoilt(request, "type", self.at(path), name)

    # --- writing -------------------------------------------------------------------------------

    def at(self, path):
        return "".join("[]" if step == 0 else f".{step}" for step in path).lstrip(".")

    def edited(self, path, edit):
        """The good parameters with an edit of what holds the path's last step; what is missing on the way is made."""
        params = copy.deepcopy(self.params)
        shape = models.MODELS[self.service].operation_model(self.operation).input_shape
        holder = params
        for step in path[:-1]:
            shape = inner(shape, step)
            if step not in holder if isinstance(holder, dict) else len(holder) <= step:
                if isinstance(holder, dict):
                    holder[step] = sample(shape)
                else:
                    holder.append(sample(shape))
            holder = holder[step]
        edit(holder)
        return params

    def put(self, path, value, kind, name):
        def edit(holder):
            if isinstance(holder, list):
                holder[:1] = [value]
            else:
                holder[path[-1]] = value

        params = self.edited(path, edit)
        return Spoilt(wire.written(self.service, self.operation, params), kind, self.at(path), name)

    def good(self, path, value):
        """A request that has something at a path."""

        def edit(holder):
            if isinstance(holder, list):
                if not holder:
                    holder.append(value)
            else:
                holder.setdefault(path[-1], value)

        return wire.written(self.service, self.operation, self.edited(path, edit))

    def without(self, path, name):
        params = self.edited((*path, name), lambda holder: holder.pop(name, None))
        if path and not params_at(params, path):
            # A serializer leaves out an empty structure in some protocols: something unknown keeps it in its place.
            request = self.good((*path, name), sample(self.shape_at((*path, name))))
            self.write(request, (*path, name), None, None)
        else:
            request = wire.written(self.service, self.operation, params)
        return Spoilt(request, "required", self.at((*path, name)), name)

    def shape_at(self, path):
        shape = models.MODELS[self.service].operation_model(self.operation).input_shape
        for step in path:
            shape = inner(shape, step)
        return shape

    def write(self, request, path, place, value):
        """Puts a raw value where a request has a member; `None` takes it away."""
        shape = models.MODELS[self.service].operation_model(self.operation).input_shape
        names = []
        for step in path:
            if shape.type_name == "structure":
                names.append(models.wire_name(shape, step))
            else:
                names.append(step)
            shape = inner(shape, step)
        if place == "querystring":
            request.query = [(key, old) for key, old in request.query if key != names[0]] + [(names[0], value)]
        elif place == "header":
            request.headers[names[0]] = value
        elif models.is_query(self.service):
            self.write_form(request.body, path, names, value)
        else:
            holder = request.body
            for name in names[:-1]:
                holder = holder[name]
            if value is None:
                holder.pop(names[-1])
                holder["Unknown"] = 1
            else:
                holder[names[-1]] = value

    def write_form(self, form, path, names, value):
        shape = models.MODELS[self.service].operation_model(self.operation).input_shape
        flat = ""
        for step, name in zip(path, names, strict=True):
            if shape.type_name == "structure":
                flat = f"{flat}.{name}" if flat else name
            elif shape.type_name == "list":
                flat += ".member.1"
            else:
                flat += ".entry.1.value"
            shape = inner(shape, step)
        for key in [key for key in form if key == flat or key.startswith(f"{flat}.")]:
            del form[key]
        if value is None:
            form[flat.rpartition(".")[0] + ".Unknown"] = "1"
        else:
            form[flat] = value


class Allower(Spoiler):
    """The same walk through a shape, with values at its limits in place of those beyond."""

    def structure(self, shape, path):
        for name, member in shape.members.items():
            place = member.serialization.get("location")
            # A path's parts are other operations' paths, and a payload isn't a member of anything.
            if shape.serialization.get("payload") != name and place != "uri":
                yield from self.value(member, (*path, name), place, name)

    def value(self, shape, path, place, name):
        kind, facts = shape.type_name, shape.metadata
        least, most = int(facts.get("min", 0)), facts.get("max")
        if kind == "string":
            for limit, text in self.texts(shape, place):
                yield self.put(path, text, limit, name)
        elif kind in ("integer", "long"):
            for limit in ("min", "max"):
                if limit in facts:
                    yield self.put(path, facts[limit], limit, name)
        elif kind == "blob":
            for limit, length in (("min", least), ("max", most)):
                if length and length <= LONGEST:
                    yield self.put(path, b"x" * length, limit, name)
        elif kind == "list":
            if least:
                yield self.put(path, self.items(shape.member, least), "min", name)
            if place is None and not (most and most > LONGEST):
                yield self.put(path, self.items(shape.member, most or MANY), "max", name)
            yield from self.value(shape.member, (*path, 0), place, name)
        elif kind == "map":
            yield from self.value(shape.value, (*path, "key"), place, name)
        elif kind == "structure":
            if path and not models.is_query(self.service):
                required = {each: sample(shape.members[each]) for each in shape.required_members}
                yield self.put(path, required, "required", name)
            yield from self.structure(shape, path)

    @staticmethod
    def items(shape, count):
        """So many items; where they are named, no two have one name."""
        made = [item(shape) for _ in range(count)]
        for number, each in enumerate(made):
            for key in ("Key", "key", "Name"):
                if isinstance(each, dict) and shape.members.get(key) is not None and not shape.members[key].enum:
                    each[key] = f"key{number}"
        return made

    @staticmethod
    def texts(shape, place):
        facts = shape.metadata
        if shape.enum:
            yield from (("enum", value) for value in shape.enum)
            return
        pattern = facts.get("pattern", "(?s).*").replace(r"\p{L}", "a-zA-Z").replace(r"\p{Z}", " ").replace(r"\p{N}", "0-9")
        if UNICODE_CLASS in pattern:
            return
        for limit, length in (("min", int(facts.get("min", 0))), ("max", facts.get("max", MANY))):
            if length > (LONGEST if place is None else 2_000) or place and not length:
                continue
            made = ((plain * length)[:length] for plain in PLAIN)
            text = next((text for text in made if re.fullmatch(pattern, text)), None)
            if text is not None:
                yield limit, text


def inner(shape, step):
    """The shape one step into another one."""
    if shape.type_name == "structure":
        return shape.members[step]
    return shape.member if shape.type_name == "list" else shape.value


def params_at(params, path):
    for step in path:
        params = params[step]
    return params
