//! Which methods a route answers.

use http::Method;
use std::fmt;
use std::str::FromStr;

/// The methods of RFC 9110 §9.3 and RFC 5789 in the order in which `Allow` lists them.
const STANDARD: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];
const GET: u16 = 1;
const HEAD: u16 = 1 << 1;

/// A set of methods. The empty set stands for all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct MethodSet {
    /// One bit for each of [`STANDARD`].
    standard: u16,
    /// Other tokens, sorted, each once.
    custom: Vec<Method>,
}

/// Text that names no method.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MethodError {
    message: String,
}

impl MethodSet {
    /// The set of all methods.
    #[must_use]
    pub const fn all() -> Self {
        Self { standard: 0, custom: Vec::new() }
    }

    /// Whether the set stands for all methods.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.standard == 0 && self.custom.is_empty()
    }

    /// Whether the method is named in the set.
    #[must_use]
    pub fn names(&self, method: &Method) -> bool {
        match bit(method) {
            0 => self.custom.contains(method),
            bit => self.standard & bit != 0,
        }
    }

    /// Whether a route with this set answers the method: it is named, or it is HEAD and GET is named, or the set is
    /// empty.
    #[must_use]
    pub fn allows(&self, method: &Method) -> bool {
        self.is_all() || self.names(method) || (*method == Method::HEAD && self.standard & GET != 0)
    }

    /// One bit for each standard method that a route with this set answers, for a first look at a request.
    pub(super) fn answered_bits(&self) -> u16 {
        let head = if self.standard & GET == 0 { 0 } else { HEAD };
        if self.is_all() { (1 << STANDARD.len()) - 1 } else { self.standard | head }
    }

    /// Adds a method.
    pub fn insert(&mut self, method: Method) {
        match bit(&method) {
            0 => {
                if let Err(index) = self.custom.binary_search_by(|other| other.as_str().cmp(method.as_str())) {
                    self.custom.insert(index, method);
                }
            }
            bit => self.standard |= bit,
        }
    }

    /// Adds every method that `other` names.
    pub fn insert_all(&mut self, other: &Self) {
        self.standard |= other.standard;
        for method in &other.custom {
            self.insert(method.clone());
        }
    }

    /// Whether a method is named in both sets, or both stand for all.
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        self.standard & other.standard != 0
            || self.custom.iter().any(|method| other.custom.contains(method))
            || (self.is_all() && other.is_all())
    }

    /// The methods that are named, standard ones first.
    pub fn iter(&self) -> impl Iterator<Item = &Method> {
        let standard = STANDARD.iter().enumerate().filter(|(index, _)| self.standard & (1 << index) != 0);
        standard.map(|(_, method)| method).chain(&self.custom)
    }

    /// The value of an `Allow` field (RFC 9110 §10.2.1): the methods named, and HEAD with GET.
    #[must_use]
    pub fn allow(&self) -> String {
        let mut allowed = self.clone();
        if allowed.standard & GET != 0 {
            allowed.standard |= HEAD;
        }
        join(&allowed)
    }
}

pub(super) fn bit(method: &Method) -> u16 {
    match *method {
        Method::GET => GET,
        Method::HEAD => HEAD,
        Method::POST => 1 << 2,
        Method::PUT => 1 << 3,
        Method::PATCH => 1 << 4,
        Method::DELETE => 1 << 5,
        Method::OPTIONS => 1 << 6,
        Method::TRACE => 1 << 7,
        Method::CONNECT => 1 << 8,
        _ => 0,
    }
}

fn join(methods: &MethodSet) -> String {
    let mut text = String::new();
    for method in methods.iter() {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(method.as_str());
    }
    text
}

impl FromIterator<Method> for MethodSet {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        let mut set = Self::all();
        methods.into_iter().for_each(|method| set.insert(method));
        set
    }
}

/// Names separated by `, `, or `*` for all.
impl fmt::Display for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() { f.write_str("*") } else { f.write_str(&join(self)) }
    }
}

/// Reads names separated by commas, or `*` for all. Method names are case-sensitive (RFC 9110 §9.1).
impl FromStr for MethodSet {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        if text.trim() == "*" {
            return Ok(Self::all());
        }
        text.split(',').map(|name| parse_method(name.trim())).collect()
    }
}

fn parse_method(name: &str) -> Result<Method, MethodError> {
    let upper = name.to_ascii_uppercase();
    if upper != name && STANDARD.iter().any(|method| method.as_str() == upper) {
        return Err(MethodError { message: format!("methods are case-sensitive; write `{upper}`") });
    }
    let method = match Method::from_bytes(name.as_bytes()) {
        Ok(method) if name != "*" => method,
        _ => return Err(MethodError { message: format!("`{name}` is no method") }),
    };
    // Methods of other standards (WebDAV, PURGE) are all further away; one that nobody sends would never match.
    let is_near = |known: &&Method| strsim::damerau_levenshtein(known.as_str(), &upper) == 1;
    match STANDARD.iter().find(is_near) {
        Some(known) => Err(MethodError { message: format!("is unknown; did you mean `{known}`?") }),
        None => Ok(method),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> MethodSet {
        text.parse().unwrap()
    }

    #[test]
    fn get_answers_head_and_nothing_else_implies_another() {
        assert!(set("GET").allows(&Method::HEAD));
        assert!(!set("GET").names(&Method::HEAD));
        assert!(!set("HEAD").allows(&Method::GET));
        assert!(!set("GET").allows(&Method::OPTIONS));
        assert!(MethodSet::all().allows(&Method::TRACE));
        assert!(set("GET, PURGE").allows(&"PURGE".parse().unwrap()));
        assert!(!set("PURGE").allows(&"PURG".parse().unwrap()));
    }

    #[test]
    fn allow_lists_head_with_get() {
        assert_eq!(set("POST, GET").allow(), "GET, HEAD, POST");
        assert_eq!(set("POST").allow(), "POST");
        assert_eq!(set("PURGE, LINK, DELETE").allow(), "DELETE, LINK, PURGE");
    }

    #[test]
    fn a_set_shows_itself_as_it_is_read() {
        for text in ["*", "GET", "GET, POST", "CONNECT, LINK, PURGE"] {
            assert_eq!(set(text).to_string(), text);
        }
        assert_eq!(set("PURGE,GET , GET"), set("GET, PURGE"));
    }

    #[test]
    fn methods_of_other_standards_are_custom_ones() {
        let registered = "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR \
                          MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPFIND PROPPATCH QUERY REBIND REPORT SEARCH \
                          UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL PURGE BAN NOTIFY";
        for name in registered.split_whitespace() {
            assert!(name.parse::<MethodSet>().is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_no_method_is_refused() {
        for (text, word) in [
            ("get", "`GET`"),
            ("GET, Post", "`POST`"),
            ("", "no method"),
            ("A B", "no method"),
            ("G ET", "no method"),
            ("GET, *", "no method"),
            ("GTE", "`GET`"),
            ("gte", "`GET`"),
            ("POSTS", "`POST`"),
            ("PTACH", "`PATCH`"),
            ("DELET", "`DELETE`"),
        ] {
            let error = text.parse::<MethodSet>().unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
