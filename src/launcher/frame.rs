//! Frames: what passes between a run and its worker inside a launcher, through whatever the launcher does to streams.
//!
//! A frame is printable ASCII and stands anywhere in a line: `@SP3:SEQ:PART/PARTS:INSTANCE:BODY:TAG` from the worker,
//! `@SQ3:…` to it. `TAG` is a keyed digest of the direction and everything before it, so neither an echo nor a command line
//! that is printed can pass for an answer. Bodies are JSON in base64url; long ones come in parts, because a terminal cuts
//! lines at 4,095 bytes.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The most characters of a body in one frame.
const BODY_CHARS: usize = 3_000;
/// The most parts of one message.
const MOST_PARTS: usize = 4_000;
/// The longest line that is kept while its end is awaited.
const LONGEST_LINE: usize = 1024 * 1024;
/// How many characters a tag has.
const TAG_CHARS: usize = 22;

/// The key of one start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKey(String);

impl SessionKey {
    /// A fresh one of 122 random bits.
    pub fn fresh() -> Self {
        Self(encode(uuid::Uuid::new_v4().as_bytes()))
    }

    /// The key that a command line gives. `None`: it is none.
    pub fn read(text: &str) -> Option<Self> {
        (decode(text)?.len() == 16).then(|| Self(text.to_owned()))
    }

    /// The key as text: letters, digits, `-` and `_`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn tag(&self, direction: Direction, head: &str, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("a key may have any length");
        for part in [direction.mark(), ":", head, ":", body] {
            mac.update(part.as_bytes());
        }
        let mut tag = encode(&mac.finalize().into_bytes());
        tag.truncate(TAG_CHARS);
        tag
    }
}

/// Which way a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the worker.
    Request,
    /// From the worker.
    Report,
}

impl Direction {
    fn mark(self) -> &'static str {
        match self {
            Self::Request => "@SQ3",
            Self::Report => "@SP3",
        }
    }
}

/// A message that came whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which question it belongs to.
    pub seq: u64,
    /// Which process wrote it.
    pub instance: String,
    /// What it says.
    pub body: Vec<u8>,
}

/// A message as lines, each with its line break.
pub fn lines(key: &SessionKey, direction: Direction, seq: u64, instance: &str, body: &[u8]) -> Vec<u8> {
    let text = encode(body);
    let parts: Vec<&str> = if text.is_empty() {
        vec![""]
    } else {
        // Base64url is ASCII, so any place is a boundary.
        (0..text.len()).step_by(BODY_CHARS).map(|at| &text[at..text.len().min(at + BODY_CHARS)]).collect()
    };
    let mut out = Vec::with_capacity(text.len() + parts.len() * 96);
    for (n, part) in parts.iter().enumerate() {
        let head = format!("{seq}:{}/{}:{instance}", n + 1, parts.len());
        let tag = key.tag(direction, &head, part);
        out.extend_from_slice(format!("{}:{head}:{part}:{tag}\n", direction.mark()).as_bytes());
    }
    out
}

/// Finds frames in a stream.
#[derive(Debug)]
pub struct FrameReader {
    key: SessionKey,
    direction: Direction,
    line: Vec<u8>,
    /// Parts of messages that are not whole, by instance and question.
    parts: BTreeMap<(String, u64), Vec<Option<String>>>,
    /// Frames that had the right form and a wrong tag.
    pub forged: u64,
}

impl FrameReader {
    /// Looks for frames of that direction under that key.
    pub fn new(key: SessionKey, direction: Direction) -> Self {
        Self { key, direction, line: Vec::new(), parts: BTreeMap::new(), forged: 0 }
    }

    /// Takes more of the stream, and gives every message that it completes.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut found = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    found.extend(self.line(&line));
                }
                b'\r' => {}
                // Nobody writes such lines but a program that has no part in this.
                _ if self.line.len() >= LONGEST_LINE => self.line.clear(),
                byte => self.line.push(*byte),
            }
        }
        found
    }

    /// What stands in the last line, if it has no line break.
    pub fn finish(&mut self) -> Vec<Frame> {
        let line = std::mem::take(&mut self.line);
        self.line(&line)
    }

    fn line(&mut self, line: &[u8]) -> Vec<Frame> {
        let text = String::from_utf8_lossy(line);
        let mark = self.direction.mark();
        let places: Vec<usize> = text.match_indices(mark).map(|(at, _)| at + mark.len()).collect();
        places.into_iter().filter_map(|at| self.frame(&text[at..])).collect()
    }

    /// Reads what follows a mark.
    fn frame(&mut self, text: &str) -> Option<Frame> {
        let mut fields = text.strip_prefix(':')?.splitn(5, ':');
        let (seq, of, instance, body, rest) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let tag = rest.get(..TAG_CHARS)?;
        let head = format!("{seq}:{of}:{instance}");
        if self.key.tag(self.direction, &head, body) != tag {
            self.forged += 1;
            return None;
        }
        let seq: u64 = seq.parse().ok()?;
        let (part, parts) = of.split_once('/')?;
        let (part, parts): (usize, usize) = (part.parse().ok()?, parts.parse().ok()?);
        if part == 0 || part > parts || parts > MOST_PARTS {
            return None;
        }
        let known = self.parts.entry((instance.to_owned(), seq)).or_insert_with(|| vec![None; parts]);
        if known.len() != parts {
            *known = vec![None; parts];
        }
        known[part - 1] = Some(body.to_owned());
        if known.iter().any(Option::is_none) {
            return None;
        }
        let whole: String = self.parts.remove(&(instance.to_owned(), seq))?.into_iter().flatten().collect();
        Some(Frame { seq, instance: instance.to_owned(), body: decode(&whole)? })
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(number >> (18 - 6 * place)) as usize & 63]));
        }
    }
    out
}

