//! Parts of the kernel that sandboxes like to keep from programs: bpf(2), perf_event_open(2), userfaultfd(2), io_uring(7).

use std::ffi::CStr;
use std::mem::offset_of;

use super::memory::Mapped;
use crate::sys::Ret;
use crate::sys::ret::outcome;

/// The first members of `union bpf_attr` (<linux/bpf.h>) for the three commands below; the rest is zero.
#[repr(C, align(8))]
#[derive(Default)]
struct BpfAttr {
    words: [u64; 16],
}

/// bpf(2).
///
/// # Safety
/// The places that the structure names have to be as large as the command takes for granted, and live during the call.
unsafe fn bpf(command: i32, attr: &mut BpfAttr) -> Ret {
    // SAFETY: the kernel reads, and for some commands writes, the 128 bytes of the structure; the caller vouches for the rest.
    outcome(unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<BpfAttr>()) })
}

/// Two numbers of 32 bits as they stand in memory one after the other.
fn pair(first: u32, second: u32) -> u64 {
    let (first, second) = (first.to_ne_bytes(), second.to_ne_bytes());
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first);
    bytes[4..].copy_from_slice(&second);
    u64::from_ne_bytes(bytes)
}

/// A map of bpf(2): an array of one number of 64 bits. It is there until the process ends.
#[derive(Debug)]
pub struct BpfArray {
    map: i32,
}

impl BpfArray {
    /// `BPF_MAP_CREATE`.
    pub fn new() -> Result<Self, i32> {
        const ARRAY: u32 = 2;
        let mut attr = BpfAttr::default();
        // The type, and the sizes of a key and a value; how many there are.
        (attr.words[0], attr.words[1]) = (pair(ARRAY, 4), pair(8, 1));
        // SAFETY: the structure names no place.
        unsafe { bpf(0, &mut attr) }.map(|map| Self { map: map as i32 })
    }

    /// The number of its descriptor, which is what the call gave.
    pub fn number(&self) -> i32 {
        self.map
    }

    /// `BPF_MAP_UPDATE_ELEM`: the number at place 0.
    pub fn put(&self, number: u64) -> Ret {
        let key = 0_u32;
        let mut attr = BpfAttr::default();
        attr.words[0] = pair(self.map as u32, 0);
        (attr.words[1], attr.words[2]) = (&raw const key as u64, &raw const number as u64);
        // SAFETY: the map was made with keys of 32 bits and values of 64; both are live locals.
        unsafe { bpf(2, &mut attr) }
    }

    /// `BPF_MAP_LOOKUP_ELEM`: the number at place 0; `None` if the call said that it succeeded and gave none.
    pub fn get(&self, none: u64) -> Result<Option<u64>, i32> {
        let key = 0_u32;
        let mut number = none;
        let mut attr = BpfAttr::default();
        attr.words[0] = pair(self.map as u32, 0);
        (attr.words[1], attr.words[2]) = (&raw const key as u64, &raw mut number as u64);
        // SAFETY: as above. (A filter that answers for the kernel can name another descriptor, but this program makes no
        // other map.)
        unsafe { bpf(1, &mut attr) }?;
        // SAFETY: the place is a live local; the kernel may have written to it behind the compiler's back.
        let found = unsafe { (&raw const number).read_volatile() };
        Ok((found != none).then_some(found))
    }
}

/// perf_event_open(2): how long this process has run (`PERF_COUNT_SW_TASK_CLOCK`), without the kernel's part.
pub fn perf_task_clock() -> Ret {
    const SOFTWARE: u32 = 1;
    const TASK_CLOCK: u64 = 1;
    const EXCLUDE_KERNEL_AND_HYPERVISOR: u64 = 1 << 5 | 1 << 6;
    const CLOSE_ON_EXEC: u64 = 8;
    // `struct perf_event_attr` in its first form (`PERF_ATTR_SIZE_VER0`): type and size, what is counted, a period, two
    // choices, the flags, and the rest.
    let mut attr = [0_u64; 8];
    (attr[0], attr[1], attr[5]) = (pair(SOFTWARE, 64), TASK_CLOCK, EXCLUDE_KERNEL_AND_HYPERVISOR);
    let place = attr.as_mut_ptr();
    // SAFETY: the kernel reads the 64 bytes that the structure says it has.
    outcome(unsafe { libc::syscall(libc::SYS_perf_event_open, place, 0_i64, -1_i64, -1_i64, CLOSE_ON_EXEC) })
}

