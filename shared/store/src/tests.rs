//! Round trips, and what becomes of every kind of damage.

use super::*;

fn sample() -> (Vec<u8>, Key) {
    let function =
        |name: &str, kind, import| StoredFunction { name: name.into(), kind, import, interposable: false };
    encode(&Contents {
        source: "dir/file.c",
        opt: OptLevel { speed: 2, size: 1 },
        options: "unroll=0",
        functions: &[
            function("main", FunctionKind::Stub, Some(1)),
            function("helper", FunctionKind::Local, None),
            StoredFunction { interposable: true, ..function("_ZN1xIiE1fEv", FunctionKind::Inline, None) },
        ],
        imports: &["printf".into(), "main".into(), "stdout".into()],
        bitcode: &whole(b"BC and so on, and so on, and so on"),
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

/// A container whose bitcode is cut, and its pieces.
fn cut() -> (Vec<u8>, Vec<Vec<u8>>) {
    let pieces: Vec<Vec<u8>> = [100, 0, 8, 9000, 9000, 4000, 0, 16, 300]
        .iter()
        .map(|&len: &usize| (0..len).map(|n| (n * n / 7) as u8).collect())
        .collect();
    let bodies = [0, 0, 0, 3, 1, 7, 0, 0, 0];
    let pieces_of: Vec<_> =
        pieces.iter().zip(bodies).map(|(bytes, bodies)| Piece { bytes: &bytes[..], bodies }).collect();
    let contents = Contents {
        source: "cut.c",
        opt: OptLevel::default(),
        options: "",
        functions: &[],
        imports: &[],
        bitcode: &pieces_of,
    };
    (encode(&contents).unwrap().0, pieces)
}

#[test]
fn pieces_are_unpacked_alone() {
    let (bytes, pieces) = cut();
    let container = Container::parse(&bytes).unwrap();
    assert_eq!(container.groups(), 3..6);
    let mut unpacker = Unpacker::new().unwrap();
    for (number, piece) in pieces.iter().enumerate().rev() {
        assert_eq!(container.unpack(number, &mut unpacker).unwrap(), *piece, "piece {number}");
    }
    assert!(container.unpack(pieces.len(), &mut unpacker).is_err());
    assert_eq!(container.groups().map(|group| container.piece(group).unwrap().bodies).sum::<u32>(), 11);
    assert_eq!(container.bitcode().unwrap(), pieces.concat());
    let (bytes, _) = sample();
    assert_eq!(Container::parse(&bytes).unwrap().groups(), 0..0);
}

/// A group that was altered does not keep others from being unpacked, and is told itself.
#[test]
fn altered_pieces_are_told() {
    let (bytes, pieces) = cut();
    let mut unpacker = Unpacker::new().unwrap();
    for at in index_end(&bytes)..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 0x55;
        let Ok(container) = Container::parse(&altered) else { continue };
        let wrong = (0..pieces.len())
            .filter(|&number| container.unpack(number, &mut unpacker).ok().as_ref() != Some(&pieces[number]));
        let wrong: Vec<_> = wrong.collect();
        assert!(wrong.len() <= 1, "byte {at}: {wrong:?}");
        assert!(wrong.iter().all(|&number| container.unpack(number, &mut unpacker).is_err()), "byte {at}");
        assert_eq!(container.bitcode().is_ok(), wrong.is_empty());
    }
}

/// Lengths that say something else than the pieces do, behind a right checksum.
#[test]
fn lengths_of_pieces_are_checked() {
    let (bytes, pieces) = cut();
    let table = HEADER;
    let mut unpacker = Unpacker::new().unwrap();
    let repaired = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        let check = index_check(&bytes[START], &bytes[INDEXED..index_end(&bytes)]);
        bytes[KEYED..INDEXED].copy_from_slice(&check);
        bytes
    };
    assert!(Container::parse(&repaired(&|_| {})).is_ok());
    for piece in 0..pieces.len() {
        for field in 0..2 {
            for value in [0, 1, 0x7fff_ffff, u32::MAX] {
                let at = table + piece * PIECE + field * 4;
                let one = repaired(&|bytes| bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value)));
                if one != bytes {
                    assert!(Container::parse(&one).is_err(), "piece {piece}, field {field}: {value}");
                }
            }
        }
    }
    // What one piece has more, the next has less: the sums are right.
    for (field, by) in [(0, 1), (4, 1), (4, 9)] {
        let altered = repaired(&|bytes| {
            for (at, by) in [(table + 3 * PIECE + field, by), (table + 4 * PIECE + field, -by)] {
                let length = i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) + by;
                bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
            }
        });
        let container = Container::parse(&altered).unwrap();
        assert!((3..5).any(|number| container.unpack(number, &mut unpacker).is_err()));
        assert!(container.bitcode().is_err());
    }
    for count in [0, 2, 5, 10, u32::MAX] {
        let altered = repaired(&|bytes| bytes[112..116].copy_from_slice(&count.to_le_bytes()));
        assert!(Container::parse(&altered).is_err(), "{count} pieces");
    }
}

/// Where the index of a container without functions and imports ends.
fn index_end(bytes: &[u8]) -> usize {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    (HEADER + word(112).saturating_mul(PIECE) + word(72)).min(bytes.len())
}

#[test]
fn optimisation_enters_the_key() {
    let contents = Contents {
        source: "a",
        opt: OptLevel::default(),
        options: "",
        functions: &[],
        imports: &[],
        bitcode: &whole(b"BC"),
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
                // The key is compared with the module record's by the reader; padding is never read.
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
        bitcode: &whole(b"BCBC"),
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
