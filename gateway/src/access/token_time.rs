//! When a token is valid.

use serde_json::Value;

/// The whole seconds since 1970 at which a token is valid, leeway included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    /// The first second.
    from: u64,
    /// The first second that is too late: a token is refused "on or after" its `exp` (RFC 7519 §4.1.4).
    before: u64,
}

/// On which side of its time a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutOfTime {
    /// Valid from this second on.
    TooEarly(u64),
    /// No longer valid from this second on.
    TooLate(u64),
}

impl Validity {
    /// From the `nbf` and `exp` claims. The error names the claim and what is wrong with it.
    pub(super) fn read(claims: &Value, leeway: u64) -> Result<Self, (&'static str, &'static str)> {
        let before = claims.get("exp").ok_or(("exp", "is missing"))?;
        let before = whole_seconds(before).ok_or(("exp", "is no number"))?;
        let from = match claims.get("nbf") {
            Some(from) => whole_seconds(from).ok_or(("nbf", "is no number"))?,
            None => 0,
        };
        Ok(Self { from: from.saturating_sub(leeway), before: before.saturating_add(leeway) })
    }

    pub(super) fn check(self, now: u64) -> Result<(), OutOfTime> {
        if now < self.from {
            Err(OutOfTime::TooEarly(self.from))
        } else if now >= self.before {
            Err(OutOfTime::TooLate(self.before))
        } else {
            Ok(())
        }
    }
}

/// A NumericDate (RFC 7519 §2) rounded up to whole seconds. For a clock that counts whole seconds, rounding up changes
/// neither "before" nor "from" a date with a fraction. What lies outside the range becomes its end.
fn whole_seconds(date: &Value) -> Option<u64> {
    date.as_u64().or_else(|| date.as_f64().map(|seconds| seconds.ceil() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_is_valid_from_nbf_until_just_before_exp() {
        use OutOfTime::{TooEarly, TooLate};
        for (claims, leeway, now, expected) in [
            (json!({ "exp": 100 }), 0, 99, Ok(())),
            (json!({ "exp": 100 }), 0, 100, Err(TooLate(100))),
            (json!({ "exp": 100 }), 30, 129, Ok(())),
            (json!({ "exp": 100 }), 30, 130, Err(TooLate(130))),
            (json!({ "exp": 100.5 }), 0, 100, Ok(())),
            (json!({ "exp": 100.5 }), 0, 101, Err(TooLate(101))),
            (json!({ "exp": 1e2 }), 0, 99, Ok(())),
            (json!({ "exp": 200, "nbf": 100 }), 0, 99, Err(TooEarly(100))),
            (json!({ "exp": 200, "nbf": 100 }), 0, 100, Ok(())),
            (json!({ "exp": 200, "nbf": 99.5 }), 0, 99, Err(TooEarly(100))),
            (json!({ "exp": 200, "nbf": 100 }), 30, 70, Ok(())),
            (json!({ "exp": 200, "nbf": 100 }), 30, 69, Err(TooEarly(70))),
            (json!({ "exp": -1 }), 0, 0, Err(TooLate(0))),
            (json!({ "exp": 1e300, "nbf": -1e300 }), 30, u64::MAX - 1, Ok(())),
            (json!({ "exp": u64::MAX }), 30, 5, Ok(())),
        ] {
            let validity = Validity::read(&claims, leeway).unwrap();
            assert_eq!(validity.check(now), expected, "{claims} with {leeway} at {now}");
        }
    }

    #[test]
    fn dates_must_be_numbers_and_exp_must_be_there() {
        for claims in [json!({}), json!({ "exp": "100" }), json!({ "exp": null }), json!({ "exp": 1, "nbf": "0" })] {
            assert!(Validity::read(&claims, 0).is_err(), "{claims}");
        }
    }
}
