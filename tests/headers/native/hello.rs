//! conda execute
//! env: [rust]
fn main() {}
