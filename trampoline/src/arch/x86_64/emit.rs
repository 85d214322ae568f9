//! The contract's tables and the stubs as assembler text (GNU syntax, AT&T operands), for the plugin.
//!
//! The plugin appends this text to the module's inline assembly; the host's integrated assembler parses it. A stub
//! is
//!
//! ```text
//! F:      jmp  *slot(%rip)               6 bytes   steady state: slot holds finished code
//! lazy:   call *__autojit_entry(%rip)    6 bytes   the slot points here until then; or nop; call enter
//!         jmp  F                         2 bytes   the trampoline returns here: the slot is published
//! ```
//!
//! It touches no register and no stack slot, so every calling convention passes through. The lazy entry *calls* because
//! no register is free in all of them (r10 static chain, r11 preserve_none, r12 and r13 swift, al varargs); the
//! trampoline knows the stub by its return address, and returns, so calls and returns stay paired for shadow stacks
//! and return prediction.
//!
//! What a linker must relocate costs 24 bytes in the object, more than a stub. So the stubs outside comdat groups call
//! the entry by way of one jump (`enter: jmp *__autojit_entry(%rip)`), all but the first of their slots find the module
//! record through the first, and the import table lies beside them, where their distances are known.

use std::borrow::Cow;
use std::fmt::Write;

use crate::contract::{
    CALL_SHARED, CONTAINER_SYMBOL, CONTRACT_VERSION, ENTRY_SYMBOL, INDIRECT_LEN, JMP_SHORT, MODULE_MAGIC,
    MODULE_SECTION, SAME_MODULE, SHORT_LEN, SLOT_SECTION, Slot, StoreKind,
};

/// From behind a stub's last jump to the stub.
const BACK: i8 = -((2 * INDIRECT_LEN + SHORT_LEN) as i8);

/// ELF symbol binding of what the text defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Known in this object only.
    Local,
    /// One definition in the program.
    Global,
    /// One of several, or none.
    Weak,
}

/// ELF symbol visibility.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Seen by other images, which may interpose it.
    Default,
    /// Seen in this image only.
    Hidden,
    /// Seen by other images, which cannot interpose it.
    Protected,
}

/// A stub to emit.
#[derive(Clone, Debug)]
pub struct Stub<'a> {
    /// The function's symbol, unquoted.
    pub symbol: Cow<'a, str>,
    /// Its binding.
    pub binding: Binding,
    /// Its visibility.
    pub visibility: Visibility,
    /// The comdat group of the function, whose members stub and slot become.
    pub group: Option<Cow<'a, str>>,
    /// The function's index in the container.
    pub index: u32,
    /// Whether the stub opens with `endbr64` (-fcf-protection=branch).
    pub endbr64: bool,
    /// The alignment that the source asks for; 0 if it asks for none.
    pub align: u32,
}

/// An entry of the import table.
#[derive(Clone, Debug, Default)]
pub struct Import<'a> {
    /// The symbol, unquoted.
    pub symbol: Cow<'a, str>,
    /// The index of the function, if its stub in this text is what the symbol surely means.
    pub stub: Option<u32>,
    /// Whether this text may define the symbol beside the import table, and another definition take its place.
    pub replaceable: bool,
    /// Whether it may stay undefined (its address is then null).
    pub weak: bool,
    /// Whether it is undefined here and declared hidden.
    pub hidden: bool,
    /// Whether calls are all that is made of it: then its PLT entry will do.
    pub callee: bool,
}

/// A module record and its import table.
#[derive(Clone, Copy, Debug)]
pub struct StubModule<'a> {
    /// The container's key.
    pub key: [u8; 32],
    /// The number of functions in the container.
    pub functions: u32,
    /// The source file's name.
    pub source: &'a str,
    /// The store's directory; None if the container is embedded: then the object defines the private symbol
    /// [`CONTAINER_SYMBOL`].
    pub store_dir: Option<&'a [u8]>,
    /// Where the runtime is known to be; empty if it is not.
    pub runtime: &'a [u8],
    /// Symbols by way of the GOT: what may live in another image.
    pub got: &'a [Import<'a>],
    /// Symbols of this image.
    pub direct: &'a [Import<'a>],
}

/// `symbol` as assemblers read it: quoted if it is no plain identifier. A symbol with a quote or a backslash in it
/// cannot be written in a way that all assemblers agree on: see [`is_writable`].
pub fn quoted(symbol: &str) -> std::borrow::Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
    let first = symbol.chars().next();
    if symbol.chars().all(plain) && first.is_some_and(|c| !c.is_ascii_digit() && c != '$') {
        symbol.into()
    } else {
        format!("\"{symbol}\"").into()
    }
}

