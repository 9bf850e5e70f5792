//! Program text on huge pages, for a process that forks very often.
//!
//! A fork copies no page tables of file mappings, so a child takes a page fault for nearly every page of text and constants
//! that it touches: two dozen for a probe process, each some microseconds, together as much as the fork itself. Private
//! huge pages are copied by the fork, a page table entry for two megabytes, and then nothing faults.
//!
//! The text is copied to fresh memory, and the copy is moved to where the text was; see mremap(2). What is executed stays
//! the same, byte for byte. It is done only if the kernel really gave huge pages for all of it: with small ones each fork
//! would copy thousands of entries. Where that cannot be had (no transparent huge pages, a policy that forbids executable
//! memory), everything stays as it was.
//!
//! So the first probes of a zygote run on file mappings and the later ones on anonymous memory with the same bytes, and no
//! document says which: no driver asks about the mappings of its own program.

use std::fs;
use std::io;
use std::ops::Range;
use std::ptr;

/// What a page table entry of the second level maps on x86-64, and on AArch64 with pages of 4 KiB.
const HUGE: usize = 2 << 20;

/// One line of `/proc/self/maps`; see proc_pid_maps(5).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    range: Range<usize>,
    permissions: String,
    /// Device and inode; the same for all mappings of one file.
    file: (String, String),
}

/// A mapping, and the blocks of [`HUGE`] bytes that are to stand in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Region {
    mapping: Mapping,
    blocks: Range<usize>,
}

impl Region {
    /// The address space that the blocks take besides the mapping.
    fn around(&self) -> [Range<usize>; 2] {
        let Range { start, end } = self.mapping.range;
        [self.blocks.start..start, end..self.blocks.end]
    }

    /// What of the mapping the blocks hold.
    fn copied(&self) -> Range<usize> {
        self.mapping.range.start.max(self.blocks.start)..self.mapping.range.end.min(self.blocks.end)
    }
}

fn parse(line: &str) -> Option<Mapping> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    let range = number(start)?..number(end)?;
    let permissions = fields.next()?.to_owned();
    let (_offset, device, inode) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Mapping { range, permissions, file: (device.to_owned(), inode.to_owned()) })
}

/// Which blocks can stand for text and constants of the file that is mapped at `address`.
///
/// A block reaches past the end of its mapping where nothing else is mapped; where something is, the mapping's edge stays
/// what it was.
fn regions(maps: &str, address: usize) -> Vec<Region> {
    // A line that is not understood could be a neighbour that must not be overwritten.
    let Some(mappings) = maps.lines().map(parse).collect::<Option<Vec<_>>>() else { return Vec::new() };
    let Some(own) = mappings.iter().find(|mapping| mapping.range.contains(&address)) else { return Vec::new() };
    let mut found: Vec<Region> = Vec::new();
    for (n, mapping) in mappings.iter().enumerate() {
        if mapping.file != own.file || !matches!(&*mapping.permissions, "r--p" | "r-xp") {
            continue;
        }
        let taken = found.last().map_or(0, |region| region.blocks.end);
        let before = n.checked_sub(1).map_or(HUGE, |n| mappings[n].range.end).max(taken);
        let after = mappings.get(n + 1).map_or(usize::MAX, |next| next.range.start);
        let Range { start, end } = mapping.range;
        let (down, up) = (start / HUGE * HUGE, end.next_multiple_of(HUGE));
        let first = if down >= before { down } else { start.next_multiple_of(HUGE) };
        let last = if up <= after { up } else { end / HUGE * HUGE };
        if first < last {
            found.push(Region { mapping: mapping.clone(), blocks: first..last });
        }
    }
    found
}

/// Whether all of the mapping that holds `address` is on huge pages, by `/proc/self/smaps`; see proc_pid_smaps(5).
fn is_all_huge(smaps: &str, address: usize) -> bool {
    let mut lines = smaps.lines();
    let Some(mapping) = lines.by_ref().filter_map(parse).find(|mapping| mapping.range.contains(&address)) else {
        return false;
    };
    let huge = lines.find_map(|line| line.strip_prefix("AnonHugePages:"));
    let kilobytes = huge.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kilobytes.is_some_and(|kilobytes| kilobytes << 10 == mapping.range.len())
}

/// Address space that was free, and that is held so that nothing else comes to lie in it.
#[derive(Debug)]
struct ReservedSpace(Vec<Range<usize>>);

impl ReservedSpace {
    /// What a region takes besides its mapping.
    ///
    /// # Errors
    /// If something lies there. The list of mappings is from a moment ago, and to read it took memory.
    fn around(region: &Region) -> io::Result<Self> {
        let mut reserved = Self(Vec::new());
        for range in region.around().into_iter().filter(|range| !range.is_empty()) {
            // SAFETY: MAP_FIXED_NOREPLACE touches nothing that exists: the call fails where something does.
            let found = unsafe {
                libc::mmap(
                    range.start as *mut libc::c_void,
                    range.len(),
                    libc::PROT_NONE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE,
                    -1,
                    0,
                )
            };
            if found == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            // Kernels before 4.17 do not know the flag, take the address for a wish, and may have chosen another.
            if found as usize != range.start {
                unmap(found as usize..found as usize + range.len());
                return Err(io::Error::from_raw_os_error(libc::EEXIST));
            }
            reserved.0.push(range);
        }
        Ok(reserved)
    }

