//! `selftest` on this host, and what it refuses.

use serde_json::Value;

use crate::support::{expect_code, output, sandproof, stderr, stdout};

#[test]
fn questions_are_put_to_this_host_for_real_and_the_report_can_be_sent_back() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let ask = || output(sandproof().args(["selftest", "--only", "linux-03", "--only", "linux-04", "--out"]).arg(&file));
    let answer = ask();
    expect_code(&answer, 0);
    let text = stdout(&answer);
    assert!(text.contains("linux-03 settled: without: allowed; under it: denied, errno 13\n"), "{text}");
    assert!(text.contains("2 settled, 0 different, 0 unavailable, 0 skipped\n"), "{text}");
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(report["counts"]["settled"], 2);
    assert_eq!(report["items"][0]["verdict"], "settled");
    assert_eq!(report["host"]["os"], "linux");
    // A report that is there is not written over.
    let before = std::fs::read(&file).unwrap();
    let again = ask();
    expect_code(&again, 2);
    assert!(stderr(&again).contains("must be a new file"), "{}", stderr(&again));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn questions_of_another_system_are_skipped_and_say_so() {
    let answer = output(sandproof().args(["selftest", "--only", "mac-03"]));
    expect_code(&answer, 9);
    assert!(stdout(&answer).contains("mac-03 skipped: the question is about macOS"), "{}", stdout(&answer));
    let nobody = output(sandproof().args(["selftest", "--only", "mac-99"]));
    expect_code(&nobody, 9);
    assert!(stderr(&nobody).contains("mac-01, mac-02"), "{}", stderr(&nobody));
}
