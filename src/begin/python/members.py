def read(text, members=MEMBERS):
    """The members of a value; one that lacks any of them is no value for this function."""
    found = json.loads(text)
    missing = [name for name in members if not isinstance(found, dict) or not found.get(name)]
    if missing:
        raise ValueError(f"the secret has no {' and no '.join(missing)}")
    return found


def needed(secret, stage, token=None):
    """A value that must be there."""
    found = value(secret, stage, token)
    if found is None:
        raise ValueError(f"the {stage} version of {secret} has no value")
    return found
