//! What image packs lack: the modules whose own files processes have opened, or that they have compiled, for want of code in the pack
//! of their image. Writing a large pack again takes as long as doing that many times, so it is counted until it is worth while.
//!
//! Layout of the file `.lacking` beside the shards: entries, little-endian: the first eight bytes of the pack's key, the module's
//! position in the image (32 bits), how many processes have lacked it (32 bits; 0 for no entry). One process at a time has it
//! locked.

use autojit_code::pack::Key;
use autojit_sys::Errno;

use crate::directory::{Directory, c_path};

/// Bytes of an entry.
const ENTRY: usize = 16;
/// So many are remembered, of all images.
const MOST: usize = 256;

struct Entry {
    image: u64,
    module: u32,
    times: u32,
}

impl Directory {
    /// Notes that a process has done without code of these modules in the image pack of `key`. Returns all modules that were noted
    /// of it, and forgets them, once that makes `enough` times.
    ///
    /// # Errors
    /// Another process is at it; there is no cache yet; the file is another user's, or cannot be written.
    pub fn note_lacking(&self, key: &Key, modules: &[u32], enough: u32) -> Result<Vec<u32>, Errno> {
        let file = self.open_figures(&self.lacking_path(), libc::O_RDWR | libc::O_CREAT)?;
        file.try_lock()?;
        let mut bytes = [0; MOST * ENTRY];
        file.read_at(0, &mut bytes)?;
        let image = u64::from_le_bytes(*key.first_chunk().expect("it is longer"));
        let mut all: Vec<Entry> = bytes.as_chunks().0.iter().filter_map(Entry::unpacked).collect();
        for module in modules {
            match all.iter_mut().find(|it| it.image == image && it.module == *module) {
                Some(known) => known.times = known.times.saturating_add(1),
                None => all.push(Entry { image, module: *module, times: 1 }),
            }
        }
        let times =
            all.iter().filter(|it| it.image == image).fold(0, |sum: u32, it| sum.saturating_add(it.times));
        let mut lacking = Vec::new();
        if times >= enough {
            lacking.extend(all.extract_if(.., |it| it.image == image).map(|it| it.module));
        }
        // The oldest ones go.
        let newest = &all[all.len().saturating_sub(MOST)..];
        let packed = newest.iter().map(Entry::packed).chain(std::iter::repeat([0; ENTRY]));
        bytes.as_chunks_mut().0.iter_mut().zip(packed).for_each(|(place, entry)| *place = entry);
        file.write_at(0, &bytes)?;
        Ok(lacking)
    }

    pub(crate) fn lacking_path(&self) -> std::ffi::CString {
        c_path(&[self.path(), b"/.lacking"])
    }
}

impl Entry {
    fn unpacked(bytes: &[u8; ENTRY]) -> Option<Self> {
        let (image, rest) = bytes.split_first_chunk().expect("it is longer");
        let word = |at: usize| u32::from_le_bytes(rest.as_chunks().0[at]);
        let entry = Self { image: u64::from_le_bytes(*image), module: word(0), times: word(1) };
        (entry.times != 0).then_some(entry)
    }

    fn packed(&self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[..8].copy_from_slice(&self.image.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.module.to_le_bytes());
        bytes[12..].copy_from_slice(&self.times.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_counted_for_each_image() {
        let path = std::env::temp_dir().join(format!("autojit-lacking-{}", std::process::id()));
        let directory = Directory::new(path.as_os_str().as_encoded_bytes(), 0, 1 << 20);
        assert_eq!(directory.note_lacking(&[1; 32], &[5], 1).unwrap_err(), Errno(libc::ENOENT));
        directory.write(&[7; 32], &[]).unwrap();
        let note = |image: u8, modules: &[u32], enough: u32| {
            directory.note_lacking(&[image; 32], modules, enough).unwrap()
        };
        assert_eq!(note(1, &[5], 4), []);
        assert_eq!(note(2, &[5, 6, 7], 4), []);
        assert_eq!(note(1, &[5, 8], 4), []);
        assert_eq!(note(1, &[9], 4), [5, 8, 9]);
        assert_eq!(note(1, &[9], 4), [], "they are forgotten");
        assert_eq!(note(2, &[6], 4), [5, 6, 7]);
        // Of too many, the newest stay.
        let many: Vec<u32> = (0..MOST as u32 + 10).collect();
        assert_eq!(note(3, &many, u32::MAX), []);
        assert_eq!(note(3, &[], 0), many[10..]);
        std::fs::write(path.join("code/.lacking"), "damaged").unwrap();
        assert_eq!(note(1, &[4], 2), []);
        assert!(directory.clear().is_empty());
        assert!(!path.join("code").exists());
        std::fs::remove_dir_all(path).unwrap();
    }
}
