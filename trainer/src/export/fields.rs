//! The fields of a typed row: names and types that both languages share.

use std::collections::HashSet;

use surprisal::Kind;

use crate::schema::{ColumnEncoding, Schema};

/// Words that are no names in Rust, C or C++, names of types and macros of their compilers, and the name of the flags of
/// missing readings in C.
const RESERVED: &str = "abstract alignas alignof and as asm async auto await become bitand bitor bool box break case catch \
    char class compl concept const continue crate decltype default delete do double dyn else enum explicit export extern \
    false final float fn for friend gen goto if impl in inline int let long loop macro main match missing mod move mut mutable \
    namespace new noexcept not nullptr operator or override priv private protected pub public ref register requires \
    restrict return self short signed sizeof static struct super switch template this throw trait true try type typedef \
    typeid typename typeof union unsafe unsized unsigned use using virtual void volatile wchar_t where while xor yield \
    and_eq char8_t char16_t char32_t co_await co_return co_yield const_cast consteval constexpr constinit dynamic_cast errno \
    i386 int8_t int16_t int32_t int64_t linux mips not_eq or_eq reinterpret_cast size_t static_assert static_cast \
    thread_local uint8_t uint16_t uint32_t uint64_t unix xor_eq";

/// A field of a typed row.
pub(super) struct Field<'s> {
    /// Name of the field, a lower-case name in Rust and in C.
    pub name: String,
    /// Name of the column.
    pub column: &'s str,
    /// Type of the field.
    pub ty: FieldType<'s>,
    /// Whether the reading may be missing.
    pub may_miss: bool,
}

/// The type of a field.
pub(super) enum FieldType<'s> {
    /// A flag.
    Flag,
    /// An integer of 32 bits.
    Integer,
    /// A real number.
    Real,
    /// A category: (words of the name, code, text) of each value, and the code of any other value. The text is empty if
    /// the code is the value in the file.
    Category(Vec<(String, i32, &'s str)>, i32),
}

/// Returns the fields of a row, in the order of the readings. In a time series, all numbers are real.
pub(super) fn fields(schema: &Schema) -> Vec<Field<'_>> {
    let is_series = schema.predictor.view().window() > 0;
    let mut used = HashSet::new();
    let columns = schema.readings_of_a_row();
    columns
        .into_iter()
        .enumerate()
        .map(|(at, encoding)| {
            let column = schema.name(encoding);
            let ty = match encoding.kind {
                Kind::Flag { .. } => FieldType::Flag,
                Kind::Integer if !is_series => FieldType::Integer,
                Kind::Integer | Kind::Real => FieldType::Real,
                _ => category(encoding),
            };
            let name = unique(&mut used, &words(column, &format!("column_{at}")));
            Field { name, column, ty, may_miss: encoding.may_miss }
        })
        .collect()
}

fn category(encoding: &ColumnEncoding) -> FieldType<'_> {
    let mut used = HashSet::from(["other".to_owned()]);
    let named = |(code, text): (i32, &'_ str)| {
        let words = match text {
            "" if code < 0 => format!("minus_{}", code.unsigned_abs()),
            "" => format!("code_{code}"),
            text => words(text, &format!("code_{code}")),
        };
        (words, code)
    };
    let values: Vec<_> = encoding
        .codes()
        .map(|(code, text)| {
            let (words, code) = named((code, text));
            (unique(&mut used, &words), code, text)
        })
        .collect();
    let other = (1..).map(|code: i32| -code).find(|code| values.iter().all(|(_, own, _)| own != code));
    FieldType::Category(values, other.unwrap_or(i32::MIN))
}

/// Returns a text as lower-case words of ASCII letters and digits with `_` between them, or `other` if it has none.
pub(super) fn words(text: &str, other: &str) -> String {
    let parts: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    match parts.join("_") {
        words if words.is_empty() => other.to_owned(),
        words if words.starts_with(|c: char| c.is_ascii_digit()) => format!("n{words}"),
        words if RESERVED.split_whitespace().any(|word| word == words) => format!("{words}_"),
        words => words,
    }
}

/// Returns a name that is not used yet: the given one, or one with a number.
pub(super) fn unique(used: &mut HashSet<String>, name: &str) -> String {
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    let found = std::iter::once(name.to_owned()).chain(numbered).find(|name| !used.contains(name));
    let found = found.expect("there are more numbers than names");
    used.insert(found.clone());
    found
}

/// Returns the end of a sentence on readings, if there are `spare` readings behind those of the columns.
pub(super) fn slots_behind(spare: usize) -> &'static str {
    if spare > 0 { ", and a slot behind them per flag or category for its last value" } else { "" }
}

/// Returns a name of lower-case words as one of a type, such as `PumpMode`.
pub(super) fn camel(name: &str) -> String {
    let mut parts = String::new();
    for part in name.split('_').filter(|part| !part.is_empty()) {
        // Two numbers in a row stay apart, so that different names stay different.
        if part.starts_with(|c: char| c.is_ascii_digit()) && parts.ends_with(|c: char| c.is_ascii_digit()) {
            parts.push('_');
        }
        let (first, rest) = part.split_at(1);
        parts += &(first.to_ascii_uppercase() + rest);
    }
    parts
}
