//! Whether the application answers the gateway at all: other hosts, redirects to HTTPS.

use super::check::Question;
use super::finding::Finding;
use super::probe::Probe;
use crate::cli::web::Page;
use http::Method;

/// A host by which nobody calls the application today.
const OTHER_HOST: &str = "gateway.example.com";

pub(super) async fn check(probe: &mut Probe, question: &Question, first: &Page, findings: &mut Vec<Finding>) {
    let mut first = first.clone();
    if redirects_to_https(&first) && question.origin.starts_with("http://") {
        let forwarded = probe.ask(Method::GET, "/", &[("x-forwarded-proto", "https")]).await;
        match forwarded.filter(|page| !redirects_to_https(page)) {
            Some(page) => {
                findings.push(Finding::look(
                    "https_redirect",
                    "The application redirects plain HTTP to HTTPS, but believes X-Forwarded-Proto. The gateway says `https` there when its caller used TLS; callers over plain HTTP would be redirected for ever.",
                    "a listener with `tls`, and uvicorn's `--proxy-headers --forwarded-allow-ips` with the gateway's address",
                ).at(["/"]));
                probe.add_field("x-forwarded-proto", "https");
                first = page;
            }
            None => findings.push(Finding::breaks(
                "https_redirect",
                format!("The application answers {} to {} for plain HTTP, whatever X-Forwarded-Proto says (HTTPSRedirectMiddleware). Through the gateway every request comes back to the same redirect.", first.status.as_u16(), first.field("location")),
                "uvicorn's `--proxy-headers --forwarded-allow-ips` with the gateway's address, an `https://` endpoint, or the middleware removed: the gateway's listener ends TLS",
            ).at(["/"])),
        }
    }
    if let Some(other) = probe.ask(Method::GET, "/", &[("host", OTHER_HOST)]).await {
        let is_refused = |page: &Page| matches!(page.status.as_u16(), 400 | 403 | 421);
        let is_other = is_refused(&other) && !is_refused(&first);
        let leads_away = other.status.is_redirection()
            && other.field("location") != first.field("location")
            && !other.field("location").contains(OTHER_HOST);
        if is_other {
            findings.push(Finding::breaks(
                "host_refused",
                format!("The application answers {} to a Host that it does not know (TrustedHostMiddleware). The gateway passes on the host that its caller named.", other.status.as_u16()),
                "`host: endpoint` at the backend (or a fixed name that it knows), or the gateway's host among those that it allows",
            ).at(["/"]));
        } else if leads_away {
            findings.push(
                Finding::breaks(
                    "host_redirected",
                    format!("The application redirects other hosts to {}, past the gateway.", other.field("location")),
                    "`host:` of the backend with the name that it wants, or the gateway's host as its own",
                )
                .at(["/"]),
            );
        } else {
            findings.push(Finding::fine("host", "The application answers whatever Host it is asked for."));
        }
    }
}

pub(super) fn redirects_to_https(page: &Page) -> bool {
    page.status.is_redirection() && page.field("location").starts_with("https://")
}
