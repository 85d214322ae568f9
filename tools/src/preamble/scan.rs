//! Where a source's leading directives end. More cautious than the compiler: behind the first construct that is unknown
//! here nothing belongs to the preamble.

/// The length of the preamble: up to the line behind the last `#include` (or the #endif around it) in front of anything else than
/// directives and comments. None if there is none.
pub fn preamble(source: &[u8]) -> Option<usize> {
    let mut scanner = Scanner { source, at: 0 };
    let (mut end, mut depth, mut included) = (None, 0usize, false);
    while scanner.skip_to_directive()? {
        match scanner.directive() {
            Some(b"include") => included = true,
            Some(b"define" | b"undef") => {}
            Some(b"if" | b"ifdef" | b"ifndef") => depth += 1,
            Some(b"else" | b"elif" | b"elifdef" | b"elifndef") if depth > 0 => {}
            Some(b"endif") if depth > 0 => depth -= 1,
            _ => break,
        }
        if !scanner.skip_line() {
            break;
        }
        if included && depth == 0 {
            end = Some(scanner.at);
            included = false;
        }
    }
    end
}

/// Whether what a preamble includes depends on the directory of its source. In doubt it does.
pub fn needs_folder(preamble: &[u8]) -> bool {
    let mut scanner = Scanner { source: preamble, at: 0 };
    while scanner.skip_to_directive() == Some(true) {
        match scanner.directive() {
            Some(b"include") if scanner.rest().trim_ascii_start().starts_with(b"<") => {}
            Some(b"define" | b"undef" | b"ifdef" | b"ifndef" | b"else" | b"endif") => {}
            // Another form, or a condition: it may look for files.
            _ => return true,
        }
        if !scanner.skip_line() {
            return true;
        }
    }
    false
}

struct Scanner<'a> {
    source: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.source[self.at..]
    }

    /// Passes blanks and comments; whether a `#` follows. None if a comment does not end.
    fn skip_to_directive(&mut self) -> Option<bool> {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\r' | b'\n', ..] => self.at += 1,
                [b'/', b'/', ..] => {
                    let line = self.rest().split(|byte| *byte == b'\n').next().unwrap_or_default();
                    // Line comments that go on in the next line are rare.
                    if ends_open(line) {
                        return Some(false);
                    }
                    self.at += line.len();
                }
                [b'/', b'*', ..] => self.skip_comment().then_some(())?,
                [b'#', ..] => return Some(true),
                _ => return Some(false),
            }
        }
    }

    fn skip_comment(&mut self) -> bool {
        let inside = &self.rest()[2..];
        match inside.windows(2).position(|pair| pair == b"*/") {
            Some(length) => self.at += 2 + length + 2,
            None => return false,
        }
        true
    }

    /// The directive's name.
    fn directive(&mut self) -> Option<&'a [u8]> {
        let blanks = |bytes: &[u8]| bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.at += 1;
        self.at += blanks(self.rest());
        let length = self.rest().iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        let name = &self.rest()[..length];
        self.at += length;
        // `include_next`, and names in other letters.
        let whole = !self.rest().first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        (whole && length > 0).then_some(name)
    }

    /// Passes the rest of a directive's line, to the start of the next; false if it has something unknown.
    fn skip_line(&mut self) -> bool {
        let mut quote = None;
        loop {
            match (quote, self.rest()) {
                (_, [] | [0, ..]) => return false,
                (None, [b'\n', ..]) => {
                    self.at += 1;
                    return true;
                }
                // A literal that does not end in its line, and trigraphs.
                (Some(_), [b'\n', ..]) | (_, [b'?', b'?', ..]) => return false,
                (None, [b'/', b'*', ..]) => {
                    if !self.skip_comment() {
                        return false;
                    }
                    continue;
                }
                (None, [b'/', b'/', ..]) => {
                    let line = self.rest().split(|byte| *byte == b'\n').next().unwrap_or_default();
                    if ends_open(line) {
                        return false;
                    }
                    self.at += line.len();
                    continue;
                }
                // Raw literals may have lines of their own.
                (None, [b'R', b'"', ..]) => return false,
                (Some(open), [byte, ..]) if open == *byte => quote = None,
                (None, [byte @ (b'"' | b'\''), ..]) => quote = Some(*byte),
                // A backslash takes the next character with it, also the end of the line.
                (_, [b'\\', b'\r', b'\n', ..]) => self.at += 2,
                (_, [b'\\', _, ..]) => self.at += 1,
                _ => {}
            }
            self.at += 1;
        }
    }
}

/// Whether a line goes on in the next.
fn ends_open(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line.ends_with(b"\\") || line.ends_with(b"??/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(source: &str) -> Option<&str> {
        preamble(source.as_bytes()).map(|end| &source[..end])
    }

    #[test]
    fn the_last_include_ends_it() {
        assert_eq!(cut("// c\n#include <a>\n#define X 1\nint x;\n"), Some("// c\n#include <a>\n"));
        assert_eq!(
            cut("#define X \\\n 1\n# include \"b\" // c\n\nint x;"),
            Some("#define X \\\n 1\n# include \"b\" // c\n")
        );
        assert_eq!(cut("/* a\n b */ #include <a>\nint x;"), Some("/* a\n b */ #include <a>\n"));
        assert_eq!(cut("#include <a>\r\nint x;"), Some("#include <a>\r\n"));
        assert_eq!(cut("#include <a> /* x\ny */\nint x;"), Some("#include <a> /* x\ny */\n"));
    }

    #[test]
    fn names_in_angles_are_the_same_in_each_directory() {
        for (same, preamble) in [
            (true, "// c\n#include <a>\n# include\t<b>\n"),
            (true, "#define X \"a\"\n#ifdef X\n#include <a>\n#else\n#include <b>\n#endif\n"),
            (false, "#include \"a\"\n"),
            (false, "#include <a>\n#include MACRO\n"),
            (false, "#if __has_include(\"a\")\n#include <a>\n#endif\n"),
        ] {
            assert_eq!(needs_folder(preamble.as_bytes()), !same, "{preamble}");
        }
    }

    #[test]
    fn conditions_are_in_it_as_a_whole() {
        let source = "#ifdef A\n#include <a>\n#else\n#include <b>\n#endif\n";
        assert_eq!(cut(&format!("{source}int x;")), Some(source));
        assert_eq!(cut("#include <a>\n#ifdef A\n#include <b>\nint x;\n#endif\n"), Some("#include <a>\n"));
        assert_eq!(cut("#ifndef G\n#include <a>\nint x;\n#endif\n"), None);
    }

    #[test]
    fn what_is_unknown_ends_it() {
        for unknown in [
            "#pragma once",
            "#line 3",
            "#include_next <a>",
            "#import <a>",
            "int x;",
            "#error no",
            "#endif",
            "#",
            "#define X R\"(\n)\"",
            "// a \\\nint x;",
            "#define X '\n",
            "#define X ??/\n1",
            "#include <b> // \\\n",
            "\u{feff}",
            "_Pragma(\"once\")",
            "#embed <x>",
            "#ident \"x\"",
            "import x;",
            "/* ",
        ] {
            assert_eq!(cut(&format!("{unknown}\n#include <a>\nint x;")), None, "{unknown}");
            if unknown != "/* " {
                assert_eq!(
                    cut(&format!("#include <a>\n{unknown}\n#include <b>\nint x;")),
                    Some("#include <a>\n"),
                    "{unknown}"
                );
            }
        }
        assert_eq!(cut("#include <a>"), None);
        assert_eq!(cut(""), None);
        assert_eq!(cut("#include <a>\n/* open"), None);
    }
}
