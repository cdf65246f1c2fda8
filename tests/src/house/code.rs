//! Rust code without what is not code.

/// The code of a file without its comments and without the test module at its end. Line breaks stay where they were.
pub fn without_comments_and_tests(source: &str) -> String {
    let mut code = without_comments(source);
    code.truncate(tests_begin(&code));
    code
}

/// The test module at the end of a file, without comments; empty if there is none.
pub fn tests_of(source: &str) -> String {
    let mut code = without_comments(source);
    code.split_off(tests_begin(&code))
}

/// Where the test module begins: an attribute that is followed by a module with a body.
fn tests_begin(code: &str) -> usize {
    let begins = code.match_indices("#[cfg(test)]").find(|(at, attribute)| {
        let module = code[at + attribute.len()..]
            .trim_start()
            .strip_prefix("mod ");
        module.is_some_and(|module| {
            module.find('{') < Some(module.find(';').unwrap_or(module.len()))
                && module.contains('{')
        })
    });
    begins.map_or(code.len(), |(at, _)| at)
}

fn without_comments(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
            continue;
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").map_or(rest.len(), |at| at + 2);
            code.extend(rest[..end].chars().filter(|character| *character == '\n'));
            rest = &rest[end..];
            continue;
        } else if let Some(length) = raw_string(rest, code.chars().next_back()) {
            length
        } else if next == '"' {
            string(rest)
        } else if next == '\'' {
            character(rest)
        } else {
            next.len_utf8()
        };
        code.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    code
}

/// The length of the raw string literal that begins here, if one does.
fn raw_string(rest: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|before| before.is_alphanumeric() && before != 'b' || before == '_') {
        return None;
    }
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(1 + hashes + 1 + length)
}

/// The length of the string literal that begins here.
fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of the character literal that begins here; 1 if the quote begins a lifetime.
fn character(rest: &str) -> usize {
    let mut inside = rest[1..].chars();
    match (inside.next(), inside.next()) {
        (Some('\\'), _) => rest[2..]
            .char_indices()
            .skip(1)
            .find(|(_, end)| *end == '\'')
            .map_or(1, |(at, _)| at + 3),
        (Some(one), Some('\'')) => 2 + one.len_utf8(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_tests_go_and_strings_stay() {
        let source = r##"//! A page about async fn.
use a::b; // HashMap
/* let x = rng();
*/ const URL: &str = "https://example.org"; const Q: char = '"'; const E: char = '\''; // gone
const RAW: &str = r#"// stays "quoted" "#; fn f<'a>(x: &'a str) {} // 'gone
#[cfg(test)]
mod helpers;
#[cfg(test)]
mod tests {
    use std::collections::HashMap;
}
"##;
        let expected = "\nuse a::b; \n\n const URL: &str = \"https://example.org\"; const Q: char = '\"'; const E: char = '\\''; \n\
            const RAW: &str = r#\"// stays \"quoted\" \"#; fn f<'a>(x: &'a str) {} \n#[cfg(test)]\nmod helpers;\n";
        assert_eq!(without_comments_and_tests(source), expected);
        assert!(tests_of(source).contains("HashMap"));
        assert_eq!(tests_of("fn f() {}"), "");
    }
}