    /// Something else was put in its place.
    fn replaced(&mut self) {
        self.0.clear();
    }
}

impl Drop for ReservedSpace {
    fn drop(&mut self) {
        self.0.drain(..).for_each(unmap);
    }
}

/// A copy of a region, in memory of its own.
struct CopiedRegion {
    region: Region,
    /// What the copy is to take besides the region's mapping.
    reserved: ReservedSpace,
    at: usize,
}

impl CopiedRegion {
    /// Gives the copy up. It has not been put in place.
    fn unmap(&self) {
        unmap(self.at..self.at + self.region.blocks.len());
    }
}

/// Moves this program's text and constants to huge pages; gives how many bytes of address space they fill. Zero: there is no
/// whole block of them.
///
/// The caller has to be single-threaded.
///
/// # Errors
/// Where it cannot be done. What was not moved stays as it was.
pub fn move_text() -> io::Result<usize> {
    let regions = regions(&fs::read_to_string("/proc/self/maps")?, move_text as *const () as usize);
    let mut copies = Vec::with_capacity(regions.len());
    let copied = regions.into_iter().try_for_each(|region| copy(region).map(|copy| copies.push(copy)));
    let checked = copied.and_then(|()| {
        let smaps = fs::read_to_string("/proc/self/smaps")?;
        let all = copies.iter().all(|copy| is_all_huge(&smaps, copy.at));
        if all { Ok(()) } else { Err(io::ErrorKind::OutOfMemory.into()) }
    });
    if let Err(error) = checked {
        copies.iter().for_each(CopiedRegion::unmap);
        return Err(error);
    }
    for n in 0..copies.len() {
        if let Err(error) = put_in_place(&copies[n]) {
            copies[n..].iter().for_each(CopiedRegion::unmap);
            return Err(error);
        }
        copies[n].reserved.replaced();
    }
    Ok(copies.iter().map(|copy| copy.region.blocks.len()).sum())
}

