//! Why a caller may or may not use a route, for people.

use super::access_rule::AccessRule;
use crate::identity::Identity;
use crate::rejection::Rejection;

/// Says in sentences what the rule asks and how it judges the result of [`super::identify()`].
#[must_use]
pub fn explain(rule: &AccessRule, identified: &Result<Identity, Rejection>) -> Vec<String> {
    if rule.public {
        return vec!["The route is public; no token is looked at.".to_owned()];
    }
    let mut sentences = vec![format!("The route needs a token that grants the namespace `{}`.", rule.namespace)];
    if let Some(issuers) = &rule.issuers {
        sentences.push(format!("The token must be of one of these issuers: {}.", issuers.join(", ")));
    }
    sentences.extend(rule.claims.iter().map(|rule| format!("Its claim {rule}.")));
    let judged = match identified {
        Ok(identity) => {
            sentences.push(describe(identity));
            rule.authorise(identity)
        }
        Err(rejection) => Err(rejection.clone()),
    };
    sentences.push(match judged {
        Ok(()) => "The caller may use the route.".to_owned(),
        Err(rejection) => refusal(&rejection),
    });
    sentences
}

fn describe(identity: &Identity) -> String {
    match identity.caller() {
        None => "The request shows no token.".to_owned(),
        Some(caller) => format!(
            "The token is good: subject `{}`, issuer `{}`, granting {}.",
            caller.subject.escape_debug(),
            caller.issuer,
            caller.namespaces
        ),
    }
}

fn refusal(rejection: &Rejection) -> String {
    let (status, code, detail) = (rejection.reason.status(), rejection.reason.code(), &rejection.detail);
    let note = if rejection.note.is_empty() { String::new() } else { format!(" The log says: {}.", rejection.note) };
    format!("The request is refused with {status} `{code}`: {detail}.{note}")
}
