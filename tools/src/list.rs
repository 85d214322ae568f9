//! --list: what is lazy in programs, libraries, object files and archives, from the files alone.
//!
//! Linked files have a record for each module, which leads to its container, and slots for the functions that linkers kept;
//! object files have containers. Both tell of functions that are static, and why, in a section of its own.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fmt::Write;
use std::mem::offset_of;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use autojit_bitcode::BitcodeModule;
use autojit_store::{Container, FunctionKind, OptLevel};
use autojit_trampoline::contract::{
    CONTRACT_VERSION, MODULE_MAGIC, MODULE_SECTION, ModuleRecord, SAME_MODULE, SLOT_SECTION, STORE_SECTION,
    Slot,
};
use autojit_trampoline::staying::{STATIC_SECTION, Staying};
use goblin::elf::header::ET_REL;

use crate::Failure;
use crate::elf::{self, File, is_archive, is_elf};

/// Prints what the files have. Fails if one of them has nothing lazy.
pub fn print(files: &[OsString]) -> Result<(), Failure> {
    let mut failures = String::new();
    for file in files {
        let path = Path::new(file);
        match listed(path) {
            Ok(text) => print!("{text}"),
            Err(why) => {
                let separator = if failures.is_empty() { "" } else { "\n" };
                failures += &format!("{separator}{}: {why}", path.display());
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(1, failures)) }
}

/// A module of a file.
struct ListedModule {
    source: String,
    /// The container, or where it is and why it cannot be read.
    container: Result<Vec<u8>, String>,
    /// The functions that have a slot in a linked file.
    slots: Option<BTreeSet<u32>>,
    /// The store's directory, if the container is not in the file.
    directory: Option<PathBuf>,
    /// The beginning of the container's key, in hexadecimal.
    key: String,
}

/// What a file, or the members of an archive, have.
#[derive(Default)]
struct Contents {
    modules: Vec<ListedModule>,
    /// Modules all of which is static: source and reason.
    whole: BTreeSet<(String, String)>,
    /// By key, functions that are static: reason and name.
    staying: HashMap<String, BTreeSet<(String, String)>>,
}

fn listed(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut contents = Contents::default();
    if is_archive(&bytes) {
        for (name, object) in elf::members(&bytes)? {
            read(object, &mut contents).map_err(|why| format!("{name} in it: {why}"))?;
        }
    } else if is_elf(&bytes) {
        read(&bytes, &mut contents)?;
    } else {
        return Err("neither an ELF file nor an archive".into());
    }
    if !contents.modules.is_empty() {
        return Ok(text(path, &contents));
    }
    Err(match wholly_static(&contents.whole) {
        reasons if !reasons.is_empty() => format!("nothing in it is lazy:\n{}", reasons.trim_end()),
        _ => "nothing in it is lazy: it was built without the plugin (autojit-cc, autojit-rustc), or all of it is static, \
              for reasons that AUTOJIT_LOG=info tells when it is compiled"
            .into(),
    })
}

/// Lines about modules that are static.
fn wholly_static(modules: &BTreeSet<(String, String)>) -> String {
    modules.iter().map(|(source, why)| format!("{source}: static: {why}\n")).collect()
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |word| u32::from_le_bytes(word.try_into().expect("4 bytes")))
}

fn distance(bytes: &[u8], at: usize) -> i64 {
    (number(bytes, at) as i32).into()
}

fn read(bytes: &[u8], contents: &mut Contents) -> Result<(), String> {
    let file = File::parse(bytes)?;
    let (_, staying) = file.section(STATIC_SECTION)?.unwrap_or_default();
    for Staying { key, source, reasons } in Staying::entries(staying) {
        for (why, names) in reasons {
            if key.is_empty() {
                contents.whole.insert((source.to_owned(), why.to_owned()));
            } else {
                let functions = contents.staying.entry(key.clone()).or_default();
                functions.extend(names.into_iter().map(|name| (why.to_owned(), name.to_owned())));
            }
        }
    }
    contents.modules.extend(modules_of(&file)?);
    Ok(())
}

