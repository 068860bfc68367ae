"""What layers of the service tell each other about a request, under keys of its ASGI scope."""

HEADERS = "muvr.headers"
"""The request's headers by name; of several with the same name the last."""

REQUEST_ID = "muvr.request_id"
"""The id of the request: the client's own, or a random one."""

MAX_BODY_BYTES = "muvr.max_body_bytes"
"""The request's own body limit in bytes, where it is another than usual."""

NO_TIMEOUT = "muvr.no_timeout"
"""Set for a request that must not be cancelled, however long its response takes."""

RATE_LIMIT = "muvr.rate_limit"
"""The caller's `RateLimitStatus` after the request."""

PROBLEM = "muvr.problem"
"""The name of the problem that the response is."""

LEFT_BYTES = "muvr.left_bytes"
"""A function without arguments: `left_bytes` of the request's connection."""
