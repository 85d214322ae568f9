//! What a file tells of functions that were compiled as usual, and why, for `autojit-run --list`: a section that is not
//! loaded, of strings that end with NUL.
//!
//! An entry of a module is the beginning of its container's key in hexadecimal (empty for a module without one), the name of
//! the source, and reasons: a text, names of functions, and an empty string. An empty string ends the entry.

use crate::arch::emit::{Text, asciz};

/// The section.
pub const STATIC_SECTION: &str = ".autojit.static";

/// Why functions of a module were compiled as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staying<'a> {
    /// The beginning of the key of the module's container, in hexadecimal; empty if all of the module is static.
    pub key: String,
    /// The source file's name.
    pub source: &'a str,
    /// Reasons, and the functions that they are of; none if all of the module is static.
    pub reasons: Vec<(&'a str, Vec<&'a str>)>,
}

impl<'a> Staying<'a> {
    /// [`Self::key`] of a container's key.
    pub fn key(key: &[u8; 32]) -> String {
        key[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The entries of a section.
    pub fn entries(section: &'a [u8]) -> Vec<Self> {
        let mut strings = section.split(|byte| *byte == 0).map(|bytes| str::from_utf8(bytes).unwrap_or("?"));
        let mut entries = Vec::new();
        // Behind the last NUL there is an empty string, and no more.
        while let (Some(key), Some(source)) = (strings.next(), strings.next()) {
            let mut entry = Self { key: key.to_owned(), source, reasons: Vec::new() };
            while let Some(why) = strings.next().filter(|why| !why.is_empty()) {
                entry.reasons.push((why, strings.by_ref().take_while(|name| !name.is_empty()).collect()));
            }
            entries.push(entry);
        }
        entries
    }

    /// Appends the entry to a module's assembler text.
    pub fn write(&self, text: &mut Text) {
        text.line(format_args!(".section {STATIC_SECTION},\"\",@progbits"));
        let mut string = |string: &str| text.line(format_args!(".asciz {}", asciz(string.as_bytes())));
        string(&self.key);
        string(self.source);
        for (why, names) in &self.reasons {
            string(why);
            names.iter().for_each(|name| string(name));
            string("");
        }
        string("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an assembler makes of the text, which has no letters to escape.
    fn assembled(text: &Text) -> Vec<u8> {
        let strings = text.0.lines().filter_map(|line| line.strip_prefix(".asciz \"")?.strip_suffix('"'));
        strings.flat_map(|string| [string.as_bytes(), b"\0"].concat()).collect()
    }

    #[test]
    fn entries_follow_one_another() {
        let some = Staying {
            key: Staying::key(&[0xa5; 32]),
            source: "a.c",
            reasons: vec![("it is naked", vec!["f", "g"]), ("it is instrumented", vec!["h"])],
        };
        let all = Staying { source: "b.c", reasons: vec![("a sanitizer", vec![])], ..Staying::default() };
        let mut text = Text::default();
        [&some, &all, &some].into_iter().for_each(|entry| entry.write(&mut text));
        let bytes = assembled(&text);
        assert_eq!(Staying::entries(&bytes), [some.clone(), all, some]);
        assert_eq!(Staying::entries(&[]), []);
        // Bytes that something else wrote are read to their end.
        for end in 0..bytes.len() {
            assert!(Staying::entries(&bytes[..end]).len() <= 3);
        }
        assert!(Staying::entries(&[0; 100]).len() <= 50);
        assert_eq!(Staying::entries(b"k\0\xff\0")[0].source, "?");
    }
}
