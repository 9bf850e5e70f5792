//! Reading a verified bundle's artifacts again.

use std::fs;
use std::io::Read;

use super::fixture::{Counting, RUN, build};
use crate::bundle::verify;
use crate::record::layout;

#[test]
fn what_changed_after_verification_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path(), RUN);
    let folder = dir.path().join(RUN);
    let bundle = verify(&folder, &Counting).unwrap();
    let whole = fs::read(folder.join(layout::SUMMARY)).unwrap();
    assert_eq!(bundle.read(layout::SUMMARY, 1 << 20).unwrap().unwrap(), whole);
    assert!(bundle.read(layout::SUMMARY, 3).unwrap_err().to_string().contains("larger than 3"));
    assert!(bundle.open(layout::REPAIR_LOG).unwrap().is_none());

    // A reader that stops early still compares all of it.
    let mut reader = bundle.open(layout::SUMMARY).unwrap().unwrap();
    reader.read_exact(&mut [0; 2]).unwrap();
    reader.finish().unwrap();

    let mut longer = whole.clone();
    longer.extend(vec![b' '; 100_000]);
    let mut other = whole.clone();
    other[0] ^= 1;
    for changed in [longer, other, whole[1..].to_vec()] {
        fs::write(folder.join(layout::SUMMARY), &changed).unwrap();
        assert!(bundle.read(layout::SUMMARY, 1 << 20).unwrap_err().to_string().contains("changed after"));
    }
    fs::remove_file(folder.join(layout::SUMMARY)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join(layout::SUMMARY)).unwrap();
    assert!(bundle.open(layout::SUMMARY).unwrap_err().to_string().contains("symbolic link"));
}
