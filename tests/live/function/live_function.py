"""The rotation function of the live check: that of the quickstart, but for a test that says what AWS gave it.

Whether the version that a test works on holds the current value is one of the things that only AWS can tell. It is compared here, where the
values are, and one word of it is logged.
"""

import lambda_function as signing_key


def lambda_handler(event, context):
    if event["Step"] != "testSecret":
        return signing_key.lambda_handler(event, context)
    secret, token = event["SecretId"], event["ClientRequestToken"]
    pending = signing_key.value(secret, "AWSPENDING", token)
    if not pending:
        raise ValueError("the pending version has no value")
    same = pending == signing_key.value(secret, "AWSCURRENT")
    print("rotatorlivecheck", "same" if same else "other")
    return None
