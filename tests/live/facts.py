"""What is not known for sure about AWS, and what a run found out about it.

The same list, with what stands on each, is in tests/README.md; a test holds the two together.
"""

#: By name: what a run says of it before it has found out anything.
FACTS = {
    "repository-parameters": "which parameters AWS's generic application declares",
    "repository-unknown": "how the repository refuses an application that it doesn't have",
    "repository-review": "what the repository makes of a stack that is left in `REVIEW_IN_PROGRESS`",
    "update-puts-code-back": "whether an update of the stack puts the template's code back",
    "made-but-not-found": "how long what was just made isn't found",
    "role-spreads": "whether Lambda refuses a role that was just made, and with which words",
    "permission-shows": "how long `GetPolicy` lags behind `AddPermission`",
    "permission-spreads": "how long Secrets Manager may not invoke a function that it was just let into",
    "permission-missing": "what `RotateSecret` says where nothing lets Secrets Manager in",
    "permission-full-policy": "whether `GetPolicy` and `AddPermission` know a policy that `PutResourcePolicy` wrote",
    "rotation-version": "whether `RotateSecret` answers with the version, and whether that is the token",
    "rotation-known-token": "what `RotateSecret` says to the token of a version that is there",
    "rotation-next": "from when `NextRotationDate` counts",
    "test-version": "how long the version of a test stays, and whether it holds the current value",
    "list-lag": "how long `ListSecrets` lags behind `CreateSecret`",
    "log-lag": "how long a function's lines take to the log",
    "log-runtimes": "what each runtime writes of what nobody caught, in a log in text",
    "log-status": "what `platform.report` and `REPORT` say of an invocation that failed",
    "tags-unread": "whether `GetFunction` says `TagsError` to a caller without `lambda:ListTags`",
    "rotation-reattempted": "whether a second request for a rotation that is stuck has it tried again",
    "rotation-retries": "how often a failed rotation is tried again, and when",
}

#: Those that no run tries, and why.
NOT_TRIED = {
    "log-runtimes": "it takes a function of each runtime, which this check doesn't make",
    "log-status": "it takes functions that fail in each way, which this check doesn't make",
    "tags-unread": "it takes a second role, which this check doesn't make",
    "rotation-reattempted": "it takes a rotation that is stuck",
    "rotation-retries": "it takes days",
}


class Found:
    """What a run has found out."""

    def __init__(self):
        self.settled, self.unsettled = {}, dict(NOT_TRIED)

    def settle(self, fact, words):
        assert fact in FACTS and fact not in NOT_TRIED, fact
        self.settled[fact] = words
        self.unsettled.pop(fact, None)

    def leave(self, fact, words):
        if fact not in self.settled:
            self.unsettled[fact] = words

    def lines(self):
        for fact, what in FACTS.items():
            if fact in self.settled:
                yield f"settled  {fact}: {what}: {self.settled[fact]}"
            else:
                yield f"open     {fact}: {what}: {self.unsettled.get(fact, 'the run did not get that far')}"
