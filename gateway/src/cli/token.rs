//! `token`: a development token. Production tokens come from the issuer; the gateway has only its public keys.

use super::output;
use crate::access::{TokenRequest, mint};
use crate::config::{self, Issuer, Keys};
use crate::identity::NamespaceGrant;
use anyhow::{Context as _, anyhow, bail};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// What the token shall say.
#[derive(Debug, clap::Args)]
pub(super) struct TokenArguments {
    /// The issuer, by its name in the configuration. Default: the only one that has a secret file.
    #[arg(long)]
    issuer: Option<String>,
    /// The `sub` claim.
    #[arg(long, default_value = "developer")]
    subject: String,
    /// A namespace that the token opens; repeatable. `*` opens all.
    #[arg(long = "namespace", required = true, value_name = "NAME")]
    namespaces: Vec<String>,
    /// How long it is valid, like `30m` or `8h`.
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// A further claim, `name=value`; the value may be JSON; repeatable.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
}

/// Prints a token and nothing else.
pub(super) fn token(file: &Path, arguments: &TokenArguments) -> anyhow::Result<ExitCode> {
    let mut sources = config::load(file);
    let content = sources.gateway.content.take_if(|_| sources.gateway.problems.is_empty());
    let Some(gateway) = content else {
        let problems: Vec<String> = sources.into_problems().iter().map(ToString::to_string).collect();
        bail!("the configuration has problems:\n{}", problems.join("\n"));
    };
    let issuer = find_issuer(&gateway.issuers, arguments.issuer.as_deref())?;
    let Keys::SecretFile(secret_file) = &issuer.keys else {
        bail!("the issuer `{}` has no secret file; only it can sign its tokens", issuer.name);
    };
    let secret = std::fs::read(secret_file).with_context(|| format!("cannot read {}", secret_file.display()))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    let request = TokenRequest {
        issuer: issuer.issuer.clone(),
        audience: issuer.audiences.first().cloned(),
        subject: arguments.subject.clone(),
        namespaces: match arguments.namespaces.iter().any(|name| name == "*") {
            true => NamespaceGrant::All,
            false => NamespaceGrant::Only(arguments.namespaces.clone().into()),
        },
        namespaces_claim: issuer.namespaces_claim.clone(),
        now: now.as_secs(),
        lifetime: arguments.ttl,
        extra: extra_claims(&arguments.claims)?,
    };
    if !issuer.algorithms.iter().any(|name| name == "HS256") {
        bail!("the issuer `{}` does not accept HS256, the algorithm of development tokens", issuer.name);
    }
    output::print(&format!("{}\n", mint(secret.trim_ascii(), &request)?));
    Ok(ExitCode::SUCCESS)
}

fn find_issuer<'a>(issuers: &'a [Issuer], name: Option<&str>) -> anyhow::Result<&'a Issuer> {
    let known = || issuers.iter().map(|issuer| issuer.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = name {
        return issuers
            .iter()
            .find(|issuer| issuer.name == name)
            .ok_or_else(|| anyhow!("no issuer is called `{name}`; there are: {}", known()));
    }
    let mut with_secret = issuers.iter().filter(|issuer| matches!(issuer.keys, Keys::SecretFile(_)));
    match (with_secret.next(), with_secret.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => bail!("no issuer has a secret file, so no token can be minted here; there are: {}", known()),
        _ => bail!("several issuers have a secret file; name one with --issuer: {}", known()),
    }
}

fn extra_claims(claims: &[String]) -> anyhow::Result<serde_json::Map<String, serde_json::Value>> {
    let mut extra = serde_json::Map::new();
    for claim in claims {
        let (name, value) =
            claim.split_once('=').with_context(|| format!("`{claim}` is no claim; write `name=value`"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::String(value.to_owned()));
        extra.insert(name.to_owned(), value);
    }
    Ok(extra)
}