/// userfaultfd(2), for faults of this program's own text alone (`UFFD_USER_MODE_ONLY`), which needs no privilege.
pub fn userfaultfd() -> Ret {
    const USER_MODE_ONLY: i32 = 1;
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK | USER_MODE_ONLY;
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::syscall(libc::SYS_userfaultfd, flags) })
}

/// ioctl(2) `UFFDIO_API`: which further requests there are, as bits.
pub fn userfaultfd_requests(fd: i32) -> Result<u64, i32> {
    const UFFDIO_API: u32 = 0xc018_aa3f;
    const API: u64 = 0xaa;
    let mut api = [API, 0, 0];
    // SAFETY: the kernel reads and writes one `struct uffdio_api`, three numbers of 64 bits.
    outcome(unsafe { libc::ioctl(fd, UFFDIO_API as libc::Ioctl, api.as_mut_ptr()) })?;
    // SAFETY: the place is a live local; the kernel may have written to it behind the compiler's back.
    Ok(unsafe { (&raw const api[2]).read_volatile() })
}

/// Where the parts of a submission ring lie (`struct io_sqring_offsets`, <linux/io_uring.h>).
#[repr(C)]
#[derive(Default)]
struct SubmissionOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    flags: u32,
    dropped: u32,
    array: u32,
    _reserved: u32,
    _user_address: u64,
}

/// Where the parts of a completion ring lie (`struct io_cqring_offsets`).
#[repr(C)]
#[derive(Default)]
struct CompletionOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    overflow: u32,
    cqes: u32,
    flags: u32,
    _reserved: u32,
    _user_address: u64,
}

/// `struct io_uring_params`.
#[repr(C)]
#[derive(Default)]
struct Parameters {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    sq_thread_cpu: u32,
    sq_thread_idle: u32,
    features: u32,
    wq_fd: u32,
    _reserved: [u32; 3],
    sq_off: SubmissionOffsets,
    cq_off: CompletionOffsets,
}

/// One request (`struct io_uring_sqe`).
#[repr(C)]
#[derive(Default)]
struct RingRequest {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    open_flags: u32,
    user_data: u64,
    _rest: [u64; 3],
}

/// An io_uring(7) with room for one request.
#[derive(Debug)]
pub struct Ring {
    fd: i32,
    submissions: Mapped,
    completions: Mapped,
    requests: Mapped,
    /// Where the submission's tail and array lie, and the completion's tail and entries.
    places: [u32; 4],
    mask: u32,
}

/// io_uring_setup(2) for one request: the descriptor, and the rest of what it takes.
pub fn ring() -> (Ret, Option<Ring>) {
    const { assert!(size_of::<Parameters>() == 120 && offset_of!(Parameters, sq_off) == 40) };
    let mut parameters = Parameters::default();
    // SAFETY: the kernel reads and writes one `struct io_uring_params`.
    let made = outcome(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1_u32, &raw mut parameters) });
    let ring = made.ok().and_then(|fd| Ring::map(fd as i32, &parameters).ok());
    (made, ring)
}