/// Whether assembler text can name `symbol`.
pub fn is_writable(symbol: &str) -> bool {
    !symbol.is_empty() && !symbol.chars().any(|c| c == '"' || c == '\\' || c.is_ascii_control())
}

/// A string as the operand of `.asciz`.
pub(crate) fn asciz(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in text {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(byte as char);
            }
            0x20..=0x7e => out.push(byte as char),
            _ => write!(out, "\\{byte:03o}").expect("a String takes everything"),
        }
    }
    out.push('"');
    out
}

/// The error for modules that were linked as bitcode.
pub const LINKED_MESSAGE: &str = "autojit: lazily compiled modules cannot be linked as bitcode (llvm-link): link their objects, or compile them \
     without autojit";

/// The alignment of stubs.
pub const STUB_ALIGN: u32 = 8;

/// R: --gc-sections finds no reference to a slot's section but through __start_ and __stop_, which not all linkers
/// count.
const SLOT_FLAGS: &str = "awR";

fn bind(out: &mut Text, symbol: &str, binding: Binding, visibility: Visibility) {
    match binding {
        Binding::Local => {}
        Binding::Global => out.line(format_args!(".globl {symbol}")),
        Binding::Weak => out.line(format_args!(".weak {symbol}")),
    }
    match visibility {
        Visibility::Default => {}
        Visibility::Hidden => out.line(format_args!(".hidden {symbol}")),
        Visibility::Protected => out.line(format_args!(".protected {symbol}")),
    }
}

/// Assembler text that grows line by line.
#[derive(Debug, Default)]
pub struct Text(pub String);

