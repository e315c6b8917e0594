//! Conditions on header fields and query parameters.

use super::query;
use http::{HeaderMap, HeaderName};
use std::fmt;

/// What a route asks of one value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ValueTest {
    /// The value is exactly this, byte by byte.
    Exact(String),
    /// The name is there, with whatever value (`true`), or it is not (`false`).
    Present(bool),
}

/// A condition on a header field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderCondition {
    /// The field name.
    pub name: HeaderName,
    /// What is asked of it. An exact value needs a field that occurs exactly once: backends disagree on which of two
    /// they read, and a request must not be routed by one and served by the other.
    pub test: ValueTest,
}

/// A condition on a query parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueryCondition {
    /// The parameter name, decoded.
    pub name: String,
    /// What is asked of the first parameter of that name. `a` without `=` is present with an empty value.
    pub test: ValueTest,
}

impl ValueTest {
    /// Whether no value can pass both tests.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(one), Self::Exact(two)) => one != two,
            (Self::Exact(_), Self::Present(present)) | (Self::Present(present), Self::Exact(_)) => !present,
            (Self::Present(one), Self::Present(two)) => one != two,
        }
    }
}

impl HeaderCondition {
    /// Whether the header fields fulfil the condition.
    #[must_use]
    pub fn holds(&self, headers: &HeaderMap) -> bool {
        match &self.test {
            ValueTest::Present(present) => headers.contains_key(&self.name) == *present,
            ValueTest::Exact(expected) => {
                let mut values = headers.get_all(&self.name).iter();
                values.next().is_some_and(|value| value.as_bytes() == expected.as_bytes()) && values.next().is_none()
            }
        }
    }
}

impl QueryCondition {
    /// Whether the query, without its `?`, fulfils the condition.
    #[must_use]
    pub fn holds(&self, query: Option<&str>) -> bool {
        let value = query.and_then(|query| query::first_value(query, &self.name));
        match &self.test {
            ValueTest::Present(present) => value.is_some() == *present,
            ValueTest::Exact(expected) => value.is_some_and(|value| query::decodes_to(value, expected)),
        }
    }
}

impl fmt::Display for HeaderCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "header", self.name.as_str(), &self.test)
    }
}

impl fmt::Display for QueryCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "query", &self.name, &self.test)
    }
}

fn show(f: &mut fmt::Formatter<'_>, kind: &str, name: &str, test: &ValueTest) -> fmt::Result {
    match test {
        ValueTest::Exact(value) => write!(f, "{kind} `{name}` is {value:?}"),
        ValueTest::Present(true) => write!(f, "{kind} `{name}` is present"),
        ValueTest::Present(false) => write!(f, "{kind} `{name}` is absent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn header_conditions_look_at_the_whole_field() {
        let mut headers = HeaderMap::new();
        headers.append("x-version", HeaderValue::from_static("2"));
        headers.append("x-twice", HeaderValue::from_static("2"));
        headers.append("x-twice", HeaderValue::from_static("2"));
        for (name, test, expected) in [
            ("x-version", ValueTest::Exact("2".into()), true),
            ("X-Version", ValueTest::Exact("2".into()), true),
            ("x-version", ValueTest::Exact("3".into()), false),
            ("x-version", ValueTest::Present(true), true),
            ("x-version", ValueTest::Present(false), false),
            ("x-twice", ValueTest::Exact("2".into()), false),
            ("x-twice", ValueTest::Present(true), true),
            ("x-none", ValueTest::Exact(String::new()), false),
            ("x-none", ValueTest::Present(false), true),
        ] {
            let condition = HeaderCondition { name: name.parse().unwrap(), test };
            assert_eq!(condition.holds(&headers), expected, "{condition}");
        }
    }

    #[test]
    fn query_conditions_look_at_the_first_value() {
        let query = Some("a=1&a=2&b&c=x+y%26z&%64=ok&=empty");
        for (name, test, expected) in [
            ("a", ValueTest::Exact("1".into()), true),
            ("a", ValueTest::Exact("2".into()), false),
            ("b", ValueTest::Exact(String::new()), true),
            ("b", ValueTest::Present(true), true),
            ("c", ValueTest::Exact("x y&z".into()), true),
            ("d", ValueTest::Exact("ok".into()), true),
            ("e", ValueTest::Present(false), true),
            ("e", ValueTest::Exact(String::new()), false),
        ] {
            let condition = QueryCondition { name: name.to_owned(), test };
            assert_eq!(condition.holds(query), expected, "{condition}");
        }
        assert!(QueryCondition { name: "a".to_owned(), test: ValueTest::Present(false) }.holds(None));
    }
}
