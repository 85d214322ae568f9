//! The timeline of a process (AUTOJIT_TRACE) in the Trace Event Format, which Perfetto (ui.perfetto.dev) and Chrome show:
//! complete events ("ph": "X") with times in microseconds, one row for each thread.

use std::fmt::Write;
use std::time::Duration;

use autojit_protocol::json::quote;

use crate::program::image;
use crate::settings::trace;

/// The timeline as JSON. Times count from the first event.
pub fn json(process: u32) -> String {
    let mut first = Duration::MAX;
    trace::each(|span| first = first.min(span.begin));
    // Writing to a String cannot fail.
    let mut text = String::from("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n");
    let _ = write!(
        text,
        "{{\"name\": \"process_name\", \"ph\": \"M\", \"pid\": {process}, \"args\": {{\"name\": "
    );
    quote(&mut text, &image::program());
    text.push_str("}}");
    let microseconds = |time: Duration| {
        let nanoseconds = time.as_nanos();
        format!("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000)
    };
    trace::each(|span| {
        let name = if span.subject.is_empty() { span.what } else { &span.subject };
        text.push_str(",\n{\"name\": ");
        quote(&mut text, name);
        let (begin, took) = (microseconds(span.begin - first), microseconds(span.end - span.begin));
        let _ = write!(
            text,
            ", \"cat\": \"{}\", \"ph\": \"X\", \"ts\": {begin}, \"dur\": {took}, \"pid\": {process}, \"tid\": {}, \
             \"args\": {{\"step\": \"{}\"}}}}",
            span.what, span.thread, span.what
        );
    });
    text.push_str("\n]}\n");
    text
}