impl Ring {
    fn map(fd: i32, parameters: &Parameters) -> Result<Self, i32> {
        const REQUESTS: i64 = 0x1000_0000;
        const COMPLETIONS: i64 = 0x800_0000;
        let (sq, cq) = (&parameters.sq_off, &parameters.cq_off);
        // A filter that answers for the kernel gives no entries.
        if parameters.sq_entries == 0 || parameters.cq_entries == 0 {
            return Err(libc::EINVAL);
        }
        Ok(Self {
            fd,
            submissions: Mapped::shared(fd, (sq.array + 4 * parameters.sq_entries) as usize, 0)?,
            completions: Mapped::shared(fd, (cq.cqes + 16 * parameters.cq_entries) as usize, COMPLETIONS)?,
            requests: Mapped::shared(fd, size_of::<RingRequest>() * parameters.sq_entries as usize, REQUESTS)?,
            places: [sq.tail, sq.array, cq.tail, cq.cqes],
            mask: parameters.cq_entries - 1,
        })
    }

    /// Submits one request and waits for its completion (io_uring_enter(2)): what that call said, and what became of the
    /// request, if the completion is that request's.
    ///
    /// # Safety
    /// What the request names has to be memory that the kernel only reads. (It would live long enough: the call waits for the
    /// completion. But where that does not come, the kernel may still use it later.)
    unsafe fn submit(&self, request: &RingRequest) -> (Ret, Option<Ret>) {
        const { assert!(size_of::<RingRequest>() == 64 && offset_of!(RingRequest, user_data) == 32) };
        const GET_EVENTS: u32 = 1;
        let [tail, array, completion_tail, entries] = self.places.map(|place| place as usize);
        let number = |bytes| u32::from_ne_bytes(bytes);
        let before = number(self.completions.get(completion_tail));
        // SAFETY: the structure has no padding, and is read as the bytes that it is made of.
        let bytes = unsafe { (&raw const *request).cast::<[u8; 64]>().read() };
        self.requests.put(0, &bytes);
        self.submissions.put(array, &0_u32.to_ne_bytes());
        let next = number(self.submissions.get(tail)).wrapping_add(1);
        self.submissions.put(tail, &next.to_ne_bytes());
        // The kernel looks at the ring inside of the call, on this very thread, so no further ordering is needed.
        let entered = outcome(unsafe {
            // SAFETY: no signals are given; the caller vouches for what the request names.
            libc::syscall(libc::SYS_io_uring_enter, self.fd, 1_u32, 1_u32, GET_EVENTS, 0_u64, 0_u64)
        });
        let completed = number(self.completions.get(completion_tail)) != before;
        let entry = entries + 16 * (before & self.mask) as usize;
        let user_data = u64::from_ne_bytes(self.completions.get(entry));
        let result = i32::from_ne_bytes(self.completions.get(entry + 8));
        let done = if result < 0 { Err(-result) } else { Ok(i64::from(result)) };
        (entered, (completed && user_data == request.user_data).then_some(done))
    }

    /// A request that does nothing (`IORING_OP_NOP`), with this number.
    pub fn nothing(&self, user_data: u64) -> (Ret, Option<Ret>) {
        // SAFETY: the request names nothing.
        unsafe { self.submit(&RingRequest { user_data, ..RingRequest::default() }) }
    }

    /// openat(2) as a request (`IORING_OP_OPENAT`).
    pub fn open(&self, path: &CStr, flags: i32, user_data: u64) -> (Ret, Option<Ret>) {
        const OPENAT: u8 = 18;
        let request = RingRequest {
            opcode: OPENAT,
            fd: libc::AT_FDCWD,
            address: path.as_ptr() as u64,
            open_flags: (flags | libc::O_CLOEXEC) as u32,
            user_data,
            ..RingRequest::default()
        };
        // SAFETY: a path is only read.
        unsafe { self.submit(&request) }
    }

    /// connect(2) as a request (`IORING_OP_CONNECT`).
    pub fn connect(&self, fd: i32, address: &super::socket::Address, user_data: u64) -> (Ret, Option<Ret>) {
        const CONNECT: u8 = 16;
        let (address, length) = address.raw();
        let request = RingRequest {
            opcode: CONNECT,
            fd,
            offset: u64::from(length),
            address: address as u64,
            user_data,
            ..RingRequest::default()
        };
        // SAFETY: an address is only read.
        unsafe { self.submit(&request) }
    }
}
