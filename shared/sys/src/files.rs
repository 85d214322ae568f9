//! Files and directories, as far as the object cache deals with them.

use std::ffi::CStr;
use std::ops::Deref;

use crate::{Errno, File, syscall};

/// What the kernel tells of a file.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// Its size in bytes.
    pub size: u64,
    /// The bytes that it takes on the disk.
    pub allocated: u64,
    /// Its owner.
    pub owner: u32,
    /// Its type and permissions (S_IFMT and below).
    pub mode: u32,
    /// When it was last written or touched, in seconds since 1970.
    pub modified: i64,
}

impl Status {
    fn of(stat: &libc::stat) -> Self {
        Self {
            size: stat.st_size as u64,
            allocated: stat.st_blocks as u64 * 512,
            owner: stat.st_uid,
            mode: stat.st_mode,
            modified: stat.st_mtime,
        }
    }

    /// Whether only its owner can write it.
    pub fn is_private(&self) -> bool {
        self.mode & (libc::S_IWGRP | libc::S_IWOTH) == 0
    }

    /// Whether its type is this one (S_IFREG, S_IFDIR).
    pub fn is_a(&self, kind: u32) -> bool {
        self.mode & libc::S_IFMT == kind
    }
}

/// `path` itself: a symbolic link is not followed.
pub fn status(path: &CStr) -> Result<Status, Errno> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    let flags = libc::AT_SYMLINK_NOFOLLOW as usize;
    // SAFETY: the kernel reads the path up to its NUL and writes a struct stat; zeroes are one as well.
    let stat = unsafe {
        let arguments =
            [libc::AT_FDCWD as usize, path.as_ptr() as usize, stat.as_mut_ptr() as usize, flags, 0, 0];
        syscall(libc::SYS_newfstatat, arguments)?;
        stat.assume_init()
    };
    Ok(Status::of(&stat))
}

/// The content of a file, in memory of its own until drop.
#[derive(Debug)]
pub enum Content {
    /// Mapped.
    Mapped(&'static [u8]),
    /// Read, where the file system does not map.
    Read(Vec<u8>),
}

impl Content {
    /// The same, for ever.
    pub fn leak(mut self) -> &'static [u8] {
        let bytes: &'static [u8] = match &mut self {
            Self::Mapped(bytes) => bytes,
            Self::Read(bytes) => std::mem::take(bytes).leak(),
        };
        std::mem::forget(self);
        bytes
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        if let Self::Mapped(bytes) = self {
            // SAFETY: the mapping was made for this value, which is not borrowed any more.
            unsafe { crate::unmap_pages(bytes.as_ptr() as usize, bytes.len()) };
        }
    }
}

/// Brings bytes of a file that is mapped into memory at once; they begin with a page. Where the system cannot, pages come
/// one by one.
pub fn want(bytes: &[u8]) {
    let arguments = [bytes.as_ptr() as usize, bytes.len(), libc::MADV_POPULATE_READ as usize, 0, 0, 0];
    // SAFETY: it changes nothing of what is mapped.
    let _ = unsafe { syscall(libc::SYS_madvise, arguments) };
}

/// The content of a file, with private changes. Lives for ever once it is [leaked](Self::leak).
#[derive(Debug)]
pub struct Changeable(&'static mut [u8]);

impl Changeable {
    /// The same, for ever.
    pub fn leak(mut self) -> &'static mut [u8] {
        let bytes = std::mem::take(&mut self.0);
        std::mem::forget(self);
        bytes
    }

    /// Brings the first `len` bytes into memory at once. Where the system cannot, they come one by one.
    pub fn want(&self, len: usize) {
        want(&self.0[..len.min(self.0.len())]);
    }
}

impl Deref for Changeable {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl Drop for Changeable {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            // SAFETY: the mapping was made for this value, which nothing borrows any more.
            unsafe { crate::unmap_pages(self.0.as_ptr() as usize, self.0.len()) };
        }
    }
}

impl File {
    /// What the kernel tells of it.
    pub fn status(&self) -> Result<Status, Errno> {
        let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the kernel writes a struct stat, and zeroes are one as well.
        let stat = unsafe {
            syscall(libc::SYS_fstat, [self.descriptor() as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0])?;
            stat.assume_init()
        };
        Ok(Status::of(&stat))
    }

    /// Its first `size` bytes; `soon` says that all of them are wanted at once. The file must not shrink: the cache's
    /// files are replaced, never changed.
    pub fn content(&self, size: usize, soon: bool) -> Result<Content, Errno> {
        if size == 0 {
            return Ok(Content::Read(Vec::new()));
        }
        let flags = (libc::MAP_PRIVATE | if soon { libc::MAP_POPULATE } else { 0 }) as usize;
        let arguments = [0, size, libc::PROT_READ as usize, flags, self.descriptor() as usize, 0];
        // SAFETY: a fresh private mapping.
        match unsafe { syscall(libc::SYS_mmap, arguments) } {
            Ok(address) => {
                // SAFETY: it is mapped, readable, until Content unmaps it.
                Ok(Content::Mapped(unsafe { std::slice::from_raw_parts(address as *const u8, size) }))
            }
            Err(_) => self.read_to_end().map(Content::Read),
        }
    }

