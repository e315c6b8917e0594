//! The request as a plugin sees it.

use super::fields::set_own_fields;
use crate::backends::LocalPlugin;
use crate::identity::Identity;
use crate::rejection::{Reason, Rejection};
use crate::rewrite::end_to_end_fields;
use crate::snapshot::Route;
use crate::telemetry::{RequestId, TraceContext};
use framex_plugin_host::Body;
use http::{HeaderMap, Method, Request, header};
use tokio::time::Instant;

/// What is known of a request that a plugin is to answer.
pub(crate) struct PluginRequest<'a> {
    pub(crate) method: &'a Method,
    /// In normal form.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) fields: &'a HeaderMap,
    pub(crate) identity: &'a Identity,
    pub(crate) ids: Option<&'a (RequestId, TraceContext)>,
    /// When its caller has no more use for an answer.
    pub(crate) deadline: Option<Instant>,
}

/// The request as the plugin sees it. Its authority is the gateway's name for the plugin, never the client's Host.
pub(crate) fn plugin_request(
    sent: &PluginRequest<'_>,
    route: &Route,
    plugin: &LocalPlugin,
    body: Body,
) -> Result<Request<Body>, Rejection> {
    let path = route.rewrite.path(sent.path);
    let target = match sent.query {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    let uri = http::Uri::builder().scheme("http").authority(&*plugin.authority).path_and_query(target).build();
    let uri = uri.map_err(|error| Rejection::from(Reason::Internal).with_note(error.to_string()))?;
    let mut request = Request::new(body);
    *request.method_mut() = sent.method.clone();
    *request.uri_mut() = uri;
    let fields = request.headers_mut();
    *fields = end_to_end_fields(sent.fields);
    fields.remove(header::HOST);
    fields.remove(header::EXPECT);
    if !route.rule.public {
        fields.remove(header::AUTHORIZATION);
    }
    for name in &route.rewrite.remove_request {
        fields.remove(name);
    }
    set_own_fields(fields, route, sent.identity, sent.ids, sent.deadline);
    for (name, value) in &route.rewrite.set_request {
        fields.insert(name.clone(), value.clone());
    }
    Ok(request)
}
