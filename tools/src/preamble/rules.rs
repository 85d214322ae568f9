//! Make rules (-MD) as the plain compile writes them. With a preamble the compiler lists its headers in another order, and
//! the file that it was made from among them.

use std::path::Path;

/// So wide lines get.
const COLUMNS: usize = 75;

/// A rule as the compiler writes it: the targets with their colon, then what they depend on.
struct Rule<'a> {
    targets: &'a [u8],
    prerequisites: Vec<&'a [u8]>,
}

/// The rule in `text`, of which `first` is the first prerequisite.
fn parse<'a>(text: &'a [u8], first: &[u8]) -> Option<Rule<'a>> {
    let begin = text.windows(first.len()).position(|window| window == first)?;
    let targets = text[..begin].trim_ascii_end();
    let targets = targets.strip_suffix(b"\\").unwrap_or(targets).trim_ascii_end();
    if !targets.ends_with(b":") {
        return None;
    }
    let mut prerequisites = Vec::new();
    let (mut start, mut at) = (begin, begin);
    loop {
        let end_of_rule = at == text.len() || text[at] == b'\n';
        let broken = text[at..].starts_with(b"\\\n");
        if end_of_rule || broken || text[at] == b' ' {
            if start < at {
                prerequisites.push(&text[start..at]);
            }
            if end_of_rule {
                return Some(Rule { targets, prerequisites });
            }
            at += if broken { 2 } else { 1 };
            start = at;
        } else {
            // A backslash belongs to the character behind it.
            at += if text[at] == b'\\' && at + 1 < text.len() { 2 } else { 1 };
        }
    }
}

/// The headers of a preamble, from the rules of the compile that made it from `source`.
pub fn headers(text: &[u8], source: &Path) -> Option<Vec<Vec<u8>>> {
    let rule = parse(text, &quoted(source))?;
    Some(rule.prerequisites[1..].iter().map(|header| header.to_vec()).collect())
}

/// The rules of a compile of `source` with a preamble of `headers`, which was made from `kept`: those that the plain compile
/// writes. None if they are not those of such a compile.
pub fn plain(text: &[u8], source: &Path, headers: &[Vec<u8>], kept: &Path, phony: bool) -> Option<Vec<u8>> {
    let source = source.as_os_str().as_encoded_bytes();
    let rule = parse(text, &quoted(kept))?;
    // Behind the source are the headers that the preamble has not. Those of the preamble have absolute names here.
    let own = rule.prerequisites.iter().position(|name| *name == source)?;
    let known = std::collections::HashSet::<&[u8]>::from_iter(headers.iter().map(Vec::as_slice));
    let rest = rule.prerequisites[own + 1..].iter().copied().filter(|name| !known.contains(name));
    let all: Vec<&[u8]> =
        std::iter::once(source).chain(headers.iter().map(Vec::as_slice)).chain(rest).collect();
    let mut new = rule.targets.to_vec();
    let mut column = new.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().len();
    for name in &all {
        if column + length(name) + 1 + 2 > COLUMNS {
            new.extend_from_slice(b" \\\n ");
            column = 2;
        }
        new.push(b' ');
        new.extend_from_slice(name);
        column += length(name) + 1;
    }
    new.push(b'\n');
    if phony {
        for name in &all[1..] {
            new.extend_from_slice(name);
            new.extend_from_slice(b":\n");
        }
    }
    Some(new)
}

/// A path as it is in rules.
fn quoted(path: &Path) -> Vec<u8> {
    let mut quoted = Vec::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b' ' | b'#' => quoted.push(b'\\'),
            b'$' => quoted.push(b'$'),
            _ => {}
        }
        quoted.push(*byte);
    }
    quoted
}

/// The length of a name without the characters that quote others.
fn length(name: &[u8]) -> usize {
    let (mut length, mut at) = (0, 0);
    while at < name.len() {
        at += if matches!(name[at..], [b'\\', b' ' | b'#', ..] | [b'$', b'$', ..]) { 2 } else { 1 };
        length += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_those_of_a_plain_compile() {
        let text = b"a.o: /c\\ d/t.cpp /usr/include/b.h \\\n  /w/c.h a.cpp my\\ x.h c.h\n/usr/include/b.h:\n";
        let headers = [b"c.h".to_vec(), b"/usr/include/b.h".to_vec()];
        let found =
            plain(text, Path::new("a.cpp"), &headers, Path::new("/c d/t.cpp"), true).expect("it is a rule");
        let wanted = "a.o: a.cpp c.h /usr/include/b.h my\\ x.h\nc.h:\n/usr/include/b.h:\nmy\\ x.h:\n";
        assert_eq!(String::from_utf8_lossy(&found), wanted);
    }

    #[test]
    fn other_files_stay() {
        for text in ["", "a.o: a.cpp\n", "a.o /c/t.cpp\n", "a.o: /c/t.cpp b.cpp\n"] {
            assert_eq!(plain(text.as_bytes(), Path::new("a.cpp"), &[], Path::new("/c/t.cpp"), false), None);
        }
    }
}
