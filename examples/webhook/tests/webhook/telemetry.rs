//! What Prometheus and a trace show of messages.

use std::collections::HashMap;

use greentic_session_testkit::{RedisServer, own_servers, require};

use crate::channel;
use crate::process::Process;
use crate::storm::{deliver, deliver_with};

/// A span as it was printed: its fields, and the identifiers of its link.
#[derive(Debug, Default)]
struct Span {
    fields: HashMap<String, String>,
    link: HashMap<String, String>,
}

impl Span {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Trace and span.
    fn ids(&self) -> (&str, &str) {
        (self.field("TraceId"), self.field("SpanId"))
    }

    fn link(&self) -> (&str, &str) {
        (&self.link["TraceId"], &self.link["SpanId"])
    }
}

/// Reads the spans that a process printed.
fn spans(printed: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut linked = false;
    for line in printed.lines() {
        if line.starts_with("Span #") {
            spans.push(Span::default());
            linked = false;
        }
        linked |= line.trim() == "Links:";
        let pair = line.trim().split_once(':');
        if let (Some(span), Some((name, value))) = (spans.last_mut(), pair) {
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            let fields = if linked {
                &mut span.link
            } else {
                &mut span.fields
            };
            fields.insert(name, value);
        }
    }
    spans
}

#[test]
fn messages_lead_to_metrics_and_to_traces() {
    require!(own_servers);
    let server = RedisServer::start();
    let mut process = Process::start(&server.url(), &[("WEBHOOK_TRACES", "true")]);
    let address = process.address;
    let sender = "4bf92f3577b34da6a3ce929d0e0e4736";
    let header = format!("traceparent: 00-{sender}-00f067aa0ba902b7-01\r\n");
    let first = deliver_with(address, &header, 1, 1, "hello").unwrap();
    assert_eq!(first.body, "What is your name?");
    let second = deliver(address, 1, 2, "Ada").unwrap();
    assert_eq!(second.body, "Hello Ada. Where do you live?");
    let again = deliver(address, 1, 2, "Ada").unwrap();
    assert_eq!(again.body, second.body);

    let text = channel::get(address, "/metrics").unwrap().body;
    let has = |line: &str| assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    for outcome in ["start", "claimed", "duplicate"] {
        has(&format!(
            r#"greentic_session_claims{{backend="redis",outcome="{outcome}"}} 1"#
        ));
    }
    has(r#"greentic_session_call_duration_count{backend="redis",verb="commit",outcome="ok"} 2"#);
    let requests = r#"db_client_operation_duration_bucket{db_system_name="redis",db_operation_name="commit",le="10"} 2"#;
    has(requests);

    process.terminate();
    let printed = process.rest();
    let spans = spans(&printed);
    let messages: Vec<_> = spans
        .iter()
        .filter(|span| span.fields["Name"] == "POST /messages")
        .collect();
    assert_eq!(messages.len(), 3, "{printed}");
    assert_eq!(messages[0].field("TraceId"), sender);
    assert_eq!(messages[0].field("ParentSpanId"), "00f067aa0ba902b7");
    assert_eq!(messages[1].field("ParentSpanId"), "None (root span)");
    assert_ne!(messages[1].field("TraceId"), sender);
    assert_eq!(messages[1].link(), messages[0].ids(), "{printed}");
    assert!(messages[2].link.is_empty(), "a redelivery resumes nothing");
    for (message, outcome) in messages.iter().zip(["start", "claimed", "duplicate"]) {
        let (trace, id) = message.ids();
        let below = |name: &str| {
            spans.iter().find(|span| {
                let (of, parent) = (span.field("TraceId"), span.field("ParentSpanId"));
                span.field("Name") == name && of == trace && parent == id
            })
        };
        let claim = below("session claim").expect("the claim is a span");
        let told = claim.field("->  greentic.session.outcome");
        assert!(told.contains(outcome), "{told}");
        assert!(below("claim").is_some(), "its request is a span");
        let committed = below("session commit").is_some();
        assert_eq!(committed, outcome != "duplicate");
    }
    let personal = ["+49 151", "chat 1", "Ada"];
    assert!(personal.iter().all(|text| !printed.contains(text)), "C18");
}
