//! What clients ask, and what they are answered.

use autojit_abi::GENERATOR;
use autojit_protocol::message::VERSION;
use autojit_protocol::{Blob, Message, Scope};

use crate::client::{Asked, Role, UNFINISHED};
use crate::clients::ClientId;
use crate::job::CodeKey;
use crate::requests::{Request, Wanted};
use crate::state::{ServerState, give};

/// Handles the messages that have come of a client.
pub fn hear(state: &mut ServerState, id: ClientId) {
    loop {
        let Some(client) = state.clients.get(id) else { return };
        if client.incoming.kept() > UNFINISHED {
            return state.leave(id);
        }
        // What comes behind so many requests waits.
        if client.leaving || client.is_full() {
            return;
        }
        let result = match client.incoming.take_whole() {
            Ok(None) => return,
            Ok(Some(mut packet)) => {
                let blob = packet.blob.take();
                match packet.message() {
                    Ok(message) => handle(state, id, message, blob),
                    Err(malformed) => Err(malformed.to_string()),
                }
            }
            Err(malformed) => Err(malformed.to_string()),
        };
        if let (Err(reason), Some(client)) = (result, state.clients.get(id)) {
            state.counters.refused += 1;
            client.tell(&Message::Refused { reason: reason.into() }, None);
            client.leaving = true;
        }
    }
}

/// Handles the messages of clients that were answered: more may have come behind their requests.
pub fn hear_all(state: &mut ServerState, clients: Vec<ClientId>) {
    clients.into_iter().for_each(|id| hear(state, id));
}

/// Does what a message asks for. An error is why the connection is closed.
fn handle(
    state: &mut ServerState,
    id: ClientId,
    message: Message<'_>,
    blob: Option<Blob>,
) -> Result<(), String> {
    let Some(client) = state.clients.get(id) else { return Ok(()) };
    match (client.role, message) {
        (Role::Unknown, Message::Hello { version, generator, program }) => {
            client.role = role(version, generator)?;
            client.program = program.chars().take(4096).collect();
            let root = state.cache.as_ref().map(|cache| String::from_utf8_lossy(cache.root()).into_owned());
            let cache = root.unwrap_or_default().into();
            client.tell(&Message::Welcome { version: VERSION, process: std::process::id(), cache }, None);
        }
        (Role::Unknown, _) => return Err("the first message was no Hello".into()),
        (_, Message::Module { key, level, made }) => {
            let blob = blob.ok_or("a module without its container")?;
            state.modules.add(key, blob).map_err(|error| format!("reading a container: {error}"))?;
            state.ahead.add(CodeKey { key, level }, made);
        }
        (Role::Program, Message::Compile { number, key, level, what, inline, keep, map }) => {
            state.counters.requests += 1;
            let wanted = Wanted { code_key: CodeKey { key, level }, what, map: map.into_owned() };
            compile(state, id, wanted, keep, (number, inline));
        }
        (Role::Tool, Message::Compile { .. }) => return Err("a tool has asked for code".into()),
        (_, Message::Status) => {
            let text = state.report().into();
            if let Some(client) = state.clients.get(id) {
                client.tell(&Message::Report { text }, None);
            }
        }
        (_, Message::Stop) => state.stop(),
        (_, Message::Save) => client.saving = true,
        (_, _) => return Err("it has sent a message that only autojitd sends".into()),
    }
    Ok(())
}

/// What a client is by its Hello.
fn role(version: u32, generator: [u8; 32]) -> Result<Role, String> {
    if version != VERSION {
        return Err(format!(
            "this autojitd has version {VERSION} of the protocol, not {version}; end it with autojitd --stop"
        ));
    }
    match generator {
        GENERATOR => Ok(Role::Program),
        [0, ..] if generator == [0; 32] => Ok(Role::Tool),
        _ => Err("client and autojitd are of different versions; end the daemon with autojitd --stop".into()),
    }
}

/// Answers a request with an object that is there, or has it compiled. `number` and `inline` are the answer's.
fn compile(state: &mut ServerState, id: ClientId, wanted: Wanted, keep: bool, (number, inline): (u32, bool)) {
    let Some(client) = state.clients.get(id) else { return };
    let (code_key, what) = (wanted.code_key, wanted.what);
    let continues = matches!(what, Scope::Continuation(_));
    if let Some(index) = what.function().filter(|_| !continues)
        && let Some((object, kept)) = state.modules.object(code_key, index, matches!(what, Scope::Often(_)))
    {
        state.counters.hits += 1;
        return give(client, Some(object), &Message::Code { number, kept }, inline);
    }
    if !state.modules.has(&code_key.key) {
        return client.tell(&Message::Unknown { number }, None);
    }
    if let Some(request) = state.requests.join(id, &wanted) {
        state.counters.shared += 1;
        client.asked.push(Asked { request, number, inline });
        return;
    }
    // A continuation is for frames that are running now.
    let keep = keep && state.cache.is_some() && !continues;
    let request = state.requests.add(Request {
        wanted,
        keep,
        program: client.program.clone(),
        clients: vec![id],
        alone: false,
    });
    client.asked.push(Asked { request, number, inline });
}
