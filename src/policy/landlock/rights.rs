//! Landlock access rights and scopes, under the names of the kernel header without their prefix.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A kind of right: its bit, its name, and the ABI that brought it.
pub trait Right: Copy + Eq + 'static {
    /// Every right of this kind, in the order of their bits.
    const ALL: &'static [Self];
    /// What the kind is called in messages.
    const KIND: &'static str;
    /// The bit, as in the kernel header.
    fn bit(self) -> u64;
    /// The name, as in the kernel header: lower case, without the prefix.
    fn name(self) -> &'static str;
    /// The first Landlock ABI that knows it.
    fn since_abi(self) -> i32;
}

macro_rules! rights {
    ($(#[$doc:meta])* $kind:ident, $label:literal { $($(#[$right_doc:meta])* $name:ident = $bit:literal, $text:literal, $abi:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind { $($(#[$right_doc])* $name,)* }

        impl Right for $kind {
            const ALL: &'static [Self] = &[$(Self::$name),*];
            const KIND: &'static str = $label;

            fn bit(self) -> u64 {
                match self { $(Self::$name => 1 << $bit),* }
            }

            fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            fn since_abi(self) -> i32 {
                match self { $(Self::$name => $abi),* }
            }
        }
    };
}

rights! {
    /// `LANDLOCK_ACCESS_FS_*`
    FsRight, "file-system right" {
        /// Execute a file.
        Execute = 0, "execute", 1;
        /// Open a file for writing.
        WriteFile = 1, "write_file", 1;
        /// Open a file for reading.
        ReadFile = 2, "read_file", 1;
        /// Open a folder or list it.
        ReadDir = 3, "read_dir", 1;
        /// Remove an empty folder, or rename one.
        RemoveDir = 4, "remove_dir", 1;
        /// Unlink or rename a file.
        RemoveFile = 5, "remove_file", 1;
        /// Make, rename or link a character device.
        MakeChar = 6, "make_char", 1;
        /// Make or rename a folder.
        MakeDir = 7, "make_dir", 1;
        /// Make, rename or link a regular file.
        MakeReg = 8, "make_reg", 1;
        /// Make, rename or link a UNIX socket node.
        MakeSock = 9, "make_sock", 1;
        /// Make, rename or link a FIFO.
        MakeFifo = 10, "make_fifo", 1;
        /// Make, rename or link a block device.
        MakeBlock = 11, "make_block", 1;
        /// Make, rename or link a symbolic link.
        MakeSym = 12, "make_sym", 1;
        /// Link or rename a file from or to another folder. Refused by every ruleset that does not grant it, also by
        /// one that does not handle it.
        Refer = 13, "refer", 2;
        /// Truncate a file.
        Truncate = 14, "truncate", 3;
        /// `ioctl(2)` on an opened character or block device.
        IoctlDev = 15, "ioctl_dev", 5;
        /// Reach a UNIX socket by path.
        ResolveUnix = 16, "resolve_unix", 9;
    }
}

rights! {
    /// `LANDLOCK_ACCESS_NET_*`
    NetRight, "network right" {
        /// Bind a TCP socket to a local port.
        BindTcp = 0, "bind_tcp", 4;
        /// Connect a TCP socket to a remote port.
        ConnectTcp = 1, "connect_tcp", 4;
        /// Bind a UDP socket to a local port.
        BindUdp = 2, "bind_udp", 10;
        /// Connect a UDP socket, or send a datagram, to a remote port.
        ConnectSendUdp = 3, "connect_send_udp", 10;
    }
}

rights! {
    /// `LANDLOCK_SCOPE_*`
    Scope, "scope" {
        /// Reach an abstract UNIX socket that was made outside the domain.
        AbstractUnixSocket = 0, "abstract_unix_socket", 6;
        /// Signal a process outside the domain.
        Signal = 1, "signal", 6;
    }
}

/// A set of rights of one kind. In JSON: a list of names without repetition.
pub struct RightSet<R> {
    bits: u64,
    kind: PhantomData<R>,
}

impl<R: Right> RightSet<R> {
    /// No right.
    pub const EMPTY: Self = Self { bits: 0, kind: PhantomData };

    /// The set of these rights.
    pub fn of(rights: &[R]) -> Self {
        rights.iter().fold(Self::EMPTY, |set, right| set.with(*right))
    }

    /// Every right that exists at `abi`.
    pub fn of_abi(abi: i32) -> Self {
        R::ALL.iter().filter(|right| right.since_abi() <= abi).fold(Self::EMPTY, |set, right| set.with(*right))
    }

    /// This set and `right`.
    #[must_use]
    pub fn with(self, right: R) -> Self {
        Self { bits: self.bits | right.bit(), ..self }
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { bits: self.bits | other.bits, ..self }
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self { bits: self.bits & other.bits, ..self }
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { bits: self.bits & !other.bits, ..self }
    }

    /// Whether `right` is in the set.
    pub fn contains(self, right: R) -> bool {
        self.bits & right.bit() != 0
    }

    /// Whether every right of `other` is in this set.
    pub fn contains_all(self, other: Self) -> bool {
        other.bits & !self.bits == 0
    }

    /// Whether nothing is in the set.
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// [`Self::is_empty`], in the form that serialisation attributes need.
    pub fn is_empty_ref(&self) -> bool {
        self.is_empty()
    }

    /// The kernel's bit mask.
    pub fn bits(self) -> u64 {
        self.bits
    }

    /// The rights, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = R> {
        R::ALL.iter().copied().filter(move |right| self.contains(*right))
    }

    /// The names, in the order of the bits.
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Right::name).collect()
    }

    /// The first ABI that knows every right of the set; 0 for the empty set.
    pub fn since_abi(self) -> i32 {
        self.iter().map(Right::since_abi).max().unwrap_or(0)
    }
}

