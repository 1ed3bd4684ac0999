class NoRedirects(urllib.request.HTTPRedirectHandler):
    """What a request carries is for the one service that it was meant for."""

    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(NoRedirects)


def send(url, method, path, body=None, authorization=None):
    """One request, and what the service answers it with, if anything. What isn't a success raises."""
    headers = {"Content-Type": "application/json"}
    if authorization:
        headers["Authorization"] = authorization
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url.rstrip("/") + path, data=data, headers=headers, method=method)
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            text = answer.read()
    except urllib.error.HTTPError:
        raise
    except OSError as error:
        raise ConnectionError(f"{url} can't be reached: {getattr(error, 'reason', error)}") from error
    return json.loads(text) if text else None
