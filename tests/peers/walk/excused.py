"""Where AWS isn't what its model says, or a check can't be made. Each entry has its reason; what is excused is counted."""

#: Statuses that differ from the model's `responseCode`.
STATUSES = {
    # The model documents all three in `StatusCode`: 202 for `Event`, 204 for `DryRun`.
    ("lambda", "Invoke"): {200, 202, 204},
    # 200 stands in the model since deletion may be asynchronous; a function without durable executions is gone at once.
    ("lambda", "DeleteFunction"): {204},
}

#: Values of answers that the model doesn't know, by service, operation (`*` for all) and path; `None` is for a member that is
#: missing.
ANSWERS = {
    # The stack's own status, as the first event of a stack that a change set makes shows it.
    ("cloudformation", "DescribeStackEvents", "StackEvents[].ResourceStatus"): "REVIEW_IN_PROGRESS",
    ("cloudformation", "DescribeEvents", "OperationEvents[].ResourceStatus"): "REVIEW_IN_PROGRESS",
    # A function without a configuration is answered with its name alone: that is how clients see that it has none.
    ("lambda", "GetFunctionCodeSigningConfig", "CodeSigningConfigArn"): None,
    # Lambda's words for an update that is under way are those for a creation.
    ("lambda", "*", "LastUpdateStatusReasonCode"): "Creating",
}

#: Spoilt requests that aren't made, and why.
NOT_MADE = {
    "empty label": "a path with an empty last part is another operation's path, at AWS too",
    "missing label": "a path without one of its parts is another operation's path",
    "text": "forms, paths, query strings and headers hold texts alone, so no text can be of another type",
    "unbreakable": "no text that can stand there breaks the pattern",
}

#: Members whose constraints are refused with another code than the service's usual one, by service, operation and path.
CODES = {
    # Lambda looks at the runtime after the model's front end, which takes any text: new runtimes reach old front ends.
    ("lambda", "CreateFunction", "Runtime", "enum"): "InvalidParameterValueException",
    ("lambda", "UpdateFunctionConfiguration", "Runtime", "enum"): "InvalidParameterValueException",
}

#: Where AWS refuses what its model allows, by service, operation, path and kind; each with its source.
STRICTER = {
    # "If you specify only the function name, it is limited to 64 characters": the model's own words of `FunctionName`.
    ("lambda", "CreateFunction", "FunctionName", "max"),
    # Runtimes whose functions can't be made or changed any more are still values of the model.
    ("lambda", "CreateFunction", "Runtime", "enum"),
    ("lambda", "UpdateFunctionConfiguration", "Runtime", "enum"),
    # The repository puts a prefix before it, and CloudFormation's names have up to 128 characters.
    ("serverlessrepo", "CreateCloudFormationChangeSet", "StackName", "max"),
}

#: Codes of refusals that operations' models don't list: by service, operation (`*` for all), then by code.
UNMODELLED = {
    # CloudFormation's commonest error, and one of the errors that all Query services share: no model lists it.
    ("cloudformation", "*"): {"ValidationError"},
    # Its model lists no errors at all; the other operations on change sets answer so.
    ("cloudformation", "DescribeEvents"): {"ChangeSetNotFound"},
    ("sts", "*"): {"ValidationError"},
    # The one error of RotateSecret that everybody meets first; recorded from AWS.
    ("secretsmanager", "RotateSecret"): {"AccessDeniedException"},
}

#: Operations that nothing can be missing for.
NOTHING_MISSING = {
    # They take nothing.
    ("lambda", "GetAccountSettings"),
    ("cloudformation", "ListExports"),
    ("sts", "GetCallerIdentity"),
    # Any key of the right form has an account.
    ("sts", "GetAccessKeyInfo"),
    # A prefix that no group has is answered with none.
    ("logs", "DescribeLogGroups"),
    # Events that nobody wrote are none.
    ("cloudtrail", "LookupEvents"),
}


def answer(service, operation, at, value):
    """Whether a value of an answer, or its absence, is excused."""
    return any(key in ANSWERS and ANSWERS[key] == value for key in ((service, operation, at), (service, "*", at)))


def unmodelled(service, operation):
    """The codes that an operation may answer beside those of its model."""
    return UNMODELLED.get((service, operation), set()) | UNMODELLED.get((service, "*"), set())
