//! Links the tests with the script of `embedded-test`.

fn main() {
    println!("cargo::rustc-link-arg-tests=-Tembedded-test.x");
}
