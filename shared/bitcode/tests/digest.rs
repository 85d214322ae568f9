//! What digests tell apart, and what they do not: one module (`ir/digest.ll`), changed a place at a time.

use std::io::Write;
use std::process::{Command, Stdio};

use autojit_bitcode::{BitcodeModule, Class, Digester};

fn assemble(text: &str) -> Vec<u8> {
    let mut command = Command::new(concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/llvm-as"));
    let mut child = command
        .args(["-o", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the assembler is there");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// As if @kept were another module's, and @deep a function.
fn class(name: &[u8]) -> Class {
    match name {
        b"deep" => Class { kind: 1, opaque: false },
        b"shared" | b"table_elsewhere" => Class { kind: 9, opaque: false },
        _ => Class::default(),
    }
}

fn room(calls: u32) -> u32 {
    if calls <= 2 { 8 } else { 0 }
}

fn digest_of(bytes: &[u8], name: &str) -> Result<u128, autojit_bitcode::Error> {
    let module = BitcodeModule::parse(bytes)?;
    let is_it = |global: &autojit_bitcode::Global| module.name(global) == name.as_bytes();
    let number = module.globals().iter().position(is_it).expect("it is there") as u32;
    Digester::new(&module, &class, room)?.of(number)
}

fn changed(base: &str, from: &str, to: &str) -> u128 {
    assert!(base.contains(from), "nothing is {from}");
    let text = base.replacen(from, to, 1);
    digest_of(&assemble(&text), "root").unwrap_or_else(|error| panic!("{to}: {error:?}"))
}

const BASE: &str = include_str!("ir/digest.ll");

/// What an optimiser may look at.
const DIFFERENT: &[(&str, &str)] = &[
    // Instructions, operands and their keywords.
    ("%y = add nsw i32 %x, 17", "%y = add i32 %x, 17"),
    ("%y = add nsw i32 %x, 17", "%y = add nsw i32 %x, 18"),
    ("mul i32 %y, 19", "mul i32 19, %y"),
    ("fadd contract double", "fadd double"),
    ("fadd contract double", "fadd fast double"),
    ("double %d, 1.5", "double %d, 2.5"),
    ("fcmp olt", "fcmp ult"),
    ("icmp ult i32 %h, 41", "icmp samesign ult i32 %h, 41"),
    ("load volatile i32", "load i32"),
    ("load i32, ptr %p, align 4", "load i32, ptr %p, align 2"),
    ("acquire, align 4", "seq_cst, align 4"),
    (r#"syncscope("singlethread") acquire"#, "acquire"),
    ("atomicrmw add", "atomicrmw sub"),
    ("i32 1 monotonic", "i32 1 seq_cst"),
    (
        "getelementptr inbounds %pair, ptr @shared, i32 0, i32 1",
        "getelementptr %pair, ptr @shared, i32 0, i32 1",
    ),
    ("getelementptr inbounds %pair, ptr @shared", "getelementptr inbounds {i64, i64}, ptr @shared"),
    ("insertvalue { i32, i64 } undef", "insertvalue { i32, i64 } poison"),
    (
        "extractvalue { i32, i64 } %agg, 0\n  %z = invoke i32 @known(i32 %x)",
        "extractvalue { i32, i64 } %agg, 1\n  %z = invoke i32 @known(i32 %b)",
    ),
    ("[ %j1, %loop ]", "[ 5, %loop ]"),
    ("label %loop, label %cold, !prof", "label %cold, label %loop, !prof"),
    ("i32 43, label", "i32 44, label"),
    ("{ ptr, i32 } cleanup", "{ ptr, i32 } catch ptr null"),
    ("call fastcc i32 @deep", "call i32 @deep"),
    ("call i32 @kept", "tail call i32 @kept"),
    ("call i32 @kept(i32 %e)", "call i32 @kept(i32 %e) nounwind"),
    (r#"[ "align"(ptr %p, i64 16) ]"#, r#"[ "align"(ptr %p, i64 32) ]"#),
    (r#"asm sideeffect "nop""#, r#"asm sideeffect "pause""#),
    (r#"asm sideeffect "nop""#, r#"asm "nop""#),
    ("=r,~{memory}", "=r,~{cc}"),
    // Types.
    ("%pair = type { i32, i64 }", "%pair = type <{ i32, i64 }>"),
    ("%pair = type { i32, i64 }", "%pair = type { i32, i32 }"),
    ("alloca %pair, align 8", "alloca [2 x %pair], align 8"),
    // What is referred to.
    ("@printf(ptr @.str.7)", "@printf(ptr @table)"),
    ("hello", "hallo"),
    ("[ptr @.str.7, ptr @reached], align 8", "[ptr @reached, ptr @.str.7], align 8"),
    ("[ptr @.str.7, ptr @reached], align 8", "[ptr @.str.7, ptr @unreached], align 8"),
    ("internal constant [2 x ptr]", "internal global [2 x ptr]"),
    ("@shared = external global", "@shared = external hidden global"),
    ("@shared = external global", "@shared = external thread_local global"),
    ("@shared = external global %pair, align 8", "@shared = external global %pair, align 16"),
    ("@.str.7 = private unnamed_addr", "@.str.7 = private"),
    ("inrange(-16, 16)", "inrange(-16, 8)"),
    ("inrange(-16, 16)", ""),
    ("i64 0, i64 1), align 8", "i64 0, i64 0), align 8"),
    ("personality ptr @personality", "personality ptr @elsewhere"),
    // Attributes and properties of functions.
    (r#""target-cpu"="x86-64""#, r#""target-cpu"="haswell""#),
    (r#""no-signed-zeros-fp-math"="false""#, r#""no-signed-zeros-fp-math"="true""#),
    ("ptr noalias %p", "ptr %p"),
    ("range(i32 0, 10)", "range(i32 0, 11)"),
    ("nounwind memory(read)", "nounwind memory(readwrite)"),
    ("declare i32 @printf", "declare hidden i32 @printf"),
    ("define internal i32 @kept", "define i32 @kept"),
    // Bodies that may be inlined: called, called by such, and by force.
    ("%z = mul i32 %y, 19", "%z = mul i32 %y, 20"),
    ("add nsw i32 %x, 17", "sub nsw i32 %x, 17"),
    ("xor i32 %x, 29", "xor i32 %x, 30"),
    ("attributes #2 = { noinline", "attributes #2 = {"),
    // Metadata.
    (", !tbaa !1", ""),
    (r#"!2 = !{!"int""#, r#"!2 = !{!"long""#),
    ("!30 = !{i32 0, i32 100}", "!30 = !{i32 0, i32 99}"),
    ("i32 99, i32 1}", "i32 1, i32 99}"),
    (r#"unroll.count", i32 4"#, r#"unroll.count", i32 8"#),
    ("i64 1000}", "i64 1001}"),
    // Two scopes, or one: they say the same of themselves.
    ("!13 = !{!14}", "!13 = !{!11}"),
    ("declare i32 @printf", "declare !custom !1 i32 @printf"),
    // The module.
    ("i64:64-i128:128", "i64:64-i128:128-ni:7"),
    ("x86_64-pc-linux-gnu", "x86_64-pc-linux-musl"),
    (r#"wchar_size", i32 4"#, r#"wchar_size", i32 2"#),
];

/// What nothing of the code depends on.
const EQUAL: &[(&str, &str)] = &[
    // Lines.
    ("line: 10", "line: 110"),
    ("line: 11, column: 3", "line: 111, column: 4"),
    ("i64 4711", "i64 4712"),
    (", !dbg !41", ""),
    // Other functions and variables, in front and behind.
    ("@.str.7 = private", "@.str.6 = private unnamed_addr constant [2 x i8] c\"a\\00\"\n@.str.7 = private"),
    ("declare i32 @printf", "@before = global i32 7\ndeclare void @more(i8, ptr)\ndeclare i32 @printf"),
    (
        "define internal i32 @small",
        "define i128 @new(i128 %x) {\n  %y = mul i128 %x, 1234567890123\n  ret i128 %y\n}\ndefine internal i32 @small",
    ),
    ("add i32 %x, 31", "add i32 %x, 32"),
    ("@unrelated = external global i32", "@unrelated = external global i64"),
    ("%other = type { i8 }", "%other = type { i16 }"),
    // Bodies that are not inlined.
    ("%y = sub i32 %x, 23", "%y = sub i32 %x, 24"),
    ("call void @elsewhere(ptr null)", "call void @elsewhere(ptr @unrelated)"),
    ("declare void @elsewhere(ptr)", "declare hidden void @elsewhere(ptr)"),
    // Metadata that was the function's own, and is no longer.
    ("declare void @elsewhere(ptr)", "declare !custom !13 void @elsewhere(ptr)"),
    ("%y = add i32 %x, 31", "%y = add i32 %x, 31, !custom !13"),
    // Names of locals and types.
    ("%y = sub i32 %x, 23\n  ret i32 %y", "%w = sub i32 %x, 23\n  ret i32 %w"),
    ("digest.c\"\ntarget", "other.c\"\ntarget"),
];

#[test]
fn what_an_optimiser_may_look_at_is_told_apart() {
    let base = digest_of(&assemble(BASE), "root").expect("it has a digest");
    let same: Vec<_> = DIFFERENT.iter().filter(|(from, to)| changed(BASE, from, to) == base).collect();
    assert!(same.is_empty(), "{same:#?}");
    let other: Vec<_> = EQUAL.iter().filter(|(from, to)| changed(BASE, from, to) != base).collect();
    assert!(other.is_empty(), "{other:#?}");
}

#[test]
fn constants_that_only_the_module_knows_have_no_names() {
    let renamed = BASE.replace(".str.7", ".str.8").replace("@table", "@table2").replace("%pair", "%twins");
    let digest = |text: &str| digest_of(&assemble(text), "root").expect("it has a digest");
    assert_eq!(digest(&renamed), digest(BASE));
    // What the process knows has: it is referred to by name.
    assert_ne!(digest(&BASE.replace("@table", "@table_elsewhere")), digest(BASE));
    assert_ne!(digest(&BASE.replace("@shared", "@shared2")), digest(BASE));
    assert_ne!(digest(&BASE.replace("@small", "@small2")), digest(BASE));
}

#[test]
fn bodies_are_looked_into_as_far_as_there_is_room() {
    // Eight instructions and a return are more than eight.
    let add = "  %y = add nsw i32 %x, 17\n";
    let long = |count: usize, last: u32| {
        let more: String = (0..count).map(|at| format!("  store i32 {at}, ptr @shared\n")).collect();
        BASE.replacen(add, &format!("{more}  %y = add nsw i32 %x, {last}\n"), 1)
    };
    let digest = |text: &str| digest_of(&assemble(text), "root").expect("it has a digest");
    assert_ne!(digest(&long(6, 17)), digest(&long(6, 18)));
    assert_eq!(digest(&long(7, 17)), digest(&long(7, 18)));
    // Of itself it has a digest however large it is.
    let small = |text: &str| digest_of(&assemble(text), "small").expect("it has a digest");
    assert_ne!(small(&long(7, 17)), small(&long(7, 18)));
}

/// The digest of the lines of @root, and for each place its file and lines.
fn lines(text: &str) -> (u128, Vec<(String, Vec<u32>)>) {
    let bytes = assemble(text);
    let module = BitcodeModule::parse(&bytes).expect("it is whole");
    let root =
        module.globals().iter().position(|global| module.name(global) == b"root").expect("it is there");
    let mut digester = Digester::new(&module, &class, room).expect("it is known");
    let lines = digester.lines_of(root as u32).expect("it has lines");
    let places = lines.places().map(|place| {
        let name = String::from_utf8(place.file.name.to_vec()).expect("it is text");
        (name, place.lines.clone())
    });
    (lines.digest, places.collect())
}

fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "nothing is {from}");
        text.replace(from, to)
    })
}

#[test]
fn lines_have_digests_of_their_own() {
    let base = lines(BASE);
    for (from, to) in [
        ("line: 10,", "line: 11,"),
        ("line: 11, column: 3", "line: 10, column: 3"),
        ("line: 11, column: 3", "line: 0, column: 3"),
        ("line: 11, column: 3", "line: 11, column: 4"),
        ("line: 10, type: !44,", "line: 10, scopeLine: 10, type: !44,"),
        ("filename: \"digest.c\"", "filename: \"other.c\""),
        (", !dbg !41", ""),
    ] {
        assert_ne!(lines(&replaced(BASE, &[(from, to)])).0, base.0, "{to}");
    }
    assert_eq!(lines(&BASE.replacen("%y = add nsw i32 %x, 17", "%y = add nsw i32 %x, 18", 1)), base);
}

/// A function in two files and three blocks, with another one inlined by the front end, and @small, which may be inlined.
const SPREAD: &[(&str, &str)] = &[
    ("@printf(ptr @.str.7), !dbg !41", "@printf(ptr @.str.7), !dbg !64"),
    ("fadd contract double %d, 1.5", "fadd contract double %d, 1.5, !dbg !67"),
    ("define internal i32 @small(i32 %x) #0", "define internal i32 @small(i32 %x) #0 !dbg !68"),
    ("%y = add nsw i32 %x, 17", "%y = add nsw i32 %x, 17, !dbg !69"),
    (
        "!41 = !DILocation(line: 11, column: 3, scope: !40)",
        "!41 = !DILocation(line: 11, column: 3, scope: !40)
!60 = distinct !DILexicalBlock(scope: !40, file: !43, line: 12, column: 5)
!61 = !DILexicalBlockFile(scope: !60, file: !62, discriminator: 0)
!62 = !DIFile(filename: \"part.inc\", directory: \"/\")
!63 = distinct !DISubprogram(name: \"inner\", file: !62, line: 50, scopeLine: 51, type: !44, unit: !42)
!64 = !DILocation(line: 52, column: 1, scope: !63, inlinedAt: !65)
!65 = distinct !DILocation(line: 14, column: 2, scope: !60)
!67 = !DILocation(line: 7, column: 3, scope: !61)
!68 = distinct !DISubprogram(name: \"small\", file: !43, line: 3, type: !44, unit: !42)
!69 = !DILocation(line: 4, column: 3, scope: !68)",
    ),
];

#[test]
fn lines_that_have_moved_have_the_same_digest() {
    let text = replaced(BASE, SPREAD);
    let (digest, places) = lines(&text);
    let expected: [(_, &[u32]); 4] =
        [("digest.c", &[10, 12, 14]), ("part.inc", &[50, 51, 52]), ("part.inc", &[7]), ("digest.c", &[3, 4])];
    assert_eq!(places, expected.map(|(name, lines)| (name.to_owned(), lines.to_vec())));
    let changed = |changes: &[(&str, &str)]| lines(&replaced(&text, changes));
    // A function; lines of it; a part of it in another file.
    let moves: [(usize, &[u32], &[_]); 4] = [
        (
            0,
            &[20, 22, 24],
            &[("line: 10,", "line: 20,"), ("line: 12,", "line: 22,"), ("line: 14,", "line: 24,")],
        ),
        (0, &[10, 12, 17], &[("line: 14,", "line: 17,")]),
        (1, &[50, 48, 52], &[("scopeLine: 51", "scopeLine: 48")]),
        (2, &[9], &[("line: 7, column: 3", "line: 9, column: 3")]),
    ];
    for (place, now, changes) in moves {
        let mut expected = places.clone();
        expected[place].1 = now.to_vec();
        assert_eq!(changed(changes), (digest, expected), "{changes:?}");
    }
    // Two have become one.
    assert_ne!(changed(&[("line: 14,", "line: 12,")]).0, digest);
}

#[test]
fn what_is_not_understood_has_no_digest() {
    let partition = BASE.replacen(
        "@shared = external global %pair, align 8",
        "@shared = external global %pair, partition \"p\", align 8",
        1,
    );
    assert!(digest_of(&assemble(&partition), "root").is_err());
    assert!(digest_of(&assemble(BASE), "printf").is_err());
}

/// Of damaged modules there is a digest or an error, and nothing else.
#[test]
fn damage_is_no_more_than_an_error() {
    let bytes = assemble(BASE);
    for at in (0..bytes.len()).step_by(5) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let Ok(module) = BitcodeModule::parse(&damaged) else { continue };
        let Ok(mut digester) = Digester::new(&module, &class, room) else { continue };
        for number in 0..module.globals().len() as u32 {
            let _ = (digester.of(number), digester.lines_of(number));
        }
    }
}

#[test]
fn every_body_of_a_module_has_a_digest_of_its_own() {
    let bytes = assemble(BASE);
    let names = ["small", "deep", "kept", "forced", "reached", "unreached", "root"];
    let digests: std::collections::BTreeSet<_> =
        names.iter().map(|name| digest_of(&bytes, name).expect("it has a digest")).collect();
    assert_eq!(digests.len(), names.len());
}

/// Kinds of metadata come behind the globals' records, at any bit, where a module has no constants.
#[test]
fn modules_without_constants_have_digests() {
    let digest = |kind: &str, globals: usize| {
        let mut text = format!(
            "define void @root(ptr %p) {{\n  store ptr %p, ptr %p, !{kind} !0\n  ret void\n}}\n!0 = !{{}}\n"
        );
        (0..globals).for_each(|number| text += &format!("@g{number} = external global [{number} x i8]\n"));
        digest_of(&assemble(&text), "root").unwrap_or_else(|error| panic!("{globals}: {error:?}"))
    };
    for globals in 0..9 {
        assert_ne!(digest("own", globals), digest("other", globals));
        assert_eq!(digest("own", globals), digest("own", 0));
    }
}
