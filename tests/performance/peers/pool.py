"""What people write who don't have a tool: describes each secret on a pool of threads, and says which aren't as they should be."""

import concurrent.futures
import json
import sys

import boto3
from botocore.config import Config


def main():
    with open(sys.argv[1]) as file:
        wanted = json.load(file)
    threads = int(sys.argv[2])
    client = boto3.client("secretsmanager", config=Config(max_pool_connections=threads))

    def is_right(name):
        live = client.describe_secret(SecretId=name)
        rules = live.get("RotationRules", {})
        is_same = rules.get("AutomaticallyAfterDays") == 30 and rules.get("Duration") == "4h"
        return live.get("RotationEnabled") is True and live.get("RotationLambdaARN") == wanted[name] and is_same

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        differing = [name for name, right in zip(wanted, pool.map(is_right, wanted)) if not right]
    for name in differing:
        print(name)
    sys.exit(2 if differing else 0)


main()
