"""What Schemathesis cannot know by itself of this server."""

import json
import os

import schemathesis

KNOWN = json.loads(os.environ["KNOWN"])
turn = 0


@schemathesis.serializer("application/cbor", "application/partial-upload")
def binary(context, value):
    """Sends what it makes up for the binary routes as it is: bytes are neither CBOR nor a picture, and must be answered as such."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Names a record that is there every other time: nobody would guess its id."""
    global turn
    turn += 1
    if turn % 2 == 0 and path_parameters and KNOWN.keys() <= path_parameters.keys():
        return {**path_parameters, **KNOWN}
    return path_parameters
