//! Questions to the daemon that runs: `--status` and `--stop`.

use autojit_protocol::connection::SILENCE;
use autojit_protocol::message::VERSION;
use autojit_protocol::{Connection, Message};

use crate::listen;

/// Sends `question` and prints the report that comes back; returns from [`Message::Stop`] when the daemon has ended.
///
/// # Errors
/// No daemon listens, or the answer is none: in words.
pub fn ask(question: &Message<'_>) -> Result<(), String> {
    let path = listen::path()?;
    let failed =
        |error: &dyn std::fmt::Display| format!("no autojitd at {}: {error}", path.to_string_lossy());
    let mut connection = Connection::open(&path).map_err(|error| failed(&error))?;
    let hello = Message::Hello { version: VERSION, generator: [0; 32], program: "autojitd".into() };
    connection.send(&hello, None).map_err(|error| failed(&error))?;
    let mut asked = false;
    loop {
        let packet = connection.receive(SILENCE).map_err(|error| failed(&error))?;
        match packet.message().map_err(|error| failed(&error))? {
            Message::Welcome { .. } if !asked => {
                asked = true;
                connection.send(question, None).map_err(|error| failed(&error))?;
            }
            Message::Report { text } => {
                println!("{text}");
                return Ok(());
            }
            Message::Stopping => {
                // The daemon closes the connection last, when everything is written.
                while connection.receive(2 * SILENCE).is_ok() {}
                return Ok(());
            }
            Message::Refused { reason } => return Err(failed(&reason)),
            _ => return Err(failed(&"it has sent an answer to something else")),
        }
    }
}
