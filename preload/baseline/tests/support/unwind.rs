//! `.eh_frame` of code, registered with the unwinder.

use autojit_baseline::Code;

/// The entries of some functions.
#[derive(Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

unsafe extern "C" {
    fn __register_frame(frames: *const u8);
}

fn uleb128(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(byte | if value != 0 { 0x80 } else { 0 });
        if value == 0 {
            return;
        }
    }
}

/// An entry with its length in front, padded to 8 bytes.
fn entry(bytes: &mut Vec<u8>, mut content: Vec<u8>) -> usize {
    let start = bytes.len();
    content.resize((content.len() + 4).next_multiple_of(8) - 4, 0);
    bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&content);
    start
}

impl Frames {
    /// Describes a function; `handler`: its personality routine and what that reads.
    pub fn add(&mut self, code: &Code, text: usize, handler: Option<(usize, usize)>) {
        let mut cie = vec![0, 0, 0, 0, 1];
        cie.extend_from_slice(if handler.is_some() { b"zPLR\0" } else { b"zR\0" });
        // Code alignment 1, data alignment -8, return address in 16.
        cie.extend_from_slice(&[1, 0x78, 16]);
        match handler {
            Some((personality, _)) => {
                cie.extend_from_slice(&[11, 0]);
                cie.extend_from_slice(&personality.to_le_bytes());
                cie.extend_from_slice(&[0, 0]);
            }
            None => cie.extend_from_slice(&[1, 0]),
        }
        // DW_CFA_def_cfa rsp + 8, DW_CFA_offset rip at cfa - 8
        cie.extend_from_slice(&[0x0c, 7, 8, 0x80 | 16, 1]);
        let cie = entry(&mut self.bytes, cie);

        let mut fde = ((self.bytes.len() + 4 - cie) as u32).to_le_bytes().to_vec();
        fde.extend_from_slice(&text.to_le_bytes());
        fde.extend_from_slice(&code.text.len().to_le_bytes());
        match handler {
            Some((_, lsda)) => {
                fde.push(8);
                fde.extend_from_slice(&lsda.to_le_bytes());
            }
            None => fde.push(0),
        }
        let mut at = 0;
        let mut advance = |fde: &mut Vec<u8>, to: u32| {
            // DW_CFA_advance_loc4
            fde.push(0x04);
            fde.extend_from_slice(&(to - at).to_le_bytes());
            at = to;
        };
        let frame = &code.frame;
        advance(&mut fde, frame.pushed);
        // DW_CFA_def_cfa_offset 16, rbp at cfa - 16
        fde.extend_from_slice(&[0x0e, 16, 0x80 | 6, 2]);
        advance(&mut fde, frame.established);
        // DW_CFA_def_cfa_register rbp
        fde.extend_from_slice(&[0x0d, 6]);
        advance(&mut fde, frame.saved);
        for (register, distance) in &frame.saved_registers {
            fde.push(0x80 | register);
            uleb128(&mut fde, u64::from(distance / 8));
        }
        for (from, to) in &frame.returns {
            advance(&mut fde, *from);
            // DW_CFA_remember_state, DW_CFA_def_cfa rsp + 8; DW_CFA_restore_state
            fde.extend_from_slice(&[0x0a, 0x0c, 7, 8]);
            advance(&mut fde, *to);
            fde.push(0x0b);
        }
        if let Some(outside) = frame.outside {
            advance(&mut fde, outside);
            // DW_CFA_def_cfa rsp + 8, DW_CFA_restore
            fde.extend_from_slice(&[0x0c, 7, 8, 0xc0 | 6]);
            fde.extend(frame.saved_registers.iter().map(|(register, _)| 0xc0 | register));
        }
        entry(&mut self.bytes, fde);
    }

    /// Hands them to the unwinder, for good.
    pub fn register(mut self) {
        if self.bytes.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(&[0; 4]);
        let frames = self.bytes.leak();
        // SAFETY: the entries are well-formed, end with a zero, and live on.
        unsafe { __register_frame(frames.as_ptr()) };
    }
}
