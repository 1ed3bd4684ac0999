"""The walk: every operation of the seven services' public API models, called raw, its answers held against the model."""

import itertools
import operator
import re
from collections import Counter

import botocore.exceptions
import pytest
from walk import answers, cases, excused, models, mutations, wire  # noqa: F401  (the cases register themselves)
from walk.world import CASES, GENERIC, Refused, World

SERVED = models.served()
OPERATIONS = [(service, operation) for service in models.SERVICES for operation in SERVED[service]]
UNSERVED = [
    (service, operation)
    for service in models.SERVICES
    for operation in models.MODELS[service].operation_names
    if operation not in SERVED[service]
]
#: What the walk found to check, by service and kind.
CHECKS = Counter()
ACCOUNTS = itertools.count(300_000_000_000)

#: What each service calls a request that isn't what the model allows, and one that can't even be read.
INVALID = {
    "secretsmanager": "ValidationException",
    "lambda": "ValidationException",
    "cloudformation": "ValidationError",
    "sts": "ValidationError",
    "serverlessrepo": "BadRequestException",
    "logs": "InvalidParameterException",
    "cloudtrail": "ValidationException",
}
UNREADABLE = {
    "secretsmanager": "SerializationException",
    "lambda": "SerializationException",
    "cloudformation": "MalformedInput",
    "sts": "MalformedInput",
    "serverlessrepo": "BadRequestException",
    "logs": "SerializationException",
    "cloudtrail": "SerializationException",
}


#: How a refusal for what the model says of a member is worded, in every service.
REFUSED_FOR_A_MEMBER = re.compile(rb"failed to satisfy constraint|can not be converted")

#: What the walk checks at least, by service: good calls, refusals for reasons beyond the model, spoilt requests, requests that
#: are just allowed, and facts of answers. More operations make it more.
LEAST = {
    "secretsmanager": (43, 40, 426, 217, 4_000),
    "lambda": (47, 43, 669, 280, 8_000),
    "cloudformation": (27, 25, 203, 229, 5_500),
    "serverlessrepo": (8, 10, 67, 54, 1_200),
    "sts": (4, 2, 88, 58, 1_000),
    "logs": (9, 4, 140, 65, 2_000),
    "cloudtrail": (4, 3, 10, 5, 100),
}


def named(pair):
    return "-".join(pair)


