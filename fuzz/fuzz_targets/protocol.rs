//! What a socket may bring: an error or messages, whatever the bytes are and however they are cut; a message that was
//! read is the same when it is written and read again. The first byte says where the stream is cut.
#![no_main]

use autojit_protocol::{Incoming, Outgoing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let read = |segments: &[&[u8]]| {
        let mut incoming = Incoming::default();
        let mut messages = Vec::new();
        for segment in segments {
            incoming.push(segment);
            loop {
                match incoming.take() {
                    Ok(Some(packet)) => messages.push(packet),
                    Ok(None) => break,
                    Err(_) => return (messages, false),
                }
            }
        }
        (messages, true)
    };
    let cut = usize::from(*first).min(bytes.len());
    let (whole, good) = read(&[bytes]);
    let (segments, same) = read(&[&bytes[..cut], &bytes[cut..]]);
    assert_eq!((whole.len(), good), (segments.len(), same));
    for packet in &whole {
        let Ok(message) = packet.message() else { continue };
        let mut outgoing = Outgoing::default();
        outgoing.push(&message, None);
        let bytes = outgoing.bytes();
        let (again, _) = read(&[&bytes]);
        assert_eq!(again[0].message().as_ref(), Ok(&message));
    }
});
