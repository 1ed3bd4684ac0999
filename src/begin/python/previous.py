def previous(secret):
    """What the version before the current one holds; None where there is none, or it is of another form."""
    try:
        return value(secret, "AWSPREVIOUS")
    except ValueError:
        return None