fn modules_of(file: &File<'_>) -> Result<Vec<ListedModule>, String> {
    let Some((start, records)) = file.section(MODULE_SECTION)? else { return Ok(Vec::new()) };
    if !file.elf.is_64 {
        return Err("a 32-bit file".into());
    }
    if file.elf.header.e_type == ET_REL {
        return in_object(file);
    }
    if !records.len().is_multiple_of(size_of::<ModuleRecord>()) {
        return Err("damaged: its table of modules is not whole".into());
    }
    let slots = slots(file)?;
    let of_record = |(index, record): (usize, &[u8])| {
        let address = start + (index * size_of::<ModuleRecord>()) as u64;
        let own: BTreeSet<u32> =
            slots.iter().filter(|(module, _)| *module == address).map(|(_, function)| *function).collect();
        in_linked_file(file, address, record, own)
    };
    records.chunks_exact(size_of::<ModuleRecord>()).enumerate().map(of_record).collect()
}

/// The slots of a linked file: the record of the module, the function's index.
fn slots(file: &File<'_>) -> Result<Vec<(u64, u32)>, String> {
    let Some((start, slots)) = file.section(SLOT_SECTION)? else { return Ok(Vec::new()) };
    let field = offset_of!(Slot, module);
    let found = slots.chunks_exact(size_of::<Slot>()).enumerate().map(|(index, slot)| {
        let mut address = start + (index * size_of::<Slot>() + field) as u64;
        let mut value = distance(slot, field);
        if value & i64::from(SAME_MODULE) != 0 {
            address = address.wrapping_add_signed(value & !i64::from(SAME_MODULE));
            let first =
                address.checked_sub(start).and_then(|at| slots.get(at as usize..)).unwrap_or_default();
            value = distance(first, 0);
        }
        (address.wrapping_add_signed(value), number(slot, offset_of!(Slot, index)))
    });
    Ok(found.collect())
}

fn in_linked_file(
    file: &File<'_>,
    address: u64,
    record: &[u8],
    slots: BTreeSet<u32>,
) -> Result<ListedModule, String> {
    if number(record, offset_of!(ModuleRecord, magic)) != MODULE_MAGIC {
        return Err("damaged: its table of modules has something else in it".into());
    }
    let version = number(record, offset_of!(ModuleRecord, version)) & 0xffff;
    if version != CONTRACT_VERSION {
        return Err(format!(
            "compiled by another release of the plugin (contract version {version}, here {CONTRACT_VERSION}): build it again"
        ));
    }
    let target = |at: usize| match distance(record, at) {
        0 => None,
        distance => Some((address + at as u64).wrapping_add_signed(distance)),
    };
    let text = |at: usize| Some(file.string(target(at)?)?.to_vec());
    let source = text(offset_of!(ModuleRecord, source)).unwrap_or_default();
    let directory =
        text(offset_of!(ModuleRecord, store_dir)).map(|name| PathBuf::from(OsString::from_vec(name)));
    let at = offset_of!(ModuleRecord, container);
    let low = u64::from(number(record, at)) | u64::from(number(record, at + 4)) << 32;
    let at_key = offset_of!(ModuleRecord, key);
    let key: [u8; 32] = record[at_key..at_key + 32].try_into().expect("32 bytes");
    let container = match &directory {
        None => file
            .at((address + at as u64).wrapping_add(low))
            .map(<[u8]>::to_vec)
            .ok_or_else(|| "not in the file".into()),
        Some(directory) => {
            let path = directory.join(autojit_store::file_name(&key));
            std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
        }
    };
    let source = String::from_utf8_lossy(&source).into_owned();
    Ok(ListedModule { source, container, slots: Some(slots), directory, key: Staying::key(&key) })
}

