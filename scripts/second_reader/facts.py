"""What the manifest, the status and the preflight record cannot say of one run (SPEC 3, contradictions 10 to 13)."""

from . import schema
from .finding import Refused


def check(manifest, preflight_path):
    for path, code, words in _broken(manifest, preflight_path):
        raise Refused((path, code, words))


def _broken(manifest, preflight_path):
    managed = manifest["channel"] != "direct" and not manifest["dry_run"]
    roots = [manifest["stage_root"], manifest["staged_output_root"]]
    if manifest["stage_used"] != managed or any((root is not None) != managed for root in roots) or (
            manifest["repo_root_context"] != (manifest["stage_root"] if manifest["stage_root"] is not None else ".")):
        yield "run_manifest.json", "manifest_stage", "what it says of a staged copy belongs to another channel"
    base = manifest["fixture_base"]
    own = base.startswith("/") and base.rstrip("/").rpartition("/")[2] == f"sandproof-{manifest['run_id']}"
    if (base != "") if manifest["dry_run"] else not own:
        yield "run_manifest.json", "manifest_fixtures", f"its fixtures were in {base!r}"
    record = (manifest["apply_preflight"] or {}).get("record")
    if record is not None:
        words = _preflight(manifest, preflight_path, record)
        if words:
            yield "apply_preflight.json", "preflight_facts", words


def _preflight(manifest, path, record):
    fault = schema.first_fault(record, "apply_preflight")
    if fault:
        return f"at `{fault[0]}`, {fault[1]}"
    if record.get("run_id") != manifest["run_id"] or record["world_id"] != manifest["world_id"]:
        return "it belongs to another run or world"
    if path is not None and record["profile"] != path:
        return "it applied another policy than the plan names"
    own = record["sandbox_check_self"]
    rc, sandboxed, error = (own.get(name) for name in ("rc", "sandboxed", "error"))
    if (None if rc is None else rc != 0) != sandboxed or (sandboxed is None) == (error is None):
        return "its self-check contradicts itself"
    has = {name: record.get(name) for name in ("exit_code", "apply_report", "apply_marker_pid", "apply_ok", "error")}
    if record["status"] == "error":
        said = any(has[name] is not None for name in ("exit_code", "apply_report", "apply_marker_pid", "apply_ok"))
        return "it did not run, but has a result" if said or has["error"] is None else None
    if has["error"] is not None or has["apply_ok"] is None or (has["apply_marker_pid"] or 0) <= 1:
        return "it ran, but does not say so"
    if record.get("stdout") != "" or record.get("stderr") != "":
        return "it holds output of a process"
    if has["apply_ok"] == (record.get("failure_stage") is not None):
        return "`apply_ok` and `failure_stage` contradict each other"
    report = has["apply_report"] or {}
    applied = report.get("rc") == 0 and report.get("errno") is None and report.get("errbuf") is None
    if has["apply_ok"] and not (applied and report.get("err_class") == "ok" and has["exit_code"] == 0):
        return "`apply_ok` is true, but the process did not apply the policy or did not end well"
    return None
