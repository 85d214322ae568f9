//! Kept preambles and what headers may leave behind: states of the compiler, declarations that make code, and constructs that go on in
//! the source. The object is the same each time, with a preamble or, where none can be kept, without.

use std::fs;
use std::os::unix::fs::symlink;

use autojit_tests::kept::files;
use autojit_tests::preambles::Project;

/// A header, two sources behind its directive, and whether a preamble is kept.
struct Case {
    what: &'static str,
    source: &'static str,
    header: &'static str,
    bodies: [&'static str; 2],
    kept: bool,
}

const fn c(kept: bool, what: &'static str, header: &'static str, bodies: [&'static str; 2]) -> Case {
    Case { what, source: "state.c", header, bodies, kept }
}

const fn cxx(kept: bool, what: &'static str, header: &'static str, bodies: [&'static str; 2]) -> Case {
    Case { what, source: "state.cpp", header, bodies, kept }
}

#[track_caller]
fn assert_same(name: &str, cases: &[Case], flags: &str) {
    for case in cases {
        let standard = if case.source.ends_with(".c") { "-std=gnu17" } else { "-std=gnu++20" };
        let project = Project::new(name, case.source, &format!("{standard} {flags}"));
        let write = |body: &str| project.write(case.source, &format!("#include \"state.h\"\n{body}"));
        project.write("state.h", case.header);
        write(case.bodies[0]);
        let (_, result) = project.compare("always", case.what);
        assert!(result.compiled(), "{}: {}", case.what, result.messages());
        project.wait_for_preambles();
        for body in case.bodies {
            write(body);
            let (used, result) = project.compare("on", case.what);
            assert!(result.compiled(), "{}: {}", case.what, result.messages());
            assert_eq!(used, case.kept, "{}: {}", case.what, project.reasons());
        }
    }
}

const LAYOUT: [&str; 2] = [
    "struct Behind { char a; long b; };\nunsigned long size(void) { return sizeof(struct Behind); }\n",
    "struct Behind { char a; int b; };\nint more;\nunsigned long size(void) { return sizeof(struct Behind); }\n",
];

#[test]
fn states_that_headers_leave_open_are_open_behind_them() {
    let cases = [
        c(false, "packing, of which clang warns", "#pragma pack(2)\n", LAYOUT),
        c(
            false,
            "packing that the source takes back",
            "#pragma pack(push, 1)\n",
            [
                "struct A { char a; long b; };\n#pragma pack(pop)\nint size = sizeof(struct A);\n",
                "#pragma pack(pop)\nstruct A { char a; long b; };\nint size = sizeof(struct A);\n",
            ],
        ),
        // The compiler says so, and the plain compile follows.
        c(
            false,
            "warnings that the source takes back",
            "#pragma GCC diagnostic push\n#pragma GCC diagnostic ignored \"-Wunused-variable\"\n",
            [
                "int f(void) { int unused; return 1; }\n#pragma GCC diagnostic pop\n",
                "int f(void) { int unused; return 2; }\n#pragma GCC diagnostic pop\nint g(void) { return 1; }\n",
            ],
        ),
        c(
            true,
            "a list that is included again",
            "#ifdef ITEM\nITEM(one) ITEM(two)\n#else\nenum { none };\n#endif\n",
            [
                "int start;\n#define ITEM(name) int name;\n#include \"state.h\"\n",
                "long start;\n#define ITEM(name) long name = sizeof(#name);\n#include \"state.h\"\n",
            ],
        ),
        c(
            true,
            "other lines and names",
            "#line 700 \"elsewhere.h\"\nstatic const char *const file = __FILE__;\nenum { line = __LINE__ };\n",
            [
                "const char *f(void) { return file; }\nint at = __LINE__ + line;\n",
                "const char *f(void) { return file + line; }\nconst char *own = __FILE__;\nint at = __LINE__;\n",
            ],
        ),
        c(
            false,
            "a rounding mode",
            "#pragma STDC FENV_ACCESS ON\n",
            ["double f(double a) { return a / 3; }\n", "double f(double a) { return a / 7; }\n"],
        ),
        c(
            false,
            "names in another form",
            "int plain(void);\n#pragma redefine_extname plain fancy\n",
            ["int f(void) { return plain(); }\n", "int f(void) { return plain() + 1; }\n"],
        ),
    ];
    assert_same("states", &cases, "-O0 -Wunused-variable");
    assert_same("states", &[c(true, "packing", "#pragma pack(2)\n", LAYOUT)], "-O0 -Wno-pragma-pack");
}

#[test]
fn constructs_that_go_on_in_the_source_are_compiled_as_one() {
    let cases = [
        c(false, "a function", "int open(int a) {\n", ["return a; }\n", "return a + 1; }\nint more;\n"]),
        c(
            false,
            "a declaration",
            "static const\n",
            ["int a = 1; int f(void) { return a; }\n", "long a = 2; long f(void) { return a; }\n"],
        ),
        c(
            false,
            "an enumeration",
            "enum E { one, two }\n",
            ["e = two;\n", "; int f(void) { return one; }\n"],
        ),
        cxx(false, "a namespace", "namespace open {\n", ["int a; }\n", "long a; int b; }\n"]),
        cxx(
            false,
            "a linkage",
            "extern \"C\" {\n",
            ["int f() { return 1; } }\n", "int g() { return 2; } }\n"],
        ),
        cxx(
            false,
            "a template",
            "template <class T>\n",
            [
                "T f(T a) { return a; } template int f(int);\n",
                "T f(T a) { return -a; } template long f(long);\n",
            ],
        ),
    ];
    assert_same("constructs", &cases, "-O0");
}

/// What makes code by itself, wherever it stands, and in which order.
#[test]
fn declarations_in_headers_make_the_same_code() {
    let cases = [
        c(
            true,
            "assembly, constructors",
            "__asm__(\".globl marked\\nmarked:\");\nstatic int state = 3;\n\
             __attribute__((constructor)) static void before(void) { state = 4; }\n\
             __attribute__((used)) static int kept(void) { return state; }\n",
            [
                "int f(void) { return state; }\n",
                "__asm__(\".globl too\\ntoo:\");\nint f(void) { return kept(); }\n",
            ],
        ),
        // Clang forgets the alias.
        c(
            false,
            "an alias",
            "static int target(void) { return 5; }\nstatic int other(void) __attribute__((alias(\"target\")));\n",
            ["int f(void) { return 1; }\n", "int f(void) { return other(); }\n"],
        ),
        // Nor does it know that the section is written to.
        c(
            false,
            "a section",
            "__attribute__((section(\".mine\"))) static int counter = 3;\n",
            ["int f(void) { return 1; }\n", "int f(void) { return counter++; }\n"],
        ),
        // It counts when other types without names are named.
        cxx(
            false,
            "a union without a name",
            "static union { int whole; char part; };\n",
            [
                "int f() { return whole; }\n",
                "auto closure = [] { return 3; };\nint f() { return whole + closure(); }\n",
            ],
        ),
        c(
            true,
            "definitions that are not final",
            "int tentative; extern int declared; inline int both(int a) { return a + tentative; }\n\
             static int internal(int); _Thread_local int each;\n",
            [
                "int tentative = 4; static int internal(int a) { return a; } int f(void) { return internal(each); }\n",
                "extern inline int both(int a); int declared; static int internal(int a) { return both(a); }\n\
                 int f(void) { return internal(declared); }\n",
            ],
        ),
        cxx(
            true,
            "instances",
            "template <class T> struct Box { T value; static int count; T get() { return value; } };\n\
             template <class T> int Box<T>::count = sizeof(T);\ntemplate struct Box<int>;\nextern template struct Box<char>;\n\
             template <class T> T twice(T a) { return a + a; }\ntemplate <> inline long twice(long a) { return a * 2; }\n\
             inline int counter() { static int calls = twice(1); return ++calls; }\n\
             template <class T> constexpr T zero = T();\ninline auto deduced(int a) { return twice(a + zero<int>); }\n",
            [
                "int f() { return twice(1) + Box<int>{2}.get() + counter(); }\n",
                "long f() { return twice(1L) + Box<long>::count + deduced(2) + zero<long>; }\n\
                 char g(Box<char> a) { return a.get(); }\n",
            ],
        ),
        cxx(
            true,
            "objects and classes",
            "struct Object { int a; Object(int a); ~Object(); virtual int run() = 0; };\nextern \"C\" int make();\n\
             static int order = make(); inline int shared = make(); thread_local int own = make();\n\
             namespace { int hidden() { return order; } struct Local : Object { Local() : Object(1) {} int run() override { return hidden(); } }; }\n\
             struct Copied { Copied(const Copied &) = default; Object *o; bool operator==(const Copied &) const = default; };\n",
            [
                "static Local local; int f() { return local.run() + own; }\n",
                "int f(Copied a, Copied b) { return a == b ? shared : hidden(); }\nObject::~Object() {}\nint Object::run() { return 2; }\n",
            ],
        ),
        cxx(
            true,
            "closures and coroutines of templates",
            "template <class F> auto call(F f) { return f(1); }\ninline auto closure = [](auto a) { return a + 1; };\n\
             inline int nested() { auto inner = [] { static int n; return ++n; }; return inner() + call([](int a) { return a; }); }\n\
             template <class... T> int all(T... values) { return (0 + ... + values); }\n\
             template <class T> concept Small = sizeof(T) < 5;\ntemplate <Small T> int chosen(T) { return 1; }\ntemplate <class T> int chosen(T) { return 2; }\n",
            [
                "int f() { return call([](int a) { return a + 1; }) + closure(2) + chosen(1); }\n",
                "int f() { return all(1, 2L, 'a') + nested() + closure(2L) + chosen(1L); }\nauto again = [] { return 3; };\n",
            ],
        ),
    ];
    for flags in ["-O0", "-O2"] {
        assert_same("declarations", &cases, flags);
    }
}

/// Most sources in C++ begin with headers of the library, whatever these look like.
#[test]
fn headers_of_the_standard_library_are_kept() {
    let header = "#include <algorithm>\n#include <functional>\n#include <iostream>\n#include <map>\n#include <memory>\n#include <string>\n";
    let bodies = [
        "int size(const std::string &text) { return text.size(); }\n",
        "std::function<int(int)> made() { return [](int a) { return a + 1; }; }\n",
    ];
    assert_same("library", &[cxx(true, "the library", header, bodies)], "-O0");
}

/// Where make rules go, and what they are of, is each compile's own affair.
#[test]
fn make_rules_may_have_any_form() {
    for flags in [
        "-MD -MF out.d",
        "-MMD -MFout.d -MT one -MT two",
        "-MD -MP -MQ $(name) -MF out.d",
        "-MMD -MP -MTsub/out.o",
    ] {
        let project = Project::new("rules", "main.cpp", &format!("-O0 -I first -I second {flags}"));
        project.write("first/again.h", "");
        project.warm(flags);
        project.append("main.cpp", "#include \"first/again.h\"\nint more;\n");
        let (used, result) = project.compare("on", flags);
        assert!(used && result.rules().is_some_and(|rules| rules.contains("first/again.h")), "{flags}");
    }
}

/// Each file of a preamble is checked before it is used.
#[test]
fn preambles_that_lack_a_file_are_not_used() {
    let project = Project::new("lacking", "main.cpp", "-O0 -I first -I second");
    project.warm("at first");
    let only = |extension: &str| -> std::path::PathBuf {
        let [file] = &files(&project.kept(), extension)[..] else { panic!("one {extension} file") };
        file.clone()
    };
    let remove = |extension: &str| fs::remove_file(only(extension)).expect("it is ours");
    for (what, change) in [
        ("no preamble", &(|| remove("pch")) as &dyn Fn()),
        ("no directives", &|| remove("cpp")),
        ("other directives", &|| fs::write(only("cpp"), "#include \"second.h\"\n").expect("it is ours")),
        ("no manifest", &|| remove("ajm")),
        ("a manifest that is a link", &|| {
            let manifest = only("ajm");
            let target = project.path().join("manifest");
            fs::rename(&manifest, &target).expect("it is ours");
            symlink(target, manifest).expect("it is ours");
        }),
        ("an empty manifest", &|| fs::write(only("ajm"), "").expect("it is ours")),
    ] {
        change();
        assert!(!project.compare("always", what).0, "{what}");
        project.wait_for_preambles();
        assert!(project.compare("on", what).0, "{what}: {}", project.reasons());
    }
}
