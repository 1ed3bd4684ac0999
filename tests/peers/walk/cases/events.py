"""CloudTrail: what Secrets Manager says of rotations."""

import time

from ..world import Refused, case


@case("cloudtrail")
def lookup_events(world):
    world.secret("s")
    world.rotating("s")
    by_name = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "RotationSucceeded"}]}
    trail = world.client("cloudtrail")
    for _ in range(200):
        if trail.lookup_events(**by_name)["Events"]:
            break
        time.sleep(0.05)
    yield by_name
    yield {"MaxResults": 1}
    yield {"NextToken": trail.lookup_events(MaxResults=1)["NextToken"]}
    yield {"StartTime": 0, "EndTime": 4_000_000_000, "EventCategory": "insight"}
    two = [{"AttributeKey": key, "AttributeValue": "v"} for key in ("EventId", "EventSource")]
    yield Refused({"LookupAttributes": two}, "InvalidLookupAttributesException")
    yield Refused({"StartTime": 2, "EndTime": 1}, "InvalidTimeRangeException")
    yield Refused({"NextToken": "x"}, "InvalidNextTokenException")