impl Text {
    /// Appends one line.
    pub fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.0.write_fmt(line).expect("a String takes everything");
        self.0.push('\n');
    }

    /// Appends what refuses another module's text in the same assembly. Modules that are linked as bitcode get new names for
    /// their local symbols, which this text cannot follow.
    pub fn alone(&mut self) {
        self.line(format_args!(".ifdef .Lautojit_module"));
        self.line(format_args!(".error \"{LINKED_MESSAGE}\""));
        self.line(format_args!(".endif"));
    }

    /// Appends stubs with their slots. The module record is to follow ([`Text::module`]).
    ///
    /// Those outside comdat groups share one FDE, since unwinders are told the same of all: the frame is the return
    /// address. With an FDE each, unwind tables would be larger than the stubs.
    pub fn stubs<'s, 'a: 's>(&mut self, stubs: impl IntoIterator<Item = &'s Stub<'a>>) {
        let (alone, grouped): (Vec<_>, Vec<_>) = stubs.into_iter().partition(|stub| stub.group.is_none());
        if !alone.is_empty() {
            self.section(".text.autojit", "ax", None);
            self.line(format_args!(".cfi_startproc"));
            alone.iter().for_each(|stub| self.stub(stub));
            // Called by a lazy entry: its return address lies above the frame's.
            self.line(format_args!(".cfi_adjust_cfa_offset 8"));
            self.line(format_args!(".Lautojit_enter:"));
            self.line(format_args!("jmpq *{ENTRY_SYMBOL}(%rip)"));
            self.line(format_args!(".cfi_endproc"));
            self.section(SLOT_SECTION, SLOT_FLAGS, None);
            for (number, stub) in alone.iter().enumerate() {
                self.slot(stub.index, number);
            }
        }
        for stub in grouped {
            self.section(".text.autojit", "ax", stub.group.as_deref());
            self.line(format_args!(".cfi_startproc"));
            self.stub(stub);
            self.line(format_args!(".cfi_endproc"));
            self.section(SLOT_SECTION, SLOT_FLAGS, stub.group.as_deref());
            self.slot(stub.index, 0);
        }
    }

    fn section(&mut self, name: &str, flags: &str, group: Option<&str>) {
        match group.map(quoted) {
            None => self.line(format_args!(".section {name},\"{flags}\",@progbits")),
            Some(group) => self.line(format_args!(".section {name},\"{flags}G\",@progbits,{group},comdat")),
        }
    }

    fn stub(&mut self, stub: &Stub<'_>) {
        let symbol = quoted(&stub.symbol);
        let Stub { index, .. } = *stub;
        bind(self, &symbol, stub.binding, stub.visibility);
        self.line(format_args!(".type {symbol},@function"));
        // Even addresses: the Itanium C++ ABI keeps a flag in the lowest bit of member function pointers.
        let align = stub.align.max(STUB_ALIGN);
        self.line(format_args!(".p2align {},0xcc", align.ilog2()));
        self.line(format_args!("{symbol}:"));
        if stub.group.is_none() {
            self.line(format_args!(".Lautojit_stub_{index}:"));
        }
        if stub.endbr64 {
            self.line(format_args!("endbr64"));
        }
        self.line(format_args!("jmpq *.Lautojit_slot_{index}(%rip)"));
        self.line(format_args!(".Lautojit_lazy_{index}:"));
        match stub.group {
            None => {
                self.line(format_args!(".byte {:#x}", CALL_SHARED[0]));
                self.line(format_args!("callq .Lautojit_enter"));
            }
            Some(_) => self.line(format_args!("callq *{ENTRY_SYMBOL}(%rip)")),
        }
        // As bytes: -mrelax-all makes every jump a long one, and the trampoline knows a stub by its layout.
        self.line(format_args!(".byte {JMP_SHORT:#x},{:#x}", BACK as u8));
        self.line(format_args!(".size {symbol},.-{symbol}"));
    }

    /// A slot, in front of which the section has `number` others of the module.
    fn slot(&mut self, index: u32, number: usize) {
        self.line(format_args!(".p2align 4"));
        self.line(format_args!(".Lautojit_slot_{index}:"));
        self.line(format_args!(".quad .Lautojit_lazy_{index}"));
        match number {
            0 => self.line(format_args!(".long .Lautojit_module-.")),
            _ => self.line(format_args!(".long {}", SAME_MODULE - (number * size_of::<Slot>()) as i32)),
        }
        self.line(format_args!(".long {index}"));
    }

    /// Appends another name for a symbol that this text defines.
    pub fn alias(&mut self, alias: &str, binding: Binding, visibility: Visibility, target: &str) {
        let (alias, target) = (quoted(alias), quoted(target));
        bind(self, &alias, binding, visibility);
        self.line(format_args!(".type {alias},@function"));
        self.line(format_args!(".set {alias},{target}"));
    }

    /// Appends the module record with its import table and strings, and the image's boot code.
    pub fn module(&mut self, module: &StubModule<'_>) {
        self.line(format_args!(".section {MODULE_SECTION},\"aR\",@progbits"));
        self.line(format_args!(".p2align 3"));
        self.line(format_args!(".Lautojit_module:"));
        self.line(format_args!(".long {MODULE_MAGIC:#x}"));
        self.line(format_args!(".short {CONTRACT_VERSION}"));
        let store = if module.store_dir.is_some() { StoreKind::Directory } else { StoreKind::Embedded };
        self.line(format_args!(".byte {},0", store as u8));
        let key: Vec<String> = module.key.iter().map(|b| format!("{b:#04x}")).collect();
        self.line(format_args!(".byte {}", key.join(",")));
        self.line(format_args!(".long .Lautojit_imports-."));
        self.line(format_args!(".long {}", module.got.len()));
        self.line(format_args!(".long {}", module.direct.len()));
        self.line(format_args!(".long {}", module.functions));
        self.line(format_args!(".long .Lautojit_source-."));
        match module.store_dir {
            Some(_) => {
                self.line(format_args!(".long .Lautojit_store_dir-."));
                self.line(format_args!(".quad 0"));
            }
            None => {
                self.line(format_args!(".long 0"));
                self.line(format_args!(".quad .L{CONTAINER_SYMBOL}-."));
            }
        }

        if module.direct.iter().any(|import| import.stub.is_some()) {
            self.section(".text.autojit", "ax", None);
            self.line(format_args!(".p2align 2,0xcc"));
        } else {
            self.section(".rodata.autojit", "a", None);
            self.line(format_args!(".p2align 2"));
        }
        self.line(format_args!(".Lautojit_imports:"));
        for import in module.got {
            self.import(import, true);
        }
        for import in module.direct {
            self.import(import, false);
        }
        self.section(".rodata.autojit", "a", None);
        self.line(format_args!(".Lautojit_source:"));
        self.line(format_args!(".asciz {}", asciz(module.source.as_bytes())));
        if let Some(dir) = module.store_dir {
            self.line(format_args!(".Lautojit_store_dir:"));
            self.line(format_args!(".asciz {}", asciz(dir)));
        }
        self.0.push_str(&crate::boot::text(module.runtime));
    }

    fn import(&mut self, import: &Import<'_>, got: bool) {
        if let Some(index) = import.stub {
            return self.line(format_args!(".long .Lautojit_stub_{index}-."));
        }
        let symbol = quoted(&import.symbol);
        if import.weak {
            self.line(format_args!(".weak {symbol}"));
        }
        if import.hidden {
            self.line(format_args!(".hidden {symbol}"));
        }
        if got {
            self.line(format_args!(".long {symbol}@GOTPCREL"));
        } else if import.callee {
            self.line(format_args!(".long {symbol}@PLT"));
        } else if import.replaceable {
            // LLVM's assembler would compute the distance of any symbol that it finds in this section.
            self.line(format_args!(".reloc .,R_X86_64_PC32,{symbol}"));
            self.line(format_args!(".long 0"));
        } else {
            self.line(format_args!(".long {symbol}-."));
        }
    }
}
