"""Whether an answer is exactly what the model says: nothing more, nothing of another type, nothing missing."""

import json
import math
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

from . import excused, models
from .models import is_query, is_rest

REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ISO8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z")
NAMESPACE = re.compile(r"^\{(.*)\}(.*)$")
CONTENT_TYPES = {"json": "application/x-amz-json-1.1", "rest-json": "application/json", "query": "text/xml"}

#: Every constraint that was held against an answer, by service: what the walk reports.
CHECKED = Counter()


class Strict:
    """Holds one answer against one operation."""

    def __init__(self, service, operation, answer):
        self.service, self.operation, self.answer = service, operation, answer
        self.model = models.MODELS[service].operation_model(operation)
        self.problems = []

    def fail(self, at, what):
        self.problems.append(f"{at or 'the answer'}: {what}")

    def expect(self, holds, at, what):
        CHECKED[self.service] += 1
        if not holds:
            self.fail(at, what)

    # --- a good answer ------------------------------------------------------------------------

    def good(self):
        """Checks a successful answer."""
        wanted = self.model.http.get("responseCode", 200)
        status = excused.STATUSES.get((self.service, self.operation), {wanted})
        self.expect(self.answer.status in status, "", f"status {self.answer.status} instead of {status}: {self.answer}")
        if self.problems:
            return self.problems
        self.request_id()
        if is_query(self.service):
            self.xml_body()
        else:
            self.json_body()
        return self.problems

    def request_id(self):
        found = self.answer.headers.get("x-amzn-requestid", "")
        self.expect(REQUEST_ID.fullmatch(found), "x-amzn-requestid", f"{found!r} is no request id")

    def content_type(self):
        wanted = CONTENT_TYPES[models.MODELS[self.service].protocol]
        found = self.answer.headers.get("content-type")
        self.expect(found == wanted, "content-type", f"{found!r} instead of {wanted!r}")

    def json_body(self):
        shape = self.model.output_shape
        if shape is None:
            self.expect(self.answer.body in (b"", b"{}"), "", f"a body where there is no output: {self.answer.body!r}")
            return
        payload = shape.serialization.get("payload")
        body = {}
        if payload is None:
            outside = {n for n, m in shape.members.items() if m.serialization.get("location")}
            if outside == set(shape.members) and not self.answer.body:
                body = {}
            else:
                self.content_type()
                try:
                    body = json.loads(self.answer.body)
                except ValueError:
                    return self.fail("", f"the body is no JSON: {self.answer.body!r}")
        for name, member in shape.members.items():
            place = member.serialization.get("location")
            if place == "header":
                self.header(name, member, shape)
        if payload is None:
            self.structure(shape, body, "")

    def header(self, name, member, shape):
        found = self.answer.headers.get(member.serialization["name"].lower())
        if found is None:
            self.expect(name not in shape.required_members, name, "the header is missing")
        else:
            self.scalar(member, found, name)

    def structure(self, shape, value, at):
        if not isinstance(value, dict):
            return self.expect(False, at, f"{value!r} is no structure")
        known = {
            models.wire_name(shape, name): (name, member)
            for name, member in shape.members.items()
            if member.serialization.get("location") is None
        }
        for key, inner in value.items():
            where = f"{at}.{key}" if at else key
            self.expect(key in known, where, "the model knows no such member")
            if key in known:
                # AWS leaves out what there isn't; clients in typed languages fall over a null.
                self.expect(inner is not None, where, "null")
                self.value(known[key][1], inner, where)
        for key, (name, _) in known.items():
            where = f"{at}.{key}" if at else key
            if name in shape.required_members and not excused.answer(self.service, self.operation, where, None):
                self.expect(key in value, where, "required, and missing")

    def value(self, shape, value, at):
        kind = shape.type_name
        if kind == "structure":
            self.structure(shape, value, at)
        elif kind == "list":
            self.expect(isinstance(value, list), at, f"{value!r} is no list")
            if isinstance(value, list):
                self.size(shape, len(value), at)
                for item in value:
                    self.value(shape.member, item, f"{at}[]")
        elif kind == "map":
            self.expect(isinstance(value, dict), at, f"{value!r} is no map")
            if isinstance(value, dict):
                self.size(shape, len(value), at)
                for key, item in value.items():
                    self.scalar(shape.key, key, f"{at}{{}}")
                    self.value(shape.value, item, f"{at}{{}}")
        else:
            self.scalar(shape, value, at)

    def size(self, shape, size, at):
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max", math.inf)
        self.expect(least <= size <= most, at, f"{size} is not from {least} to {most}")

    def scalar(self, shape, value, at):
        """A JSON value that isn't made of others."""
        kind = shape.type_name
        if kind == "string":
            self.expect(isinstance(value, str), at, f"{value!r} is no string")
            if isinstance(value, str):
                self.text(shape, value, at)
        elif kind in ("integer", "long"):
            self.expect(isinstance(value, int) and not isinstance(value, bool), at, f"{value!r} is no whole number")
            if isinstance(value, int):
                self.size(shape, value, at)
        elif kind in ("float", "double"):
            self.expect(isinstance(value, (int, float)), at, f"{value!r} is no number")
        elif kind == "boolean":
            self.expect(isinstance(value, bool), at, f"{value!r} is no boolean")
        elif kind == "timestamp":
            # JSON protocols write seconds since 1970, with milliseconds behind the point.
            self.expect(isinstance(value, (int, float)) and 1e9 < value < 1e10, at, f"{value!r} is no time in seconds")
        elif kind == "blob":
            self.expect(isinstance(value, str), at, f"{value!r} is no base64")
        else:
            self.expect(False, at, f"{kind} is unknown")

    def text(self, shape, value, at):
        self.size(shape, len(value), at)
        if shape.enum and not excused.answer(self.service, self.operation, at, value):
            self.expect(value in shape.enum, at, f"{value!r} is not among {shape.enum}")
        pattern = shape.metadata.get("pattern")
        if pattern and r"\p{" not in pattern:
            self.expect(re.fullmatch(pattern, value), at, f"{value!r} doesn't match {pattern}")

    # --- XML ------------------------------------------------------------------------------------

    def xml_body(self):
        self.content_type()
        namespace = models.MODELS[self.service].metadata["xmlNamespace"]
        root = ElementTree.fromstring(self.answer.body)
        self.namespaces(root, namespace)
        self.expect(self.tag(root) == f"{self.operation}Response", "", f"the root is {root.tag}")
        children = {self.tag(child): child for child in root}
        shape = self.model.output_shape
        wrapper = shape and shape.serialization.get("resultWrapper")
        expected = {"ResponseMetadata"} | ({wrapper} if wrapper else set())
        self.expect(set(children) == expected, "", f"{sorted(children)} instead of {sorted(expected)}")
        metadata = children.get("ResponseMetadata")
        ids = [child.text for child in metadata] if metadata is not None else []
        self.expect(ids == [self.answer.headers.get("x-amzn-requestid")], "ResponseMetadata", f"{ids}")
        if wrapper in children:
            self.xml_structure(shape, children[wrapper], "")

    def namespaces(self, root, namespace):
        wrong = [element.tag for element in root.iter() if not element.tag.startswith(f"{{{namespace}}}")]
        self.expect(not wrong, "xmlns", f"{wrong[:3]} are not in {namespace}")

    def tag(self, element):
        return NAMESPACE.match(element.tag)[2] if NAMESPACE.match(element.tag) else element.tag

    def xml_structure(self, shape, element, at):
        known = {models.wire_name(shape, name): (name, member) for name, member in shape.members.items()}
        seen = Counter(self.tag(child) for child in element)
        for child in element:
            key = self.tag(child)
            where = f"{at}.{key}" if at else key
            self.expect(key in known, where, "the model knows no such member")
            self.expect(seen[key] == 1, where, "stands more than once")
            if key in known:
                self.xml_value(known[key][1], child, where)
        for key, (name, _) in known.items():
            if name in shape.required_members:
                self.expect(key in seen, f"{at}.{key}" if at else key, "required, and missing")

    def xml_value(self, shape, element, at):
        kind, text = shape.type_name, element.text or ""
        if kind == "structure":
            self.expect(not text.strip(), at, f"text in a structure: {text!r}")
            self.xml_structure(shape, element, at)
        elif kind == "list":
            item = shape.member.serialization.get("name", "member")
            self.size(shape, len(element), at)
            for child in element:
                self.expect(self.tag(child) == item, at, f"{self.tag(child)} in a list of {item}")
                self.xml_value(shape.member, child, f"{at}[]")
        elif kind == "map":
            for entry in element:
                parts = {self.tag(part): part for part in entry}
                self.expect(self.tag(entry) == "entry" and set(parts) == {"key", "value"}, at, f"{sorted(parts)}")
        else:
            self.expect(len(element) == 0, at, "elements in a text")
            self.xml_text(shape, text, at)

    def xml_text(self, shape, text, at):
        kind = shape.type_name
        if kind == "string":
            self.text(shape, text, at)
        elif kind in ("integer", "long"):
            self.expect(re.fullmatch(r"-?\d+", text), at, f"{text!r} is no whole number")
        elif kind == "boolean":
            self.expect(text in ("true", "false"), at, f"{text!r} is no boolean")
        elif kind == "timestamp":
            self.expect(ISO8601.fullmatch(text), at, f"{text!r} is no time as XML has it")
        else:
            self.expect(False, at, f"{kind} is unknown")

    # --- a refusal --------------------------------------------------------------------------------

    def refusal(self, codes):
        """Checks an error's shape, and that its code is one of these. Answers with the code and the message."""
        status = self.answer.status
        self.expect(400 <= status < 500, "", f"status {status}: {self.answer}")
        self.request_id()
        self.content_type()
        code = message = ""
        try:
            code, message = self.query_error() if is_query(self.service) else self.json_error()
        except (ValueError, ElementTree.ParseError, KeyError) as error:
            self.fail("", f"not an error of this protocol ({error!r}): {self.answer}")
        self.expect(code in codes, "", f"{code} is not among {sorted(codes)}: {message}")
        self.expect(message, "", f"{code} without a message")
        return code, message

    def json_error(self):
        body = self.answer.json()
        modelled = {shape.name: shape for shape in models.MODELS[self.service].error_shapes}
        if is_rest(self.service):
            code = self.answer.headers.get("x-amzn-errortype", "")
            known = {"lambda": {"Type", "Message", "message"}, "serverlessrepo": {"message", "errorCode"}}[self.service]
            message = body.get("message") or body.get("Message") or ""
        else:
            code = body["__type"].split("#")[-1]
            known = {"__type"}
            # Secrets Manager's own errors write `Message`; those of the front end before it `message`.
            own = self.service == "secretsmanager" and code in (*modelled, "AccessDeniedException")
            message = body["Message" if own else "message"]
            known.add("Message" if own else "message")
        if code in modelled:
            shape = modelled[code]
            known |= {models.wire_name(shape, name) for name in shape.members}
            wanted = shape.metadata.get("error", {}).get("httpStatusCode", 400)
            self.expect(self.answer.status == wanted, "", f"{code} with {self.answer.status} instead of {wanted}")
        self.expect(set(body) <= known, "", f"{sorted(set(body) - known)} in an error {code}")
        return code, message

    def query_error(self):
        root = ElementTree.fromstring(self.answer.body)
        self.namespaces(root, models.MODELS[self.service].metadata["xmlNamespace"])
        self.expect(self.tag(root) == "ErrorResponse", "", f"the root is {root.tag}")
        parts = {self.tag(child): child for child in root}
        self.expect(set(parts) == {"Error", "RequestId"}, "", f"{sorted(parts)}")
        self.expect(parts["RequestId"].text == self.answer.headers.get("x-amzn-requestid"), "RequestId", "another one")
        error = {self.tag(child): child.text or "" for child in parts["Error"]}
        self.expect(error.get("Type") == "Sender", "Error.Type", error.get("Type"))
        codes = {
            shape.metadata.get("error", {}).get("code", shape.name): shape.metadata.get("error", {}).get("httpStatusCode")
            for shape in models.MODELS[self.service].error_shapes
        }
        wanted = codes.get(error["Code"])
        if wanted:
            self.expect(self.answer.status == wanted, "", f"{error['Code']} with {self.answer.status}")
        return error["Code"], error["Message"]


def modelled_errors(service, operation):
    """The codes that an operation's model lists, as they stand on the wire."""
    shapes = models.MODELS[service].operation_model(operation).error_shapes
    return {shape.metadata.get("error", {}).get("code", shape.name) for shape in shapes}
