//! `[auth.oauth]`: how people log in.

use super::secret::Secret;
use super::value;
use serde_json::Value;

/// How people log in, at GitLab or what speaks like it. Whoever is logged in needs no key for any route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oauth {
    /// Name of the provider.
    pub provider: String,
    /// The instance at the provider.
    pub client_id: String,
    /// Its password at the provider.
    pub client_secret: Secret,
    /// Where the provider stands: `https://gitlab.example.com`.
    pub base_url: String,
    /// Where people are sent. Default: `{base_url}/oauth/authorize`.
    pub authorization_url: String,
    /// Where a code becomes a token. Default: `{base_url}/oauth/token`.
    pub token_url: String,
    /// Where a token becomes a name. Default: `{base_url}/api/v4/user`.
    pub user_info_url: String,
    /// The path at which people come back.
    pub redirect_uri: String,
    /// The address under which people know the instance. Requests with another `Host` are redirected to it.
    pub app_url: String,
    /// Signs its cookies; 32 bytes at least.
    pub jwt_secret: Secret,
    /// How. Default: `HS256`.
    pub jwt_algorithm: String,
}

impl Oauth {
    /// Takes a setting. `Ok(false)` when it is none of these.
    pub(super) fn set(&mut self, name: &str, value: &Value) -> Result<bool, String> {
        let place = match name {
            "client_secret" => {
                self.client_secret = Secret::new(value::text(value)?);
                return Ok(true);
            }
            "jwt_secret" => {
                self.jwt_secret = Secret::new(value::text(value)?);
                return Ok(true);
            }
            "provider" => &mut self.provider,
            "client_id" => &mut self.client_id,
            "base_url" => &mut self.base_url,
            "authorization_url" => &mut self.authorization_url,
            "token_url" => &mut self.token_url,
            "user_info_url" => &mut self.user_info_url,
            "redirect_uri" => &mut self.redirect_uri,
            "app_url" => &mut self.app_url,
            "jwt_algorithm" => &mut self.jwt_algorithm,
            _ => return Ok(false),
        };
        *place = value::text(value)?;
        Ok(true)
    }

    /// Fills in what follows from the rest.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        for (place, path) in [
            (&mut self.authorization_url, "/oauth/authorize"),
            (&mut self.token_url, "/oauth/token"),
            (&mut self.user_info_url, "/api/v4/user"),
        ] {
            if place.is_empty() {
                *place = format!("{}{path}", self.base_url);
            }
        }
        if self.jwt_algorithm.is_empty() {
            self.jwt_algorithm = "HS256".to_owned();
        }
        let secret = self.jwt_secret.reveal();
        if secret.trim().is_empty() || secret.len() < 32 {
            return Err("must be there and have 32 bytes at least".to_owned());
        }
        Ok(())
    }
}
