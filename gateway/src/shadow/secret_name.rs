//! Whether a name is that of a secret.

/// Words that make a name one of a secret, wherever they stand in it.
const WORDS: [&str; 22] = [
    "password",
    "passwords",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "tokens",
    "key",
    "keys",
    "apikey",
    "authorization",
    "credential",
    "credentials",
    "cookie",
    "cookies",
    "jwt",
    "bearer",
    "otp",
    "signature",
    "session",
];
/// The same where words are written together.
const PARTS: [&str; 8] =
    ["password", "passwd", "secret", "token", "apikey", "authorization", "credential", "privatekey"];

/// Whether a key, field or parameter of this name holds a secret: `api_key`, `accessToken`, `X-API-Key`, but not `monkey`.
pub(super) fn is_secret_name(name: &str) -> bool {
    let together: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    PARTS.iter().any(|part| together.contains(part)) || words(name).any(|word| WORDS.contains(&word.as_str()))
}

/// The words of `some_name`, `some-name`, `someName`, in lower case.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase() || c.is_numeric();
    }
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_however_they_are_written() {
        for name in [
            "password",
            "PASSWORD",
            "userPassword",
            "api_key",
            "apiKey",
            "X-API-Key",
            "key",
            "accesstoken",
            "Authorization",
            "client.secret",
            "sessionID",
            "Set-Cookie",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["monkey", "keyboard", "name", "author", "sessional", "passing", "", "turkey_dish"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
