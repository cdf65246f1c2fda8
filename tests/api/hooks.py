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
    """Names what is there of a village every other time: nobody would guess the ids."""
    global turn
    turn += 1
    if turn % 2 == 0 and path_parameters and "journal" in path_parameters:
        return {name: KNOWN.get(name, value) for name, value in path_parameters.items()}
    return path_parameters
