//! A zygote that has much to do moves its text to huge pages. Nobody sees that but the clock: answers stay the same.

use std::fs;

use sandproof::test_support::policy::landlock::FsRight;
use sandproof::test_support::record::driver::Driver;

use super::harness::{Bench, User, action, handles_fs};
use crate::skip;

/// More jobs than a zygote waits for before it does so.
const MANY: usize = 70;

/// The mappings of a process that are executable: where each begins, whether a file is mapped, its size and how much of it
/// is on huge pages, in kB.
fn executable_mappings(pid: u32) -> Vec<(String, bool, u64, u64)> {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut found = Vec::new();
    for line in smaps.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        match fields[..] {
            [range, permissions, _, _, inode, ref rest @ ..] if range.contains('-') => {
                let named = inode != "0" || !rest.is_empty();
                found.push((permissions.contains('x'), (range.to_owned(), named, 0, 0)));
            }
            ["Size:", size, "kB"] => found.last_mut().unwrap().1.2 = size.parse().unwrap(),
            ["AnonHugePages:", size, "kB"] => found.last_mut().unwrap().1.3 = size.parse().unwrap(),
            _ => {}
        }
    }
    found.into_iter().filter(|(executable, _)| *executable).map(|(_, mapping)| mapping).collect()
}

#[test]
fn the_text_moves_as_a_whole_and_answers_stay_the_same() {
    let setting = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    if setting.is_empty() || setting.contains("[never]") {
        skip!("this kernel gives no transparent huge pages: `{}`", setting.trim());
    }
    for user in User::all() {
        let mut bench = Bench::new(user);
        let file = bench.file("f");
        let (read, policy) = (action(Driver::FileRead, &file), handles_fs(&[FsRight::ReadFile]));
        let mut answers = Vec::new();
        for n in 0..MANY {
            let before = executable_mappings(bench.zygote.pid());
            assert!(n > 0 || before.iter().all(|(_, named, ..)| *named), "at first all text is a file's: {before:?}");
            answers.push((bench.run(&read, None).last(), bench.run(&read, Some(&policy)).last()));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(answers[0].1.1, libc::EACCES);

        let after = executable_mappings(bench.zygote.pid());
        let moved: Vec<_> = after.iter().filter(|(_, named, ..)| !named).collect();
        assert!(!moved.is_empty(), "{user:?}: {after:?}");
        for (range, _, size, huge) in moved {
            assert_eq!(size, huge, "{range} is on huge pages in part only: {after:?}");
        }
    }
}
