//! What assembler text of a module names: symbols that optimisers do not see it use.
//!
//! Receives the text of inline assembly (in LLVM's form, with `$0` for operands) or of the module itself; hands on the
//! names in it. This is no assembler: it finds every name that could be a symbol, and takes a few for one that are
//! none, which costs nothing where the name is looked up among the module's globals.

use std::collections::HashSet;

/// What one piece of inline assembly has to do with symbols.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// What may be symbols in the operands of its instructions.
    pub names: HashSet<String>,
    /// It defines or declares symbols, or puts something into another section: its text may exist once only.
    pub defines: bool,
}

/// Which of its arguments a piece of inline assembly takes as constants only.
pub fn immediates(constraints: &str) -> Vec<bool> {
    // "~{cc}" is overwritten, "!i" a label; an output is an argument only if it is one in memory ("=*m").
    let arguments = constraints.split(',').filter(|constraint| match constraint.chars().next() {
        None | Some('~' | '!') => false,
        Some('=') => constraint.contains('*'),
        Some(_) => true,
    });
    arguments.map(|constraint| constraint.chars().all(|c| "isneEFGIJKLMNOZ".contains(c))).collect()
}

/// Directives that have to do with the place where they are only: the others define or declare symbols, go to another
/// section, or change what comes after them.
const LOCAL: [&str; 38] = [
    "2byte",
    "4byte",
    "8byte",
    "align",
    "ascii",
    "asciz",
    "att_syntax",
    "balign",
    "balignl",
    "balignw",
    "byte",
    "code64",
    "d",
    "double",
    "else",
    "elseif",
    "endif",
    "endr",
    "fill",
    "float",
    "if",
    "ifb",
    "ifc",
    "ifnb",
    "ifnc",
    "int",
    "intel_syntax",
    "long",
    "nop",
    "nops",
    "octa",
    "p2align",
    "quad",
    "rept",
    "short",
    "string",
    "value",
    "word",
];

fn is_local_directive(word: &str) -> bool {
    let name = &word[1..];
    LOCAL.contains(&name) || name.starts_with("cfi_") || ["skip", "space", "zero"].contains(&name)
}

/// Words before an instruction that are no instruction themselves.
const PREFIXES: [&str; 12] = [
    "lock", "rep", "repe", "repne", "repnz", "repz", "notrack", "bnd", "data16", "addr32", "xacquire",
    "xrelease",
];

/// Keywords of the Intel syntax.
const KEYWORDS: [&str; 11] =
    ["byte", "dword", "far", "near", "offset", "ptr", "qword", "short", "word", "xmmword", "ymmword"];

/// Reads the text of inline assembly. `intel`: registers have no `%` before their name.
pub fn mentions(text: &str, intel: bool) -> Mentions {
    let mut found = Mentions::default();
    let intel = intel || text.contains(".intel_syntax");
    for statement in text.split(['\n', ';']) {
        let mut operands = false;
        let mut directive = false;
        for token in tokens(statement, true) {
            match token {
                Token::Label(name) => found.defines |= !is_local(name),
                Token::Word(word) if !operands => {
                    operands = !PREFIXES.contains(&word);
                    directive = word.starts_with('.');
                    found.defines |= directive && !is_local_directive(word);
                }
                // Their operands are registers and numbers.
                Token::Word(_) if directive && statement.trim_start().starts_with(".cfi_") => {}
                Token::Word(word) => {
                    let plain = is_local(word) || intel && is_register_or_keyword(word);
                    if !plain {
                        found.names.insert(word.to_owned());
                    }
                }
                Token::Assignment => found.defines = true,
            }
        }
    }
    found
}

/// Whether a module's text may give the names of instructions in its functions a meaning of its own.
pub fn has_macros(text: &str) -> bool {
    [".macro", ".include"].iter().any(|directive| text.contains(directive))
}