/// Copies a region to memory that the kernel was asked to back with huge pages, and that may be used as the region is.
fn copy(region: Region) -> io::Result<CopiedRegion> {
    // First, so that the copy itself does not come to lie there.
    let reserved = ReservedSpace::around(&region)?;
    let length = region.blocks.len();
    // SAFETY: new memory at a place that the kernel chooses touches nothing that exists.
    let room = unsafe {
        libc::mmap(
            ptr::null_mut(),
            length + HUGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if room == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = room as usize;
    let at = start.next_multiple_of(HUGE);
    unmap(start..at);
    unmap(at + length..start + length + HUGE);
    let from = region.copied();
    let to = at + (from.start - region.blocks.start);
    let protection = libc::PROT_READ | if region.mapping.permissions.contains('x') { libc::PROT_EXEC } else { 0 };
    // SAFETY: the memory was mapped just now, is as long as the blocks and nobody else knows of it. The source is a readable
    // mapping of this program's file, which nothing unmaps and nothing writes to.
    let allowed = unsafe {
        libc::madvise(at as *mut libc::c_void, length, libc::MADV_HUGEPAGE) == 0 && {
            ptr::copy_nonoverlapping(from.start as *const u8, to as *mut u8, from.len());
            libc::mprotect(at as *mut libc::c_void, length, protection) == 0
        }
    };
    if !allowed {
        let error = io::Error::last_os_error();
        unmap(at..at + length);
        return Err(error);
    }
    Ok(CopiedRegion { region, reserved, at })
}

/// Replaces a region by its copy.
fn put_in_place(copy: &CopiedRegion) -> io::Result<()> {
    let length = copy.region.blocks.len();
    // SAFETY: what is replaced is a part of one mapping of this program's file, and address space that was reserved for it.
    // The copy holds the same bytes with the same permissions, and takes the place in one step: there is no instant
    // at which this thread, the only one, could find anything else there.
    let moved = unsafe {
        libc::mremap(
            copy.at as *mut libc::c_void,
            length,
            length,
            libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED,
            copy.region.blocks.start as *mut libc::c_void,
        )
    };
    if moved == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn unmap(range: Range<usize>) {
    if !range.is_empty() {
        // SAFETY: callers give up memory that they mapped and that nothing points to. It cannot fail for whole mappings.
        unsafe { libc::munmap(range.start as *mut libc::c_void, range.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_space_is_reserved_only_where_nothing_lies() {
        // Far from where the kernel puts anything by itself.
        const AT: usize = 0x2000_0000_0000;
        let file = (String::new(), String::new());
        let range = AT + HUGE / 2..AT + HUGE;
        let region = Region { mapping: Mapping { range, permissions: "r-xp".into(), file }, blocks: AT..AT + 2 * HUGE };
        assert_eq!(region.around(), [AT..AT + HUGE / 2, AT + HUGE..AT + 2 * HUGE]);
        let first = ReservedSpace::around(&region).unwrap();
        assert_eq!(first.0, region.around());
        // Taken now, and what the second try had taken before it came to that is free again.
        let error = ReservedSpace::around(&region).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
        let before = Region { blocks: AT - HUGE..AT + 2 * HUGE, ..region.clone() };
        assert!(ReservedSpace::around(&before).is_err(), "only a part is free");
        drop(first);
        drop(ReservedSpace::around(&before).unwrap());
        // What lies there outlives the attempt.
        let mut kept =
            ReservedSpace::around(&Region { blocks: AT + HUGE / 2..AT + 2 * HUGE, ..region.clone() }).unwrap();
        assert!(ReservedSpace::around(&region).is_err());
        drop(ReservedSpace::around(&Region { blocks: AT..AT + HUGE, ..region.clone() }).unwrap());
        kept.replaced();
        assert!(ReservedSpace::around(&region).is_err(), "it was given over, not given up");
        unmap(AT + HUGE..AT + 2 * HUGE);
    }

    const OWN: &str = "fe:00 77 /usr/bin/sandproof";

    fn blocks(maps: &[String]) -> Vec<(usize, usize)> {
        let found = regions(&maps.join("\n"), 0x40_1000);
        found.into_iter().map(|region| (region.blocks.start, region.blocks.end)).collect()
    }

    #[test]
    fn blocks_reach_into_free_space_and_not_into_neighbours() {
        let text = |range: &str| format!("{range} r-xp 00000000 {OWN}");
        // Free on both sides.
        assert_eq!(blocks(&[text("00401000-00a10000")]), [(0x40_0000, 0xc0_0000)]);
        // A neighbour in the last block, and one in the first.
        let heap = "00b00000-00b10000 rw-p 00000000 00:00 0 [heap]".to_owned();
        assert_eq!(blocks(&[text("00401000-00a10000"), heap.clone()]), [(0x40_0000, 0xa0_0000)]);
        let low = "00400000-00401000 rw-p 00000000 00:00 0".to_owned();
        assert_eq!(blocks(&[low.clone(), text("00401000-00a10000"), heap]), [(0x60_0000, 0xa0_0000)]);
        // Too short for a block of its own.
        let high = "00500000-00501000 rw-p 00000000 00:00 0".to_owned();
        assert_eq!(blocks(&[low, text("00401000-00480000"), high]), []);
    }

    #[test]
    fn constants_and_text_do_not_share_a_block() {
        let constants = format!("00200000-00501000 r--p 00000000 {OWN}");
        let text = format!("00501000-00df1000 r-xp 00300000 {OWN}");
        let data = format!("00df1000-00df6000 rw-p 00bef000 {OWN}");
        let mut maps = vec![constants.clone(), text, data];
        let within = |maps: &[String]| {
            let found = regions(&maps.join("\n"), 0x20_0000);
            found.into_iter().map(|region| (region.blocks.start, region.blocks.end)).collect::<Vec<_>>()
        };
        assert_eq!(within(&maps), [(0x20_0000, 0x40_0000), (0x60_0000, 0xc0_0000)]);
        // In blocks of their own, both reach out.
        maps[1] = format!("00701000-00df1000 r-xp 00300000 {OWN}");
        assert_eq!(within(&maps), [(0x20_0000, 0x60_0000), (0x60_0000, 0xc0_0000)]);
    }

    #[test]
    fn other_files_and_what_can_be_written_stay() {
        let maps = [
            "00400000-00c00000 r-xp 00000000 fe:00 77 /usr/bin/sandproof".to_owned(),
            "00c00000-01200000 rw-p 00800000 fe:00 77 /usr/bin/sandproof".to_owned(),
            "01200000-01800000 r-xp 00000000 fe:00 78 /usr/lib/libc.so.6".to_owned(),
        ];
        assert_eq!(blocks(&maps), [(0x40_0000, 0xc0_0000)]);
        let with_riddle = [&maps[..], &["what is this".to_owned()]].concat();
        assert_eq!(blocks(&with_riddle), [], "what is not understood could be in the way");
    }

    #[test]
    fn huge_pages_are_looked_for_in_the_right_mapping() {
        let smaps = "00400000-00c00000 r-xp 00000000 00:00 0\nSize: 8192 kB\nAnonHugePages:      8192 kB\nVmFlags: rd ex\n\
                     00c00000-01000000 r--p 00000000 00:00 0\nAnonHugePages:      2048 kB\n\
                     01000000-01200000 r--p 00000000 00:00 0\nAnonHugePages:         0 kB\n\
                     01200000-01400000 r--p 00000000 00:00 0\n";
        let huge = [0x40_0000, 0xc0_0000, 0x100_0000, 0x120_0000, 0x140_0000].map(|at| is_all_huge(smaps, at));
        assert_eq!(huge, [true, false, false, false, false]);
    }
}