class Walk:
    """One operation's walk, in an account of its own."""

    def __init__(self, sandbox, service, operation):
        self.service, self.operation = service, operation
        self.world = World(sandbox, str(next(ACCOUNTS)))
        self.wire = wire.Wire(sandbox.url)
        self.problems = []

    def note(self, what, problems):
        self.problems += [f"{what}: {problem}" for problem in problems]

    def send(self, request):
        return self.wire.send(request, self.world.account)

    def good(self, params):
        answer = self.send(wire.written(self.service, self.operation, params))
        CHECKS[self.service, "good calls"] += 1
        self.note(f"good call {params}"[:300], answers.Strict(self.service, self.operation, answer).good())
        return answer

    def refused(self, wanted):
        answer = self.send(wire.written(self.service, self.operation, wanted.params))
        CHECKS[self.service, "refusals"] += 1
        known = answers.modelled_errors(self.service, self.operation)
        known |= excused.unmodelled(self.service, self.operation)
        strict = answers.Strict(self.service, self.operation, answer)
        code, message = strict.refusal(known)
        strict.expect(code == wanted.code, "", f"{code} instead of {wanted.code}: {message}")
        self.note(f"refused call {wanted.params}"[:300], strict.problems)
        return answer

    def spoilt(self, params):
        """Every spoilt form of a good request is refused for what is wrong with it, and changes nothing."""
        before = self.world.digest()
        for spoilt in mutations.spoil(self.service, self.operation, params):
            if isinstance(spoilt, mutations.NotMade):
                CHECKS[self.service, f"not made: {spoilt.reason}"] += 1
                continue
            CHECKS[self.service, f"spoilt: {spoilt.kind}"] += 1
            answer = self.send(spoilt.request)
            strict = answers.Strict(self.service, self.operation, answer)
            usual = (UNREADABLE if spoilt.kind == "type" else INVALID)[self.service]
            known = excused.CODES.get((self.service, self.operation, spoilt.at, spoilt.kind), usual)
            _, message = strict.refusal({known})
            says = re.search(rf"\b{re.escape(spoilt.member)}\b", message, re.IGNORECASE)
            strict.expect(says, "", f"doesn't name the member: {message}")
            self.note(f"spoilt ({spoilt.kind} of {spoilt.at})", strict.problems)
        CHECKS[self.service, "unchanged worlds"] += 1
        if self.world.digest() != before:
            self.problems.append("a refused call changed something")

    def just_allowed(self, params):
        """What the model just allows isn't refused for its members; whatever else comes of it."""
        for limit in mutations.allow(self.service, self.operation, params):
            if (self.service, self.operation, limit.at, limit.kind) in excused.STRICTER:
                continue
            CHECKS[self.service, f"just allowed: {limit.kind}"] += 1
            answer = self.send(limit.request)
            if 400 <= answer.status < 500 and REFUSED_FOR_A_MEMBER.search(answer.body):
                self.problems.append(f"refused, though allowed ({limit.kind} of {limit.at}): {answer.body[-300:]!r}")

    def walk(self):
        steps, answer, first, refusals = CASES[self.service][self.operation](self.world), None, True, 0
        first_params = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration:
                break
            params = step.params if isinstance(step, Refused) else step
            if first:
                self.spoilt(params)
                first, first_params = False, params
            if isinstance(step, Refused):
                refusals += 1
                answer = self.refused(step)
            else:
                answer = self.good(params)
        if first_params is not None:
            self.just_allowed(first_params)
        if not refusals and (self.service, self.operation) not in excused.NOTHING_MISSING:
            self.problems.append("no refusal was tried")


@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=map(named, OPERATIONS))
def test_a_served_operation_is_what_its_model_says(sandbox, service, operation):
    """Without it, a typed client that wasn't tried here could fail on an answer, or a request that AWS refuses could pass."""
    walk = Walk(sandbox, service, operation)
    walk.walk()
    assert not walk.problems, "\n".join(walk.problems)


@pytest.mark.parametrize("service", models.SERVICES)
def test_the_table_is_what_is_served(service):
    """Without it, the table that people read could name what isn't there, and the walk leave out what is."""
    assert SERVED[service] == sorted(SERVED[service])
    assert set(SERVED[service]) <= set(models.MODELS[service].operation_names)
    assert set(SERVED[service]) == set(CASES[service]), "each served operation needs a case"


@pytest.mark.parametrize(("service", "operation"), UNSERVED, ids=map(named, UNSERVED))
def test_what_is_not_served_is_refused_by_its_name(sandbox, service, operation):
    """Without it, the answer to an unknown operation wouldn't say so, or a client's own guess."""
    shape = models.MODELS[service].operation_model(operation).input_shape
    params = mutations.sample(shape) if shape else {}
    answer = wire.Wire(sandbox.url).send(wire.written(service, operation, params), "123456789012")
    CHECKS[service, "not served"] += 1
    strict = answers.Strict(service, operation, answer)
    code, message = strict.refusal({"UnknownOperationException", "InvalidAction"})
    strict.expect(f"`{operation}`" in message and "doesn't serve" in message, "", message)
    assert not strict.problems, "\n".join(strict.problems)


#: Requests of operations that have a body, or a form, and change nothing.
READS = {
    "secretsmanager": ("ListSecrets", {"MaxResults": 1}),
    "lambda": ("PublishVersion", {"FunctionName": "absent", "Description": "d"}),
    "cloudformation": ("ListStacks", {}),
    "sts": ("GetCallerIdentity", {}),
    "serverlessrepo": ("CreateCloudFormationTemplate", {"ApplicationId": GENERIC, "SemanticVersion": "1.1.500"}),
    "logs": ("DescribeLogGroups", {"limit": 1}),
    "cloudtrail": ("LookupEvents", {"MaxResults": 1}),
}


