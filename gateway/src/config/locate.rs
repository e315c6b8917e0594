//! Finds the line and column of a value in a YAML text.
//!
//! serde_yaml keeps no positions in its values, but it adds one to every error that a visitor raises. So a
//! search walks the document along the path and fails on purpose at its end. It runs once per problem, never
//! on a request.

use super::problem::{Spot, Step, ValuePath};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Line and column, from 1, of the value (or its key) at `path`; of its nearest known parent when it is not there.
pub(super) fn locate(text: &str, path: &ValuePath, spot: Spot) -> Option<(usize, usize)> {
    let mut steps = path.0.as_slice();
    let mut spot = spot;
    loop {
        let search = Search { steps, spot };
        let location = match search.deserialize(serde_yaml::Deserializer::from_str(text)) {
            Err(error) => error.location(),
            Ok(()) => None,
        };
        if let Some(location) = location {
            return Some((location.line(), location.column()));
        }
        (_, steps) = steps.split_last()?;
        spot = Spot::Value;
    }
}

struct Search<'a> {
    steps: &'a [Step],
    spot: Spot,
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.steps.split_first() {
            None => deserializer.deserialize_any(Found),
            Some((step, rest)) => deserializer.deserialize_any(Descend { step, rest, spot: self.spot }),
        }
    }
}

/// Fails on whatever it meets: the place is found.
struct Found;

macro_rules! found {
    ($($method:ident($($kind:ty)?);)*) => {
        $(fn $method<E: Error>(self $(, _: $kind)?) -> Result<(), E> { Err(E::custom("found")) })*
    };
}

impl<'de> Visitor<'de> for Found {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }

    found! {
        visit_bool(bool); visit_i64(i64); visit_u64(u64); visit_f64(f64); visit_str(&str); visit_unit(); visit_none();
    }
}

/// Goes one step down and passes over everything else.
struct Descend<'a> {
    step: &'a Step,
    rest: &'a [Step],
    spot: Spot,
}

impl<'de> Visitor<'de> for Descend<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Step::Key(wanted) = self.step else { return pass_map(map) };
        let stop_at_key = self.rest.is_empty() && self.spot == Spot::Key;
        while let Some(matches) = map.next_key_seed(KeySearch { wanted, stop: stop_at_key })? {
            if matches {
                map.next_value_seed(Search { steps: self.rest, spot: self.spot })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let wanted = match self.step {
            Step::Index(wanted) => *wanted,
            Step::Key(_) => usize::MAX,
        };
        let mut index = 0;
        loop {
            let more = if index == wanted {
                sequence.next_element_seed(Search { steps: self.rest, spot: self.spot })?.is_some()
            } else {
                sequence.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

fn pass_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

struct KeySearch<'a> {
    wanted: &'a str,
    stop: bool,
}

impl<'de> DeserializeSeed<'de> for KeySearch<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySearch<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        if key == self.wanted && self.stop { Err(E::custom("found")) } else { Ok(key == self.wanted) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "namespace: a\nroutes:\n  - match: { path: /x }\n    to: y\n  - to: [1, 2]\nplain:\n";

    fn at(steps: &[Step], spot: Spot) -> Option<(usize, usize)> {
        locate(TEXT, &ValuePath(steps.to_vec()), spot)
    }

    fn key(name: &str) -> Step {
        Step::Key(name.to_owned())
    }

    #[test]
    fn a_value_and_its_key_are_found_at_their_own_places() {
        assert_eq!(at(&[key("namespace")], Spot::Value), Some((1, 12)));
        assert_eq!(at(&[key("namespace")], Spot::Key), Some((1, 1)));
        let path = [key("routes"), Step::Index(0), key("match"), key("path")];
        assert_eq!(at(&path, Spot::Value), Some((3, 20)));
        assert_eq!(at(&path, Spot::Key), Some((3, 14)));
        assert_eq!(at(&[key("routes"), Step::Index(1), key("to"), Step::Index(1)], Spot::Value), Some((5, 13)));
    }

    #[test]
    fn a_value_that_is_not_there_is_placed_at_its_nearest_parent() {
        assert_eq!(at(&[key("routes"), Step::Index(1), key("match")], Spot::Value), Some((5, 5)));
        assert_eq!(at(&[key("nothing"), key("below")], Spot::Value), Some((1, 1)));
    }
}