/// All words of a module's assembler text.
pub fn words(text: &str) -> HashSet<String> {
    let tokens = text.split(['\n', ';']).flat_map(|statement| tokens(statement, false));
    let words = tokens.filter_map(|token| match token {
        Token::Word(word) => Some(word.to_owned()),
        Token::Label(_) | Token::Assignment => None,
    });
    words.collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Label(&'a str),
    Assignment,
}

/// The words of a statement, without registers, numbers, `@PLT`, comments and, `inline`, operands (`$0`, `${1:P}`).
fn tokens(statement: &str, inline: bool) -> impl Iterator<Item = Token<'_>> {
    let mut rest = statement;
    std::iter::from_fn(move || {
        loop {
            let first = rest.chars().next()?;
            match first {
                '#' => return None,
                '=' => {
                    let comparison = rest.starts_with("==");
                    rest = &rest[1 + usize::from(comparison)..];
                    if !comparison {
                        return Some(Token::Assignment);
                    }
                }
                '"' => {
                    let text = &rest[1..];
                    let end = text.find('"').unwrap_or(text.len());
                    rest = text.get(end + 1..).unwrap_or_default();
                    return Some(Token::Word(&text[..end]));
                }
                // A register, and what follows a symbol's or section type's @.
                '%' | '@' => rest = rest[1..].trim_start_matches(in_word),
                '$' if !inline => rest = &rest[1..],
                '$' if rest.starts_with("$$") => rest = &rest[2..],
                '$' if rest.starts_with("${") => rest = rest.split_once('}').map_or("", |(_, after)| after),
                '0'..='9' | '$' => rest = rest[1..].trim_start_matches(in_word),
                _ if in_word(first) => {
                    let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
                    let word = &rest[..end];
                    rest = &rest[end..];
                    // A label whose name an operand completes is local to the function in any case.
                    let completed = rest.starts_with("${");
                    if completed {
                        rest = rest.split_once('}').map_or("", |(_, after)| after);
                    }
                    return match rest.strip_prefix(':') {
                        Some(after) => {
                            rest = after;
                            Some(Token::Label(if completed { ".L" } else { word }))
                        }
                        None if completed => continue,
                        None => Some(Token::Word(word)),
                    };
                }
                other => rest = &rest[other.len_utf8()..],
            }
        }
    })
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.')
}

/// Whether an assembler keeps a name to itself; the place `.` is one of them.
fn is_local(name: &str) -> bool {
    name.starts_with(".L") || name == "."
}

fn is_register_or_keyword(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let numbered = |prefix: &str| {
        word.strip_prefix(prefix)
            .is_some_and(|n| n.trim_end_matches(['b', 'w', 'd']).parse::<u8>().is_ok_and(|n| n < 32))
    };
    let legacy = word.trim_start_matches(['r', 'e']).trim_end_matches('l');
    KEYWORDS.contains(&word.as_str())
        || ["r", "xmm", "ymm", "zmm", "tmm", "mm", "k", "st", "cr", "dr"].into_iter().any(numbered)
        || ["ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "ip", "st"].contains(&legacy)
        || ["ah", "bh", "ch", "dh", "a", "b", "c", "d", "cs", "ds", "es", "fs", "gs", "ss"].contains(&legacy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let mut names: Vec<_> = mentions(text, false).names.into_iter().collect();
        names.sort();
        names
    }

    #[test]
    fn symbols_are_found_in_every_kind_of_operand() {
        assert_eq!(
            names("call helper@PLT; incl counter(%rip)\n mov $$table+8, $0"),
            ["counter", "helper", "table"]
        );
        assert_eq!(names("lock; incl shared(%rip)"), ["shared"]);
        assert_eq!(names("lock incl shared(%rip)"), ["shared"]);
        assert_eq!(names("call \"odd name\""), ["odd name"]);
        assert_eq!(names("here: jmp there"), ["there"]);
        assert_eq!(names(".quad pointed"), ["pointed"]);
    }

    #[test]
    fn what_is_no_symbol_is_not_found() {
        for text in [
            "mov %rsp, %rbx; sub $$256, %rsp",
            "lea 2($1), $0 # comment with words",
            "1: add $1, $0\n dec $1\n jnz 1b",
            "jz .Lend${:uid}\n inc $0\n.Lend${:uid}:",
            "rep movsb",
            ".cfi_def_cfa rsp, 8",
            "call ${1:P}",
            "jmp .",
        ] {
            assert_eq!(mentions(text, false), Mentions::default(), "{text}");
        }
    }

    #[test]
    fn intel_registers_are_no_symbols() {
        let found = mentions("mov eax, dword ptr [rbx + r12d]\n vaddps zmm31, xmm1, k1\n call helper", true);
        assert_eq!(found.names.into_iter().collect::<Vec<_>>(), ["helper"]);
    }

    #[test]
    fn definitions_are_recognised() {
        for text in [
            "made:",
            ".globl made\nmade: nop",
            ".pushsection .rodata.ours,\"a\"\n9: .long 13\n.popsection",
            ".data\n.long 1\n.text",
            "made = 5",
            ".set made, 5",
        ] {
            assert!(mentions(text, false).defines, "{text}");
        }
        for text in ["1: nop", ".Lmine: nop", "call made", "made${:uid}: nop", ".byte 1"] {
            assert!(!mentions(text, false).defines, "{text}");
        }
    }

    #[test]
    fn arguments_that_must_be_constants_are_known() {
        assert_eq!(
            immediates("=r,=*m,i,r,ri,0,~{cc},~{memory}"),
            [false, true, false, false, false][..].to_vec()
        );
        assert_eq!(immediates(""), []);
    }

    #[test]
    fn all_words_of_a_module_are_found() {
        let found = words("mov $table, %rax\n.text\n.type f,@function\nf: call helper@PLT\n jmp also_called");
        for word in ["helper", "also_called", "f", "table"] {
            assert!(found.contains(word), "{word}");
        }
    }
}
