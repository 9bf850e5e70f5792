"""Attestations (SPEC 7.4): a signed statement held against what it is about. Signatures are openssl's to judge."""

import base64
import binascii
import os
import subprocess
import tempfile

from . import declared as systems, gates, identity, json_text
from .canonical import sha256
from .verify import DERIVED

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD = "application/vnd.in-toto+json"
SIGSTORE = "application/vnd.dev.sigstore.bundle"
VSA = "https://slsa.dev/verification_summary/v1"


class Refusal(Exception):
    """An attestation that does not hold, and why."""


def decoded(text):
    if not isinstance(text, str):
        raise Refusal("what should be base64 is no text")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Refusal(f"it has text that is no base64: {error}") from error


def signed_bytes(payload):
    """What DSSE signs of a payload."""
    return f"DSSEv1 {len(PAYLOAD)} {PAYLOAD} {len(payload)} ".encode() + payload


def verifies(key, message, signature):
    """Whether the public key in a PEM file made a signature; openssl says."""
    def openssl(*words):
        return subprocess.run(["openssl", *words], capture_output=True, check=False)
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("message", "signature")]
        for path, data in zip(paths, (message, signature)):
            with open(path, "wb") as file:
                file.write(data)
        kind = openssl("pkey", "-pubin", "-in", key, "-text_pub", "-noout").stdout
        if b"ED25519" in kind:
            done = openssl("pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", paths[0], "-sigfile", paths[1])
        elif b"prime256v1" in kind:
            done = openssl("dgst", "-sha256", "-verify", key, "-signature", paths[1], paths[0])
        else:
            raise Refusal(f"{key} is no public key of the kinds that count")
        return done.returncode == 0


def open_envelope(data):
    """(payload, signatures) of a DSSE envelope, or of a sigstore bundle that holds one."""
    try:
        value = json_text.parse(data)
    except json_text.NotJson as error:
        raise Refusal(f"it is no attestation: {error}") from error
    try:
        media = value.get("mediaType", "")
        held = value
        if media.startswith(SIGSTORE):
            if "publicKey" not in value["verificationMaterial"]:
                raise Refusal("it goes by a certificate")
            held = value["dsseEnvelope"]
        if held["payloadType"] != PAYLOAD:
            raise Refusal(f"its payload is {held['payloadType']!r}")
        signatures = [decoded(one["sig"]) for one in held["signatures"]]
        if held is not value and len(signatures) != 1:
            raise Refusal(f"a sigstore bundle has one signature, and not {len(signatures)}")
        return decoded(held["payload"]), signatures
    except (KeyError, TypeError, AttributeError) as error:
        raise Refusal(f"it is no attestation: {error!r}") from error


def of_bundle(bundle):
    """(digest, predicate type, predicate) of a bundle that verifies."""
    manifest, why = bundle.manifest, gates.reasons(bundle)
    said = {
        "run_id": bundle.index["run_id"], "world_id": bundle.index["world_id"], "plan_id": manifest["plan_id"],
        "plan_digest": manifest["plan_digest"], "channel": manifest["channel"],
        "rows": sum(data.count(b"\n") for name, data in bundle.files.items() if name.startswith("rows/")),
        "derived": sum(name in DERIVED for name in bundle.entries), "promotable": not why, "reasons": why,
        "trust": "consistent",
    }
    if bundle.declaration:
        said |= {"identity": bundle.declaration["identity"], "identity_parts": bundle.declaration["digests"]}
    return bundle.index_sha256, "urn:sandproof:predicate:bundle:v1", said


def of_packet(bundle, data):
    """The same of the packet with these bytes."""
    packet = gates.packet(bundle)
    try:
        found = json_text.parse(data)
    except json_text.NotJson as error:
        raise Refusal(f"the packet cannot be read: {error}") from error
    if not json_text.same(packet, found):
        raise Refusal("the packet is not what its bundle yields")
    why = packet["promotability"]["reasons"]
    said = {name: packet[name] for name in ("run_id", "world_id", "index_sha256", "identity") if name in packet}
    said |= {"promotable": not why, "reasons": why, "trust": "consistent"}
    return sha256(data), "urn:sandproof:predicate:packet:v1", said


def summary(packet):
    """The verification summary of a packet that may be promoted."""
    if packet["promotability"]["reasons"]:
        raise Refusal("it is a summary of a packet that may not be promoted")
    run = packet["run_id"]
    return {
        "verifier": {"id": "urn:sandproof:verifier:v1"}, "resourceUri": f"urn:sandproof:run:{run}",
        "policy": {"uri": f"urn:sandproof:policy:{identity.GATE_RULES}"},
        "inputAttestations": [{"uri": f"urn:sandproof:bundle:{run}", "digest": {"sha256": packet["index_sha256"]}}],
        "verificationResult": "PASSED", "verifiedLevels": ["SANDPROOF_PROMOTABLE"],
    }


def of_declaration(data):
    """The same of a sealed declaration with these bytes."""
    try:
        declared = json_text.parse(data)
        if any(one != other for _, one, other in identity.against_itself(declared)):
            raise Refusal("the declaration's digests are not those of its parts")
        return sha256(data), "urn:sandproof:predicate:declaration:v1", {
            "declaration_format": declared["schema_version"], "kind": declared["kind"], "identity": declared["identity"],
            "identity_parts": declared["digests"], **_open(declared), "trust": "consistent",
        }
    except (json_text.NotJson, KeyError, TypeError, AttributeError) as error:
        raise Refusal(f"the declaration cannot be read: {error!r}") from error


def _open(declared):
    """How many items have no value; in the second format of other systems, how many of them because nobody knows it."""
    named = [declared[part] for part in identity.PARTS]
    if declared["schema_version"] == systems.FORMAT:
        return {"absent": sum(map(systems.open_items, named)), "unknown": sum(map(systems.unknown, named))}
    return {"absent": sum(map(absent, named))}


def absent(value):
    """How many items in a value say that they have no value. Within `value` alone nothing is a reference."""
    if isinstance(value, list):
        return sum(map(absent, value))
    if not isinstance(value, dict):
        return 0
    if isinstance(value.get("absent"), str) and value.keys() <= {"absent", "detail"}:
        return 1
    if value.keys() == {"value"}:
        return 0
    return sum(map(absent, value.values()))


def hold(attestation, key, content, packet=None):
    """Holds an attestation's bytes against (digest, predicate type, predicate) and a public key; raises Refusal."""
    digest, kind, predicate = content
    payload, signatures = open_envelope(attestation)
    if not any(verifies(key, signed_bytes(payload), one) for one in signatures):
        raise Refusal("no signature is by this key")
    try:
        said = json_text.parse(payload)
        if said["_type"] != STATEMENT:
            raise Refusal(f"its `_type` is {said['_type']!r}")
        if not said["subject"] or any(one["digest"].get("sha256") != digest for one in said["subject"]):
            raise Refusal("it is of other content")
        if said["predicateType"] == VSA and packet is not None:
            kind, predicate = VSA, summary(packet)
        if said["predicateType"] != kind:
            raise Refusal(f"it states {said['predicateType']!r}, and not {kind!r}")
        if not json_text.same(said["predicate"], predicate):
            raise Refusal("it says of it what does not hold")
    except (json_text.NotJson, KeyError, TypeError, AttributeError) as error:
        raise Refusal(f"its payload is no statement: {error!r}") from error
