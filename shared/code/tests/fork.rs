//! Forks: parent and child share pages, and must not see what the other links or patches afterwards.

mod support;

use autojit_code::lock::ForkLock;
use autojit_code::{Booking, CodeMemory, RuntimeStub, link_object, patch_call};
use support::{
    Child, RECORD, Step, Symbols, UNWIND, address_of, call, commit, compile, image, in_child, memory,
    private_memory, publish,
};

fn object(number: i32) -> Vec<u8> {
    compile(
        "c",
        &format!("int abs(int);\nint check(void) {{ return abs({number}); }}\n"),
        &["-O1", "-fno-builtin"],
    )
}

/// A function with a patchable call to `stub`, which returns what it returns.
fn caller() -> Vec<u8> {
    let source = "\n.globl check\n.type check,@function\n.p2align 4\ncheck: subq $8, %rsp\n.p2align 3\ncall stub\naddq $8, %rsp\nret\n.size check, .-check\n";
    compile("assembler", source, &[])
}

/// Forks with the handlers that a runtime would have; runs `child` there.
fn fork(memory: &'static CodeMemory, child: impl FnOnce()) -> Child {
    memory.before_fork();
    // SAFETY: once in each process, after before_fork.
    let after = || unsafe { memory.after_fork() };
    let child = in_child(|| {
        after();
        child();
    });
    after();
    child
}

#[test]
fn both_sides_go_on_by_themselves() {
    let [old, parents, childs] = [7, 100, 200].map(object);
    for memory in [memory(), private_memory()] {
        let before = publish(&old, memory, &mut Symbols::new(memory)).unwrap();
        let (parent_linked, child_linked) = (Step::new(), Step::new());
        let running = fork(memory, || {
            parent_linked.wait();
            let code = publish(&childs, memory, &mut Symbols::new(memory)).unwrap();
            assert_eq!(call(&code, "check"), 200);
            assert_eq!(call(&before, "check"), 7);
            child_linked.done();
        });
        let code = publish(&parents, memory, &mut Symbols::new(memory)).unwrap();
        assert_eq!(call(&code, "check"), 100);
        parent_linked.done();
        child_linked.wait();
        assert_eq!(call(&code, "check"), 100, "the child linked at the same place");
        assert_eq!(call(&before, "check"), 7);
        running.join();
    }
}

#[test]
fn patches_do_not_cross() {
    let [one, two] = [1, 2].map(object);
    let object = caller();
    let memory = memory();
    let one = publish(&one, memory, &mut Symbols::new(memory)).unwrap();
    let two = publish(&two, memory, &mut Symbols::new(memory)).unwrap();
    let [one, two] = [&one, &two].map(|code| address_of(code, "check").unwrap());
    let code = publish(&object, memory, &mut Symbols::new(memory).with_pending("stub", one, 0)).unwrap();
    let site = code.call_sites[0].address;
    assert_eq!(call(&code, "check"), 1);
    let (forked, patched) = (Step::new(), Step::new());
    let running = fork(memory, || {
        forked.wait();
        assert_eq!(call(&code, "check"), 1);
        assert!(!patch_call(memory, site, one, two));
        // What the child links itself it may patch.
        let own = publish(&object, memory, &mut Symbols::new(memory).with_pending("stub", one, 0)).unwrap();
        assert!(patch_call(memory, own.call_sites[0].address, one, two));
        assert_eq!(call(&own, "check"), 2);
        patched.done();
    });
    assert!(!patch_call(memory, site, one, two), "sealed");
    forked.done();
    patched.wait();
    assert_eq!(call(&code, "check"), 1);
    running.join();
}

#[test]
fn a_block_that_was_open_at_the_fork_is_the_parents() {
    let [open, childs] = [3, 4].map(object);
    let memory = memory();
    let mut symbols = Symbols::new(memory);
    let linked = link_object(&open, memory, &mut symbols).unwrap();
    let text = linked.code().text.clone();
    fork(memory, || {
        let code = publish(&childs, memory, &mut Symbols::new(memory)).unwrap();
        assert!(code.text.start >= text.end);
        assert_eq!(call(&code, "check"), 4);
    })
    .join();
    let code = commit(&open, linked).unwrap();
    assert_eq!(call(&code, "check"), 3);
}