/// The modules of an object file: the containers that are in it.
fn in_object(file: &File<'_>) -> Result<Vec<ListedModule>, String> {
    let Some((_, store)) = file.section(STORE_SECTION)? else {
        return Err("its containers are in a directory; list the linked program".into());
    };
    let module = |container: Result<(_, &[u8]), autojit_store::Error>| {
        let (_, bytes) = container.map_err(|error| error.to_string())?;
        let parsed = Container::parse(bytes).map_err(|error| error.to_string())?;
        let (source, key) = (parsed.source().to_owned(), Staying::key(&parsed.key()));
        Ok(ListedModule { source, container: Ok(bytes.to_vec()), slots: None, directory: None, key })
    };
    autojit_store::containers(store).map(module).collect()
}

fn level(level: OptLevel) -> String {
    match level.size {
        0 => format!("-O{}", level.speed),
        1 => "-Os".into(),
        _ => "-Oz".into(),
    }
}

/// How many bytes of bitcode the bodies of functions have, with their places in the source, by symbol.
fn sizes(container: &Container<'_>) -> Result<HashMap<Vec<u8>, usize>, String> {
    let bitcode = container.bitcode().map_err(|error| error.to_string())?;
    let module = BitcodeModule::parse(&bitcode)
        .map_err(|error| format!("{} at bit {}", error.reason.text(), error.bit))?;
    let body = |(index, global)| {
        let block = module.block(index).ok()?;
        let name = module.name(global);
        // What LLVM does not mangle, it marks.
        Some((name.strip_prefix(b"\x01").unwrap_or(name).to_vec(), block.len()))
    };
    Ok((0..).zip(module.globals()).filter_map(body).collect())
}

/// A number of things.
fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn text(path: &Path, contents: &Contents) -> String {
    let mut body = String::new();
    let (mut functions, mut stubs, mut bytes) = (0, 0, 0);
    for module in &contents.modules {
        let parsed = match &module.container {
            Ok(container) => Container::parse(container).map_err(|error| error.to_string()),
            Err(why) => Err(why.clone()),
        };
        let container = match parsed {
            Ok(container) => container,
            Err(why) => {
                let _ = writeln!(body, "\n{}: {why}", module.source);
                continue;
            }
        };
        bytes += container.byte_len();
        functions += container.function_count();
        let directory = match &module.directory {
            Some(directory) => format!(", in {}", directory.display()),
            None => String::new(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            body,
            "\n{}: {}, {}, {} bytes packed{directory}",
            module.source,
            level(container.opt_level()),
            counted(container.function_count() as usize, "function"),
            container.byte_len()
        );
        let sizes = match sizes(&container) {
            Ok(sizes) => sizes,
            Err(why) => {
                let _ = writeln!(body, "  its bitcode cannot be read: {why}");
                continue;
            }
        };
        for (index, function) in (0..).zip(container.functions()) {
            let kept = module.slots.as_ref().is_none_or(|slots| slots.contains(&index));
            let kind = match function.kind {
                FunctionKind::Local => "local",
                FunctionKind::Inline => "inline",
                FunctionKind::Stub if kept => {
                    stubs += 1;
                    "stub"
                }
                // Another file's definition is the program's, or nothing refers to it.
                FunctionKind::Stub => "dropped",
            };
            let size = sizes.get(function.name.as_bytes()).copied().unwrap_or_default();
            let _ = writeln!(body, "  {kind:<8} {size:>7} {}", function.name);
        }
        for (why, name) in contents.staying.get(&module.key).into_iter().flatten() {
            let _ = writeln!(body, "  {:<8} {:>7} {name}: {why}", "static", "");
        }
    }
    if !contents.whole.is_empty() {
        let _ = write!(body, "\n{}", wholly_static(&contents.whole));
    }
    format!(
        "{}: {}, {}, {stubs} with a stub, {bytes} bytes packed\n{body}",
        path.display(),
        counted(contents.modules.len(), "module"),
        counted(functions as usize, "lazy function")
    )
}
