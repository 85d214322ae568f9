//! What compilers answer: code, failures, and their own end.

use std::collections::BTreeSet;
use std::mem;

use autojit_protocol::{Blob, Packet, Scope};
use autojit_sys::File;

use crate::child::{Child, Task};
use crate::compilers::Received;
use crate::job::{CodeKey, Functions, Outcome};
use crate::modules::Made;
use crate::requests::RequestId;
use crate::state::{Answer, ServerState};
use crate::talk;

/// Handles the messages of the compilers at whose sockets something has `happened`.
pub fn hear_compilers(state: &mut ServerState, happened: &BTreeSet<i32>) {
    let mut next = 0;
    while let Some((at, received)) = state.compilers.receive(next, happened) {
        match received {
            Received::Packets(packets) => {
                packets.into_iter().for_each(|packet| hear(state, at, packet));
                next = at + 1;
            }
            Received::End(child) => {
                reap(state, child);
                next = at;
            }
        }
    }
}

fn hear(state: &mut ServerState, at: usize, mut packet: Packet) {
    let blob = packet.blob.take();
    let Some(outcome) = Outcome::of(&packet) else { return };
    state.compilers.note_work();
    let compiler = state.compilers.get(at);
    match outcome {
        Outcome::Idle { pending, memory } => {
            (compiler.pending, compiler.memory, compiler.task) = (pending, memory, Task::None);
        }
        Outcome::Code { code_key, functions, memory } => {
            compiler.memory = memory;
            let file = match blob {
                Some(Blob::File(file, _)) => Ok(file),
                Some(Blob::Inline(bytes)) => File::sealed(c"object", &[&bytes]),
                None => return,
            };
            let request = finish(compiler);
            let count = functions.iter().count() as u64;
            if matches!(compiler.task, Task::Ahead) {
                state.counters.ahead += count;
            }
            state.counters.compiled += count;
            match file {
                Ok(file) => deliver(state, at, request, code_key, functions, file),
                Err(_) => {
                    answer(state, request, &Answer::Refused("autojitd has no memory left"));
                }
            }
        }
        Outcome::Failed(reason) => {
            let Some(id) = finish(compiler) else { return };
            // It may be the container that is damaged: the next client that asks sends its own.
            let wanted = state.requests.get(id).map(|request| &request.wanted);
            if let Some(wanted) = wanted.filter(|wanted| !matches!(wanted.what, Scope::Continuation(_))) {
                let code_key = wanted.code_key;
                compiler.forget(&code_key);
                state.modules.forget(&code_key.key);
            }
            fail(state, id, &reason);
        }
    }
}

/// The request that a compiler has worked on; it has nothing to do now. None if it does something else, and goes on.
fn finish(compiler: &mut Child) -> Option<RequestId> {
    match mem::replace(&mut compiler.task, Task::None) {
        Task::Request(id) => Some(id),
        task => {
            compiler.task = task;
            None
        }
    }
}

fn answer(state: &mut ServerState, request: Option<RequestId>, answer: &Answer<'_>) {
    if let Some(id) = request {
        let answered = state.answer(id, answer);
        talk::hear_all(state, answered);
    }
}

fn fail(state: &mut ServerState, id: RequestId, reason: &str) {
    state.counters.failed += 1;
    answer(state, Some(id), &Answer::Failed(reason));
}

/// Hands out an object, and remembers it.
fn deliver(
    state: &mut ServerState,
    at: usize,
    request: Option<RequestId>,
    code_key: CodeKey,
    functions: Functions,
    file: File,
) {
    let asked = request.and_then(|id| state.requests.get(id));
    let everything = asked.is_some_and(|request| request.wanted.what == Scope::Everything);
    let often = asked.is_some_and(|request| matches!(request.wanted.what, Scope::Often(_)));
    let kept = asked.is_none_or(|request| request.keep && !everything);
    if kept {
        state.compilers.get(at).pending = true;
    }
    answer(state, request, &Answer::Code { file: &file, kept });
    if everything || functions.iter().next().is_none() {
        return;
    }
    for id in state.requests.answered_by(code_key, &functions) {
        state.counters.shared += 1;
        answer(state, Some(id), &Answer::Code { file: &file, kept });
    }
    if request.is_some() {
        state.compilers.inform(code_key, &functions);
    }
    let Ok(len) = file.size() else { return };
    state.modules.insert(code_key, functions, file, len, Made { kept, often });
}

/// A compiler has ended. Its request is tried once more without what might have been the reason.
fn reap(state: &mut ServerState, child: Child) {
    let request = if let Task::Request(id) = child.task { Some(id) } else { None };
    let how = child.reap();
    state.counters.crashed += 1;
    let Some(id) = request else {
        return crate::say(format_args!("a compiler has ended: {how}"));
    };
    let Some(request) = state.requests.get(id) else { return };
    let what = state.modules.describe(&request.wanted.code_key.key, request.wanted.what.function());
    crate::say(format_args!("a compiler has ended while it compiled {what}: {how}"));
    if !state.requests.retry_alone(id) {
        fail(state, id, &format!("{what}: the compiler has ended: {how}"));
    }
}