#[test]
fn an_aborted_block_gives_nothing_of_a_sealed_page_back() {
    // It fills its page, so that sealing does not move on.
    let whole = compile("assembler", "\n.skip 4096\n", &[]);
    let [next] = [3].map(object);
    let memory = memory();
    let linked = link_object(&whole, memory, &mut Symbols::new(memory)).unwrap();
    let text = linked.code().text.clone();
    assert_eq!(text.end % 4096, 0);
    memory.seal();
    drop(linked);
    assert!(publish(&next, memory, &mut Symbols::new(memory)).unwrap().text.start >= text.end);
}

#[test]
fn stubs_made_before_serve_both() {
    extern "C" fn unused() {}
    for memory in [memory(), private_memory()] {
        let create = |index| {
            RuntimeStub::create(memory, &UNWIND, &RECORD, index, unused as *const () as usize).unwrap()
        };
        let number = object(9);
        let before = create(0);
        let body = publish(&number, memory, &mut Symbols::new(memory)).unwrap();
        let publish_slot = |stub: &RuntimeStub| {
            let target = &stub.slot.target;
            target.store(address_of(&body, "check").unwrap(), std::sync::atomic::Ordering::Release);
            // SAFETY: a stub for a function of this type, with a published slot.
            let function: extern "C" fn() -> i32 = unsafe { std::mem::transmute(stub.function) };
            assert_eq!(function(), 9);
        };
        let unbound = before.slot.target.load(std::sync::atomic::Ordering::Relaxed);
        fork(memory, || {
            publish_slot(&before);
            publish_slot(&create(1));
        })
        .join();
        assert_eq!(
            before.slot.target.load(std::sync::atomic::Ordering::Relaxed),
            unbound,
            "slots are private"
        );
        publish_slot(&create(2));
    }
}

#[test]
fn many_forks_with_code_between_them() {
    let objects: Vec<_> = (1..5).map(object).collect();
    let memory = memory();
    for round in 0..40 {
        let number = round % objects.len();
        let code = publish(&objects[number], memory, &mut Symbols::new(memory)).unwrap();
        fork(memory, || assert_eq!(call(&code, "check"), number as i32 + 1)).join();
        assert_eq!(call(&code, "check"), number as i32 + 1);
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let aliases = maps.lines().filter(|line| line.contains("rw-s")).count();
    // Of the chunks of this memory none is open; the other tests run at the same time.
    assert!(aliases < 30, "{aliases} writable aliases are left");
}

#[test]
fn a_child_of_a_raw_fork_detaches() {
    let [one, two, childs] = [1, 2, 5].map(object);
    let object = caller();
    let growing = Box::leak(Box::new(CodeMemory::new(image(), Booking::default())));
    // What is left of an area is the parent's.
    for (memory, shared) in [(&*growing, true), (private_memory(), false)] {
        let one = publish(&one, memory, &mut Symbols::new(memory)).unwrap();
        let two = publish(&two, memory, &mut Symbols::new(memory)).unwrap();
        let [one, two] = [&one, &two].map(|code| address_of(code, "check").unwrap());
        let code = publish(&object, memory, &mut Symbols::new(memory).with_pending("stub", one, 0)).unwrap();
        let site = code.call_sites[0].address;
        let (detached, patched) = (Step::new(), Step::new());
        // No handlers run, and a lock may be held.
        memory.before_fork();
        // SAFETY: after before_fork.
        unsafe { memory.after_fork() };
        let fresh = publish(&object, memory, &mut Symbols::new(memory).with_pending("stub", one, 0)).unwrap();
        let running = in_child(|| {
            // SAFETY: the only thread of the child.
            unsafe { memory.detach().unwrap() };
            detached.done();
            patched.wait();
            assert_eq!(call(&fresh, "check"), 1, "the parent's patch is not seen");
            assert!(!patch_call(memory, site, one, two));
            let own = publish(&childs, memory, &mut Symbols::new(memory)).unwrap();
            assert_eq!(call(&own, "check"), 5);
        });
        detached.wait();
        assert_eq!(patch_call(memory, fresh.call_sites[0].address, one, two), shared);
        assert_eq!(call(&fresh, "check"), if shared { 2 } else { 1 });
        patched.done();
        running.join();
    }
}
