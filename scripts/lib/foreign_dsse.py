"""Judges DSSE envelopes as a stranger would: securesystemslib with a plain key, in-toto-attestation for the statement, then in-toto's
own rule, that the statement is of the file which one has, and of the kind that one asked for.

usage: python3 foreign_dsse.py <cases.json      an answer a line: "" for accepted, else why not
"""

import hashlib
import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey


def judge(one):
    with open(one["attestation"], "rb") as file:
        envelope = Envelope.from_dict(json.load(file))
    with open(one["key"], "rb") as file:
        crypto = load_pem_public_key(file.read())
    # Its keys are looked up by name, and names prove nothing: the reader's key is tried under the name of each signature.
    keys = [SSlibKey.from_crypto(crypto, keyid) for keyid in envelope.signatures]
    envelope.verify(keys[:1] if len(keys) == 1 else keys, 1)
    if envelope.payload_type != "application/vnd.in-toto+json":
        return "another payload"
    said = json.loads(envelope.payload)
    message = json_format.Parse(envelope.payload, statement_pb2.Statement())
    statement = Statement.copy_from_pb(message)
    statement.validate()
    if said["predicateType"] != one["predicate"]:
        return f"another predicate: {said['predicateType']}"
    with open(one["file"], "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    return "" if any(subject["digest"].get("sha256") == found for subject in said["subject"]) else "of another file"


for case in json.load(sys.stdin):
    try:
        answer = judge(case)
    except Exception as error:  # pylint: disable=broad-except  # whatever a foreign library raises is its refusal
        answer = f"{type(error).__name__}: {error}".splitlines()[0]
    print(json.dumps(answer))
