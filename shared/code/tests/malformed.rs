//! Objects with damage: an error or a link, never a panic nor an access out of bounds.

mod support;

use autojit_code::{CodeMemory, LinkError, Resolver, Symbol, Target, Usage, link_object};
use support::{compile, memory, only};

/// Everything is somewhere within reach; nothing of it is called.
struct Anything(usize);

impl Resolver for Anything {
    fn resolve(&mut self, symbol: &Symbol<'_>, usage: Usage, weak: bool) -> Result<Target, String> {
        let Symbol::Name(symbol) = symbol else { return Err("nothing has numbered it".into()) };
        let far = (symbol.len() % 2) << 45;
        let pending = (usage == Usage::Call).then_some(1);
        Ok(Target { address: if weak { 0 } else { self.0 ^ far }, pending })
    }
}

fn try_link(object: &[u8], memory: &CodeMemory) -> bool {
    link_object(object, memory, &mut Anything(only(memory).range().start + 0x1000)).is_ok()
}

fn objects() -> Vec<Vec<u8>> {
    vec![
        compile("c", "features.c", &["-O1", "-ffunction-sections"]),
        compile("c++", "exceptions.cpp", &["-O1"]),
    ]
}

#[test]
fn truncated_at_every_length() {
    let memory = memory();
    for object in objects() {
        assert!(try_link(&object, memory));
        for len in 0..object.len() {
            let result = link_object(&object[..len], memory, &mut Anything(only(memory).range().start));
            // The section headers come last.
            assert!(matches!(result, Err(LinkError::Object(_))), "{len}");
        }
    }
}

#[test]
fn every_byte_changed() {
    let memory = memory();
    let mut linked = 0;
    for object in objects() {
        let mut object = object;
        for at in 0..object.len() {
            let old = object[at];
            for new in [old ^ 1, old ^ 0x80, 0, 0xff] {
                object[at] = new;
                linked += usize::from(try_link(&object, memory));
            }
            object[at] = old;
        }
    }
    assert!(linked > 0, "damage to code alone is not noticed");
}

#[test]
fn many_bytes_changed() {
    let memory = memory();
    // xorshift64: the same numbers in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for object in objects() {
        // Headers and tables are more rewarding than code: the second half of the file.
        for _ in 0..5_000 {
            let mut damaged = object.clone();
            for _ in 0..1 + random() % 8 {
                let at = if random() % 2 == 0 {
                    random() % 64
                } else {
                    object.len() / 2 + random() % (object.len() / 2)
                };
                damaged[at] = random() as u8;
            }
            try_link(&damaged, memory);
        }
    }
}

#[test]
fn other_files() {
    let memory = memory();
    assert!(!try_link(b"", memory));
    assert!(!try_link(&[0x7f; 4096], memory));
    let executable = std::fs::read("/proc/self/exe").unwrap();
    assert!(matches!(link_object(&executable, memory, &mut Anything(0)), Err(LinkError::Object(_))));
}
