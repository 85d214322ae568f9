//! Declarations that a precompiled header hands on in another form than its text. All releases of clang so far forget that
//! sections of variables are written to, and count unnamed unions of namespaces when they name other unnamed types.
//!
//! It makes no difference until a source uses them, so that comparing objects when the preamble is made does not find them.

/// What is wrong with the preprocessed directives, if anything is.
pub fn lost_declaration(preprocessed: &[u8]) -> Option<&'static str> {
    let mut tokens = Tokens(preprocessed).peekable();
    let mut blocks = Vec::new();
    // The declaration so far.
    let mut head: Vec<&[u8]> = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            b"section" | b"__section__" if tokens.next_if_eq(&b"(").is_some() => {
                if tokens.peek().is_some_and(|next| next.starts_with(b"\"")) {
                    return Some("a section attribute");
                }
            }
            b";" => head.clear(),
            b"{" => {
                let outside = blocks.iter().all(|block| *block == Block::Namespace);
                blocks.push(Block::of(&head, outside));
                head.clear();
            }
            b"}" => {
                let union = blocks.pop() == Some(Block::Union);
                if union && tokens.peek() == Some(&&b";"[..]) {
                    return Some("a union without a name");
                }
                head.clear();
            }
            token => head.push(token),
        }
    }
    None
}

/// What is in braces.
#[derive(PartialEq, Eq)]
enum Block {
    /// A namespace, or declarations of a linkage.
    Namespace,
    /// A union without a name, in namespaces alone.
    Union,
    Other,
}

impl Block {
    fn of(head: &[&[u8]], outside: bool) -> Self {
        match head {
            [b"namespace", ..] | [b"inline", b"namespace", ..] => return Self::Namespace,
            [b"extern", linkage] if linkage.starts_with(b"\"") => return Self::Namespace,
            _ => {}
        }
        let Some(at) = head.iter().position(|word| *word == b"union") else { return Self::Other };
        if outside && !has_name(&head[at + 1..]) { Self::Union } else { Self::Other }
    }
}

/// Whether there is more than attributes.
fn has_name(words: &[&[u8]]) -> bool {
    let mut depth = 0;
    words.iter().any(|word| {
        match *word {
            b"(" | b"[" => depth += 1,
            b")" | b"]" => depth -= 1,
            b"__attribute__" | b"__attribute" | b"alignas" | b"_Alignas" => {}
            _ => return depth == 0,
        }
        false
    })
}

/// The words, literals and other characters of a preprocessed text; directives are left out.
struct Tokens<'a>(&'a [u8]);

impl<'a> Tokens<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (token, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        token
    }

    /// The length of the literal here, which begins with this quote.
    fn literal(&self, quote: u8) -> usize {
        let mut at = 1;
        while at < self.0.len() && self.0[at] != quote {
            at += if self.0[at] == b'\\' { 2 } else { 1 };
        }
        at + 1
    }

    /// The length of the raw literal here, from its quote.
    fn raw_literal(&self) -> usize {
        let Some(open) = self.0.iter().position(|byte| *byte == b'(') else { return self.0.len() };
        let end = [b")", &self.0[1..open], b"\""].concat();
        let close = self.0[open..].windows(end.len()).position(|window| window == end);
        close.map_or(self.0.len(), |close| open + close + end.len())
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        self.0 = self.0.trim_ascii_start();
        while self.0.starts_with(b"#") {
            let end = self.0.iter().position(|byte| *byte == b'\n').unwrap_or(self.0.len());
            self.0 = self.0[end..].trim_ascii_start();
        }
        let first = *self.0.first()?;
        if matches!(first, b'"' | b'\'') {
            return Some(self.take(self.literal(first)));
        }
        if !is_word(&first) {
            return Some(self.take(1));
        }
        // Digits may have a quote between them.
        let separated = |at: usize| {
            first.is_ascii_digit() && self.0[at] == b'\'' && self.0.get(at + 1).is_some_and(is_word)
        };
        let length = (0..self.0.len()).find(|at| !is_word(&self.0[*at]) && !separated(*at));
        let word = self.take(length.unwrap_or(self.0.len()));
        if word.ends_with(b"R") && self.0.starts_with(b"\"") {
            return Some(self.take(self.raw_literal()));
        }
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::lost_declaration;

    #[test]
    fn what_is_lost_is_found() {
        for (text, expected) in [
            ("static int a __attribute__((section(\".a\"))) = 1;", Some("a section attribute")),
            ("[[gnu::__section__ ( \".a\" )]] int a;", Some("a section attribute")),
            ("void section(const char *); struct section { int section(); };", None),
            ("const char *a = \"section(\\\"x\\\")\", *b = R\"x(section(\")\" {)x\";", None),
            ("static union { int a; long b; };", Some("a union without a name")),
            (
                "namespace { namespace b { union __attribute__((packed)) { int a; }; } }",
                Some("a union without a name"),
            ),
            ("extern \"C\" { static union { struct { int a; }; } ; }", Some("a union without a name")),
            (
                "namespace std __attribute__((__visibility__(\"default\"))) {\n#pragma x {\nunion U { int a; };\n}",
                None,
            ),
            ("static union { int a; } name; typedef union { int a; } type; union U { int a; };", None),
            ("struct S { union { int a; long b; }; };\nint f() { union { int a; }; return 1'000; }", None),
            (
                "union [[gnu::may_alias]] U { int a; }; union alignas(8) __attribute__((packed)) V { int a; };",
                None,
            ),
            ("inline namespace v1 { char open = '{', quote = '\\''; } union U;", None),
        ] {
            assert_eq!(lost_declaration(text.as_bytes()), expected, "{text}");
        }
    }
}
