//! Objects as compilers make them: linked, executed, unwound.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use autojit_code::{Arena, FdeInfo, Usage};
use support::{Symbols, UNWIND, address_of, call, compile, memory, only, private_memory, publish};

const LEVELS: [&[&str]; 4] =
    [&["-O0", "-g"], &["-O2"], &["-O2", "-ffunction-sections", "-fdata-sections"], &["-O2", "-fno-plt"]];

#[test]
fn c_features() {
    for flags in LEVELS {
        let object = compile("c", "features.c", flags);
        for memory in [memory(), private_memory()] {
            let mut symbols = Symbols::new(memory).defined_by(&object);
            let code = publish(&object, memory, &mut symbols).unwrap();
            assert_eq!(call(&code, "check"), 0, "{flags:?}");
            // Its address is taken, so it is the stub's everywhere.
            assert!(symbols.asked.contains(&("twice".into(), Usage::Address, false)));
            assert!(!symbols.asked.iter().any(|(name, ..)| name == "add" || name == "table"));
            assert!(symbols.asked.contains(&("nowhere".into(), Usage::Address, true)));
        }
    }
}

#[test]
fn relocations_of_what_is_not_loaded() {
    // A section with relocations without addends, as profiles make it.
    let source = "int one(void) { return 1; }\nint two(void) { return one() + 1; }\n__asm__(\".cg_profile two, one, 9\");\n";
    let object = compile("c", source, &["-O1", "-fno-inline"]);
    let memory = memory();
    let code = publish(&object, memory, &mut Symbols::new(memory).defined_by(&object)).unwrap();
    assert_eq!(call(&code, "two"), 2);
}

#[test]
fn what_is_reported() {
    let object = compile("c", "features.c", &["-O0", "-g", "-fno-omit-frame-pointer"]);
    let memory = memory();
    let code = publish(&object, memory, &mut Symbols::new(memory).defined_by(&object)).unwrap();
    let text = code.section(".text").unwrap();
    assert!(only(memory).arena(Arena::Text).contains(&text) && code.text.contains(&text));
    assert_eq!(code.section(".debug_info"), None);
    assert!(only(memory).arena(Arena::Rodata).contains(&code.section(".rodata").unwrap()));
    assert!(only(memory).arena(Arena::Data).contains(&code.section(".data").unwrap()));
    assert_eq!(code.text.len(), code.bytes[0]);

    let (.., size, global) = code.functions().find(|function| function.0 == "twice").unwrap();
    assert!(global && size > 0);
    assert!(!code.functions().find(|function| function.0 == "add").unwrap().3);
    for (name, at, size, _) in code.functions() {
        let named = UNWIND.symbol(at + size - 1).expect("it was registered");
        assert_eq!((named.name.to_str(), named.start, named.size), (Ok(name), at, size));
        let FdeInfo { fde, function: start } = UNWIND.find(at + size - 1).unwrap();
        assert_eq!(start, at);
        assert!(code.eh_frame.contains(&(fde as usize)));
    }
    // SAFETY: the reported range is mapped and readable.
    let end = unsafe { ((code.eh_frame.end - 4) as *const u32).read() };
    assert_eq!(end, 0, "the terminator");
    // The thunks to libc lie behind the functions, and have an FDE too.
    assert_eq!(UNWIND.find(code.text.end - 8).unwrap().function % 8, 0);
}

/// Answers as libautojit.so does: from the table, else the library's own.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Find_FDE(pc: usize, bases: *mut [usize; 3]) -> *const u8 {
    type Find = extern "C" fn(usize, *mut [usize; 3]) -> *const u8;
    static ANSWERED: AtomicUsize = AtomicUsize::new(0);
    if let Some(info) = UNWIND.find(pc) {
        ANSWERED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the unwinder passes a struct dwarf_eh_bases (tbase, dbase, func).
        unsafe { *bases = [0, 0, info.function] };
        return info.fde;
    }
    // SAFETY: the name is NUL-terminated; the next definition has the same type.
    unsafe {
        let next = libc::dlsym(libc::RTLD_NEXT, c"_Unwind_Find_FDE".as_ptr());
        std::mem::transmute::<*mut libc::c_void, Find>(next)(pc, bases)
    }
}

extern "C-unwind" fn callback(number: i32) {
    if number != 0 {
        std::panic::resume_unwind(Box::new(number));
    }
}

#[test]
fn exceptions_and_panics() {
    for flags in LEVELS {
        let object = compile("c++", "exceptions.cpp", flags);
        for memory in [memory(), private_memory()] {
            let callback = callback as *const () as usize;
            let mut symbols = Symbols::new(memory).with("callback", callback).defined_by(&object);
            let code = publish(&object, memory, &mut symbols).unwrap();
            assert_eq!(call(&code, "check"), 0, "{flags:?}");

            let before = call(&code, "count");
            // SAFETY: the type of `through`.
            let through: extern "C-unwind" fn(i32) -> i32 =
                unsafe { std::mem::transmute(address_of(&code, "through").unwrap()) };
            assert_eq!(through(0), 0);
            let panic = std::panic::catch_unwind(|| through(7)).unwrap_err();
            assert_eq!(panic.downcast_ref::<i32>(), Some(&7));
            assert_eq!(call(&code, "count"), before + 2, "the destructor ran both times");
        }
    }
}

#[test]
fn c_functions_of_a_batch_call_each_other_directly() {
    let source = "int g(int);\nint f(int x) { return g(x) + 1; }\nint g(int x) { return x * 3; }\nint check(void) { return f(5); }\n";
    let object = compile("c", source, &["-O0"]);
    let memory = memory();
    let mut symbols = Symbols::new(memory);
    let code = publish(&object, memory, &mut symbols).unwrap();
    assert_eq!(call(&code, "check"), 16);
    assert!(symbols.asked.is_empty(), "{:?}", symbols.asked);
}

#[test]
fn each_symbol_is_asked_for_once_and_thunks_are_shared() {
    let source = "int abs(int);\nlong labs(long);\nint check(void) { return abs(-1) + abs(-2) + labs(-3) + abs(-4); }\n";
    let object = compile("c", source, &["-O0", "-fno-builtin"]);
    let memory = memory();
    let mut symbols = Symbols::new(memory);
    let first = publish(&object, memory, &mut symbols).unwrap();
    assert_eq!(symbols.asked.len(), 2);
    assert_eq!(call(&first, "check"), 10);
    let second = publish(&object, memory, &mut symbols).unwrap();
    assert_eq!(call(&second, "check"), 10);
    // Two thunks of 8 bytes, and their GOT entries, are missing.
    assert!(first.bytes[0] - second.bytes[0] >= 16);
    assert_eq!(first.bytes[2] - second.bytes[2], 16);
}
