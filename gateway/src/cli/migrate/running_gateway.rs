//! The gateway that serves the route: asked for reloads and numbers.

use super::judge::Sample;
use super::plan::Shares;
use super::samples::read_sample;
use crate::cli::admin_client::AdminArguments;
use anyhow::bail;
use serde::Deserialize;
use serde_json::Value;

/// A route of a running gateway.
#[derive(Debug)]
pub(super) struct RunningGateway<'a> {
    pub(super) admin: &'a AdminArguments,
    pub(super) namespace: &'a str,
    pub(super) route: &'a str,
    pub(super) to: &'a str,
}

/// A line of `/admin/v1/routes`.
#[derive(Debug, Deserialize)]
struct ServedRoute {
    namespace: String,
    name: String,
    to: String,
}

impl RunningGateway<'_> {
    /// What is counted now.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub(super) fn sample(&self) -> anyhow::Result<Sample> {
        Ok(read_sample(&self.admin.text("/metrics")?, self.namespace, self.route, self.to))
    }

    /// Asks for a reload, and for these shares to be in force then.
    ///
    /// # Errors
    /// When they are not, with the reasons of the gateway.
    pub(super) fn reload(&self, shares: &Shares) -> anyhow::Result<()> {
        let (status, answer) = self.admin.post("/admin/v1/reload")?;
        let problems = serde_json::from_str::<Value>(&answer).ok().and_then(|answer| {
            let problems = answer.get("problems")?.as_array()?;
            Some(problems.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"))
        });
        if status != 200 {
            bail!("the gateway rejects the configuration:\n{}", problems.unwrap_or(answer));
        }
        self.serves(shares).map_err(|error| match problems.filter(|problems| !problems.is_empty()) {
            Some(problems) => error.context(format!("the configuration has problems:\n{problems}")),
            None => error,
        })
    }

    /// Whether these shares are in force.
    ///
    /// # Errors
    /// When they are not.
    pub(super) fn serves(&self, shares: &Shares) -> anyhow::Result<()> {
        let routes: Vec<ServedRoute> = self.admin.get("/admin/v1/routes")?;
        let is_meant = |served: &&ServedRoute| served.namespace == self.namespace && served.name == self.route;
        let Some(served) = routes.iter().find(is_meant) else {
            bail!("the gateway does not serve the route `{}` of `{}`", self.route, self.namespace);
        };
        let mut found: Vec<&str> = served.to.split(", ").filter(|share| !is_nothing(share)).collect();
        let wanted: Vec<String> = shares
            .0
            .iter()
            .filter(|(_, weight)| *weight > 0)
            .map(|(name, weight)| format!("{name}: {weight}"))
            .collect();
        let mut wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        let is_alone = matches!(wanted.as_slice(), [one] if found == [one.split(": ").next().unwrap_or_default()]);
        if found != wanted && !is_alone {
            bail!(
                "the gateway serves `{}`, the file says `{shares}`; is it the gateway of this file, and has it loaded it?",
                served.to
            );
        }
        Ok(())
    }
}

/// Nothing, or canaries alone.
fn is_nothing(share: &str) -> bool {
    share.ends_with(": 0") || share.ends_with(": canary")
}
