//! Round trips, and what becomes of every kind of damage.

use super::*;

fn sample() -> (Vec<u8>, Key) {
    let function =
        |name: &str, kind, import| Function { name: name.into(), kind, import, interposable: false };
    encode(&Contents {
        source: "dir/file.c",
        opt: OptLevel { speed: 2, size: 1 },
        options: "unroll=0",
        functions: &[
            function("main", FunctionKind::Stub, Some(1)),
            function("helper", FunctionKind::Local, None),
            Function { interposable: true, ..function("_ZN1xIiE1fEv", FunctionKind::Inline, None) },
        ],
        imports: &["printf".into(), "main".into(), "stdout".into()],
        bitcode: b"BC and so on, and so on, and so on",
    })
    .unwrap()
}

#[test]
fn round_trip() {
    let (bytes, key) = sample();
    assert_eq!(bytes.len() % 8, 0);
    assert_eq!(sample(), (bytes.clone(), key), "the same contents give the same bytes");
    let container = Container::parse(&bytes).unwrap();
    assert!(container.verify());
    assert_eq!(container.key(), key);
    assert_eq!(container.source(), "dir/file.c");
    assert_eq!(container.opt_level(), OptLevel { speed: 2, size: 1 });
    assert_eq!(container.options(), "unroll=0");
    assert_eq!(container.function_count(), 3);
    assert_eq!(container.import_count(), 3);
    let main = container.function(0).unwrap();
    assert_eq!((main.name, main.kind, main.import), ("main", FunctionKind::Stub, Some(1)));
    assert!(container.function(2).unwrap().interposable);
    assert_eq!(container.function(3), None);
    assert_eq!(container.find("main"), Some(Symbol::Function(0)));
    assert_eq!(container.find("helper"), Some(Symbol::Function(1)));
    assert_eq!(container.find("stdout"), Some(Symbol::Import(2)));
    assert_eq!(container.find("stderr"), None);
    assert_eq!(container.bitcode().unwrap(), b"BC and so on, and so on, and so on");
}

#[test]
fn optimisation_enters_the_key() {
    let contents = Contents {
        source: "a",
        opt: OptLevel::default(),
        options: "",
        functions: &[],
        imports: &[],
        bitcode: b"BC",
    };
    let other = Contents { opt: OptLevel { speed: 2, size: 0 }, ..contents.clone() };
    assert_ne!(encode(&contents).unwrap().1, encode(&other).unwrap().1);
    let other = Contents { options: "slp=0", ..contents.clone() };
    assert_ne!(encode(&contents).unwrap().1, encode(&other).unwrap().1);
}

#[test]
fn every_truncation_is_told() {
    let (bytes, _) = sample();
    for length in 0..bytes.len() {
        match Container::parse(&bytes[..length]) {
            Err(Error::Truncated { found, .. }) => assert_eq!(found, length as u64),
            other => panic!("{length} bytes: {other:?}"),
        }
    }
}

#[test]
fn every_altered_byte_is_told() {
    let (bytes, _) = sample();
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut altered = bytes.clone();
            altered[at] ^= flip;
            let told = match Container::parse(&altered) {
                Err(_) => true,
                // The key is compared with the module record's by who looks for it; padding is never read.
                Ok(container) => {
                    let key = (24..56).contains(&at);
                    let padding = at >= bytes.len() - 7 && bytes[at] == 0;
                    assert!(!container.verify(), "byte {at} with {flip:#x}");
                    key || padding || container.bitcode().is_err()
                }
            };
            assert!(told, "byte {at} with {flip:#x}");
        }
    }
}

#[test]
fn foreign_and_newer_files() {
    assert_eq!(Container::parse(&[0x7f; 200]).unwrap_err(), Error::Magic);
    let (mut bytes, _) = sample();
    bytes[8] = 9;
    let error = Container::parse(&bytes).unwrap_err();
    assert_eq!(error, Error::Version { found: 9 });
    assert!(error.to_string().contains("version 9"), "{error}");
}

#[test]
fn walks_a_section() {
    let (one, key) = sample();
    let (two, other) = encode(&Contents {
        source: "b.c",
        opt: OptLevel::default(),
        options: "",
        functions: &[],
        imports: &[],
        bitcode: b"BCBC",
    })
    .unwrap();
    let section = [one.clone(), two.clone()].concat();
    let found: Vec<_> = containers(&section).collect::<Result<_, _>>().unwrap();
    assert_eq!(found, [(key, &one[..]), (other, &two[..])]);
    let cut = &section[..section.len() - 8];
    let walked: Vec<_> = containers(cut).collect();
    assert_eq!(walked.len(), 2);
    assert!(matches!(walked[1], Err(Error::Truncated { .. })));
}

#[test]
fn file_names() {
    let name = file_name(&[0xa0; 32]);
    assert_eq!(name, "a0".repeat(32) + ".ajc");
}
