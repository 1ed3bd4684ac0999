"""Good requests for every served operation, each with what has to be there for it, and refusals with their codes.

A case is a generator: it prepares, and yields parameters (or a `Refused`) one after the other. The first of them is spoilt in
every way before it is sent as it is.
"""

from . import callers, events, functions, secretsmanager, stacks  # noqa: F401  (each registers its own)
