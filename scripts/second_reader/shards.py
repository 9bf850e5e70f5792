"""Which share of a plan a run is (SPEC 1.9, step 11)."""

import hashlib


def text(shard):
    """As it is declared."""
    return f"{shard['kind']}:{','.join(str(one) for one in shard['indices'])}/{shard['count']}"


def is_share(shard):
    """Whether it is one of anything: numbers in order, each once, from 1 to the count."""
    indices, count = shard["indices"], shard["count"]
    return 1 <= count <= 100_000 and indices == sorted(set(indices)) and indices and 1 <= indices[0] and indices[-1] <= count


def numbers(rows, shard, digest):
    """The share of each row, from 1, in plan order; `digest` gives what a probe does."""
    count = shard["count"]
    if shard["kind"] == "slice":
        return [place * count // len(rows) + 1 for place in range(len(rows))]
    found = []
    for row in rows:
        key = f"{row.profile_id}\t{row.expectation_id}\t{digest(row.probe)}\n".encode()
        found.append(int(hashlib.sha256(key).hexdigest()[:16], 16) % count + 1)
    return found
