//! Files for debuggers: what several objects are described by, relocated, in one.

mod support;

use autojit_code::DebugFile;
use goblin::elf::Elf;
use goblin::elf::section_header::SHT_RELA;
use support::compile;

/// Where the code of the objects is said to be.
const PLACES: [usize; 2] = [0x7000_1000, 0x7000_3000];

/// Adds an object whose code is at `place`.
fn add(file: &mut DebugFile, object: &[u8], place: usize) -> bool {
    let text = Elf::parse(object).map_or(0, |elf| {
        let name = |header: &goblin::elf::SectionHeader| elf.shdr_strtab.get_at(header.sh_name);
        elf.section_headers.iter().position(|header| name(header) == Some(".text")).expect("it has code")
    });
    file.add(object, &[(text as u32, place)], |name| (name == "elsewhere").then_some(0x1234)).is_ok()
}

#[test]
fn objects_share_one_file() {
    let source = |name: &str| {
        format!("extern int elsewhere, nowhere;\nint {name}(int n) {{ return n + elsewhere; }}\n")
    };
    let objects = ["one", "two"].map(|name| compile("c", &source(name), &["-O0", "-g"]));
    let mut file = DebugFile::default();
    assert!(add(&mut file, &objects[0], PLACES[0]));
    // What is damaged leaves nothing behind.
    assert!(!add(&mut file, b"no object", PLACES[1]));
    let mut damaged = objects[1].clone();
    let elf = Elf::parse(&objects[1]).expect("it is an object");
    let relocations =
        elf.section_headers.iter().rfind(|header| header.sh_type == SHT_RELA).expect("it has some");
    damaged[relocations.sh_offset as usize..][..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(!add(&mut file, &damaged, PLACES[1]));
    assert!(add(&mut file, &objects[1], PLACES[1]));

    let bytes = file.finish();
    let elf = Elf::parse(&bytes).expect("it is an ELF file");
    assert!(elf.section_headers.iter().all(|header| header.sh_type != SHT_RELA));
    let functions: Vec<_> = (elf.syms.iter())
        .filter(|symbol| symbol.is_function())
        .map(|symbol| {
            let section = &elf.section_headers[symbol.st_shndx];
            (elf.strtab.get_at(symbol.st_name).expect("it has a name"), section.sh_addr + symbol.st_value)
        })
        .collect();
    assert_eq!(functions, [("one", PLACES[0] as u64), ("two", PLACES[1] as u64)]);
    let content = |elf: &Elf<'_>, bytes: &[u8], name: &str| {
        let found = elf.section_headers.iter().find(|it| elf.shdr_strtab.get_at(it.sh_name) == Some(name));
        let header = found.expect("it is there");
        bytes[header.sh_offset as usize..][..header.sh_size as usize].to_vec()
    };
    let lens = objects.each_ref().map(|object| {
        let elf = Elf::parse(object).expect("it is an object");
        content(&elf, object, ".debug_info").len()
    });
    assert_eq!(content(&elf, &bytes, ".debug_info").len(), lens[0] + lens[1]);
    // The places of functions are in this table.
    let addresses = content(&elf, &bytes, ".debug_addr");
    for place in PLACES {
        let place = (place as u64).to_le_bytes();
        assert!(addresses.windows(8).any(|word| word == place), "{addresses:x?}");
    }
}
