//! Which compiler does what: requests first, then what is compiled ahead, then writing to the cache.

use crate::child::Task;
use crate::job::Job;
use crate::requests::RequestId;
use crate::state::{Answer, ServerState};
use crate::talk;

/// Gives jobs to compilers that have nothing to do.
pub fn start_jobs(state: &mut ServerState) {
    if !state.stopping {
        while let Some((id, request)) = state.requests.first() {
            let Some(compiler) = state.compilers.for_request(&request.wanted.code_key) else { break };
            state.requests.begin_first();
            begin(state, compiler, id);
        }
        if state.requests.queued() == 0 {
            compile_ahead(state);
        }
    }
    let saving = state.clients.are_saving();
    if state.requests.queued() == 0 {
        state.compilers.write(state.stopping || saving);
    }
    if saving && !state.compilers.are_writing() {
        let saved = state.clients.announce_saved();
        talk::hear_all(state, saved);
    }
    state.counters.retired += state.compilers.retire();
}

fn begin(state: &mut ServerState, compiler: usize, id: RequestId) {
    let Some(request) = state.requests.get(id) else { return };
    let job = Job::Compile {
        code_key: request.wanted.code_key,
        what: request.wanted.what,
        map: request.wanted.map.clone(),
        alone: request.alone,
        keep: request.keep,
        program: request.program.clone(),
        done: state.modules.done(request.wanted.code_key),
    };
    state.compilers.note_work();
    let modules = &state.modules;
    let compiler = state.compilers.get(compiler);
    let given = compiler.give(&job, Task::Request(id), |code_key| modules.container(&code_key.key));
    if given.is_err() {
        compiler.task = Task::None;
        // It was forgotten meanwhile: the clients have it.
        let answered = state.answer(id, &Answer::Unknown);
        talk::hear_all(state, answered);
    }
}

fn compile_ahead(state: &mut ServerState) {
    let Some(code_key) = state.ahead.first() else { return };
    let Some(compiler) = state.compilers.for_background() else { return };
    state.ahead.remove_first();
    let mut done = state.modules.done(code_key);
    state.requests.functions_of(code_key).for_each(|index| done.insert(index));
    let modules = &state.modules;
    // Without a container there is nothing to compile.
    let _ = state
        .compilers
        .get(compiler)
        .give(&Job::Prefetch { code_key, done }, Task::Ahead, |code_key| modules.container(&code_key.key));
}
