//! What was found.

use serde_json::{Value, json};
use std::fmt;

/// How bad it is. The order is that of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Callers will see something else than now, unless the setting is made.
    Breaks,
    /// It depends on what callers do, or cannot be seen from outside.
    Look,
    /// It was looked at, and the gateway takes care of it.
    Fine,
}

impl Severity {
    fn label(self) -> &'static str {
        match self {
            Self::Breaks => "breaks",
            Self::Look => "look",
            Self::Fine => "fine",
        }
    }
}

/// One thing that will be different, or that was feared to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// A word for programs.
    pub(super) code: &'static str,
    /// Where: paths, mostly.
    pub(super) places: Vec<String>,
    pub(super) why: String,
    /// The setting that helps; may be empty.
    pub(super) setting: String,
}

/// As many places as a person reads.
const MOST_PLACES: usize = 8;

impl Finding {
    pub(super) fn breaks(code: &'static str, why: impl Into<String>, setting: impl Into<String>) -> Self {
        Self { severity: Severity::Breaks, code, places: Vec::new(), why: why.into(), setting: setting.into() }
    }

    pub(super) fn look(code: &'static str, why: impl Into<String>, setting: impl Into<String>) -> Self {
        Self { severity: Severity::Look, ..Self::breaks(code, why, setting) }
    }

    pub(super) fn fine(code: &'static str, why: impl Into<String>) -> Self {
        Self { severity: Severity::Fine, ..Self::breaks(code, why, "") }
    }

    /// Says where.
    pub(super) fn at(mut self, places: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.places.extend(places.into_iter().map(Into::into));
        self
    }

    pub(super) fn to_json(&self) -> Value {
        let Self { severity, code, places, why, setting } = self;
        json!({ "severity": severity.label(), "code": code, "where": places, "why": why, "setting": setting })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parts of it come from the application.
        let plain = |text: &str| -> String { text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect() };
        let more = self.places.len().saturating_sub(MOST_PLACES);
        let mut places = self.places[..self.places.len() - more].join(", ");
        if more > 0 {
            places.push_str(&format!(" and {more} more"));
        }
        writeln!(f, "{:<7} {:<22} {}", self.severity.label().to_uppercase(), self.code, plain(&places))?;
        writeln!(f, "        {}", plain(&self.why))?;
        if !self.setting.is_empty() {
            writeln!(f, "        -> {}", plain(&self.setting))?;
        }
        Ok(())
    }
}
