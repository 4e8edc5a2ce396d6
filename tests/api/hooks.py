"""What the description cannot say."""

from urllib.parse import unquote

import schemathesis

NAME_BYTES_MAX = 64


def texts(value):
    if isinstance(value, str):
        yield unquote(value)
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)


@schemathesis.hook
def filter_case(context, case):
    """Names are bounded in bytes, and a schema counts characters: leaves out what is within the one
    bound and may be beyond the other."""
    parts = (case.path_parameters, case.query, case.body)
    named = [text for part in parts for text in texts(part)]
    return all(text.isascii() or len(text.encode(errors="replace")) <= NAME_BYTES_MAX for text in named)
