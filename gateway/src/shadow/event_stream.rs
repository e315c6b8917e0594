//! The events of a stream (WHATWG HTML §9.2), as far as they are compared.

/// One event: its fields without its data, and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// `event` and `id`, as they are written.
    pub(super) fields: String,
    pub(super) data: String,
}

impl Event {
    /// As it is written.
    pub(super) fn text(&self) -> String {
        let data: String = self.data.split('\n').map(|line| format!("data: {line}\n")).collect();
        format!("{}{data}", self.fields)
    }
}

/// The events of a stream. Comments, by which servers keep connections alive, and `retry` are none; what follows the last empty line
/// is one, because a stream that is cut there is compared all the same.
pub(super) fn events(stream: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let (mut fields, mut data) = (String::new(), Vec::new());
    let mut end = |fields: &mut String, data: &mut Vec<String>| {
        if !fields.is_empty() || !data.is_empty() {
            events.push(Event { fields: std::mem::take(fields), data: std::mem::take(data).join("\n") });
        }
    };
    for line in stream.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            _ if line.is_empty() => end(&mut fields, &mut data),
            "data" => data.push(value.to_owned()),
            "event" | "id" => fields.push_str(&format!("{name}: {value}\n")),
            _ => {}
        }
    }
    end(&mut fields, &mut data);
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_taken_apart_into_its_events() {
        let stream = ": hello\r\n\r\nid: 1\r\ndata: a\r\ndata:b\r\n\r\n: still there\n\nevent: end\ndata\n\nretry: 5\n\ndata: rest";
        let texts: Vec<String> = events(stream).iter().map(Event::text).collect();
        assert_eq!(texts, ["id: 1\ndata: a\ndata: b\n", "event: end\ndata: \n", "data: rest\n"]);
    }
}