/// The bytes of base64url without padding. `None`: it is none.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.as_bytes().chunks(4) {
        if chunk.len() == 1 {
            return None;
        }
        let mut number = 0_u32;
        for byte in chunk {
            let place = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return None,
            };
            number = number << 6 | u32::from(place);
        }
        number <<= 6 * (4 - chunk.len());
        out.extend_from_slice(&number.to_be_bytes()[1..chunk.len()]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(key: &SessionKey, bytes: &[u8]) -> (Vec<Frame>, u64) {
        let mut reader = FrameReader::new(key.clone(), Direction::Report);
        let mut found = reader.take(bytes);
        found.extend(reader.finish());
        (found, reader.forged)
    }

    #[test]
    fn a_frame_is_found_behind_a_banner_and_a_prefix_and_before_a_carriage_return() {
        let key = SessionKey::fresh();
        let line = lines(&key, Direction::Report, 7, "i1", b"{\"said\":1}");
        let text = format!("welcome: [box] {}", String::from_utf8(line).unwrap().replace('\n', "\r\n"));
        let (found, forged) = read(&key, text.as_bytes());
        assert_eq!((found.len(), forged), (1, 0));
        assert_eq!((found[0].seq, found[0].body.as_slice()), (7, b"{\"said\":1}".as_slice()));
    }

    #[test]
    fn an_echo_another_key_and_a_changed_frame_are_no_answers() {
        let (key, other) = (SessionKey::fresh(), SessionKey::fresh());
        let request = lines(&key, Direction::Request, 1, "", b"ping");
        assert_eq!(read(&key, &request), (vec![], 0), "an echo of what was asked");
        let turned = String::from_utf8(request).unwrap().replace("@SQ3", "@SP3");
        assert_eq!(read(&key, turned.as_bytes()), (vec![], 1), "with the other mark");
        assert_eq!(read(&key, &lines(&other, Direction::Report, 1, "i", b"pong")), (vec![], 1));
        let right = String::from_utf8(lines(&key, Direction::Report, 1, "i", b"pong")).unwrap();
        for changed in [right.replace(":1:", ":2:"), right.replace(":i:", ":j:"), right.replace("1/1", "1/2")] {
            assert_eq!(read(&key, changed.as_bytes()), (vec![], 1), "{changed}");
        }
        let argv = format!("+ exec box {} 1 ping\n", key.as_str());
        assert_eq!(read(&key, argv.as_bytes()), (vec![], 0), "a command line that is printed");
    }

    /// A line that whoever has the key could write.
    fn line(key: &SessionKey, of: &str, body: &str) -> String {
        let head = format!("1:{of}:i");
        format!("@SP3:{head}:{body}:{}\n", key.tag(Direction::Report, &head, body))
    }

    #[test]
    fn parts_that_cannot_be_are_left_alone_and_a_message_begun_anew_is_read_anew() {
        let key = SessionKey::fresh();
        let mut reader = FrameReader::new(key.clone(), Direction::Report);
        let many = format!("1/{}", MOST_PARTS + 1);
        for of in ["0/1", "2/1", &many, "1/x", "1"] {
            assert_eq!(reader.take(line(&key, of, "AAAA").as_bytes()), [], "{of}");
            assert!(reader.parts.is_empty(), "{of}: nothing is kept of it");
        }
        assert_eq!(reader.take(line(&key, "1/3", "AAAA").as_bytes()), []);
        assert_eq!(reader.take(line(&key, "2/2", "BBBB").as_bytes()), []);
        let found = reader.take(line(&key, "1/2", "CCCC").as_bytes());
        assert_eq!(found.iter().map(|frame| encode(&frame.body)).collect::<Vec<_>>(), ["CCCCBBBB"]);
    }

    #[test]
    fn keys_have_one_length_and_lines_an_end() {
        assert_eq!(SessionKey::read(&encode(&[7; 16])).map(|key| key.0), Some(encode(&[7; 16])));
        for bytes in [0, 15, 17] {
            assert_eq!(SessionKey::read(&encode(&vec![7; bytes])), None, "{bytes}");
        }
        let key = SessionKey::fresh();
        let mut reader = FrameReader::new(key.clone(), Direction::Report);
        let block = vec![b'x'; 64 * 1024];
        for _ in 0..=LONGEST_LINE / block.len() {
            assert_eq!(reader.take(&block), []);
            assert!(reader.line.len() <= LONGEST_LINE);
        }
        assert_eq!(reader.take(b"\n"), []);
        assert_eq!(reader.take(&lines(&key, Direction::Report, 1, "i", b"pong")).len(), 1);
    }

    #[test]
    fn long_messages_come_in_lines_that_a_terminal_lets_through() {
        let key = SessionKey::fresh();
        let body: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
        let bytes = lines(&key, Direction::Report, 3, "i", &body);
        assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() < 4_000 && line.is_ascii()));
        let (found, _) = read(&key, &bytes);
        assert_eq!(found, [Frame { seq: 3, instance: "i".into(), body }]);
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes.clone()));
            let key = SessionKey::fresh();
            let (found, _) = read(&key, &lines(&key, Direction::Report, 1, "i", &bytes));
            prop_assert_eq!(&found[0].body, &bytes);
        }

        #[test]
        fn no_stream_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&SessionKey::fresh(), &bytes);
        }
    }
}
