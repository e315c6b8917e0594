//! What the plugin does, in plain Rust: no HTTP, so that `cargo test` runs it like any other library.

pub fn greet(greeting: &str, name: &str) -> String {
    let name = name.trim();
    format!("{greeting}, {}!", if name.is_empty() { "world" } else { name })
}

#[cfg(test)]
mod tests {
    use super::greet;

    #[test]
    fn it_greets_by_name() {
        assert_eq!(greet("Hello", "Ada"), "Hello, Ada!");
    }

    #[test]
    fn without_a_name_it_greets_the_world() {
        assert_eq!(greet("Hello", " "), "Hello, world!");
    }
}