@pytest.mark.parametrize("service", models.SERVICES)
def test_what_no_model_knows(sandbox, service):
    """Without it, a client of a newer model could be refused for what AWS ignores, and nonsense be answered with a crash."""
    operation, params = READS[service]
    send = wire.Wire(sandbox.url).send
    good = send(wire.written(service, operation, params), "123456789012")

    def refused(request, *codes):
        answer = send(request, "123456789012")
        CHECKS[service, "nonsense"] += 1
        strict = answers.Strict(service, operation, answer)
        _, message = strict.refusal(set(codes))
        assert not strict.problems, "\n".join(strict.problems)
        return message

    # Members that the service doesn't know are ignored, and a null is nothing.
    newer = wire.written(service, operation, params)
    newer.body |= {"Unknown": "1"} if models.is_query(service) else {"Unknown": {"a": [1]}, "Nothing": None}
    assert send(newer, "123456789012").status == good.status
    if models.is_query(service):
        form = wire.Request(service, operation, "POST", "/", body={"Action": "Frobnicate"})
        assert "`Frobnicate`" in refused(form, "InvalidAction")
        form.body = {"Version": "1"}
        refused(form, "MissingAction")
        return
    for body in (b"{", b"[]", b'"text"', b"\xff\xfe", b"{} {}"):
        broken = wire.written(service, operation, params)
        broken.body = body
        refused(broken, UNREADABLE[service])
    strange = wire.written(service, operation, params)
    if models.is_rest(service):
        strange.path = "/frobnicate"
        assert "/frobnicate" in refused(strange, "UnknownOperationException")
    else:
        strange.headers["X-Amz-Target"] = strange.headers["X-Amz-Target"].replace(operation, "Frobnicate")
        assert "`Frobnicate`" in refused(strange, "UnknownOperationException")


@pytest.mark.parametrize("service", models.SERVICES)
def test_boto3_says_which_operation_is_not_served(sandbox, service):
    """Without it, the refusal could be well-formed in the walk's eyes, and unreadable for the client that people use."""
    client = sandbox.client(service, parameter_validation=False, inject_host_prefix=False)
    for method, operation in client.meta.method_to_api_mapping.items():
        if (service, operation) not in UNSERVED:
            continue
        shape = models.MODELS[service].operation_model(operation).input_shape
        with pytest.raises(botocore.exceptions.ClientError, match=f"`{operation}`"):
            getattr(client, method)(**(mutations.sample(shape) if shape else {}))
        CHECKS[service, "not served, by boto3"] += 1


def test_the_walk_went_the_whole_way(request, capsys):
    """Without it, the walk could shrink to nothing and stay green."""
    by_kind = sorted(CHECKS.items())
    total = sum(count for (_, kind), count in by_kind if not kind.startswith("not made"))
    lines = [f"{service:16} {kind:26} {count:5}" for (service, kind), count in by_kind]
    lines += [f"{service:16} {'facts of answers':26} {count:5}" for service, count in sorted(answers.CHECKED.items())]
    with capsys.disabled():
        print("\nthe walk's checks, by service and kind:", *lines, f"{total} calls and comparisons in all", sep="\n")
    if request.config.getoption("keyword") or any("::" in argument for argument in request.config.args):
        pytest.skip("only a part was walked")
    for service, least in LEAST.items():
        spoilt_ones = sum(count for (of, kind), count in by_kind if of == service and kind.startswith("spoilt"))
        allowed = sum(count for (of, kind), count in by_kind if of == service and kind.startswith("just allowed"))
        called = (CHECKS[service, "good calls"], CHECKS[service, "refusals"], spoilt_ones, allowed)
        found = (*called, answers.CHECKED[service])
        assert all(map(operator.ge, found, least)), f"{service}: {found} are less than {least}"
        known = len(models.MODELS[service].operation_names)
        assert len(SERVED[service]) + CHECKS[service, "not served"] == known, service