impl<R> Clone for RightSet<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for RightSet<R> {}

impl<R> PartialEq for RightSet<R> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}

impl<R> Eq for RightSet<R> {}

impl<R: Right> Default for RightSet<R> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<R: Right> fmt::Debug for RightSet<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl<R: Right> Serialize for RightSet<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.bits.count_ones() as usize))?;
        for right in self.iter() {
            seq.serialize_element(right.name())?;
        }
        seq.end()
    }
}

impl<'de, R: Right> Deserialize<'de> for RightSet<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names<R>(PhantomData<R>);

        impl<'de, R: Right> Visitor<'de> for Names<R> {
            type Value = RightSet<R>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of {} names", R::KIND)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut set = RightSet::EMPTY;
                while let Some(name) = seq.next_element::<String>()? {
                    let right = R::ALL
                        .iter()
                        .copied()
                        .find(|right| right.name() == name)
                        .ok_or_else(|| de::Error::custom(format_args!("`{name}` is not a {}", R::KIND)))?;
                    if set.contains(right) {
                        return Err(de::Error::custom(format_args!("`{name}` stands twice")));
                    }
                    set = set.with(right);
                }
                Ok(set)
            }
        }

        deserializer.deserialize_seq(Names(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_read_back_and_refuse_what_they_do_not_know() {
        let set: RightSet<FsRight> = serde_json::from_str(r#"["truncate","execute"]"#).unwrap();
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["execute","truncate"]"#);
        assert_eq!(set.since_abi(), 3);
        let unknown = serde_json::from_str::<RightSet<FsRight>>(r#"["fly"]"#).unwrap_err().to_string();
        assert!(unknown.contains("`fly` is not a file-system right"), "{unknown}");
        assert!(serde_json::from_str::<RightSet<Scope>>(r#"["signal","signal"]"#).is_err());
    }

    #[test]
    fn the_number_of_rights_per_abi_is_the_headers() {
        // include/uapi/linux/landlock.h: 13 rights in ABI 1, then refer (2), truncate (3), ioctl_dev (5).
        let counts: Vec<u32> =
            [1, 2, 3, 4, 5, 7, 9].iter().map(|abi| RightSet::<FsRight>::of_abi(*abi).bits().count_ones()).collect();
        assert_eq!(counts, [13, 14, 15, 15, 16, 16, 17]);
        assert_eq!(RightSet::<NetRight>::of_abi(4).bits(), 0b11);
        assert_eq!(RightSet::<Scope>::of_abi(5).bits(), 0);
        assert_eq!(RightSet::<Scope>::of_abi(6).bits(), 0b11);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn bits_are_those_of_the_landlock_crate() {
        use landlock::{ABI, Access, AccessFs, AccessNet};
        for abi in [ABI::V1, ABI::V2, ABI::V3, ABI::V4, ABI::V5, ABI::V6, ABI::V7, ABI::V9] {
            let number = abi as i32;
            assert_eq!(AccessFs::from_all(abi).bits(), RightSet::<FsRight>::of_abi(number).bits(), "ABI {number}");
            assert_eq!(AccessNet::from_all(abi).bits(), RightSet::<NetRight>::of_abi(number).bits(), "ABI {number}");
        }
    }
}
