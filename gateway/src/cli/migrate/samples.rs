//! What the gateway's metrics say of the shares of a route.

use super::judge::{Copies, Numbers, Sample};
use std::collections::BTreeMap;

/// The numbers of a route, of which `to` is to get more.
pub(super) fn read_sample(metrics: &str, namespace: &str, route: &str, to: &str) -> Sample {
    let mut sample = Sample::default();
    let (mut of_new, mut of_old) = (BTreeMap::new(), BTreeMap::new());
    for (name, labels, value) in metrics.lines().filter_map(parse_line) {
        let label =
            |label: &str| labels.iter().find(|(name, _)| *name == label).map_or("", |(_, value)| value.as_str());
        if label("namespace") != namespace || label("route") != route {
            continue;
        }
        // Counters are whole.
        let count = value as u64;
        match name {
            "framex_gateway_share_requests_total" => {
                let numbers = if label("to") == to { &mut sample.new } else { &mut sample.old };
                numbers.requests += count;
                if matches!(label("status"), "5xx" | "fallback") {
                    numbers.errors += count;
                }
            }
            "framex_gateway_share_duration_seconds_bucket" => {
                let buckets = if label("to") == to { &mut of_new } else { &mut of_old };
                if let Ok(bound) = label("le").replace("+Inf", "inf").parse::<f64>() {
                    // Positive numbers are in the order of their bits.
                    *buckets.entry(bound.to_bits()).or_insert(0) += count;
                }
            }
            "framex_gateway_shadow_requests_total" => match label("outcome") {
                "same" => sample.copies.compared += count,
                "different" | "missing" => {
                    let Copies { compared, different } = &mut sample.copies;
                    *compared += count;
                    *different += count;
                }
                _ => {}
            },
            _ => {}
        }
    }
    let buckets = |buckets: BTreeMap<u64, u64>| {
        buckets.into_iter().map(|(bound, count)| (f64::from_bits(bound), count)).collect()
    };
    sample.new = Numbers { buckets: buckets(of_new), ..sample.new };
    sample.old = Numbers { buckets: buckets(of_old), ..sample.old };
    sample
}

type Labels<'a> = Vec<(&'a str, String)>;

/// A line of the text exposition format 0.0.4: name, labels, value.
fn parse_line(line: &str) -> Option<(&str, Labels<'_>, f64)> {
    let (name, mut rest) = line.split_once('{')?;
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(value) = rest.strip_prefix('}') {
            return Some((name, labels, value.trim().split(' ').next()?.parse().ok()?));
        }
        let (label, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        let end = loop {
            match characters.next()? {
                (end, '"') => break end,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.push((label, value));
        rest = &quoted[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_numbers_of_one_route_are_read() {
        let text = r#"# HELP framex_gateway_share_requests_total x
framex_gateway_share_requests_total{namespace="demo",route="GET,PUT /a/{b} \"c\\",status="2xx",to="new"} 90
framex_gateway_share_requests_total{namespace="demo",route="GET,PUT /a/{b} \"c\\",status="5xx",to="new"} 7
framex_gateway_share_requests_total{namespace="demo",route="GET,PUT /a/{b} \"c\\",status="fallback",to="new"} 3
framex_gateway_share_requests_total{namespace="demo",route="GET,PUT /a/{b} \"c\\",status="2xx",to="old"} 5
framex_gateway_share_requests_total{namespace="other",route="GET,PUT /a/{b} \"c\\",status="2xx",to="new"} 1000
framex_gateway_share_duration_seconds_bucket{namespace="demo",route="GET,PUT /a/{b} \"c\\",to="new",le="0.5"} 50
framex_gateway_share_duration_seconds_bucket{namespace="demo",route="GET,PUT /a/{b} \"c\\",to="new",le="10"} 100
framex_gateway_share_duration_seconds_bucket{namespace="demo",route="GET,PUT /a/{b} \"c\\",to="new",le="+Inf"} 100
framex_gateway_shadow_requests_total{namespace="demo",outcome="same",route="GET,PUT /a/{b} \"c\\"} 8
framex_gateway_shadow_requests_total{namespace="demo",outcome="missing",route="GET,PUT /a/{b} \"c\\"} 1
framex_gateway_shadow_requests_total{namespace="demo",outcome="dropped",route="GET,PUT /a/{b} \"c\\"} 50
process_open_fds 12
"#;
        let sample = read_sample(text, "demo", "GET,PUT /a/{b} \"c\\", "new");
        assert_eq!((sample.new.requests, sample.new.errors, sample.old.requests), (100, 10, 5));
        assert_eq!(sample.copies, Copies { compared: 9, different: 1 });
        assert_eq!(sample.new.p99(), Some(Duration::from_secs_f64(0.5 + 9.5 * 49.0 / 50.0)));
        assert_eq!(read_sample(text, "demo", "other", "new"), Sample::default());
    }
}
