//! Unix sockets, and descriptors that are sent through them.

use std::ffi::CStr;
use std::mem::{MaybeUninit, offset_of, size_of};
use std::time::Duration;

use crate::{Errno, File, syscall};

/// Descriptors that one message may carry.
const DESCRIPTORS: usize = 4;
/// A cmsghdr (cmsg(3)): length, level, type.
const CONTROL_HEADER: usize = size_of::<libc::cmsghdr>();
const CONTROL: usize = CONTROL_HEADER + DESCRIPTORS * size_of::<i32>();

/// Memory for control messages, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// The process at the other end of a socket, when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its process id; 0 if it is in a namespace that has none for it.
    pub process: u32,
    /// Its effective user.
    pub user: u32,
}

/// What one [`File::receive`] has brought.
#[derive(Debug)]
pub struct Received {
    /// Bytes; 0 at the end.
    pub bytes: usize,
    /// Descriptors, in their order.
    pub descriptors: Vec<File>,
    /// Whether there were more descriptors than the process could take.
    pub lost: bool,
}

/// Address of the socket at `path`, and its length; none if the path is too long for one.
fn address(path: &CStr) -> Option<(libc::sockaddr_un, usize)> {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as u16, sun_path: [0; 108] };
    let bytes = path.to_bytes_with_nul();
    for (to, from) in address.sun_path.get_mut(..bytes.len())?.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    Some((address, offset_of!(libc::sockaddr_un, sun_path) + bytes.len()))
}

/// Calls `use_address` with the address of the socket at `path`, however long that is: longer ones than an address can
/// hold go by way of their directory.
fn with_address(
    path: &CStr,
    use_address: impl Fn(&libc::sockaddr_un, usize) -> Result<(), Errno>,
) -> Result<(), Errno> {
    if let Some((address, len)) = address(path) {
        return use_address(&address, len);
    }
    let bytes = path.to_bytes();
    let slash = bytes.iter().rposition(|&byte| byte == b'/').ok_or(Errno(libc::ENAMETOOLONG))?;
    let directory = crate::c_string(&[&bytes[..=slash]]);
    let directory = File::open(&directory, libc::O_PATH | libc::O_DIRECTORY, 0)?;
    let number = directory.descriptor().to_string();
    let short = crate::c_string(&[b"/proc/self/fd/", number.as_bytes(), &bytes[slash..]]);
    let (address, len) = address(&short).ok_or(Errno(libc::ENAMETOOLONG))?;
    use_address(&address, len)
}

