//! The `program` fixture of macOS on arm64: a `main` that returns. Such a system executes nothing without its loader and a
//! signature, so there is more around it than on Linux: the load commands of a plain executable (mach-o/loader.h), and an
//! ad hoc signature as linkers write it (kern/cs_blobs.h of xnu). It is the same file wherever it is made.

use sha2::{Digest as _, Sha256};

use crate::record::fixture::PROGRAM_EXIT;

/// The size of a page of memory, which segments in the file are aligned to.
const PAGE: usize = 0x4000;
/// Where the executable is mapped, if the loader does not slide it.
const BASE: u64 = 1 << 32;
/// Where the code is, from the file's begin on: behind all load commands.
const CODE: usize = 0x1000;
/// How much of the file each hash of the signature covers.
const HASHED: usize = 0x1000;
const IDENTIFIER: &[u8] = b"sandproof-program\0";
const LOADER: &[u8] = b"/usr/lib/dyld\0";
const LIBRARY: &[u8] = b"/usr/lib/libSystem.B.dylib\0";
/// macOS 11.0, the first release for such processors: xxxx.yy.zz.
const RELEASE: u32 = 11 << 16;

/// Little-endian words, one behind the other.
fn words(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Big-endian ones, which signatures have.
fn big(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A load command: its number, its length, and what it has, up to a multiple of eight bytes.
fn command(number: u32, content: &[u8]) -> Vec<u8> {
    let length = (8 + content.len()).next_multiple_of(8);
    let mut made = words(&[number, length as u32]);
    made.extend(content);
    made.resize(length, 0);
    made
}

/// A name in its sixteen bytes.
fn name(text: &str) -> Vec<u8> {
    let mut made = text.as_bytes().to_vec();
    made.resize(16, 0);
    made
}

/// `LC_SEGMENT_64`, with the sections that stand behind it.
fn segment(called: &str, memory: (u64, u64), file: (u64, u64), rights: u32, sections: &[Vec<u8>]) -> Vec<u8> {
    let mut content = name(called);
    content.extend([memory.0, memory.1, file.0, file.1].iter().flat_map(|number| number.to_le_bytes()));
    content.extend(words(&[rights, rights, sections.len() as u32, 0]));
    content.extend(sections.concat());
    command(0x19, &content)
}

/// The executable, which exits with [`PROGRAM_EXIT`].
pub fn image() -> Vec<u8> {
    // movz w0, #PROGRAM_EXIT; ret. The immediate of movz starts at bit 5.
    let code = words(&[0x5280_0000 | (PROGRAM_EXIT as u32) << 5, 0xd65f_03c0]);
    let signature_size = signature(&[0; PAGE]).len();

    let mut section = name("__text");
    section.extend(name("__TEXT"));
    section.extend((BASE + CODE as u64).to_le_bytes());
    section.extend((code.len() as u64).to_le_bytes());
    // Where in the file, the alignment as a power of two, no relocations, "only instructions", nothing reserved.
    section.extend(words(&[CODE as u32, 2, 0, 0, 0x8000_0400, 0, 0, 0]));

    let mut main = (CODE as u64).to_le_bytes().to_vec();
    main.extend(0_u64.to_le_bytes());
    let commands = [
        segment("__PAGEZERO", (0, BASE), (0, 0), 0, &[]),
        // Read and execute.
        segment("__TEXT", (BASE, PAGE as u64), (0, PAGE as u64), 5, &[section]),
        segment("__LINKEDIT", (BASE + PAGE as u64, PAGE as u64), (PAGE as u64, signature_size as u64), 1, &[]),
        // Nothing to bind and no symbols: LC_DYLD_INFO_ONLY, LC_SYMTAB, LC_DYSYMTAB.
        command(0x8000_0022, &[0; 40]),
        command(0x2, &words(&[PAGE as u32, 0, PAGE as u32, 0])),
        command(0xb, &[0; 72]),
        // LC_LOAD_DYLINKER, LC_UUID, LC_BUILD_VERSION (macOS, no tools), LC_MAIN.
        command(0xe, &[&words(&[12]), LOADER].concat()),
        command(0x1b, b"sandproofprogram"),
        command(0x32, &words(&[1, RELEASE, RELEASE, 0])),
        command(0x8000_0028, &main),
        // LC_LOAD_DYLIB: no program goes without this one. Its versions are the least.
        command(0xc, &[&words(&[24, 2, 1 << 16, 1 << 16]), LIBRARY].concat()),
        // LC_CODE_SIGNATURE
        command(0x1d, &words(&[PAGE as u32, signature_size as u32])),
    ];
    let room: usize = commands.iter().map(Vec::len).sum();
    // 64 bits, arm64 of any kind, an executable; it leaves nothing open, is for the loader, names libraries with their
    // symbols, and may lie anywhere.
    let mut file = words(&[0xfeed_facf, 0x0100_000c, 0, 2, commands.len() as u32, room as u32, 0x20_0085, 0]);
    file.extend(commands.concat());
    debug_assert!(file.len() <= CODE, "the load commands reach into the code");
    file.resize(CODE, 0);
    file.extend(code);
    file.resize(PAGE, 0);
    let signed = signature(&file);
    file.extend(signed);
    file
}

/// An embedded signature of nothing but a code directory (version 0x20400), ad hoc and "signed by a linker".
fn signature(signed: &[u8]) -> Vec<u8> {
    const HEADER: usize = 88;
    let hashes: Vec<u8> = signed.chunks(HASHED).flat_map(Sha256::digest).collect();
    let first_hash = HEADER + IDENTIFIER.len();
    let length = first_hash + hashes.len();
    let mut directory = big(&[
        0xfade_0c02,
        length as u32,
        0x2_0400,
        0x2_0002,
        first_hash as u32,
        HEADER as u32,
        0,
        signed.len().div_ceil(HASHED) as u32,
        signed.len() as u32,
    ]);
    // Hashes of 32 bytes, SHA-256, no platform, and the page size as a power of two.
    directory.extend([32, 2, 0, HASHED.trailing_zeros() as u8]);
    // Spare, no scatter, no team, spare; a longer limit of the code; where the segment with the code is; it is the main one.
    directory.extend(big(&[0, 0, 0, 0]));
    for number in [0, 0, signed.len() as u64, 1] {
        directory.extend(number.to_be_bytes());
    }
    directory.extend(IDENTIFIER);
    directory.extend(hashes);
    debug_assert_eq!(directory.len(), length);
    // One blob, the code directory (slot 0), behind this.
    let mut whole = big(&[0xfade_0cc0, (20 + length) as u32, 1, 0, 20]);
    whole.extend(directory);
    whole
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// By the checker of what is built for macOS, which shares no code with this.
    fn checked(image: &[u8]) -> (bool, String) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("program");
        std::fs::write(&file, image).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lib/macho.py");
        let done =
            Command::new("python3").arg(script).arg("check").arg(&file).args(["--minimum", "11.0"]).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    }

    #[test]
    fn it_is_an_executable_of_macos_11_whose_signature_covers_it() {
        let image = image();
        assert_eq!(checked(&image), (true, String::new()));
        // The code is where the entry says, and every page counts.
        let mut other = image;
        other[CODE + 4] ^= 1;
        assert!(checked(&other).1.contains("the hash of page 1 of 4 is wrong"), "{:?}", checked(&other));
    }
}