    /// Its first `size` bytes, to be changed in memory; as above. The pages that are not changed are the file's.
    pub fn changeable(&self, size: usize) -> Result<Changeable, Errno> {
        if size == 0 {
            return Ok(Changeable(&mut []));
        }
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let flags = libc::MAP_PRIVATE as usize;
        let arguments = [0, size, protection, flags, self.descriptor() as usize, 0];
        // SAFETY: a fresh private mapping, readable and writable until Changeable unmaps it.
        let bytes = |address| unsafe { std::slice::from_raw_parts_mut(address, size) };
        // SAFETY: as above.
        if let Ok(address) = unsafe { syscall(libc::SYS_mmap, arguments) } {
            return Ok(Changeable(bytes(address as *mut u8)));
        }
        // Some file systems do not map.
        let content = self.read_to_end()?;
        let copy = Changeable(bytes(crate::map_pages(size)?));
        let len = content.len().min(size);
        copy.0[..len].copy_from_slice(&content[..len]);
        Ok(copy)
    }

    /// Makes it last modified now.
    pub fn touch(&self) -> Result<(), Errno> {
        // SAFETY: null pointers stand for this file and for now.
        unsafe { syscall(libc::SYS_utimensat, [self.descriptor() as usize, 0, 0, 0, 0, 0]) }.map(drop)
    }
}

/// Makes a directory.
pub fn make_directory(path: &CStr, mode: u32) -> Result<(), Errno> {
    // SAFETY: the kernel reads the path up to its NUL.
    unsafe {
        syscall(libc::SYS_mkdirat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, mode as usize, 0, 0, 0])
    }
    .map(drop)
}

/// Gives a file another name, in place of a file that has it.
pub fn rename(from: &CStr, to: &CStr) -> Result<(), Errno> {
    let here = libc::AT_FDCWD as usize;
    // SAFETY: the kernel reads the paths up to their NUL.
    unsafe { syscall(libc::SYS_renameat, [here, from.as_ptr() as usize, here, to.as_ptr() as usize, 0, 0]) }
        .map(drop)
}

/// Removes a file.
pub fn remove(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads the path up to its NUL.
    unsafe { syscall(libc::SYS_unlinkat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, 0, 0, 0, 0]) }
        .map(drop)
}

/// Removes a directory, which must be empty.
pub fn remove_directory(path: &CStr) -> Result<(), Errno> {
    let flags = libc::AT_REMOVEDIR as usize;
    // SAFETY: the kernel reads the path up to its NUL.
    unsafe { syscall(libc::SYS_unlinkat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags, 0, 0, 0]) }
        .map(drop)
}

/// The names in a directory, without `.` and `..`.
pub fn list(path: &CStr) -> Result<Vec<Vec<u8>>, Errno> {
    // struct linux_dirent64 (getdents64(2)): inode and offset, 8 bytes each, then length, type, name.
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    let directory = File::open(path, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    let mut names = Vec::new();
    let mut buffer = vec![0_u8; 16 << 10];
    loop {
        // SAFETY: the kernel writes at most buffer.len() bytes.
        let filled = unsafe {
            syscall(
                libc::SYS_getdents64,
                [directory.descriptor() as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0],
            )?
        };
        if filled == 0 {
            return Ok(names);
        }
        let mut rest = &buffer[..filled];
        while rest.len() > NAME {
            let length = usize::from(u16::from_le_bytes([rest[LENGTH], rest[LENGTH + 1]]));
            let name = CStr::from_bytes_until_nul(&rest[NAME..]).unwrap_or(c"").to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(name.to_vec());
            }
            rest = rest.get(length.max(NAME)..).unwrap_or(&[]);
        }
    }
}

/// The effective user.
pub fn user() -> u32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { syscall(libc::SYS_geteuid, [0; 6]) }.unwrap_or(0) as u32
}

/// The effective user that the process began with, without a system call where the auxiliary vector is known.
pub fn first_user() -> u32 {
    crate::auxiliary(libc::AT_EUID).map_or_else(user, |id| id as u32)
}

/// The effective group.
pub fn group() -> u32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { syscall(libc::SYS_getegid, [0; 6]) }.unwrap_or(0) as u32
}

/// Seconds since the system has started; none if the kernel does not tell.
pub fn time_since_start() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let arguments = [libc::CLOCK_BOOTTIME as usize, (&raw mut time) as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes a timespec.
    let told = unsafe { syscall(libc::SYS_clock_gettime, arguments) };
    told.map_or(0, |_| time.tv_sec)
}

/// Seconds since 1970.
pub fn now() -> i64 {
    // SAFETY: a null pointer means that only the result is wanted.
    unsafe { syscall(libc::SYS_time, [0; 6]) }.unwrap_or(0) as i64
}
