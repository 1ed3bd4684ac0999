"""`gh api` as scripts use it, against the GitHub of github.py: the one thing that can't be reached offline.

It knows exactly the options that the real one documents and the scripts use; anything else is an error.
"""

import json
import os
import re
import sys
import urllib.error
import urllib.request

import jq


def main(arguments):
    if arguments[:1] != ["api"]:
        sys.exit(f"unknown command {arguments[:1]}")
    if not os.environ.get("GH_TOKEN"):
        print("gh: set the GH_TOKEN environment variable", file=sys.stderr)
        sys.exit(4)
    options = parse(arguments[1:])
    fields = dict(field(text) for text in options["--field"])
    method = options["--method"] or ("POST" if fields else "GET")
    url = f"{os.environ['FAKE_GITHUB']}/{options['endpoint']}"
    while url:
        body, link = call(method, url, fields)
        if options["--jq"]:
            for value in jq.compile(options["--jq"]).input_value(json.loads(body)).all():
                print(value if isinstance(value, str) else json.dumps(value, separators=(",", ":")))
        elif not options["--silent"]:
            sys.stdout.buffer.write(body)
        following = re.search(r'<([^>]+)>; rel="next"', link or "")
        url = following.group(1) if options["--paginate"] and following else None


def parse(arguments):
    options = {"--method": None, "--field": [], "--jq": None, "--paginate": False, "--silent": False, "endpoint": None}
    arguments = iter(arguments)
    for argument in arguments:
        if argument in ("--paginate", "--silent"):
            options[argument] = True
        elif argument in ("--method", "--jq"):
            options[argument] = next(arguments)
        elif argument == "--field":
            options[argument].append(next(arguments))
        elif argument.startswith("-") or options["endpoint"]:
            sys.exit(f"unknown argument {argument}")
        else:
            options["endpoint"] = argument
    return options


def field(text):
    name, value = text.split("=", 1)
    if value.startswith("@"):
        with open(value[1:], encoding="utf-8") as file:
            return name, file.read()
    if value in ("true", "false", "null") or re.fullmatch(r"-?\d+", value):
        return name, json.loads(value)
    return name, value


def call(method, url, fields):
    data = json.dumps(fields).encode() if fields else None
    request = urllib.request.Request(url, data=data, method=method)
    request.add_header("Authorization", f"token {os.environ['GH_TOKEN']}")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.read(), answer.headers.get("Link")
    except urllib.error.HTTPError as error:
        print(f"gh: {error.read().decode()} (HTTP {error.code})", file=sys.stderr)
        sys.exit(1)


main(sys.argv[1:])
