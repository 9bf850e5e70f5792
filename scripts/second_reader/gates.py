"""The reasons against promotion, each a predicate over the bundle (SPEC 4), and the packet."""

from . import witness, world
from .derived import named

STAGE = ("runtime_results.json", "runtime_events.normalized.json", "expected_matrix.json")


#: What is asked of a merge as a whole, and not of its parts.
OF_WHOLE = {"coverage_partial", "rows_undecided", "controls_not_derivable"}


def reasons(bundle):
    """Of a bundle that verifies: its own, and those of its parts."""
    own = set(_alone(bundle))
    if bundle.parts:
        own.discard("channel_unwitnessed")
    return sorted(own.union(*[set(_alone(part)) - OF_WHOLE for part in bundle.parts]))


def _alone(bundle):
    manifest, status, index, files = bundle.manifest, bundle.status, bundle.index, bundle.files
    done = bundle.done
    record = (manifest["apply_preflight"] or {}).get("record")
    sandboxed = record and record["sandbox_check_self"].get("sandboxed")
    claimed = manifest["channel"] in ("systemd_clean", "launchd_clean")
    drift = status.get("drift")
    identified = "identity" in manifest and "run_identity.json" in files and "inputs/sources.json" in files and any(
        one["role"] == "plan" for one in manifest["declared_inputs"])
    summary = bundle.summary
    found = {
        "bundle_incomplete": bool(index["missing"]),
        "bundle_repaired": index.get("repaired", False) or "repair_log.json" in files,
        "not_clean_channel": not claimed or manifest["channel"] not in manifest["world"]["clean_channels"],
        "channel_unwitnessed": claimed and not witness.is_good(
            bundle.witness, manifest, bundle.declaration, "channel_witness.json" in files),
        "apply_preflight_missing": record is None,
        "apply_failed": record is not None and record.get("apply_ok") is not True,
        "already_sandboxed": sandboxed is True,
        "self_check_unknown": record is not None and sandboxed is None,
        "decision_stage_artifacts_missing": any(name not in files for name in STAGE),
        "controls_failed": any(one["status"] in ("wrong", "not_applied") for one in done.controls or []),
        "controls_not_derivable": summary["profiles_without_refusal"]["count"] > 0,
        "rows_undecided": summary["undecided_rows"]["count"] > 0,
        "dry_run": manifest["dry_run"],
        "selection_filtered": bool(manifest["selection"]["only_profiles"] or manifest["selection"]["only_scenarios"]),
        "coverage_partial": "shard" in manifest["selection"],
        "world_mismatch": not manifest["world"]["matches"],
        "world_redefined": world.redefined(manifest),
        "times_disagree": _times_disagree(manifest, status, done.times),
        "identity_drift": bool(drift),
        "identity_missing": not identified or (drift is None and not manifest["dry_run"]),
    }
    return sorted(name for name, holds in found.items() if holds)


def _times_disagree(manifest, status, times):
    start, end = manifest["started_at_unix_s"] - 1.0, status["updated_at_unix"] + 1.0
    first, last = times.span or (start, start)
    return not (start <= first and last <= end and start <= end) or times.overran or times.out_of_order


POINTERS = {
    "run_manifest": "run_manifest.json", "expected_matrix": "expected_matrix.json",
    "runtime_results": "runtime_results.json", "runtime_events": "runtime_events.normalized.json",
}
OPTIONAL = {
    "baseline_results": "baseline_results.json", "oracle_results": "oracle_results.json",
    "mismatch_packets": "mismatch_packets.jsonl", "summary": "summary.json", "verdicts": "verdicts.jsonl",
    "path_witnesses": "path_witnesses.json", "fixtures": "fixtures.json",
}


def packet(bundle):
    """The promotion packet that a bundle yields."""
    manifest, index, declaration, summary = bundle.manifest, bundle.index, bundle.declaration, bundle.summary
    counts, record = summary["counts"], (manifest["apply_preflight"] or {}).get("record")
    root, why = index["bundle_root"], reasons(bundle)
    entries = bundle.entries
    rows = {
        "planned": counts["planned"], "undecided": summary["undecided_rows"], "by_design": summary["by_design_rows"],
        "decided": counts["matched"] + counts["mismatched"] + counts.get("unasserted", 0),
    }
    none = ("not_derivable", "not_shown")
    without = {
        kind: named([one["profile_id"] for one in bundle.done.controls or [] if one[kind]["status"] in none])
        for kind in ("must_deny", "must_allow")
    }
    found = {
        "schema_version": "runtime-tools.promotion_packet.v0.2", "run_id": index["run_id"],
        "world_id": index["world_id"], "index_sha256": bundle.index_sha256,
        **{name: f"{root}/{file}" for name, file in POINTERS.items()},
        **{name: f"{root}/{file}" for name, file in OPTIONAL.items() if file in entries},
        "rows": rows | ({"unasserted": counts["unasserted"]} if counts.get("unasserted") else {}),
        "controls": {
            "profiles": len(bundle.done.controls or []), "without_must_deny": without["must_deny"],
            "without_must_allow": without["must_allow"], "without_refusal": summary["profiles_without_refusal"],
        },
        "promotability": {
            "promotable_decision_stage": not why, "reasons": why, "gating_inputs": {
                "channel": manifest["channel"], "apply_preflight_present": record is not None,
                "apply_ok": record and record.get("apply_ok"), "sandbox_check_self": record and record["sandbox_check_self"],
            },
        },
        "artifact_digests": {
            f"{root}/{file}": entries[file]["sha256"] for file in [*POINTERS.values(), *OPTIONAL.values()] if file in entries
        },
    }
    if declaration:
        found |= {"identity": declaration["identity"], "identity_parts": declaration["digests"]}
    if manifest["world"]["document_sha256"]:
        found["world_document_sha256"] = manifest["world"]["document_sha256"]
    return found
