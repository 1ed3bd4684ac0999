"""Reads expressions as lines of JSON, and answers with the hours at which each of two libraries says that they open.

Neither library knows all of Secrets Manager's dialect: what one can't say, it is not asked (null).
"""

import datetime
import json
import re
import sys

from aws_croniter import AwsCroniter
from aws_croniter.exceptions import AwsCroniterExpressionError
from cronsim import CronSim

UTC = datetime.timezone.utc
DAYS = "SUN MON TUE WED THU FRI SAT".split()


def hours(moments, until):
    found = []
    for moment in moments:
        if moment > until:
            break
        found.append(int(moment.timestamp()) // 3600)
    return found


def numbers(text):
    """Days of the week by number, 1 for Sunday."""
    for number, name in enumerate(DAYS, start=1):
        text = text.replace(name, str(number))
    return text


def last_days(of_month, of_week):
    """`SUNL` as a day of the month is the last such day of the week in both libraries."""
    if of_month.endswith("L") and of_month not in ("L",) and not any(c in of_month for c in "0123456789"):
        return "?", of_month
    return of_month, of_week


def of_aws(fields, begin, until):
    _, hour, of_month, month, of_week, _ = fields
    of_month, of_week = last_days(of_month, of_week)
    if "," in of_week and any(c in of_week for c in "#L"):
        return None, False
    if "," in of_month and "L" in of_month:
        return None, False
    whole = lambda field: "*" + field if field.startswith("/") else field
    if "/" in of_week:
        return None, False
    of_week = "7" if of_week == "L" else numbers(of_week)
    try:
        cron = AwsCroniter(" ".join(["0", whole(hour), whole(of_month), whole(month), of_week, "*"]))
    except AwsCroniterExpressionError:
        return None, False
    gave_up = False

    def moments():
        nonlocal gave_up
        moment = begin
        while (moment := cron.occurrence(moment).next()) is not None:
            yield moment
        # It looks at some months, and no further.
        gave_up = True

    return hours(moments(), until), gave_up


def weekday(part):
    """A part of a day-of-week field, where Sunday is 0."""
    if part == "L":
        return "6"
    if part == "*" or part == "?":
        return "*"
    part = numbers(part)
    if part.endswith("L"):
        return f"{int(part[:-1]) - 1}L"
    if "#" in part:
        day, which = part.split("#")
        return f"{int(day) - 1}#{which}"
    days, slash, step = part.partition("/")
    if days in ("*", ""):
        first, last = 1, 7
    elif "-" in days:
        first, last = (int(day) for day in days.split("-"))
    else:
        first, last = int(days), 7 if slash else int(days)
    return f"{first - 1}-{last - 1}{slash}{step}" if first != last else str(first - 1)


def of_unix(fields, begin, until):
    _, hour, of_month, month, of_week, _ = fields
    of_month, of_week = last_days(of_month, of_week)
    # A range of one is that one, whatever step follows; the library would step on to the end.
    single = lambda part: re.sub(r"^(\w+)-\1/\d+$", r"\1", part)
    whole = lambda field: ",".join("*" + part if part.startswith("/") else single(part) for part in field.split(","))
    of_month = "*" if of_month == "?" else whole(of_month)
    of_week = ",".join(weekday(part) for part in of_week.split(","))
    return hours(CronSim(f"0 {whole(hour)} {of_month} {whole(month)} {of_week}", begin), until)


def main():
    for line in sys.stdin:
        asked = json.loads(line)
        fields = asked["expression"].removeprefix("cron(").removesuffix(")").split()
        begin = datetime.datetime.fromtimestamp(asked["from"], UTC)
        until = datetime.datetime.fromtimestamp(asked["to"], UTC)
        aws, gave_up = of_aws(fields, begin, until)
        answer = {"aws": aws, "gave_up": gave_up, "unix": of_unix(fields, begin, until)}
        print(json.dumps(answer), flush=True)


main()
