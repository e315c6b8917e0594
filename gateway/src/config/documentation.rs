//! The gateway's own document of everything that it has.

use schemars::JsonSchema;
use serde::Deserialize;

/// The gateway's own OpenAPI document, at `/openapi.json` with a page to try it at `/docs`, and for FrameX instances at
/// `/api/v1/openapi.json`. Callers see what they may use. Routes at these paths take precedence.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawDocumentation {
    /// Whether there is one. Default: true.
    enabled: Option<bool>,
    /// What operations and schemas are called after in the document for FrameX instances, besides `gw_`. Default: nothing. An instance that points to
    /// several gateways needs another name for each: where two have one operation, FrameX calls the wrong one, with the key of
    /// the other.
    name: Option<String>,
    /// Its title. Default: `FrameX Gateway`.
    title: Option<String>,
    /// The version of the API that it describes. Default: `1`.
    version: Option<String>,
    /// What its readers should know first, in Markdown.
    description: Option<String>,
}

/// The gateway's own OpenAPI document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documentation {
    /// Whether there is one.
    pub enabled: bool,
    /// What operations and schemas are called after in the document for FrameX instances.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The version of the API that it describes.
    pub version: String,
    /// What its readers should know first, in Markdown.
    pub description: Option<String>,
}

impl RawDocumentation {
    pub(super) fn validate(self) -> Documentation {
        let Self { enabled, name, title, version, description } = self;
        Documentation {
            enabled: enabled.unwrap_or(true),
            name: name.unwrap_or_default(),
            title: title.unwrap_or_else(|| "FrameX Gateway".to_owned()),
            version: version.unwrap_or_else(|| "1".to_owned()),
            description,
        }
    }
}
