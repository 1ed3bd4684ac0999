"""Rotates a signing key: a secret that only its readers know.

The application reads AWSCURRENT to sign, and AWSPREVIOUS too to verify, so that cookies that were signed before a
rotation stay valid until the next one. No service keeps a copy, so there is nothing to tell one in `set_secret`.

Secrets Manager calls the four steps in order and may call each again, so each looks first at what is done already.
"""

import hashlib
import hmac
import logging
import os

import boto3
from botocore.config import Config

# What is about the key: for one of another form, replace `new_key` and `signs`, and what only they use.


def new_key():
    """A key, as text."""
    length = int(os.environ.get("KEY_LENGTH", "64"))
    return client.get_random_password(PasswordLength=length, ExcludePunctuation=True)["RandomPassword"]


def signs(key):
    """Whether a key can be signed with: it is no word that can be guessed, and what it has signed, and that alone, it verifies."""
    if len(set(key)) < 10:
        return False
    signature = sign(key, b"cookie")
    return hmac.compare_digest(signature, sign(key, b"cookie")) and not hmac.compare_digest(signature, sign(key, b"other"))


def sign(key, message):
    return hmac.new(key.encode(), message, hashlib.sha256).digest()


# How a key is rotated that no service keeps a copy of.


def new_value(secret):
    """A new key."""
    return new_key()


def set_secret(secret, token):
    """The key's readers fetch it by themselves."""


def test_secret(secret, token):
    """Signs and verifies with the pending key."""
    pending = value(secret, "AWSPENDING", token)
    if not pending:
        raise ValueError("the pending version has no value")
    if not signs(pending):
        raise ValueError("the pending version is no key that can be signed with")


def read(text):
    """The value is the key itself."""
    return text


# part: contract