impl File {
    /// A stream socket.
    pub fn socket() -> Result<Self, Errno> {
        let kind = (libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as usize;
        // SAFETY: takes no pointers.
        unsafe { syscall(libc::SYS_socket, [libc::AF_UNIX as usize, kind, 0, 0, 0, 0]) }
            .map(|descriptor| Self(descriptor as i32))
    }

    /// Two stream sockets that are connected with each other.
    pub fn socket_pair() -> Result<(Self, Self), Errno> {
        let mut pair = [0_i32; 2];
        let kind = (libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as usize;
        let arguments = [libc::AF_UNIX as usize, kind, 0, pair.as_mut_ptr() as usize, 0, 0];
        // SAFETY: the kernel writes two descriptors.
        unsafe { syscall(libc::SYS_socketpair, arguments) }?;
        Ok((Self(pair[0]), Self(pair[1])))
    }

    /// Opens a non-blocking connection to the socket at `path`; [`poll`] waits.
    pub fn connect(path: &CStr) -> Result<Self, Errno> {
        let socket = Self::socket()?;
        with_address(path, |address, len| {
            let arguments =
                [socket.descriptor() as usize, std::ptr::from_ref(address) as usize, len, 0, 0, 0];
            // SAFETY: the kernel reads `len` bytes of the address.
            unsafe { syscall(libc::SYS_connect, arguments) }.map(drop)
        })?;
        Ok(socket)
    }

    /// Listens at `path`, where nothing may be yet.
    pub fn listen(path: &CStr, backlog: i32) -> Result<Self, Errno> {
        let socket = Self::socket()?;
        with_address(path, |address, len| {
            let arguments =
                [socket.descriptor() as usize, std::ptr::from_ref(address) as usize, len, 0, 0, 0];
            // SAFETY: the kernel reads `len` bytes of the address.
            unsafe { syscall(libc::SYS_bind, arguments) }.map(drop)
        })?;
        let arguments = [socket.descriptor() as usize, backlog as usize, 0, 0, 0, 0];
        // SAFETY: takes no pointers.
        unsafe { syscall(libc::SYS_listen, arguments) }?;
        Ok(socket)
    }

    /// The next connection; EAGAIN if there is none.
    pub fn accept(&self) -> Result<Self, Errno> {
        let flags = (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as usize;
        // SAFETY: null pointers: the address is not wanted.
        unsafe { syscall(libc::SYS_accept4, [self.descriptor() as usize, 0, 0, flags, 0, 0]) }
            .map(|descriptor| Self(descriptor as i32))
    }

    /// The process at the other end (SO_PEERCRED, unix(7)).
    pub fn peer(&self) -> Result<Peer, Errno> {
        let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
        let mut len = size_of::<libc::ucred>() as u32;
        let arguments = [
            self.descriptor() as usize,
            libc::SOL_SOCKET as usize,
            libc::SO_PEERCRED as usize,
            (&raw mut credentials) as usize,
            (&raw mut len) as usize,
            0,
        ];
        // SAFETY: the kernel writes at most `len` bytes.
        unsafe { syscall(libc::SYS_getsockopt, arguments) }?;
        Ok(Peer { process: credentials.pid as u32, user: credentials.uid })
    }

    /// Sends the first of `bytes`, with `descriptor` if there is one; returns how many it took. EAGAIN if it takes none
    /// now. A peer that is gone is EPIPE, never a signal.
    pub fn send(&self, bytes: &[u8], descriptor: Option<&File>) -> Result<usize, Errno> {
        let mut control = Control([0; CONTROL]);
        let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        // SAFETY: zeroes are a msghdr without address, parts and control messages.
        let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        if let Some(file) = descriptor {
            let len = CONTROL_HEADER + size_of::<i32>();
            control.0[..8].copy_from_slice(&len.to_le_bytes());
            control.0[8..12].copy_from_slice(&libc::SOL_SOCKET.to_le_bytes());
            control.0[12..16].copy_from_slice(&libc::SCM_RIGHTS.to_le_bytes());
            control.0[16..20].copy_from_slice(&file.descriptor().to_le_bytes());
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = len;
        }
        let flags = (libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) as usize;
        loop {
            let arguments = [self.descriptor() as usize, (&raw const message) as usize, flags, 0, 0, 0];
            // SAFETY: the kernel reads what the message points to, all of which is alive here.
            match unsafe { syscall(libc::SYS_sendmsg, arguments) } {
                Err(Errno(libc::EINTR)) => {}
                result => return result,
            }
        }
    }

    /// Receives what there is, at most `buffer.len()` bytes. EAGAIN if there is nothing now.
    pub fn receive(&self, buffer: &mut [MaybeUninit<u8>]) -> Result<Received, Errno> {
        let mut control = Control([0; CONTROL]);
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: zeroes are a msghdr without address, parts and control messages.
        let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        let flags = (libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT) as usize;
        let bytes = loop {
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = CONTROL;
            let arguments = [self.descriptor() as usize, (&raw mut message) as usize, flags, 0, 0, 0];
            // SAFETY: the kernel writes to the buffer and to `control`, within the lengths given.
            match unsafe { syscall(libc::SYS_recvmsg, arguments) } {
                Err(Errno(libc::EINTR)) => {}
                result => break result?,
            }
        };
        let mut descriptors = Vec::new();
        let mut rest = &control.0[..message.msg_controllen.min(CONTROL)];
        // One control message is all that a sender of ours attaches; others are walked over.
        while rest.len() >= CONTROL_HEADER {
            let word = |at: usize| i32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
            let len = (word(0) as usize).clamp(CONTROL_HEADER, rest.len());
            if (word(8), word(12)) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                descriptors.extend((CONTROL_HEADER..len - 3).step_by(4).map(|at| Self(word(at))));
            }
            rest = &rest[len.next_multiple_of(8).min(rest.len())..];
        }
        Ok(Received { bytes, descriptors, lost: message.msg_flags & libc::MSG_CTRUNC != 0 })
    }

    /// The same file under a number of at least `least`, closed by exec.
    pub fn duplicate_above(&self, least: i32) -> Result<Self, Errno> {
        let arguments = [self.descriptor() as usize, libc::F_DUPFD_CLOEXEC as usize, least as usize, 0, 0, 0];
        // SAFETY: takes no pointers.
        unsafe { syscall(libc::SYS_fcntl, arguments) }.map(|descriptor| Self(descriptor as i32))
    }

    /// A file without a name that lives in memory and can be sealed.
    pub(crate) fn memory_to_seal(name: &CStr) -> Result<Self, Errno> {
        let flags = (libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) as usize;
        // SAFETY: the kernel reads the name up to its NUL.
        unsafe { syscall(libc::SYS_memfd_create, [name.as_ptr() as usize, flags, 0, 0, 0, 0]) }
            .map(|descriptor| Self(descriptor as i32))
    }

    /// A file in memory with these bytes, sealed against changes.
    pub fn sealed(name: &CStr, parts: &[&[u8]]) -> Result<Self, Errno> {
        let file = Self::memory_to_seal(name)?;
        parts.iter().try_for_each(|part| crate::write(file.descriptor(), part))?;
        let arguments = [file.descriptor() as usize, libc::F_ADD_SEALS as usize, SEALS as usize, 0, 0, 0];
        // SAFETY: takes no pointers.
        unsafe { syscall(libc::SYS_fcntl, arguments) }?;
        Ok(file)
    }

    /// Whether it is a file in memory that is sealed against changes and cuts.
    pub fn is_sealed(&self) -> bool {
        let arguments = [self.descriptor() as usize, libc::F_GET_SEALS as usize, 0, 0, 0, 0];
        // SAFETY: takes no pointers.
        let seals = unsafe { syscall(libc::SYS_fcntl, arguments) };
        seals.is_ok_and(|seals| seals as i32 & SEALS == SEALS)
    }
}

/// What makes a file in memory final (fcntl(2)).
const SEALS: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

/// What to wait for: a descriptor, events (POLLIN, POLLOUT), and what has come of it.
pub type Wanted = libc::pollfd;

/// Waits until one of `wanted` comes true, at most `limit`; returns how many have.
pub fn poll(wanted: &mut [Wanted], limit: Option<Duration>) -> Result<usize, Errno> {
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: i64::from(limit.subsec_nanos()),
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let arguments = [wanted.as_mut_ptr() as usize, wanted.len(), limit as usize, 0, 0, 0];
    // SAFETY: the kernel reads and writes the array; it writes what is left of the limit (ppoll(2)) to its copy only
    // if it may: the structure is ours and alive.
    unsafe { syscall(libc::SYS_ppoll, arguments) }
}

/// Waits until `descriptor` can be read, or written if `write`, at most `limit`. Unlike [`poll`], a process without any
/// room for descriptors (RLIMIT_NOFILE of 0) may do it.
pub fn select(descriptor: i32, write: bool, limit: Duration) -> Result<bool, Errno> {
    let mut set = vec![0_u64; descriptor as usize / 64 + 1];
    set[descriptor as usize / 64] = 1 << (descriptor % 64);
    let mut limit =
        libc::timespec { tv_sec: limit.as_secs() as i64, tv_nsec: i64::from(limit.subsec_nanos()) };
    let (set, none) = (set.as_mut_ptr() as usize, 0);
    let (read, write) = if write { (none, set) } else { (set, none) };
    let arguments = [descriptor as usize + 1, read, write, none, (&raw mut limit) as usize, none];
    // SAFETY: the kernel reads and writes the set, which has a bit for each descriptor up to this one, and the limit.
    unsafe { syscall(libc::SYS_pselect6, arguments) }.map(|ready| ready != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
        // SAFETY: initialised bytes are bytes; the kernel initialises what it writes.
        unsafe { std::mem::transmute(bytes) }
    }

    #[test]
    fn bytes_and_descriptors_pass() {
        let (here, there) = File::socket_pair().unwrap();
        let file = File::sealed(c"test", &[b"abc", b"def"]).unwrap();
        assert!(file.is_sealed() && !here.is_sealed());
        assert_eq!(crate::write(file.descriptor(), b"x"), Err(Errno(libc::EPERM)));
        assert_eq!(here.send(b"hello", Some(&file)), Ok(5));
        drop(file);
        let mut bytes = [0; 16];
        let received = there.receive(room(&mut bytes)).unwrap();
        assert_eq!((received.bytes, received.lost), (5, false));
        assert_eq!(&bytes[..5], b"hello");
        let [file] = &received.descriptors[..] else { panic!("no descriptor") };
        assert_eq!(&*file.map().unwrap(), b"abcdef");
        assert_eq!(there.receive(room(&mut bytes)).unwrap_err(), Errno(libc::EAGAIN));
        drop(here);
        assert_eq!(there.receive(room(&mut bytes)).unwrap().bytes, 0);
        assert_eq!(there.send(b"x", None), Err(Errno(libc::EPIPE)));
    }

    #[test]
    fn sockets_have_paths_of_any_length() {
        let directory =
            std::env::temp_dir().join(format!("autojit-sys-{}", std::process::id())).join("x".repeat(120));
        std::fs::create_dir_all(&directory).unwrap();
        let path = crate::c_string(&[directory.as_os_str().as_encoded_bytes(), b"/socket"]);
        assert_eq!(File::connect(&path).unwrap_err(), Errno(libc::ENOENT));
        let listener = File::listen(&path, 1).unwrap();
        assert_eq!(listener.accept().unwrap_err(), Errno(libc::EAGAIN));
        let client = File::connect(&path).unwrap();
        let server = listener.accept().unwrap();
        assert_eq!(server.peer().unwrap(), Peer { process: std::process::id(), user: crate::user() });
        assert_eq!(client.peer().unwrap().user, crate::user());
        let mut wanted = [Wanted { fd: client.descriptor(), events: libc::POLLIN, revents: 0 }];
        assert_eq!(poll(&mut wanted, Some(Duration::from_millis(1))), Ok(0));
        let moment = Duration::from_millis(1);
        assert_eq!(select(client.descriptor(), false, moment), Ok(false));
        assert_eq!(select(client.descriptor(), true, moment), Ok(true));
        server.send(b"x", None).unwrap();
        assert_eq!(poll(&mut wanted, None), Ok(1));
        let high = client.duplicate_above(200).unwrap();
        assert_eq!(select(high.descriptor(), false, moment), Ok(true));
        drop(listener);
        assert!(client.duplicate_above(100).unwrap().descriptor() >= 100);
        std::fs::remove_dir_all(directory.parent().unwrap()).unwrap();
    }
}
