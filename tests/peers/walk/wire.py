"""Raw calls: written with botocore's serializers, without its validation, and read by the walk alone."""

import http.client
import json
import urllib.parse
from dataclasses import dataclass, field

import botocore.serialize
from conftest import REGION

from . import models


@dataclass
class Request:
    """A request as it goes over the wire; mutations change it in place."""

    service: str
    operation: str
    method: str
    path: str
    query: list = field(default_factory=list)
    headers: dict = field(default_factory=dict)
    #: A dictionary (a JSON body, a form), or bytes.
    body: object = b""


@dataclass
class Answer:
    """An answer, with header names in lower case."""

    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.headers} {self.body[:2000]!r}"


def written(service, operation, params):
    """A request in the service's protocol. Nothing is validated: what the model forbids is written as it stands."""
    model = models.MODELS[service].operation_model(operation)
    serializer = botocore.serialize.create_serializer(models.MODELS[service].protocol, include_validation=False)
    made = serializer.serialize_to_request(params, model)
    path, _, fixed = made["url_path"].partition("?")
    query = urllib.parse.parse_qsl(fixed, keep_blank_values=True)
    for name, value in (made["query_string"] or {}).items():
        query.extend((name, one) for one in (value if isinstance(value, list) else [value]))
    body = made["body"]
    if isinstance(body, bytes) and body and "json" in models.MODELS[service].protocol and payload(model) is None:
        body = json.loads(body)
    return Request(service, operation, made["method"], path, query, dict(made["headers"]), body)


def payload(model):
    """The member that is the body as it stands."""
    return model.input_shape and model.input_shape.serialization.get("payload")


class Wire:
    """Sends raw requests to a sandbox, as an account of their own."""

    def __init__(self, url):
        self.host = urllib.parse.urlsplit(url).netloc
        self.connection = None

    def send(self, request, account, signed=True):
        """Sends a request and returns the whole answer."""
        target = request.path + ("?" + urllib.parse.urlencode(request.query) if request.query else "")
        headers = {**request.headers, "Host": self.host}
        body = request.body
        if models.is_query(request.service):
            body = urllib.parse.urlencode(body).encode()
        elif not isinstance(body, (bytes, str)):
            body = json.dumps(body).encode()
        if signed:
            scope = f"{account}/20260101/{REGION}/{models.MODELS[request.service].signing_name}/aws4_request"
            headers["Authorization"] = (
                f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
            )
        for last in (False, True):
            self.connection = self.connection or http.client.HTTPConnection(self.host, timeout=60)
            try:
                self.connection.request(request.method, target, body, headers)
                response = self.connection.getresponse()
                return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
            except (http.client.RemoteDisconnected, ConnectionResetError):
                # A connection that was kept open may have been closed since.
                self.connection = None
                if last:
                    raise
        raise AssertionError("unreachable")
